import Primitives

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
            day <= CivilDay.length(ofMonth: month, year: year)
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
    public var daysSince1970: Int64 { CivilDay(year: year, month: month, day: day).daysSince1970 }

    init?(daysSince1970 days: Int64) {
        guard (-800_000...3_000_000).contains(days) else { return nil }
        let day = CivilDay(daysSince1970: days)
        self.init(year: day.year, month: day.month, day: day.day)
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
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
