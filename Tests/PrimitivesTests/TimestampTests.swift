import Testing

@testable import Primitives

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_785_585_599, "2026-08-01T11:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"), (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] as [(Int64, String)])
    func timestamps(seconds: Int64, text: String) {
        #expect(Timestamp.iso8601(seconds) == text)
    }
}
