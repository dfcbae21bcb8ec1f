/// A calendar day without zone, as in `SINCE 1-Feb-2024`; always a day that exists. RFC 9051 section 9, `date`.
public struct IMAPDate: Sendable, Hashable, Comparable {
    /// 0 to 9999.
    public let year: Int
    /// 1 to 12.
    public let month: Int
    /// 1 to 31.
    public let day: Int

    /// A day of the proleptic Gregorian calendar; nil when there is no such day.
    public init?(year: Int, month: Int, day: Int) {
        guard (0...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.days(inMonth: month, year: year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// The day that contains a moment, in the zone given in minutes east of UTC; nil outside years 0 to 9999.
    public init?(secondsSince1970 seconds: Int64, zoneMinutes: Int = 0) {
        let local = seconds.addingReportingOverflow(Int64(zoneMinutes) * 60)
        guard !local.overflow else { return nil }
        let (days, second) = local.partialValue.quotientAndRemainder(dividingBy: 86_400)
        self.init(daysSince1970: second < 0 ? days - 1 : days)
    }

    /// Days since 1 January 1970, negative before.
    public var daysSince1970: Int64 {
        // Years begin in March here, so the leap day is the last of its year; 400 years have 146,097 days.
        let shifted = Int64(month <= 2 ? year - 1 : year)
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = Int64((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    init?(daysSince1970 days: Int64) {
        guard (-800_000...3_000_000).contains(days) else { return nil }
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        self.init(
            year: Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0), month: month,
            day: Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1))
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }

    static func days(inMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// A moment with the zone it was written in, as APPEND and INTERNALDATE carry it. RFC 9051 section 9, `date-time`.
public struct IMAPDateTime: Sendable, Hashable {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    public var secondsSince1970: Int64
    /// Minutes east of UTC, -1439 to 1439.
    public var zoneMinutes: Int

    public init(secondsSince1970: Int64, zoneMinutes: Int = 0) {
        self.secondsSince1970 = secondsSince1970
        self.zoneMinutes = zoneMinutes
    }
}
