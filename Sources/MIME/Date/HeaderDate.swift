import Primitives

/// A date as written in header fields (RFC 5322 sections 3.3 and 4.3).
public struct HeaderDate: Sendable, Equatable {
    /// Seconds since 1970-01-01 00:00:00 UTC, without leap seconds.
    public let seconds: Int64
    /// Minutes by which the writer's clock is ahead of UTC; -5999 to 5999.
    public let offsetMinutes: Int

    /// - Parameters:
    ///   - seconds: since 1970 in UTC; clamped to the years 1 to 9999, plus five days on both sides for the offset.
    ///   - offsetMinutes: clamped to -5999 to 5999.
    public init(seconds: Int64, offsetMinutes: Int = 0) {
        self.seconds = min(max(seconds, Self.earliest), Self.latest)
        self.offsetMinutes = min(max(offsetMinutes, -5999), 5999)
    }

    private static let firstDay = CivilDay(year: 1, month: 1, day: 1).daysSince1970
    private static let lastDay = CivilDay(year: 9999, month: 12, day: 31).daysSince1970
    private static let earliest = (firstDay - 5) * 86_400
    private static let latest = (lastDay + 6) * 86_400 - 1

    /// The day on the writer's clock, counted from 1970-01-01; SENTON and its kin compare it.
    public var localDay: Int64 {
        Self.floorDivide(seconds + Int64(offsetMinutes) * 60, 86_400)
    }

    /// The date in the form `Mon, 02 Jan 2006 15:04:05 -0700`; a local day outside the years 1 to 9999 is clamped.
    public var formatted: String {
        let local = seconds + Int64(offsetMinutes) * 60
        let inDay = local - Self.floorDivide(local, 86_400) * 86_400
        let days = min(max(localDay, Self.firstDay), Self.lastDay)
        let day = CivilDay(daysSince1970: days)
        let weekday = Self.weekdays[Int(((days + 4) % 7 + 7) % 7)]
        let zone = abs(offsetMinutes)
        let time = [inDay / 3600, inDay / 60 % 60, inDay % 60].map { Self.padded(Int($0), 2) }.joined(separator: ":")
        return
            "\(weekday), \(Self.padded(day.day, 2)) \(Self.months[day.month - 1]) \(Self.padded(day.year, 4)) \(time) "
            + (offsetMinutes < 0 ? "-" : "+") + Self.padded(zone / 60, 2) + Self.padded(zone % 60, 2)
    }

    static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(width - digits.utf8.count, 0)) + digits
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}
