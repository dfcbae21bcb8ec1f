import Testing

@testable import IMAPCodec

@Suite struct FetchTests {
    static let items: [(String, [IMAPFetchItem])] = [
        ("ALL", [.flags, .internalDate, .size, .envelope]),
        ("fast", [.flags, .internalDate, .size]),
        ("FULL", [.flags, .internalDate, .size, .envelope, .bodyStructure(extensible: false)]),
        ("(UID FLAGS MODSEQ EMAILID THREADID SAVEDATE)", [.uid, .flags, .modSeq, .emailID, .threadID, .saveDate]),
        ("(RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)", [.rfc822, .rfc822Header, .rfc822Text, .size]),
        ("BODY", [.bodyStructure(extensible: false)]), ("BODYSTRUCTURE", [.bodyStructure(extensible: true)]),
        ("BODY[]", [.body(IMAPSection(), partial: nil, peek: false)]),
        (
            "BODY.PEEK[1.2]<0.2048>",
            [.body(IMAPSection(part: [1, 2]), partial: IMAPPartial(offset: 0, count: 2048), peek: true)]
        ),
        ("BODY[4.2.2.MIME]", [.body(IMAPSection(part: [4, 2, 2], specifier: .mime), partial: nil, peek: false)]),
        ("BODY[HEADER]", [.body(IMAPSection(specifier: .header), partial: nil, peek: false)]),
        ("BODY[3.TEXT]", [.body(IMAPSection(part: [3], specifier: .text), partial: nil, peek: false)]),
        (
            "BODY.PEEK[1.header.fields (From \"X-y\")]",
            [.body(IMAPSection(part: [1], specifier: .headerFields(["From", "X-y"])), partial: nil, peek: true)]
        ),
        (
            "BODY[HEADER.FIELDS.NOT (Received)]<5.1>",
            [
                .body(
                    IMAPSection(specifier: .headerFieldsNot(["Received"])), partial: IMAPPartial(offset: 5, count: 1),
                    peek: false)
            ]
        ),
        (
            "(BINARY[1] BINARY.PEEK[]<1.2> BINARY.SIZE[2.3])",
            [
                .binary(part: [1], partial: nil, peek: false),
                .binary(part: [], partial: IMAPPartial(offset: 1, count: 2), peek: true), .binarySize(part: [2, 3]),
            ]
        ),
        ("( FLAGS  UID )", [.flags, .uid]), (" ALL ", [.flags, .internalDate, .size, .envelope]),
        (
            "BODY[HEADER.FIELDS  ( From  To )]",
            [.body(IMAPSection(specifier: .headerFields(["From", "To"])), partial: nil, peek: false)]
        ),
        ("(PREVIEW  ( LAZY )  UID)", [.preview(lazy: true), .uid]),
        ("PREVIEW", [.preview(lazy: false)]), ("PREVIEW (LAZY)", [.preview(lazy: true)]),
        ("(PREVIEW (LAZY) UID)", [.preview(lazy: true), .uid]),
    ]

    @Test("items", arguments: items)
    func item(_ text: String, _ items: [IMAPFetchItem]) {
        #expect(parse("FETCH 1 " + text) == .success(.fetch(.init(set: set(r(1)), byUID: false, items: items))))
    }

    @Test func modifiers() {
        #expect(
            parse("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)")
                == .success(
                    .fetch(
                        .init(
                            set: set(r(1, star)), byUID: true, items: [.flags], changedSince: 12345, vanished: true))))
        #expect(
            parse("FETCH 1 (FLAGS)(CHANGEDSINCE  5)")
                == .success(.fetch(.init(set: set(r(1)), byUID: false, items: [.flags], changedSince: 5))))
        #expect(
            parse("UID FETCH 1:* PREVIEW  ( PARTIAL -1:-30 )")
                == .success(
                    .fetch(
                        .init(
                            set: set(r(1, star)), byUID: true, items: [.preview(lazy: false)],
                            partial: IMAPPartialRange(1...30, fromEnd: true)))))
    }

    @Test(
        "refused",
        arguments: [
            "FETCH 1 ()", "FETCH 1 FOO", "FETCH 1 (ALL)", "FETCH 1 BODY[", "FETCH 1 BODY[]<0.0>", "FETCH 1 BODY[]<1>",
            "FETCH 1 BODY[0]", "FETCH 1 BODY[1.]", "FETCH 1 BODY[MIME]", "FETCH 1 BODY[HEADER.FIELDS ()]",
            "FETCH 1 BODY[HEADER.FIELDS (a\"b)]", "FETCH 1 BODY[HEADER.FIELDS (ä)]", "FETCH 1 BODY[TEXT.1]",
            "FETCH 1 (FLAGS", "FETCH FLAGS",
            "FETCH 1 FLAGS (VANISHED)", "FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)", "UID FETCH 1 FLAGS (VANISHED)",
            "FETCH 1 BODYSTRUCTURE[]", "FETCH 1(FLAGS)", "FETCH 1 FLAGS UID", "FETCH 1 FLAGS(CHANGEDSINCE 5)",
            "FETCH 1 BODY[ HEADER]", "FETCH 1 (BODY[HEADER]FLAGS)", "FETCH 1 BODY.PEEK [HEADER]",
            "FETCH 1 BODY[HEADER.FIELDS(From)]", "FETCH 1,,2 FLAGS", "FETCH ,1 FLAGS", "FETCH 1:, FLAGS",
            "FETCH 1 FLAGS (PARTIAL 1:-2)", "FETCH 1 FLAGS (PARTIAL 0:2)",
        ])
    func refuses(_ text: String) {
        guard case .failure(.syntax) = parse(text) else {
            Issue.record("not refused")
            return
        }
    }

    @Test func partNumbersAreAsDeepAsALine() {
        let part = Array(repeating: "1", count: 10_000).joined(separator: ".")
        #expect(throws: Never.self) { try parse("FETCH 1 BODY[\(part)]").get() }
    }
}
