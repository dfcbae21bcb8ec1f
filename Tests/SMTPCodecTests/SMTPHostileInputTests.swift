import NIOCore
import SMTPCodec
import TestSupport
import Testing

@Suite struct SMTPHostileInputTests {
    typealias Event = SMTPFrameDecoder.Event

    private static var smallLimits: SMTPFrameDecoder.Limits {
        var limits = SMTPFrameDecoder.Limits()
        limits.lineLength = 20
        limits.authLineLength = 30
        limits.skippedLineLength = 100
        return limits
    }

    @Test func theLongestLineIsReadAndOneOctetMoreRefused() {
        let script = DecoderScript(limits: Self.smallLimits)
        let fits = "NOOP " + String(repeating: "x", count: 13) + "\r\n"
        #expect(fits.utf8.count == 20)
        for step in [1, 3, Int.max] {
            #expect(script.events(fits, step: step) == [.command(.noop)])
            let events = script.events("X" + fits + "RSET\r\n", step: step)
            guard case .invalidCommand(let error)? = events.first else {
                Issue.record("no error, step \(step)")
                continue
            }
            #expect(error.kind == .lineTooLong)
            #expect(error.reply.code == 500)
            #expect(Array(events.dropFirst()) == [.command(.rset)])
        }
    }

    @Test func aLongLineThatEndsInABareLFTaintsTheNext() {
        let script = DecoderScript(limits: Self.smallLimits)
        let wire = String(repeating: "x", count: 40) + "\nDATA\r\nNOOP\r\n"
        for step in [1, 3, Int.max] {
            let events = script.events(wire, step: step)
            #expect(events.count == 3)
            #expect(events.last == .command(.noop))
        }
    }

    @Test func anEndlessLineEndsTheSessionInBoundedMemory() {
        var decoder = SMTPFrameDecoder()
        var events: [Event] = []
        for _ in 0..<100 {
            decoder.append(ByteBuffer(repeating: UInt8(ascii: "A"), count: 16384))
            while let event = decoder.next() { events.append(event) }
            #expect(decoder.bufferedBytes <= 16384)
        }
        #expect(decoder.isClosed)
        #expect(events.count == 1)
        guard case .invalidCommand(let error)? = events.first else { return #expect(Bool(false)) }
        #expect(error.endsSession)
    }

    @Test func aLongAuthResponseIsRefusedAndWaitsForTheSession() {
        var decoder = SMTPFrameDecoder(limits: Self.smallLimits)
        decoder.append(ByteBuffer(string: "AUTH PLAIN\r\n"))
        _ = decoder.next()
        decoder.apply(.readAuthResponse)
        decoder.append(ByteBuffer(string: String(repeating: "A", count: 60) + "\r\nNOOP\r\n"))
        guard case .invalidCommand(let error)? = decoder.next() else { return #expect(Bool(false)) }
        #expect(error.kind == .lineTooLong)
        #expect(decoder.next() == nil)
        decoder.apply(.readCommands)
        #expect(decoder.next() == .command(.noop))
    }

    /// Random mixtures of significant fragments: nothing traps, and splitting the input changes nothing.
    @Test(arguments: 0..<12) func splitsDoNotMatter(seed: UInt64) {
        let fragments = [
            "\r", "\n", "\r\n", ".", "..", "\r\n.\r\n", "\n.\n", "DATA\r\n", "BDAT 7\r\n", "BDAT 3 LAST\r\n",
            "AUTH LOGIN\r\n",
            "YQ==\r\n", "*\r\n", "STARTTLS\r\n", "MAIL FROM:<a@b>\r\n",
            "RCPT TO:<\"a\\\" b\"@[1.2.3.4]> NOTIFY=NEVER\r\n",
            "x", "\0", "\u{E4}", "EHLO a\r\n", String(repeating: "y", count: 25), "NOOP\r\n",
        ]
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<25 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...30, using: &generator) {
                bytes += Array(generator.pick(fragments).utf8)
                if Int.random(in: 0..<12, using: &generator) == 0 {
                    bytes.append(UInt8.random(in: 0...255, using: &generator))
                }
            }
            for policy in [DecoderScript.Policy.grant, .refuse] {
                let script = DecoderScript(policy: policy, limits: Self.smallLimits)
                let whole = script.events(bytes)
                #expect(script.events(bytes, step: 1) == whole, "\(bytes)")
                #expect(script.events(bytes, step: 5) == whole, "\(bytes)")
            }
        }
    }

    @Test(arguments: 0..<8) func randomBytesNeverTrap(seed: UInt64) {
        var generator = SeededGenerator(seed: 1000 + seed)
        for _ in 0..<100 {
            let bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let script = DecoderScript(limits: Self.smallLimits)
            #expect(script.events(bytes, step: 1) == script.events(bytes))
            _ = try? SMTPCommandParser.parse(bytes)
        }
    }

    /// Compares the word-at-a-time search with a plain loop, at every offset.
    @Test func contentCheckFindsFaultsAtEveryOffset() {
        let rows: [([UInt8], SMTPContentFault?)] = [
            ([13, 10], nil), ([10], .bareLF), ([13], .bareCR), ([0], .nul), ([13, 13, 10], .bareCR),
            ([0x8D, 0x8A, 0x80, 1], nil),
        ]
        for (bytes, fault) in rows {
            for before in 0..<20 {
                for after in 0..<10 {
                    let whole =
                        Array(repeating: UInt8(0x61), count: before) + bytes + Array(repeating: 0xFF, count: after)
                    for step in [1, 3, Int.max] {
                        var check = SMTPContentCheck()
                        var rest = whole[...]
                        while !rest.isEmpty {
                            check.inspect(ByteBuffer(bytes: rest.prefix(step)))
                            rest = rest.dropFirst(step)
                        }
                        #expect(check.finish() == fault)
                    }
                }
            }
        }
    }
}
