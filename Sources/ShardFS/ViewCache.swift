/// Identifies the mailbox of a cached view.
public struct ViewCacheKey: Hashable, Sendable {
    public var storeID: String
    public var account: AccountAddress
    public var mailboxID: String

    public init(storeID: String, account: AccountAddress, mailboxID: String) {
        self.storeID = storeID
        self.account = account
        self.mailboxID = mailboxID
    }
}

/// A cache outside the store for mailbox views between two openings, stored in parts that are opaque to it.
///
/// It may lose, drop or refuse anything at any time. Loaded parts are checked against the store and used only if they
/// agree, so the cache affects only the time an opening takes.
public protocol ViewCache: Sendable {
    /// Calls `body` with every stored part of one consistent state. The bytes are valid only during the call.
    func load(_ key: ViewCacheKey, _ body: (_ part: UInt32, _ bytes: UnsafeRawBufferPointer) -> Void)

    /// Stores parts, replacing those of the same number, and drops the `forgetting` ones: all or none. It may wait
    /// until earlier parts are written, to limit memory use.
    /// - Returns: False if nothing was stored.
    func store(_ key: ViewCacheKey, _ parts: [(part: UInt32, bytes: [UInt8])], forgetting: [UInt32]) -> Bool
}
