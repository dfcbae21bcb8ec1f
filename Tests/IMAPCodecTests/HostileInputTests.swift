import NIOCore
import TestSupport
import Testing

@testable import IMAPCodec

@Suite struct HostileInputTests {
    @Test(
        "nesting that ends too early",
        arguments: [
            "SEARCH " + String(repeating: "(", count: 60_000),
            "SEARCH " + String(repeating: "NOT ", count: 15_000),
            "SEARCH " + String(repeating: "OR ", count: 20_000) + "ALL",
            "SEARCH " + String(repeating: "(", count: 64) + "ALL" + String(repeating: ")", count: 65),
        ])
    func incompleteNesting(_ text: String) {
        guard case .failure(.syntax) = parse(text) else {
            Issue.record("not refused: \(text.prefix(40))")
            return
        }
    }

    @Test func nestingIsWhatALineHolds() {
        let all = IMAPSearchProgram.Term.key(.all)
        func program(_ text: String) -> [IMAPSearchProgram.Term]? {
            guard case .success(.search(let command)) = parse("SEARCH " + text) else { return nil }
            return command.program.terms
        }
        let many = 10_000
        #expect(
            program(String(repeating: "(", count: many) + "ALL" + String(repeating: ")", count: many))
                == Array(repeating: .and(1), count: many) + [all])
        #expect(program(String(repeating: "NOT ", count: many) + "ALL") == Array(repeating: .not, count: many) + [all])
        #expect(
            program(String(repeating: "OR ALL ", count: many - 1) + "ALL")
                == Array(repeating: [.or, all], count: many - 1).flatMap { $0 } + [all])
        #expect(
            program(String(repeating: "OR ", count: many - 1) + String(repeating: "ALL ", count: many))
                == Array(repeating: .or, count: many - 1) + Array(repeating: all, count: many))
        let mixed = String(repeating: "NOT (ALL OR ALL ", count: 3_000) + "ALL" + String(repeating: ")", count: 3_000)
        #expect(program(mixed)?.count == 3_000 * 5 + 1)
    }

    /// Too many is no fault of the command: NO [LIMIT], not BAD (RFC 5530).
    @Test func countsAreBounded() {
        let many = 10_000
        #expect(throws: Never.self) { try parse("SEARCH" + String(repeating: " 1", count: many)).get() }
        let tooMany = bytes("a SEARCH" + String(repeating: " 1", count: many + 1) + "\r\n")
        let rejection = IMAPRejection(tag: "a", reason: .limit("More than 10000 search keys"))
        #expect(imapEvents(of: tooMany) == [.reject(rejection)])
        #expect(encoded(rejection.response) == "a NO [LIMIT] More than 10000 search keys\r\n")
        let operators = String(repeating: "NOT ", count: 80_002) + "ALL"
        #expect(parse("SEARCH " + operators) == .failure(.limit("Too many search operators")))
        let flags = Array(repeating: "x", count: IMAPLexer.maximumElements + 1).joined(separator: " ")
        #expect(parse("STORE 1 FLAGS (\(flags))") == .failure(.limit("Too many elements in a list")))
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
