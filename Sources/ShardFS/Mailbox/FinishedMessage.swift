/// A complete message, durable as configured by the store's durability, and ready to be appended to this or any other
/// mailbox of the store, also to several. Made by ``StagedMessage/finish(internalDate:)``.
///
/// Dropping it without appending leaves nothing behind.
public struct FinishedMessage: Sendable {
    let staged: StagedMessage
    /// RFC822.SIZE in bytes.
    public let size: UInt32
    public let digest: ContentDigest
    /// INTERNALDATE, seconds since 1970 UTC; nil when the file's time could not be read.
    let date: Int64?
}

extension Mailbox {
    /// Appends a complete message from memory: `stage`, `write`, `finish` and `append` in one.
    /// - Parameters:
    ///   - bytes: the wire form (CRLF), stored unchanged.
    ///   - internalDate: seconds since 1970 UTC, negative before; nil for now.
    /// - Throws: the errors of those methods.
    public func append(
        bytes: [UInt8], flags: MessageFlags = [], internalDate: Int64? = nil
    ) throws(StoreError) -> AppendResult {
        let message = try stage()
        try message.write(bytes)
        return try append(message.finish(internalDate: internalDate), flags: flags)
    }
}
