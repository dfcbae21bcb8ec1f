/// One of the changes that leave no octets of a message in the transfer encoding `binary` (RFC 2045 section 6.2), for
/// those who take such a message and hand it out in other ways too. What holds other parts stays as it is: it must not
/// be base64 itself, and `binary` says no more of it than that there may be anything in it (section 6.4).
public struct BinaryChange: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// The bytes become base64.
        case base64
        /// Other bytes stand in their place.
        case replaced([UInt8])
    }

    /// Bytes of the message.
    public let range: Range<Int>
    public let kind: Kind
}

extension Message {
    /// The changes, in the order of the message.
    ///
    /// - Parameter reading: gives the bytes of a range, which is no larger than a header.
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
            for field in HeaderBlock(scanning: bytes.span).all(named: "content-transfer-encoding", in: bytes.span) {
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
}
