import NIOCore
import SMTPCodec
import Testing

@Suite struct SMTPReplyTests {
    static let rows: [(SMTPReply, String)] = [
        (SMTPReply(250, .init(2, 1, 0), "OK"), "250 2.1.0 OK\r\n"),
        (SMTPReply(250, lines: ["host", "SIZE 5", "8BITMIME"]), "250-host\r\n250-SIZE 5\r\n250 8BITMIME\r\n"),
        (SMTPReply(550, .init(5, 1, 1), lines: ["a", "b"]), "550-5.1.1 a\r\n550 5.1.1 b\r\n"),
        (SMTPReply(250, lines: []), "250 \r\n"),
        (SMTPReply(250, nil, "x\r\n250 injected\u{0}\u{7F}\u{85}"), "250 x??250 injected???\r\n"),
        (SMTPReply(250, nil, "\u{E4}\u{1F600}"), "250 \u{E4}\u{1F600}\r\n"),
        (.authChallenge(Array("Username:".utf8)), "334 VXNlcm5hbWU6\r\n"),
        (.authChallenge(Array("Password:".utf8)), "334 UGFzc3dvcmQ6\r\n"),
        (.authChallenge([]), "334 \r\n"),
        (.authChallenge([0xFF]), "334 /w==\r\n"),
        (.authChallenge([0xFF, 0xFE]), "334 //4=\r\n"),
    ]

    @Test(arguments: rows) func encodes(reply: SMTPReply, wire: String) {
        var buffer = ByteBuffer()
        reply.encode(into: &buffer)
        #expect(String(buffer: buffer) == wire)
    }

    @Test func longTextIsCutAtACharacter() {
        var buffer = ByteBuffer()
        SMTPReply(250, .init(2, 0, 0), String(repeating: "\u{1F600}", count: 1000)).encode(into: &buffer)
        #expect(buffer.readableBytes <= 512)
        #expect(String(validating: buffer.readableBytesView, as: UTF8.self) != nil)
        #expect(buffer.readableBytesView.suffix(2).elementsEqual("\r\n".utf8))
    }
}
