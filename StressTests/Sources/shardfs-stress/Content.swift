import TestSupport

/// The bytes of a test message: they contain their name, and every byte follows from it, so that a reader can tell an
/// intact message from a damaged one without further data.
enum Content {
    static func bytes(_ token: String, size: Int) -> [UInt8] {
        var bytes = Array("X-Token: \(token)\r\nX-Size: \(size)\r\n\r\n".utf8)
        var generator = SeededGenerator(
            seed: token.utf8.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 })
        while bytes.count < size { bytes.append(UInt8(truncatingIfNeeded: generator.next() % 94 + 33)) }
        return bytes
    }

    /// The name of an intact message; nil for anything else.
    static func token(_ bytes: [UInt8]) -> String? {
        let head = String(decoding: bytes.prefix(200), as: UTF8.self)
        // By scalars: CR LF is a single Character.
        let lines = head.unicodeScalars.split(separator: "\r\n".unicodeScalars.last!).map(String.init)
        guard lines.count >= 2, lines[0].hasPrefix("X-Token: "), lines[1].hasPrefix("X-Size: ") else { return nil }
        let token = String(lines[0].dropFirst(9).unicodeScalars.filter { $0 != "\r" }.map(Character.init))
        let digits = String(lines[1].dropFirst(8).unicodeScalars.filter { $0 != "\r" }.map(Character.init))
        guard let size = Int(digits), size < 1 << 20, self.bytes(token, size: size) == bytes else { return nil }
        return token
    }
}
