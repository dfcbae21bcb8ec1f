import NIOCore
import TestSupport
import Testing

@testable import IMAPCodec

@Suite struct HostileInputTests {
    @Test(
        "nesting",
        arguments: [
            "SEARCH " + String(repeating: "(", count: 60_000),
            "SEARCH " + String(repeating: "NOT ", count: 15_000) + "ALL",
            "SEARCH " + String(repeating: "OR ", count: 20_000) + "ALL",
            "SEARCH " + String(repeating: "(", count: 64) + "ALL" + String(repeating: ")", count: 64),
        ])
    func nesting(_ text: String) {
        #expect(parse(text) == .failure(.syntax("Search keys are nested too deeply")))
    }

    @Test func nestingWithinTheLimit() {
        let text = "SEARCH " + String(repeating: "(", count: 63) + "ALL" + String(repeating: ")", count: 63)
        #expect(parse(text) == .success(.search(.init(byUID: false, key: .all))))
    }

    @Test func countsAreBounded() {
        let many = IMAPLexer.maximumElements
        #expect(
            parse("SEARCH" + String(repeating: " ALL", count: many + 1)) == .failure(.syntax("Too many search keys")))
        #expect(
            parse("SEARCH" + String(repeating: " ALL", count: many))
                == .success(.search(.init(byUID: false, key: .and(Array(repeating: .all, count: many))))))
        let flags = Array(repeating: "x", count: many + 1).joined(separator: " ")
        #expect(parse("STORE 1 FLAGS (\(flags))") == .failure(.syntax("Too many elements in a list")))
    }

    @Test func aHundredThousandParentheses() {
        let line = bytes("a LIST " + String(repeating: "(", count: 100_000) + "\r\nz NOOP\r\n")
        #expect(
            imapEvents(of: line) == [
                .reject(IMAPRejection(tag: "a", reason: .lineTooLong)),
                .command(IMAPTaggedCommand(tag: "z", command: .noop)),
            ])
    }

    @Test func anEndlessLineHoldsNoMemory() {
        var decoder = IMAPFrameDecoder(options: .init(maximumDiscard: 1_000_000))
        let piece = ByteBuffer(repeating: 0x78, count: 65_536)
        var events: [IMAPInboundEvent] = []
        for _ in 0..<20 {
            decoder.append(piece)
            while let event = decoder.next() { events.append(event) }
            #expect(decoder.bufferedByteCount <= 131_072)
        }
        #expect(
            events == [
                .reject(IMAPRejection(tag: nil, reason: .lineTooLong)),
                .reject(IMAPRejection(tag: nil, reason: .lineTooLong, isFatal: true)),
            ])
        #expect(decoder.isDead)
        #expect(decoder.bufferedByteCount == 0)
    }

    @Test func nulIsRefused() {
        for line in ["a NOOP\0", "a LOGIN a\0b c", "a LOGIN \"a\0\" c", "\0a NOOP", "a\0 NOOP", "a SELECT \0"] {
            guard case .failure = IMAPCommandParser.parse(bytes(line), acceptsUTF8: false) else {
                Issue.record("accepted a NUL")
                return
            }
        }
    }

    @Test func manyLiteralsCostLittle() {
        let line = bytes("a LOGIN" + String(repeating: " {0+}\r\n", count: 9_000) + "\r\nz NOOP\r\n")
        #expect(imapEvents(of: line).last == .command(IMAPTaggedCommand(tag: "z", command: .noop)))
    }

    @Test func randomBytesAreSurvived() {
        var random = SeededGenerator(seed: 42)
        let words = [
            "a ", "UID ", "SEARCH ", "FETCH ", "STORE ", "APPEND ", "LIST ", "NOTIFY SET ", "RETURN ", "BODY[",
            "{3+}\r\n",
            "{9}\r\n", "~{2+}\r\n", "(", ")", "\"", "\\", "&", "1:*", ",", "$", "\r\n", "\n", "\0", "NIL", "UTF8 (",
            " ",
            "INBOX ", "IDLE\r\n", "DONE\r\n", "AUTHENTICATE X\r\n", "]", "<0.5>", "1-Feb-2024 ", "LOGIN ", "\u{E9}",
        ].map { bytes($0) }
        for round in 0..<10_000 {
            var input: [UInt8] = []
            for _ in 0..<random.below(24) {
                if round % 4 == 0 {
                    input.append(UInt8(truncatingIfNeeded: random.next()))
                } else {
                    input += random.pick(words)
                }
            }
            fuzzIMAP(input, accepting: round % 2 == 0, options: round % 3 == 0 ? .init() : tightIMAPOptions)
        }
    }

    @Test func mutatedSeedsAreSurvived() throws {
        var random = SeededGenerator(seed: 7)
        for (_, seed) in Repository.fuzzCorpus("imap") {
            for _ in 0..<20 where !seed.isEmpty {
                var input = seed
                for _ in 0..<(1 + random.below(4)) {
                    let index = random.below(input.count)
                    if random.one(in: 2) {
                        input[index] = UInt8(truncatingIfNeeded: random.next())
                    } else {
                        input.insert(UInt8(ascii: "{"), at: index)
                    }
                }
                fuzzIMAP(input, accepting: random.one(in: 2), options: .init())
            }
        }
    }
}
