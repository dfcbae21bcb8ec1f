import Testing

@testable import MIME

@Suite struct HeaderDateTests {
    @Test(
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 +0000", 0, 0),
            ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", 837_595_405, -420),
            ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, -360),
            ("1 Jan 2000 0:00 GMT", 946_684_800, 0),
            ("Sat, 1 Jan 2000 00:00:60 +0000", 946_684_859, 0),
            ("  tue ,  29 FEB 2000 23:59:59  +0130  (a (b) c) ", 951_863_399, 90),
            ("21 Nov 97 09:55:06 GMT", 880_106_106, 0),
            ("21 Nov 49 00:00:00 UT", 2_521_065_600, 0),
            ("21 Nov 097 09:55:06 GMT", 880_106_106, 0),
            ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880_127_706, -360),
            ("Mon 1 Jan 2024 12:00:00 EST", 1_704_128_400, -300),
            ("Mon, 1 Jan 2024 12:00:00 edt", 1_704_124_800, -240),
            ("Mon, 1 Jan 2024 12:00:00 CST", 1_704_132_000, -360),
            ("Mon, 1 Jan 2024 12:00:00 PST", 1_704_139_200, -480),
            ("Mon, 1 Jan 2024 12:00:00 Z", 1_704_110_400, 0),
            ("Mon, 1 Jan 2024 12:00:00 CET", 1_704_110_400, 0),
            ("Mon, 1 Jan 2024 12:00:00", 1_704_110_400, 0),
            ("Fri, 31 Dec 9999 23:59:59 +0000", 253_402_300_799, 0),
            ("1 Jan 0001 00:00:00 +0000", -62_135_596_800, 0),
        ] as [(String, Int64, Int)])
    func parses(input: String, seconds: Int64, offset: Int) throws {
        let date = try #require(HeaderDate(parsing: utf8(input)))
        #expect(date.seconds == seconds)
        #expect(date.offsetMinutes == offset)
    }

    @Test(arguments: [
        "", "Mon", "Mon,", "1 Jan", "1 Jan 2024", "32 Jan 2024 00:00:00 +0000", "0 Jan 2024 00:00 +0000",
        "29 Feb 2023 00:00 +0000", "29 Feb 1900 00:00 +0000", "31 Apr 2024 00:00 +0000", "1 Foo 2024 00:00 +0000",
        "1 Janu 2024 00:00 +0000", "1 Jan 2024 24:00 +0000", "1 Jan 2024 00:60 +0000", "1 Jan 2024 00:00:61 +0000",
        "1 Jan 2024 0:0 +0000", "1 Jan 2024 00:00 +000", "1 Jan 2024 00:00 +00000", "1 Jan 2024 00:00 +0060",
        "1 Jan 2024 00:00 +0000 x", "1 Jan 20240 00:00 +0000", "1 Jan 2 00:00 +0000", "1 Jan 0000 00:00 +0000",
        "1-Jan-2024 00:00 +0000", "2024-01-01T00:00:00Z", "Foo, 1 Jan 2024 00:00 +0000", "111 Jan 2024 00:00 +0000",
        "1 Jan 202400:00 +0000", "1 Jan 2024 00:00 ?", "99999999999999999999 Jan 2024 00:00 +0000",
        "1 Jan 2024 00:00 +99999999999999999999",
    ])
    func refuses(input: String) {
        #expect(HeaderDate(parsing: utf8(input)) == nil)
    }

    @Test(
        arguments: [
            (0, 0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (1_136_239_445, -420, "Mon, 02 Jan 2006 15:04:05 -0700"),
            (951_863_399, 90, "Tue, 29 Feb 2000 23:59:59 +0130"),
            (-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"),
            (-1, 60, "Thu, 01 Jan 1970 00:59:59 +0100"),
            (Int64.min, 0, "Mon, 01 Jan 0001 00:00:00 +0000"),
            (Int64.max, Int.max, "Fri, 31 Dec 9999 03:58:59 +9959"),
        ] as [(Int64, Int, String)])
    func formats(seconds: Int64, offset: Int, expected: String) {
        #expect(HeaderDate(seconds: seconds, offsetMinutes: offset).formatted == expected)
    }

    @Test func everyDayGoesThereAndBack() {
        // One day every 27 years, then every day around two leap days.
        let days =
            stride(from: -719_162, through: 2_932_896, by: 9973).map(Int64.init)
            + (10_950...11_020) + (-25_600...(-25_500))
        for day in days {
            let date = HeaderDate(seconds: day * 86_400 + 3661, offsetMinutes: 0)
            #expect(HeaderDate(parsing: utf8(date.formatted)) == date)
        }
    }

    @Test func localDay() {
        #expect(HeaderDate(seconds: 86_399, offsetMinutes: 1).localDay == 1)
        #expect(HeaderDate(seconds: 0, offsetMinutes: -1).localDay == -1)
        #expect(HeaderDate(seconds: 0, offsetMinutes: 0).localDay == 0)
    }

    /// RFC 5256 section 2.2.
    @Test(
        arguments: [
            ("31 Dec 2000 16:01:33 -0800", 978_307_293), ("1 Jan 2001 00:01:33 +0000", 978_307_293),
            ("1 Jan 2024 12:00:00 +9x", 1_704_110_400), ("1 Jan 2024 12:00:00 +0060", 1_704_110_400),
            ("1 Jan 2024 12:00:00 ?", 1_704_110_400), ("1 Jan 2024 12:00:00 +0100 tail", 1_704_106_800),
            ("1 Jan 2024 25:00:00 +0100", 1_704_067_200), ("1 Jan 2024", 1_704_067_200),
            ("1 Jan 2024 noon", 1_704_067_200),
            ("30 Feb 2024 12:00:00 +0000", nil), ("yesterday", nil), ("", nil), ("Jan 2024", nil),
        ] as [(String, Int64?)])
    func sentDates(input: String, seconds: Int64?) {
        #expect(HeaderDate(sentDate: utf8(input))?.seconds == seconds, "\(input)")
    }
}
