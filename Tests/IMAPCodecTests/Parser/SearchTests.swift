import Testing

@testable import IMAPCodec

@Suite struct SearchTests {
    static let day = IMAPDate(year: 1994, month: 2, day: 1)!

    static let keys: [(String, IMAPSearchKey)] = [
        ("ALL", .all), ("UNSEEN", .withoutFlag(.seen)), ("NEW", .new), ("OLD", .withoutFlag(.recent)),
        ("1:3,9", .sequence(set(r(1, 3), r(9)))), ("$", .sequence(.savedResult)), ("UID 5:*", .uid(set(r(5, star)))),
        ("HEADER X-Spam \"\"", .header(field: "X-Spam", value: [])),
        ("TEXT {4}\r\nä\r\n", .text(bytes("ä\r\n"))), ("BODY \"ü\"", .body(bytes("ü"))),
        ("LARGER 5000000000", .larger(5_000_000_000)), ("SMALLER 0", .smaller(0)),
        ("OLDER 60", .older(60)), ("YOUNGER 1", .younger(1)),
        ("SENTBEFORE \"1-Feb-1994\"", .sentDate(.before, day)), ("SENTON 1-feb-1994", .sentDate(.on, day)),
        ("SINCE 29-Feb-1994", .internalDate(.since, IMAPDate(year: 1994, month: 3, day: 1)!)),
        ("ON 31-Jun-1994", .internalDate(.on, IMAPDate(year: 1994, month: 7, day: 1)!)),
        ("SAVEDSINCE 01-Feb-1994", .saveDate(.since, day)), ("SAVEDATESUPPORTED", .saveDateSupported),
        ("MODSEQ 620162338", .modSeq(620_162_338)), ("MODSEQ \"/flags/\\\\draft\" all 5", .modSeq(5)),
        ("EMAILID M6d99", .emailID("M6d99")), ("THREADID T_1-2", .threadID("T_1-2")),
        ("KEYWORD $Junk", .flag(.keyword("$Junk"))), ("UNKEYWORD x", .withoutFlag(.keyword("x"))),
    ]

    @Test("keys", arguments: keys)
    func key(_ text: String, _ key: IMAPSearchKey) {
        #expect(parse("SEARCH " + text) == .success(.search(.init(byUID: false, program: .init([.key(key)])))))
    }

    private static let seen = IMAPSearchProgram.Term.key(.flag(.seen))
    private static let draft = IMAPSearchProgram.Term.key(.flag(.draft))

    @Test(
        "operators",
        arguments: [
            (
                "FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
                [
                    .key(.flag(.flagged)), .key(.internalDate(.since, day)), .not,
                    .key(.address(field: "FROM", value: bytes("Smith"))),
                ]
            ),
            ("(SEEN)", [.and(1), seen]), ("SEEN DRAFT", [seen, draft]),
            ("(SEEN DRAFT) SEEN", [.and(2), seen, draft, seen]),
            ("OR SEEN (DRAFT SEEN) DRAFT", [.or, seen, .and(2), draft, seen, draft]),
            ("OR OR SEEN DRAFT OR SEEN DRAFT", [.or, .or, seen, draft, .or, seen, draft]),
            ("NOT NOT OR SEEN NOT DRAFT", [.not, .not, .or, seen, .not, draft]),
            ("((SEEN (DRAFT)) NOT (SEEN))", [.and(2), .and(2), seen, .and(1), draft, .not, .and(1), seen]),
        ] as [(String, [IMAPSearchProgram.Term])])
    func operators(_ text: String, _ terms: [IMAPSearchProgram.Term]) {
        #expect(parse("SEARCH " + text) == .success(.search(.init(byUID: false, program: .init(terms)))))
    }

    static let options: [(String, IMAPSearchReturn)] = [
        ("()", .init(all: true)), ("(MIN COUNT)", .init(min: true, count: true)),
        ("(SAVE)", .init(save: true)), ("(MAX ALL)", .init(max: true, all: true)),
        ("(PARTIAL 23500:24000)", .init(partial: .init(23_500...24_000))),
        ("(COUNT PARTIAL -1:-100)", .init(count: true, partial: .init(1...100, fromEnd: true))),
    ]

    @Test("RETURN", arguments: options)
    func returns(_ text: String, _ options: IMAPSearchReturn) {
        #expect(
            parse("UID SEARCH RETURN \(text) CHARSET utf-8 ALL")
                == .success(
                    .search(.init(byUID: true, returnOptions: options, charset: "UTF-8", program: .init([.key(.all)]))))
        )
    }

    @Test func sortAndThread() {
        #expect(
            parse("SORT (REVERSE DATE DISPLAYFROM) UTF-8 ALL")
                == .success(
                    .sort(
                        .init(
                            byUID: false, criteria: [.init(.date, reverse: true), .init(.displayFrom)],
                            charset: "UTF-8", program: .init([.key(.all)])))))
        #expect(
            parse("UID SORT RETURN (COUNT) (SUBJECT) US-ASCII 1 2")
                == .success(
                    .sort(
                        .init(
                            byUID: true, returnOptions: .init(count: true), criteria: [.init(.subject)],
                            charset: "US-ASCII",
                            program: .init([.key(.sequence(set(r(1)))), .key(.sequence(set(r(2))))])))))
        #expect(
            parse("UID THREAD references UTF-8 ALL")
                == .success(
                    .thread(.init(byUID: true, algorithm: "REFERENCES", charset: "UTF-8", program: .init([.key(.all)])))
                ))
    }

    @Test(
        "refused",
        arguments: [
            "SEARCH", "SEARCH ()", "SEARCH FOO", "SEARCH NOT", "SEARCH OR ALL", "SEARCH (ALL", "SEARCH ALL)",
            "SEARCH SINCE 32-Jan-2024", "SEARCH SINCE 0-Jan-2024", "SEARCH SINCE 1-Foo-2024", "SEARCH SINCE 1-Jan-24",
            "SEARCH OLDER 0",
            "SEARCH RETURN (FOO) ALL", "SEARCH RETURN (ALL PARTIAL 1:2) ALL", "SEARCH RETURN (PARTIAL 1) ALL",
            "SEARCH EMAILID \"\"", "SEARCH EMAILID a.b", "SEARCH LARGER x", "SEARCH KEYWORD \\Seen",
            "SEARCH HEADER \"ä\" c", "SORT () UTF-8 ALL", "SORT (FOO) UTF-8 ALL", "SORT (DATE) ALL",
            "THREAD REFERENCES UTF-8",
        ])
    func refuses(_ text: String) {
        guard case .failure(.syntax) = parse(text) else {
            Issue.record("not refused")
            return
        }
    }
}
