import Primitives
import Testing

@Suite struct CivilDayTests {
    /// Each day follows the one before, for two whole cycles, one of them before the year 1.
    @Test func everyDayFollowsTheOneBefore() {
        var (year, month, day) = (-201, 12, 31)
        var days = CivilDay(year: year, month: month, day: day).daysSince1970
        var wrong: [Int64] = []
        while year < 601 {
            days += 1
            day += 1
            if day > CivilDay.length(ofMonth: month, year: year) { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
            let expected = CivilDay(year: year, month: month, day: day)
            if CivilDay(daysSince1970: days) != expected || expected.daysSince1970 != days { wrong.append(days) }
        }
        #expect(wrong.isEmpty)
    }

    @Test(
        arguments: [
            (0, 1970, 1, 1), (-1, 1969, 12, 31), (11_016, 2000, 2, 29), (47_541, 2100, 3, 1), (-719_162, 1, 1, 1),
            (2_932_896, 9999, 12, 31),
        ] as [(Int64, Int, Int, Int)])
    func known(days: Int64, year: Int, month: Int, day: Int) {
        #expect(CivilDay(daysSince1970: days) == CivilDay(year: year, month: month, day: day))
    }
}
