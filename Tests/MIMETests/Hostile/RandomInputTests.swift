import TestSupport
import Testing

@testable import MIME

/// Random bytes and random pieces of mail: nothing traps, and the tree keeps its invariants.
@Suite struct RandomInputTests {
    static let pieces: [String] = [
        "\r\n", "\n", "\r\n\r\n", "--b", "--b--", "--c", "--", "b", "Content-Type: ", "multipart/mixed; boundary=b",
        "multipart/digest; boundary=\"c\"", "message/rfc822", "text/plain; charset=", "utf-8", "iso-2022-jp", "utf-7",
        "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable", "=", "=3D", "=?utf-8?q?",
        "?=", "=?x?b?", "From: ", "To: ", "a@b", "<", ">", ",", ";", ":", "(", ")", "\"", "\\", "@", " ", "\t", "\0",
        "From ", "Date: ", "Mon, 1 Jan 2024 00:00:00 +0000", "99", "*0*=", "*1=", "''", "%41", "ä", "\u{1B}$B", "[",
        "]",
    ]

    private func exercise(_ bytes: [UInt8], limits: ParseLimits) {
        let message = Message(parsing: bytes.span, limits: limits)
        #expect(brokenRule(message, in: bytes, limits: limits) == nil, "\(bytes)")
        let header = HeaderBlock(scanning: bytes.span, limits: limits)
        #expect(header.range == message.root.header, "\(bytes)")
        _ = message.contains(TextQuery("needle ä"), in: bytes.span, limits: limits)
        for field in header.fields {
            let value = HeaderValue.unfolded(bytes.span, field.value)
            _ = HeaderDate(parsing: value)
            _ = EncodedWord.decode(value)
        }
        _ = AddressList.parse(bytes)
        _ = ContentType(parsing: bytes)?.parameters.text(named: "a")
        _ = HeaderDate(parsing: bytes)
        _ = EncodedWord.decode(bytes)
        for path in [[1], [1, 1], [2], [1, 2, 1]] { _ = message.range(of: .text, at: path) }
    }

    @Test(arguments: 0..<8)
    func randomBytes(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<40 {
            let bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            exercise(bytes, limits: .standard)
        }
    }

    @Test(arguments: 0..<16)
    func randomMail(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(1000 + seed))
        for round in 0..<50 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...60, using: &generator) {
                bytes += utf8(Self.pieces.randomElement(using: &generator) ?? "")
            }
            let limits = round % 2 == 0 ? ParseLimits.standard : .tight(&generator)
            exercise(bytes, limits: limits)
        }
    }
}
