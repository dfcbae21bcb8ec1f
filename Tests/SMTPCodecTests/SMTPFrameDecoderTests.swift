import NIOCore
import SMTPCodec
import Testing

@Suite struct SMTPFrameDecoderTests {
    typealias Event = SMTPFrameDecoder.Event

    static let dialogues: [(String, String, [Event])] = [
        ("pipelining", "EHLO a\r\nNOOP\r\nRSET\r\n", [.command(.ehlo("a")), .command(.noop), .command(.rset)]),
        ("an incomplete line is no event", "NOOP\r\nRSET\r", [.command(.noop)]),
        (
            "data", "DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\nNOOP\r\n",
            [.command(.data), .content("Subject: x\r\n\r\nbody\r\n"), .dataEnd(fault: nil), .command(.noop)]
        ),
        ("empty data", "DATA\r\n.\r\nNOOP\r\n", [.command(.data), .dataEnd(fault: nil), .command(.noop)]),
        (
            "dots", "DATA\r\n..a\r\n...\r\n.b\r\na.\r\n.\r\n",
            [.command(.data), .content(".a\r\n..\r\nb\r\na.\r\n"), .dataEnd(fault: nil)]
        ),
        ("empty lines", "DATA\r\n\r\n\r\n.\r\n", [.command(.data), .content("\r\n\r\n"), .dataEnd(fault: nil)]),
        (
            "chunks", "BDAT 4\r\n.\r\nxBDAT 0 LAST\r\nNOOP\r\n",
            [
                .command(.bdat(size: 4, last: false)), .content(".\r\nx"), .chunkEnd(last: false),
                .command(.bdat(size: 0, last: true)), .chunkEnd(last: true), .command(.noop),
            ]
        ),
        (
            "chunk content is never a command", "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
            [.command(.bdat(size: 6, last: true)), .content("QUIT\r\n"), .chunkEnd(last: true), .command(.noop)]
        ),
        (
            "auth", "AUTH LOGIN\r\nYQ==\r\nNOOP\r\n",
            [
                .command(.auth(mechanism: "LOGIN", initialResponse: nil)), .authResponse(.data([0x61])),
                .command(.noop),
            ]
        ),
        (
            "auth is cancelled", "AUTH LOGIN\r\n*\r\n",
            [.command(.auth(mechanism: "LOGIN", initialResponse: nil)), .authResponse(.cancel)]
        ),
        (
            "auth response = is not empty data", "AUTH LOGIN\r\n=\r\n",
            [.command(.auth(mechanism: "LOGIN", initialResponse: nil)), .authResponse(.malformed)]
        ),
        (
            "auth response is empty", "AUTH LOGIN\r\n\r\n",
            [.command(.auth(mechanism: "LOGIN", initialResponse: nil)), .authResponse(.data([]))]
        ),
        ("nothing behind QUIT", "QUIT\r\nNOOP\r\n", [.command(.quit)]),
    ]

    @Test(arguments: dialogues) func decodes(name: String, wire: String, expected: [Event]) {
        for step in [1, 2, 3, 7, Int.max] {
            #expect(DecoderScript().events(wire, step: step) == expected, "\(name), step \(step)")
        }
    }

    /// Each row is content that some software reads as two messages. The message ends at the last CRLF.CRLF, and is
    /// refused.
    @Test(arguments: [
        ("\n.\n", SMTPContentFault.bareLF), ("\n.\r\n", .bareLF), ("\r\n.\n", .bareLF), ("\r.\r\n", .bareCR),
        ("\r.\r", .bareCR), ("\r\n.\r", .bareCR), ("\r\n.\r\r\n", .bareCR), ("\n\n.\n\n", .bareLF), ("\r\r\n", .bareCR),
        ("\n..\r\n", .bareLF), ("\r\n\0.\r\n", .nul), ("\0", .nul), (".\n", .bareLF), (".\r", .bareCR), ("\n", .bareLF),
        ("\r\n.\0\r\n", .nul), ("\r\n.\n\r\n", .bareLF),
    ]) func smuggling(vector: String, fault: SMTPContentFault) {
        let wire = "DATA\r\nA: b\r\n\r\nx\(vector)MAIL FROM:<evil@x>\r\nRCPT TO:<a@b>\r\n.\r\nNOOP\r\n"
        for step in [1, 2, 3, Int.max] {
            let events = DecoderScript().events(wire, step: step).filter { !$0.isContent }
            #expect(events == [.command(.data), .dataEnd(fault: fault), .command(.noop)], "step \(step)")
        }
    }

    /// CR CR LF . CR LF contains CRLF.CRLF, so it ends there; the CR before it is bare.
    @Test func theFirstTrueEndCounts() {
        #expect(
            DecoderScript().events("DATA\r\nx\r\r\n.\r\nNOOP\r\n")
                == [.command(.data), .content("x\r\r\n"), .dataEnd(fault: .bareCR), .command(.noop)])
    }

    @Test(arguments: [
        ("NOOP\n", 1, []), ("A\nB\nNOOP\r\nNOOP\r\n", 3, [SMTPCommand.noop]),
        ("NOOP\nDATA\r\nNOOP\r\n", 2, [.noop]), ("NO\rOP\r\nNOOP\r\n", 1, [.noop]), ("NOOP\r\r\nNOOP\r\n", 1, [.noop]),
        ("RCPT TO:<a\nDATA\n@b>\r\nNOOP\r\n", 3, [.noop]), ("\nNOOP\r\n", 2, []), ("NOOP\0\r\nNOOP\r\n", 1, [.noop]),
    ]) func forbiddenBytesInLines(wire: String, refused: Int, commands: [SMTPCommand]) {
        for step in [1, 2, Int.max] {
            let events = DecoderScript().events(wire, step: step)
            let faults = events.filter {
                if case .invalidCommand(let error) = $0 { error.reply.code == 500 } else { false }
            }
            #expect(faults.count == refused, "step \(step)")
            #expect(events.compactMap { if case .command(let command) = $0 { command } else { nil } } == commands)
        }
    }

    @Test func waitsBehindDataUntilTold() {
        var decoder = SMTPFrameDecoder()
        decoder.append(ByteBuffer(string: "DATA\r\nQUIT\r\n.\r\n"))
        #expect(decoder.next() == .command(.data))
        #expect(decoder.isWaiting)
        #expect(decoder.next() == nil)
        decoder.append(ByteBuffer(string: "NOOP\r\n"))
        #expect(decoder.next() == nil)
        #expect(decoder.bufferedBytes == 15)
        var refused = decoder
        refused.apply(.readCommands)
        #expect(refused.next() == .command(.quit))
        decoder.apply(.readData)
        #expect(decoder.next() == .content("QUIT\r\n"))
        #expect(decoder.next() == .dataEnd(fault: nil))
        #expect(decoder.next() == .command(.noop))
        #expect(decoder.next() == nil)
    }

    @Test func plaintextBehindSTARTTLSIsSeenAndDropped() {
        var decoder = SMTPFrameDecoder()
        decoder.append(ByteBuffer(string: "STARTTLS\r\nMAIL FROM:<evil@x>\r\n"))
        #expect(decoder.next() == .command(.startTLS))
        #expect(decoder.next() == nil)
        #expect(decoder.bufferedBytes == 20)
        decoder.apply(.restartForTLS)
        #expect(decoder.bufferedBytes == 0)
        #expect(decoder.next() == nil)
        decoder.append(ByteBuffer(string: "EHLO b\r\n"))
        #expect(decoder.next() == .command(.ehlo("b")))
    }

    @Test func aDirectiveWithoutAQuestionIsIgnored() {
        var decoder = SMTPFrameDecoder()
        decoder.apply(.readData)
        decoder.append(ByteBuffer(string: "NOOP\r\n"))
        #expect(decoder.next() == .command(.noop))
    }

    @Test func aChunkOfUnknownSizeEndsTheSession() {
        let events = DecoderScript().events("BDAT x LAST\r\nMAIL FROM:<evil@x>\r\n")
        #expect(events.count == 1)
        guard case .invalidCommand(let error)? = events.first else { return #expect(Bool(false)) }
        #expect(error.endsSession)
    }
}
