import NIOCore
import Testing

@testable import IMAPCodec

@Suite struct FetchWriterTests {
    static let values: [(IMAPFetchValue, String)] = [
        (.uid(4), "UID 4"), (.flags([]), "FLAGS ()"), (.size(44827), "RFC822.SIZE 44827"), (.modSeq(6), "MODSEQ (6)"),
        (.emailID("M1"), "EMAILID (M1)"), (.threadID(nil), "THREADID NIL"), (.saveDate(nil), "SAVEDATE NIL"),
        (.preview("a \"b\""), "PREVIEW \"a \\\"b\\\"\""), (.preview(nil), "PREVIEW NIL"),
        (.preview("é"), "PREVIEW {2}\r\né"), (.binarySize(part: [1, 2], 9), "BINARY.SIZE[1.2] 9"),
        (.noBody(.body(IMAPSection(part: [9]), offset: nil)), "BODY[9] NIL"),
        (
            .noBody(.body(IMAPSection(part: [1], specifier: .headerFields(["To", "a b"])), offset: 3)),
            "BODY[1.HEADER.FIELDS (To \"a b\")]<3> NIL"
        ),
        (
            .envelope(
                IMAPEnvelope(
                    date: bytes("Wed, 17 Jul 1996 02:23:25 -0700"), subject: bytes("a\r\nb"),
                    from: [IMAPAddress(name: bytes("Terry \"G\""), mailbox: bytes("gray"), host: bytes("cac.example"))],
                    to: [
                        IMAPAddress(mailbox: bytes("team"), host: nil),
                        IMAPAddress(mailbox: bytes("x"), host: bytes("y")),
                        IMAPAddress(mailbox: nil, host: nil),
                    ], messageID: bytes("<B@c>"))),
            "ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700\" {4}\r\na\r\nb "
                + "((\"Terry \\\"G\\\"\" NIL \"gray\" \"cac.example\")) NIL NIL "
                + "((NIL NIL \"team\" NIL)(NIL NIL \"x\" \"y\")(NIL NIL NIL NIL)) NIL NIL NIL \"<B@c>\")"
        ),
        (
            .bodyStructure(text, extensible: false),
            "BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92)"
        ),
        (
            .bodyStructure(
                IMAPBodyStructure(
                    kind: .multipart([text, text]), subtype: bytes("MIXED"),
                    parameters: [.init(name: bytes("BOUNDARY"), value: bytes("x"))]), extensible: true),
            "BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92 NIL NIL NIL NIL)"
                + "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92 NIL NIL NIL NIL)"
                + " \"MIXED\" (\"BOUNDARY\" \"x\") NIL NIL NIL)"
        ),
        (
            .bodyStructure(
                IMAPBodyStructure(
                    kind: .message(
                        .init(type: bytes("MESSAGE"), encoding: bytes("7BIT"), size: 7, lines: 2),
                        envelope: IMAPEnvelope(),
                        body: text), subtype: bytes("RFC822"),
                    disposition: .init(type: bytes("attachment")), languages: [bytes("de"), bytes("en")]),
                extensible: true),
            "BODYSTRUCTURE (\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 7 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
                + "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92 NIL NIL NIL NIL) 2 NIL "
                + "(\"attachment\" NIL) (\"de\" \"en\") NIL)"
        ),
        (
            .bodyStructure(IMAPBodyStructure(kind: .multipart([]), subtype: bytes("X")), extensible: false),
            "BODY ((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0) \"X\")"
        ),
    ]

    static let text = IMAPBodyStructure(
        kind: .leaf(.init(type: bytes("TEXT"), encoding: bytes("7BIT"), size: 3028, lines: 92)),
        subtype: bytes("PLAIN"), parameters: [.init(name: bytes("CHARSET"), value: bytes("US-ASCII"))])

    @Test("values", arguments: values)
    func value(_ value: IMAPFetchValue, _ text: String) {
        #expect(IMAPFetchText().text(value) == text)
    }

    @Test func bodiesStreamBehindTheirHeader() {
        var buffer = ByteBuffer()
        var writer = IMAPFetchWriter(sequenceNumber: 12, into: &buffer)
        writer.write(.uid(7), into: &buffer)
        writer.beginLiteral(.body(IMAPSection(specifier: .header), offset: nil), size: 6, into: &buffer)
        buffer.writeString("abc")
        buffer.writeString("def")
        writer.beginLiteral(.binary(part: [1], offset: 0, containsNUL: true), size: 1, into: &buffer)
        buffer.writeBytes([0])
        writer.beginLiteral(.rfc822Text, size: 0, into: &buffer)
        writer.end(into: &buffer)
        #expect(
            String(buffer: buffer)
                == "* 12 FETCH (UID 7 BODY[HEADER] {6}\r\nabcdef BINARY[1]<0> ~{1}\r\n\0 RFC822.TEXT {0}\r\n)\r\n")
    }

    @Test func deepStructuresAreCut() {
        var structure = Self.text
        for _ in 0..<1_000 { structure = IMAPBodyStructure(kind: .multipart([structure]), subtype: bytes("MIXED")) }
        let text = IMAPFetchText().text(.bodyStructure(structure, extensible: true))
        #expect(text.utf8.count { $0 == .openParenthesis } == text.utf8.count { $0 == .closeParenthesis })
        #expect(text.utf8.count < 10_000)
    }
}
