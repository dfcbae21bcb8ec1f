import MIME
package import ShardFS

extension MessageReader {
    /// Bytes of a large message that are searched for its parts.
    private static let previewReadBytes = 256 << 10
    /// Parts tried before a message counts as having no text.
    private static let previewTries = 8

    /// The beginning of the message's text (RFC 8970); empty if there is none. Reads a bounded amount.
    package mutating func preview() throws(StoreError) -> String {
        let file = try file()
        let message: Message
        if Int(file.size) <= Self.previewReadBytes {
            message = try structure()
        } else {
            // A truncated tree still has the parts that begin in the piece.
            message = Message(parsing: try file.read(at: 0, count: Self.previewReadBytes), limits: limits)
        }
        for part in message.previewParts.prefix(Self.previewTries) {
            let count = min(part.body.count, Preview.readLimit)
            let text = Preview.text(of: part, try file.read(at: Int64(part.body.lowerBound), count: count))
            if !text.isEmpty { return text }
        }
        return ""
    }
}
