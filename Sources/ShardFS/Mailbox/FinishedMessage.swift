/// A message that is complete and durable (as the store's durability says), which alone can be appended: here or in
/// any mailbox of the store, and to several. ``StagedMessage/finish(internalDate:)`` makes it.
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
    /// Appends a message that is in memory as a whole: `stage`, `write`, `finish` and `append` in one.
    /// - Parameters:
    ///   - bytes: the wire form (CRLF), stored as it is.
    ///   - internalDate: seconds since 1970 UTC, 0 to 4,294,967,295; nil for now.
    /// - Throws: as those.
    public func append(
        bytes: [UInt8], flags: MessageFlags = [], internalDate: Int64? = nil
    ) throws(StoreError) -> AppendResult {
        let message = try stage()
        try message.write(bytes)
        return try append(message.finish(internalDate: internalDate), flags: flags)
    }
}
