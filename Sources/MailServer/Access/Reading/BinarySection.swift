package import MIME
package import ShardFS

/// A section as BINARY interprets it. RFC 9051 section 6.4.5.
package enum BinarySection {
    package enum Refusal: Sendable, Equatable {
        /// The part's transfer encoding is unknown and cannot be decoded.
        case unknownEncoding
        /// The section is a multipart, which is not encoded as a whole.
        case notLeaf
    }

    /// Bytes of the file and their encoding.
    case body(Range<Int>, TransferEncoding)
    /// There is no such part.
    case missing
    case refused(Refusal)
}

extension MessageReader {
    package mutating func binarySection(_ path: [UInt32]) throws(StoreError) -> BinarySection {
        // A message as a whole has no transfer encoding.
        guard !path.isEmpty else { return .body(0..<Int(try file().size), .identity) }
        guard let part = try structure().part(at: path.map { Int($0) }) else { return .missing }
        // RFC 9051 restricts clients to leaf parts, messages excluded; RFC 3516 does not, and a message's octets are
        // plain.
        if case .multipart = part.structure { return .refused(.notLeaf) }
        let encoding = TransferEncoding(named: part.fields.encoding)
        return encoding == .unknown ? .refused(.unknownEncoding) : .body(part.body, encoding)
    }
}
