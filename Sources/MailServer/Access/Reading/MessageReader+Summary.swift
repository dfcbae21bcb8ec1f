import MIME
package import ShardFS

extension MessageReader {
    /// Bytes of the largest message that is always read whole.
    private static let smallMessage: UInt32 = 65_536

    /// Makes a summary with these sections for a message without one; nil if it cannot be kept.
    package mutating func summary(with sections: Set<MessageSummary.Section>) throws(StoreError) -> [UInt8]? {
        if sections.isSubset(of: [.envelope, .fields]), try file().size > Self.smallMessage {
            let (bytes, block) = try header()
            return MessageSummary.make(
                ofHeader: bytes, block, hasBody: try hasBody(behind: block), limits: limits)
        }
        let message = try structure()
        let (bytes, block) = try header()
        let preview = sections.contains(.preview) ? try preview() : nil
        return MessageSummary.make(of: message, header: bytes, block, preview: preview, limits: limits)
    }
}
