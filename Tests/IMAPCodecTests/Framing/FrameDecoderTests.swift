import NIOCore
import Testing

@testable import IMAPCodec

@Suite struct FrameDecoderTests {
    private static func command(_ tag: String, _ command: IMAPCommand) -> IMAPInboundEvent {
        .command(IMAPTaggedCommand(tag: tag, command: command))
    }

    private static func rejection(_ tag: String?, _ reason: IMAPRejection.Reason, fatal: Bool = false)
        -> IMAPInboundEvent
    {
        .reject(IMAPRejection(tag: tag, reason: reason, isFatal: fatal))
    }

    private static func chunk(_ text: String) -> IMAPInboundEvent { .appendChunk(ByteBuffer(string: text)) }

    private static let noop = command("z", .noop)

    private func expectNext(
        _ decoder: inout IMAPFrameDecoder, _ expected: IMAPInboundEvent?, at location: SourceLocation = #_sourceLocation
    ) {
        let event = decoder.next()
        #expect(event == expected, sourceLocation: location)
    }

    private func expectResolved(
        _ decoder: inout IMAPFrameDecoder, _ resolution: IMAPResolution, _ expected: Bool = true,
        at location: SourceLocation = #_sourceLocation
    ) {
        let isResolved = decoder.resolve(resolution)
        #expect(isResolved == expected, sourceLocation: location)
    }

    private func events(
        _ text: String, accepting: Bool = true, options: IMAPDecoderOptions = .init()
    ) -> [IMAPInboundEvent] {
        imapEvents(of: bytes(text), accepting: accepting, options: options)
    }

    @Test func linesAndLiterals() {
        #expect(
            events("a LOGIN {2}\r\n{5 {3+}\r\n}\r\n\r\nz NOOP\n") == [
                .continuationNeeded, Self.command("a", .login(user: bytes("{5"), password: bytes("}\r\n"))), Self.noop,
            ])
        #expect(events("a DELETE {1+}\r\nx}\r\nz NOOP\r\n").last == Self.noop)
    }

    @Test func aLiteralsBytesAreNoHeader() {
        // The literal is "{5" and the line continues with "}": none of that announces five octets.
        #expect(
            events("a DELETE {2+}\r\n{5}\r\nz NOOP\r\n") == [
                Self.rejection("a", .syntax("Unexpected characters after the arguments")), Self.noop,
            ])
    }

    @Test func append() {
        let date = IMAPDateTime(secondsSince1970: 0)
        #expect(
            events("a APPEND {3}\r\nD f (\\Seen x) \" 1-Jan-1970 00:00:00 +0000\" ~{4}\r\nab\r\n\r\nz NOOP\r\n") == [
                .continuationNeeded,
                .appendBegin(
                    IMAPAppendMessage(
                        tag: "a", mailbox: "D f", flags: [.seen, .keyword("x")], date: date, size: 4, isBinary: true)),
                Self.chunk("ab\r\n"), .appendMessageEnd, .appendEnd(tag: "a"), Self.noop,
            ])
    }

    @Test func multiappendReplaceAndUTF8() {
        #expect(
            events("a APPEND x {1+}\r\n1 (\\Draft) UTF8 (~{2+}\r\n23) {0+}\r\n\r\n") == [
                .appendBegin(IMAPAppendMessage(tag: "a", mailbox: "x", size: 1, isSynchronising: false)),
                Self.chunk("1"), .appendMessageEnd,
                .appendBegin(
                    IMAPAppendMessage(
                        tag: "a", mailbox: "x", index: 1, flags: [.draft], size: 2, isSynchronising: false,
                        isBinary: true, isUTF8: true)), Self.chunk("23"), .appendMessageEnd,
                .appendBegin(IMAPAppendMessage(tag: "a", mailbox: "x", index: 2, size: 0, isSynchronising: false)),
                .appendMessageEnd, .appendEnd(tag: "a"),
            ])
        #expect(
            events("a UID REPLACE 7 {2+}\r\nab {1}\r\nx\r\nb REPLACE * y {1}\r\nc {1+}\r\n \r\nz NOOP\r\n") == [
                .appendBegin(
                    IMAPAppendMessage(
                        tag: "a", mailbox: "ab", replaces: .init(number: 7, byUID: true), size: 1)),
                Self.chunk("x"), .appendMessageEnd, .appendEnd(tag: "a"),
                .appendBegin(
                    IMAPAppendMessage(tag: "b", mailbox: "y", replaces: .init(number: star, byUID: false), size: 1)),
                Self.chunk("c"), .appendMessageEnd, Self.rejection("b", .syntax("REPLACE takes one message")),
                Self.noop,
            ])
    }

    /// IMAPClient sends two spaces between the messages of a MULTIAPPEND.
    @Test func appendWithOtherSpaces() {
        let first = IMAPAppendMessage(
            tag: "a", mailbox: "x", flags: [.seen], date: IMAPDateTime(secondsSince1970: 0), size: 1,
            isSynchronising: false)
        let others = (1...3).map {
            IMAPAppendMessage(tag: "a", mailbox: "x", index: $0, size: 1, isSynchronising: false)
        }
        let text =
            " a  APPEND  x  ( \\Seen )\" 1-Jan-1970 00:00:00 +0000\"{1+}\r\n1  {1+}\r\n2{1+}\r\n3  UTF8  ( ~{1+}\r\n4 )  \r\n"
        var expected: [IMAPInboundEvent] = []
        for (message, body) in zip([first] + others, ["1", "2", "3", "4"]) {
            var message = message
            if body == "4" { (message.isBinary, message.isUTF8) = (true, true) }
            expected += [.appendBegin(message), Self.chunk(body), .appendMessageEnd]
        }
        #expect(events(text + "z NOOP\r\n") == expected + [.appendEnd(tag: "a"), Self.noop])
    }

    @Test func messagesStreamAndAreNotHeld() {
        var decoder = IMAPFrameDecoder()
        decoder.append(ByteBuffer(string: "a APPEND INBOX {52428800+}\r\n"))
        _ = decoder.next()
        #expect(decoder.pause == .appendLiteral)
        decoder.append(ByteBuffer(string: "early"))
        expectNext(&decoder, nil)
        expectResolved(&decoder, .acceptLiteral)
        expectNext(&decoder, Self.chunk("early"))
        var total = 5
        let piece = ByteBuffer(repeating: 0x61, count: 65_536)
        while total < 52_428_800 {
            let count = min(piece.readableBytes, 52_428_800 - total)
            decoder.append(piece.getSlice(at: 0, length: count) ?? ByteBuffer())
            while case .appendChunk(let chunk)? = decoder.next() { total += chunk.readableBytes }
            #expect(decoder.bufferedByteCount == 0)
        }
        #expect(total == 52_428_800)
        decoder.append(ByteBuffer(string: "\r\n"))
        expectNext(&decoder, .appendEnd(tag: "a"))
    }

    @Test func refusedMessagesAreSkipped() {
        let refused = events(
            "a APPEND x {3+}\r\nabc (\\Seen) {4+}\r\nz B\n tail\r\nb APPEND x {3}\r\nz NOOP\r\n", accepting: false)
        #expect(
            refused == [
                .appendBegin(IMAPAppendMessage(tag: "a", mailbox: "x", size: 3, isSynchronising: false)),
                .appendBegin(IMAPAppendMessage(tag: "b", mailbox: "x", size: 3)), Self.noop,
            ])
    }

    static let overLimits: [(String, [IMAPInboundEvent])] = [
        ("a APPEND x {101}\r\nz NOOP\r\n", [rejection("a", .messageTooLarge), noop]),
        ("a APPEND x {99999999999999999999}\r\nz NOOP\r\n", [rejection("a", .messageTooLarge), noop]),
        ("a APPEND x {99999999999999999999+}\r\nz NOOP\r\n", [rejection("a", .messageTooLarge, fatal: true)]),
        ("a APPEND x {18446744073709551617+}\r\nz NOOP\r\n", [rejection("a", .messageTooLarge, fatal: true)]),
        ("a LOGIN {4294967296}\r\nz NOOP\r\n", [rejection("a", .literalTooLarge), noop]),
        ("a LOGIN {4294967296+}\r\nz NOOP\r\n", [rejection("a", .literalTooLarge, fatal: true)]),
        ("a LOGIN {11+}\r\nz NOOP\r\nz \r\nz NOOP\r\n", [rejection("a", .literalTooLarge), noop]),
        ("a LOGIN {6+}\r\n123456 {5+}\r\n12345\r\nz NOOP\r\n", [rejection("a", .literalTooLarge), noop]),
        (
            "a APPEND x {32+}\r\n" + String(repeating: "z NOOP\r\n", count: 4) + "\r\nz NOOP\r\n",
            [rejection("a", .literalTooLarge), noop]
        ),
        ("? FOO {2+}\r\nxx\r\nz NOOP\r\n", [rejection("?", .unknownCommand("FOO")), noop]),
        ("( {2+}\r\nxx\r\nz NOOP\r\n", [rejection(nil, .badTag), noop]),
        ("a CATENATE x {2}\r\nz \r\nz NOOP\r\n", [.continuationNeeded, rejection("a", .unknownCommand("CATENATE"))]),
        ("a " + String(repeating: "x", count: 63) + "\r\nz NOOP\r\n", [rejection("a", .lineTooLong), noop]),
        (
            "a " + String(repeating: "x", count: 120) + " {3+}\r\n\r\n\n\r\nz NOOP\r\n",
            [rejection("a", .lineTooLong), noop]
        ),
        (
            "a " + String(repeating: "x", count: 400),
            [
                rejection("a", .lineTooLong), rejection(nil, .lineTooLong, fatal: true),
            ]
        ),
        (
            "a IDLE\r\n" + String(repeating: "x", count: 100) + " {4+}\r\nz NO\r\nz NOOP\r\n",
            [command("a", .idle), .idleDone(wellFormed: false), noop]
        ),
        (
            "a APPEND x {1+}\r\nm" + String(repeating: "x", count: 100) + "\r\nz NOOP\r\n",
            [
                .appendBegin(IMAPAppendMessage(tag: "a", mailbox: "x", size: 1, isSynchronising: false)), chunk("m"),
                .appendMessageEnd, rejection("a", .lineTooLong), noop,
            ]
        ),
    ]

    @Test("over a limit", arguments: overLimits)
    func limits(_ text: String, _ expected: [IMAPInboundEvent]) {
        let options = IMAPDecoderOptions(
            maximumLineLength: 64, maximumLiteralBytes: 10, maximumAppendSize: 100, maximumDiscard: 200,
            maximumNonSynchronisingLiteral: 30)
        let found = events(text, options: options)
        #expect(found.starts(with: expected))
        #expect(imapEvents(of: bytes(text), pieceSize: 1, options: options) == found)
    }

    @Test func theTagOfALongLineDoesNotDependOnItsPieces() {
        let text = String(repeating: "?", count: 66) + "a NOOP\r\n"
        let options = IMAPDecoderOptions(maximumLineLength: 64)
        let expected = [Self.rejection(nil, .lineTooLong)]
        #expect(events(text, options: options) == expected)
        #expect(imapEvents(of: bytes(text), pieceSize: 1, options: options) == expected)
    }

    @Test func nothingBehindSTARTTLSIsInterpreted() {
        var decoder = IMAPFrameDecoder()
        decoder.append(ByteBuffer(string: "a STARTTLS\r\nb LOGIN mallory x\r\n"))
        expectNext(&decoder, Self.command("a", .startTLS))
        #expect(decoder.pause == .startTLS)
        expectNext(&decoder, nil)
        #expect(decoder.bufferedByteCount == 19)
        expectResolved(&decoder, .beginIdle, false)
        expectResolved(&decoder, .discardBuffered)
        #expect(decoder.bufferedByteCount == 0)
        decoder.append(ByteBuffer(string: "z NOOP\r\n"))
        expectNext(&decoder, Self.noop)
    }

    @Test func compressionTakesTheRest() {
        var decoder = IMAPFrameDecoder()
        decoder.append(ByteBuffer(string: "a COMPRESS DEFLATE\r\n\u{1}\u{2}"))
        expectNext(&decoder, Self.command("a", .compress(algorithm: "DEFLATE")))
        #expect(decoder.pause == .compress)
        let rest = decoder.takeBufferedBytes()
        #expect(rest == ByteBuffer(bytes: [1, 2]))
        expectResolved(&decoder, .resume)
        decoder.append(ByteBuffer(string: "z NOOP\r\n"))
        expectNext(&decoder, Self.noop)
    }

    @Test func authenticateAndIdle() {
        #expect(
            events("a AUTHENTICATE X\r\nZm9v\r\n*\r\nb IDLE\r\ndone\r\nc IDLE\r\nd NOOP\r\nz NOOP\r\n") == [
                Self.command("a", .authenticate(mechanism: "X", initialResponse: nil)),
                .authenticationResponse(.data(bytes("foo"))), .authenticationResponse(.cancel),
                Self.command("b", .idle), .idleDone(wellFormed: true), Self.command("c", .idle),
                .idleDone(wellFormed: false), Self.noop,
            ])
        #expect(
            events("a AUTHENTICATE X\r\nz NOOP\r\n", accepting: false).last == Self.noop)
        #expect(
            events("a AUTHENTICATE X\r\n{3+}\r\n").last == .authenticationResponse(.malformed))
    }

    @Test func namesChangeBehindEnable() {
        #expect(
            events("a DELETE &-\r\nb ENABLE UTF8=ACCEPT\r\nc DELETE \"ä&\"\r\n") == [
                Self.command("a", .delete(mailbox: "&")), Self.command("b", .enable(["UTF8=ACCEPT"])),
                Self.command("c", .delete(mailbox: "ä&")),
            ])
    }

    @Test func rejectionsBecomeAnswers() {
        let rows: [(IMAPRejection, String)] = [
            (.init(tag: "a", reason: .unknownCommand("FOO")), "a BAD Unknown command FOO\r\n"),
            (.init(tag: nil, reason: .badTag), "* BAD Missing or invalid tag\r\n"),
            (.init(tag: "a", reason: .messageTooLarge), "a NO [TOOBIG] Message too large\r\n"),
            (.init(tag: "a", reason: .literalTooLarge, isFatal: true), "* BYE [TOOBIG] Literal too large\r\n"),
            (.init(tag: "a", reason: .lineTooLong), "a BAD [LIMIT] Command line too long\r\n"),
        ]
        for (rejection, text) in rows { #expect(encoded(rejection.response) == text) }
    }
}
