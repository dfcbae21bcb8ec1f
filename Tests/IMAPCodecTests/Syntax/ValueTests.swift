import Testing

@testable import IMAPCodec

@Suite struct SequenceSetTests {
    static let rows: [(IMAPSequenceSet, UInt32, [ClosedRange<UInt32>])] = [
        (set(r(2, 4), r(1)), 10, [1...4]), (set(r(7, star)), 5, [5...7]), (set(r(star)), 5, [5...5]),
        (set(r(star)), 0, []), (set(r(9, 3), r(20), r(10)), 30, [3...10, 20...20]),
        (set(r(1, .max), r(5)), 3, [1...(.max)]), (set(r(.max), r(1)), 3, [1...1, (.max)...(.max)]),
    ]

    @Test("resolved", arguments: rows)
    func resolves(_ set: IMAPSequenceSet, _ largest: UInt32, _ ranges: [ClosedRange<UInt32>]) {
        #expect(set.resolved(largest: largest) == ranges)
    }

    @Test func savedResultIsTheSessions() {
        #expect(IMAPSequenceSet.savedResult.resolved(largest: 5) == nil)
    }
}

@Suite struct DateTests {
    static let moments: [(String, Int64, Int)] = [
        ("\"17-Jul-1996 02:44:25 -0700\"", 837_596_665, -420), ("\" 1-Jan-1970 00:00:00 +0000\"", 0, 0),
        ("\"29-Feb-2000 23:59:59 +0530\"", 951_848_999, 330), ("\"31-Dec-1969 23:59:59 +0000\"", -1, 0),
    ]

    @Test("there and back", arguments: moments)
    func moment(_ text: String, _ seconds: Int64, _ zone: Int) throws {
        var lexer = IMAPLexer(bytes(text))
        let moment = try lexer.dateTime()
        #expect(moment == IMAPDateTime(secondsSince1970: seconds, zoneMinutes: zone))
        #expect(lexer.isAtEnd)
        #expect(IMAPFetchText().text(.internalDate(moment)) == "INTERNALDATE " + text)
    }

    @Test(
        "no such moment",
        arguments: [
            "\"31-Feb-1996 02:44:25 -0700\"", "\"29-Feb-1900 02:44:25 -0700\"", "\"17-Jul-1996 24:00:00 +0000\"",
            "\"17-Jul-1996 02:60:25 +0000\"", "\"17-Jul-1996 02:44:61 +0000\"", "\"17-Jul-1996 02:44:25 0000\"",
            "\"17-Jul-1996 02:44:25 +0060\"", "\"00-Jul-1996 02:44:25 +0000\"", "\"17-Jul-1996\"",
            "17-Jul-1996 02:44:25",
            "\"17-Jul-1996 02:44:25 +000",
        ])
    func refuses(_ text: String) {
        var lexer = IMAPLexer(bytes(text))
        #expect(throws: IMAPSyntaxError.self) { try lexer.dateTime() }
    }

    @Test func daysOfMoments() {
        #expect(IMAPDate(secondsSince1970: .min) == nil)
        #expect(IMAPDate(secondsSince1970: .max, zoneMinutes: 5) == nil)
        #expect(IMAPDate(secondsSince1970: -1) == IMAPDate(year: 1969, month: 12, day: 31))
    }
}

@Suite struct MailboxNameTests {
    static let names: [(String, String)] = [
        ("INBOX", "INBOX"), ("a&b", "a&-b"), ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("☺!", "&Jjo-!"), ("😀", "&2D3eAA-"), ("ä&ö", "&AOQ-&-&APY-"), ("", ""), ("&", "&-"), ("äö", "&AOQA9g-"),
    ]

    @Test("modified UTF-7", arguments: names)
    func coding(_ name: String, _ wire: String) {
        #expect(String(decoding: MailboxNameCoding.encode(name), as: UTF8.self) == wire)
        #expect(MailboxNameCoding.decode(bytes(wire)) == name)
    }

    @Test(
        "broken",
        arguments: [
            "&", "&Jjo", "&Jjo!", "&AAA-", "&AGE-", "&2D0-", "&3gA-", "&AOQ-&APY-", "&AOR-", "&A-", "&AO/-", "&=-",
            "é", "a\u{7F}b", "a\tb", "&AAo-", "&AOQ-A&",
        ])
    func broken(_ wire: String) {
        #expect(MailboxNameCoding.decode(bytes(wire)) == nil)
    }
}
