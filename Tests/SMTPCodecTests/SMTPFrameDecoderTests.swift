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

    /// However a BDAT is broken, its chunk is not taken for commands.
    @Test(arguments: [
        "BDAT x LAST\r\n", "BDAT\r\n", " BDAT 20\r\n", "BDAT20\r\n", "BDAT:20\r\n", "BDAT 20\n", "BDAT 2\u{0}0\r\n",
        "BDAT 20\r LAST\r\n", "bdat \u{FC}\r\n", "BDAT 20 \(String(repeating: "x", count: 5000))\r\n",
    ]) func aChunkOfUnknownSizeEndsTheSession(line: String) {
        for step in [1, 3, Int.max] {
            let events = DecoderScript().events(line + "MAIL FROM:<evil@x>\r\n", step: step)
            #expect(events.count == 1, "step \(step)")
            guard case .invalidCommand(let error)? = events.last else { return #expect(Bool(false)) }
            #expect(error.endsSession)
            #expect(error.reply.code == 421)
        }
    }

    @Test func theChunkOfAMalformedCommandIsRead() {
        for step in [1, 3, Int.max] {
            let events = DecoderScript().events("BDAT 6 FIRST\r\nQUIT\r\nNOOP\r\n", step: step)
            guard case .invalidCommand(let error)? = events.first else { return #expect(Bool(false)) }
            #expect(error.chunkSize == 6)
            #expect(Array(events.dropFirst()) == [.content("QUIT\r\n"), .chunkEnd(last: false), .command(.noop)])
        }
    }

    /// Behind a DATA that was refused, commands go on, and content ends the session.
    @Test(arguments: [
        "DATA\r\nSubject: x\r\nMAIL FROM:<evil@x>\r\n", "DATA now\r\nSubject: x\r\nQUIT\r\n", "DATA\r\n\r\nQUIT\r\n",
        "DATA\r\n.\r\nNOOP\r\n", "DATA\r\n folded\r\nNOOP\r\n", "DATA\r\na\nQUIT\r\n", "DATA\r\n\u{0}\r\nQUIT\r\n",
        "DATA\r\n\(String(repeating: "x", count: 5000))\r\nQUIT\r\n",
    ]) func contentBehindARefusedDATAIsNoCommand(wire: String) {
        for step in [1, 3, Int.max] {
            let events = DecoderScript(policy: .refuse).events(wire, step: step)
            #expect(events.count == 2, "step \(step)")
            guard case .invalidCommand(let error)? = events.last else { return #expect(Bool(false)) }
            #expect(error.endsSession)
            #expect(error.reply.code == 421)
        }
    }

    @Test func commandsBehindARefusedDATA() {
        let script = DecoderScript(policy: .refuse)
        #expect(
            script.events("DATA\r\nRSET\r\nXYZZY\r\nNOOP\r\n")
                == [.command(.data), .command(.rset), .command(.unknown("XYZZY")), .command(.noop)])
        // A known verb with wrong arguments is a command, too.
        let events = script.events("DATA\r\nMAIL FROM:x\r\nXYZZY\r\n")
        #expect(events.last == .command(.unknown("XYZZY")))
    }

    @Test func anInitialResponseMayBeAsLongAsAnyOther() {
        var script = DecoderScript(policy: .refuse)
        script.limits.lineLength = 512
        let response = String(repeating: "QUJD", count: 3000)
        for (length, isRead) in [(12_288, true), (12_289, false)] {
            let line = "AUTH PLAIN \(response)"
            let wire = line + String(repeating: " ", count: length - line.utf8.count - 2) + "\r\nNOOP\r\n"
            let events = script.events(wire)
            if case .command(.auth) = events[0] { #expect(isRead) } else { #expect(!isRead) }
            #expect(events.last == .command(.noop))
        }
    }
}
