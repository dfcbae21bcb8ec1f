/// Which mailbox a kept view is of.
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

/// A place outside of the store where a mailbox's view may be kept between two openings, in parts that mean nothing to
/// whoever keeps them.
///
/// It may lose, forget or refuse anything at any time. What it gives back is checked against the store and used only
/// where both agree; so it changes how long an opening takes and nothing else.
public protocol ViewCache: Sendable {
    /// Calls `body` with every part kept, as of one moment. The bytes are valid during the call only.
    func load(_ key: ViewCacheKey, _ body: (_ part: UInt32, _ bytes: UnsafeRawBufferPointer) -> Void)

    /// Keeps parts in the place of those of the same number and forgets others, all or none. It may wait until
    /// what came before is written, so that little of it is in memory.
    /// - Returns: false when nothing was taken.
    func store(_ key: ViewCacheKey, _ parts: [(part: UInt32, bytes: [UInt8])], forgetting: [UInt32]) -> Bool
}
