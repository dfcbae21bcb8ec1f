import TestSupport
import Testing

@testable import MIME

@Suite struct MessageScannerTests {
    /// Scans the message in pieces of the sizes that `size` returns.
    static func scan(
        _ bytes: [UInt8], limits: ParseLimits = .standard, pieces size: () -> Int
    ) -> (message: Message, topHeader: [UInt8]?) {
        var scanner = MessageScanner(limits: limits)
        var start = 0
        while start < bytes.count {
            let end = min(start + size(), bytes.count)
            scanner.feed(bytes.span.extracting(start..<end))
            start = end
        }
        let message = scanner.finish()
        return (message, scanner.topHeader)
    }

    private func expectSame(_ bytes: [UInt8], limits: ParseLimits = .standard, seed: UInt64 = 1) {
        let whole = Message(parsing: bytes, limits: limits)
        var generator = SeededGenerator(seed: seed)
        let largest = Int.random(in: 1...40, using: &generator)
        for pieces in [{ 1 }, { Int.random(in: 0...largest, using: &generator) }] {
            let (message, topHeader) = Self.scan(bytes, limits: limits, pieces: pieces)
            #expect(message == whole, "\(string(bytes).debugDescription)")
            #expect(topHeader == Array(bytes[whole.root.header]))
        }
    }

    @Test(arguments: MessageTreeTests.rows)
    func piecesOfMail(_ row: MessageTreeTests.Row) {
        for seed in 0..<10 { expectSame(row.message, seed: UInt64(seed)) }
        expectSame(row.message.filter { $0 != 0x0D })
    }

    @Test(arguments: 0..<16)
    func piecesOfRandomMail(seed: Int) {
        let lines = [
            "\r\n--b\r\n", "\n--b--\n", "\r\n--b-\r\n", "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
            "\nContent-Type: multipart/mixed; boundary=b-\n\n", "Content-Type: message/rfc822\n", "      ", "\r",
        ]
        var generator = SeededGenerator(seed: UInt64(2000 + seed))
        for round in 0..<60 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                let pieces = Bool.random(using: &generator) ? lines : RandomInputTests.pieces
                bytes += utf8(pieces.randomElement(using: &generator) ?? "")
            }
            let limits = round % 2 == 0 ? ParseLimits.standard : .tight(&generator)
            expectSame(bytes, limits: limits, seed: UInt64(round))
            #expect(brokenRule(Message(parsing: bytes, limits: limits), in: bytes, limits: limits) == nil)
        }
    }

    @Test func offsetsCountFromTheBeginningAsked() {
        let bytes = mail("Subject: x\n\nbody\n")
        var scanner = MessageScanner(at: 100)
        scanner.feed(bytes.span)
        let message = scanner.finish()
        #expect(message.range == 100..<100 + bytes.count)
        #expect(message.root.body.lowerBound == 114)
    }

    @Test func topHeaderIsThereBeforeTheBody() {
        var scanner = MessageScanner()
        scanner.feed(utf8("Subject: x\r\n\r").span)
        #expect(scanner.topHeader == nil)
        scanner.feed(utf8("\nb").span)
        #expect(string(scanner.topHeader) == "Subject: x\r\n\r\n")
    }

    @Test func nothingFed() {
        var scanner = MessageScanner()
        let message = scanner.finish()
        #expect(message == Message(parsing: []))
        #expect(scanner.topHeader == [])
    }

    // MARK: - Split lines

    private static let multipart = "Content-Type: multipart/mixed; boundary=ab\r\n\r\n"

    /// Each line, in a separate message, with whether it is a boundary line.
    @Test(arguments: [
        ("--ab\r\n", true), ("--ab\n", true), ("--ab \t  \r\n", true), ("--ab--\r\n", true), ("--ab-- \n", true),
        ("--ab" + String(repeating: " ", count: 100_000) + "\r\n", true),
        ("--ab" + String(repeating: " ", count: 100_000) + "x\r\n", false),
        ("--ab" + String(repeating: " ", count: 100_000) + "\r \n", false),
        ("--ab--\r \n", false), ("--ab\r\r\n", false), ("--a\n", false), ("--abc\n", false), ("--ab-\n", false),
        ("-\n-ab\n", false), (" --ab\n", false), ("--a\r\nb\n", false), ("--AB\n", false), ("--ab---\n", false),
        ("--ab--", true), ("--ab \t", true),
    ])
    func boundaryLines(line: String, isBoundary: Bool) {
        let bytes = utf8(Self.multipart + "--ab\n\ntext\r\n" + line)
        for size in [1, 2, 3, 5, 7, 1 << 20] {
            let (message, _) = Self.scan(bytes) { size }
            guard case .multipart(let parts) = message.root.structure else {
                Issue.record("not a multipart")
                return
            }
            #expect((string(bytes, parts[0].body) == "text") == isBoundary)
        }
    }

    @Test func boundaryLineBeyondTheHeaderLimit() {
        // The blanks of this boundary line do not fit into the header that it ends.
        let bytes = utf8(Self.multipart + "--ab\nX: y\n--ab" + String(repeating: " ", count: 200) + "\n\nz\n--ab--\n")
        let limits = ParseLimits(headerBytes: 60)
        expectSame(bytes, limits: limits)
        guard case .multipart(let parts) = Message(parsing: bytes, limits: limits).root.structure else {
            Issue.record("not a multipart")
            return
        }
        #expect(parts.map { string(bytes, $0.body) } == ["", "z"])
    }

    @Test func boundaryBeyondALine() {
        for (count, isUsable) in [(996, true), (997, false)] {
            let boundary = String(repeating: "b", count: count)
            let bytes = mail(
                "Content-Type: multipart/mixed; boundary=\(boundary)\n\n--\(boundary)\n\nx\n--\(boundary)--\n")
            expectSame(bytes)
            #expect(Message(parsing: bytes).root.fields.type.isType("multipart") == isUsable)
        }
    }

    // MARK: - Bounds

    @Test func headersOfAllParts() {
        let part = "--b\nContent-Description: 0123456789\nContent-Type: text/html\n\nx\n"
        let bytes = utf8("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: part, count: 10))
        let limits = ParseLimits(headerBytes: 100, allHeaderBytes: 240)
        guard case .multipart(let parts) = Message(parsing: bytes, limits: limits).root.structure else {
            Issue.record("not a multipart")
            return
        }
        #expect(parts.count == 10)
        #expect(parts.map { $0.fields.description != nil } == (0..<10).map { $0 < 3 })
        #expect(parts.reduce(43) { $0 + $1.header.count } <= 240)
        expectSame(bytes, limits: limits)
    }

    @Test func lineWithoutEndIsNotKept() {
        let piece = [UInt8](repeating: UInt8(ascii: "-"), count: 1 << 16)
        var line = UnfinishedLine()
        for _ in 0..<100 { line.take(piece.span, 0..<piece.count, longest: 996) }
        #expect(line.heldBytes == 0)
        line = UnfinishedLine()
        let blanks = utf8("--b") + [UInt8](repeating: 0x20, count: 1 << 16)
        for _ in 0..<100 { line.take(blanks.span, 0..<blanks.count, longest: 996) }
        #expect(line.heldBytes <= 1000)
    }

    @Test func headerLineWithoutEndIsNotKept() {
        var scanner = MessageScanner(limits: ParseLimits(headerBytes: 1000))
        scanner.feed(utf8("Subject: x\r\n").span)
        let piece = [UInt8](repeating: 0x61, count: 1 << 16)
        for _ in 0..<100 {
            scanner.feed(piece.span)
            #expect(scanner.heldBytes <= 1000)
        }
        let message = scanner.finish()
        #expect(message.root.header == 0..<12)
        #expect(message.root.size == 100 << 16)
    }
}
