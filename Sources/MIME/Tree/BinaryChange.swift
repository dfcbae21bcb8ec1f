/// One of the changes that remove the transfer encoding `binary` (RFC 2045 section 6.2) from a message, for servers
/// that accept such a message and must also serve it without BINARY. Parts that contain other parts are not changed:
/// they must not be base64 themselves, and on them `binary` only says that anything may be inside (section 6.4).
public struct BinaryChange: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// The bytes are encoded in base64.
        case base64
        /// The bytes are replaced by others.
        case replaced([UInt8])
    }

    /// Offsets into the message.
    public let range: Range<Int>
    public let kind: Kind
}

extension Message {
    /// The changes, in message order.
    ///
    /// - Parameter reading: returns the bytes of a range, which is no larger than a header.
    public func binaryChanges<Failure: Error>(
        reading: (Range<Int>) throws(Failure) -> [UInt8]
    ) throws(Failure) -> [BinaryChange] {
        var changes: [BinaryChange] = []
        try Self.collect(root, into: &changes, reading)
        return changes
    }

    private static func collect<Failure: Error>(
        _ part: Part, into changes: inout [BinaryChange], _ reading: (Range<Int>) throws(Failure) -> [UInt8]
    ) throws(Failure) {
        switch part.structure {
        case .single:
            guard part.fields.encoding.equalsIgnoringCase("binary") else { return }
            let bytes = try reading(part.header)
            let block = HeaderBlock(scanning: bytes.span)
            // Beyond the parser's limits the rest is not a leaf's body: it stays unchanged.
            guard part.body.isEmpty || isWhole(bytes), !isComposite(block, bytes) else { return }
            for field in block.all(named: "content-transfer-encoding", in: bytes.span) {
                let start = part.header.lowerBound + field.value.lowerBound
                changes.append(
                    BinaryChange(range: start..<start + field.value.count, kind: .replaced(Array(" base64".utf8))))
            }
            if !part.body.isEmpty { changes.append(BinaryChange(range: part.body, kind: .base64)) }
        case .multipart(let parts):
            for part in parts { try collect(part, into: &changes, reading) }
        case .message(let message):
            try collect(message.root, into: &changes, reading)
        }
    }

    /// Whether a header ends in a blank line, and not because the parser reached a limit.
    private static func isWhole(_ header: [UInt8]) -> Bool {
        let end = header.suffix(3).filter { $0 != UInt8(ascii: "\r") }
        return header.isEmpty || end.count(where: { $0 == UInt8(ascii: "\n") }) == 2
            || header.elementsEqual("\r\n".utf8)
            || header.elementsEqual("\n".utf8)
    }

    /// Whether the part is a multipart or a message by its own field, however it is treated.
    private static func isComposite(_ block: HeaderBlock, _ header: [UInt8]) -> Bool {
        block.all(named: "content-type", in: header.span).contains { field in
            let value = String(decoding: header[field.value], as: UTF8.self).lowercased()
            let type = value.drop { $0 == " " || $0 == "\t" || $0.isNewline }
            return type.hasPrefix("multipart/") || type.hasPrefix("message/")
        }
    }
}
