import Testing

@testable import MIME

@Suite struct BinaryChangeTests {
    /// Formats each change as "old bytes=new bytes".
    private func changes(_ text: String) -> [String] {
        let bytes = utf8(text.replacing("\n", with: "\r\n"))
        return Message(parsing: bytes.span).binaryChanges { Array(bytes[$0]) }.map { change in
            let old = string(Array(bytes[change.range]))
            switch change.kind {
            case .base64: return "\(old)=base64"
            case .replaced(let new): return "\(old)=\(string(new))"
            }
        }
    }

    @Test(
        arguments: [
            ("Subject: x\n\nbody", []),
            ("Content-Transfer-Encoding: 8bit\n\nbody", []),
            ("Content-Transfer-Encoding: binary\n\nbody", [" binary= base64", "body=base64"]),
            ("content-transfer-encoding:\n Binary (c)\n\nbody", ["\r\n Binary (c)= base64", "body=base64"]),
            ("Content-Transfer-Encoding: binary\n\n", [" binary= base64"]),
            // Parts that contain parts are never base64, even if no inner part is found (RFC 2045 section 6.4).
            ("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: binary\n\nno part", []),
            ("Content-Transfer-Encoding: binary\nContent-Type:\n Multipart/x\n\nno part", []),
            (
                "Content-Transfer-Encoding: binary\nContent-Transfer-Encoding: 7bit\n\nx",
                [" binary= base64", " 7bit= base64", "x=base64"]
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: binary\n\n--b\n\none\n"
                    + "--b\nContent-Transfer-Encoding: binary\n\ntwo\n--b--\n",
                [" binary= base64", "two=base64"]
            ),
            (
                "Content-Type: message/rfc822\n\nContent-Transfer-Encoding: binary\n\nin",
                [" binary= base64", "in=base64"]
            ),
        ] as [(String, [String])]) func ofMessages(text: String, expected: [String])
    {
        #expect(changes(text) == expected)
    }

    /// The body that the parser sees begins in the middle of such a header.
    @Test func aHeaderBeyondTheLimit() {
        let limits = ParseLimits(headerBytes: 64)
        let text = "Content-Transfer-Encoding: binary\r\nX: \(String(repeating: "x", count: 100))\r\n\r\nbody"
        let bytes = utf8(text)
        #expect(Message(parsing: bytes.span, limits: limits).binaryChanges { Array(bytes[$0]) } == [])
        #expect(Message(parsing: bytes.span).binaryChanges { Array(bytes[$0]) }.count == 2)
    }
}
