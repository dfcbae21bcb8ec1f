/// Timestamps in the format of the store's JSON files.
package enum Timestamp {
    /// `2026-08-01T12:00:00Z`, from seconds since 1970 UTC (proleptic Gregorian calendar).
    package static func iso8601(_ seconds: Int64) -> String {
        let second = (seconds % 86_400 + 86_400) % 86_400
        let day = CivilDay(daysSince1970: (seconds &- second) / 86_400)
        let time = [second / 3600, second / 60 % 60, second % 60].map { pad(Int($0), 2) }.joined(separator: ":")
        return "\(pad(day.year, 4))-\(pad(day.month, 2))-\(pad(day.day, 2))T\(time)Z"
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
