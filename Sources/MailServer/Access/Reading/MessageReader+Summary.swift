import MIME
package import ShardFS

extension MessageReader {
    /// A message up to this size is read whole when anything of it is asked for.
    private static let smallMessage: UInt32 = 65_536

    /// Makes the summary of a message that has none yet with these sections; nil when it cannot be kept.
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
