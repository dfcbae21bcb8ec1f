import MIME
import Testing

@testable import MailAccess

@Suite struct MessageSummaryTests {
    private static let limits = ParseLimits.standard

    private static func summary(_ text: String, limits: ParseLimits = limits) -> [UInt8] {
        var builder = SummaryBuilder(limits: limits, memory: .max)
        _ = builder.feed(Array(text.utf8).span)
        return builder.finish() ?? []
    }

    private static func with<R>(
        _ bytes: [UInt8], limits: ParseLimits = limits, _ body: (MessageSummary?) -> R
    ) -> R {
        bytes.withUnsafeBytes { body(MessageSummary($0, limits: limits.fingerprint)) }
    }

    private static func text(_ bytes: [UInt8], _ section: MessageSummary.Section) -> String? {
        with(bytes) { $0?[section].map { String(decoding: $0, as: UTF8.self) } }
    }

    @Test func sectionsAreWhatIsSent() {
        let bytes = Self.summary(
            "Received: by x\r\nSubject: Hello\r\n there\r\nX-Other: y\r\nFROM: a@b.c\r\n\r\nbody\r\n")
        #expect(
            Self.text(bytes, .envelope)
                == #"(NIL "Hello there" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL NIL NIL NIL)"#
        )
        #expect(Self.text(bytes, .body) == #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1)"#)
        #expect(
            Self.text(bytes, .bodyStructure)
                == #"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1 NIL NIL NIL NIL)"#)
        #expect(Self.text(bytes, .fields) == "Subject: Hello\r\n there\r\nFROM: a@b.c\r\n\r\n")
        #expect(Self.text(bytes, .preview) == nil)
        Self.with(bytes) { summary in
            #expect(summary?.suffices(for: [.envelope, .body, .bodyStructure, .fields]) == true)
            #expect(summary?.suffices(for: [.envelope, .preview]) == false)
        }
    }

    /// The summary does not depend on how the message is split.
    @Test func piecesMakeNoDifference() {
        let text =
            "Subject: =?utf-8?q?=C3=A4?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
        let whole = Self.summary(text)
        for size in [1, 2, 7, 50] {
            var builder = SummaryBuilder(limits: Self.limits, memory: .max)
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                _ = builder.feed(Array(bytes[start..<min(start + size, bytes.count)]).span)
            }
            #expect(builder.finish() == whole)
        }
    }

    @Test func whatIsNoSummaryIsNone() {
        let good = Self.summary("Subject: x\r\n\r\nbody\r\n")
        Self.with(good) { #expect($0 != nil) }
        for count in 0..<good.count { Self.with(Array(good[..<count])) { #expect($0 == nil, "\(count) octets") } }
        Self.with(good + [0]) { #expect($0 == nil) }
        Self.with(good, limits: ParseLimits(depth: 3)) { #expect($0 == nil, "other limits see other messages") }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<40, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // However the bytes are interpreted, nothing outside them is read.
            Self.with(bytes) { summary in
                for section in MessageSummary.Section.allCases { _ = summary?[section]?.count }
            }
        }
    }

    @Test func aMessageThatIsAllStructureHasNone() {
        let parts = String(repeating: "--b\r\nContent-Type: text/plain; name=abcdefghij\r\n\r\nx\r\n", count: 900)
        #expect(Self.summary("Content-Type: multipart/mixed; boundary=b\r\n\r\n\(parts)--b--\r\n").isEmpty)
    }

    /// The header reaches its limit: for the summary as for the file, the bytes before the limit are the header.
    @Test func aHeaderWithoutEnd() {
        let limits = ParseLimits(headerBytes: 1_000)
        let text = "Subject: x\r\n" + String(repeating: "X-Long: \(String(repeating: "y", count: 80))\r\n", count: 50)
        let bytes = Self.summary(text + "From: a@b.c\r\n\r\n", limits: limits)
        Self.with(bytes, limits: limits) { summary in
            #expect(summary?[.fields].map { String(decoding: $0, as: UTF8.self) } == "Subject: x\r\n\r\n")
        }
    }
}
