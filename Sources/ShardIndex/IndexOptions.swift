/// Options of a read cache. Plain values with working defaults.
public struct IndexOptions: Sendable {
    /// Bytes of all accounts' caches together; those used least recently go first.
    public var maximumBytes: UInt64 = 4096 << 20
    /// Bytes of one account's cache; a full one begins anew. Address space, not memory, is reserved for it.
    public var maximumAccountBytes: UInt64 = 1024 << 20
    /// Accounts whose cache is open at one time.
    public var openAccounts = 64
    /// Bytes that may wait to be written; what comes on top is dropped.
    public var maximumWaitingBytes = 32 << 20
    /// The largest value; greater ones are not kept.
    public var maximumValueBytes = 1 << 20
    /// Seconds that a change may wait for others, to be written with them.
    public var writeDelay = 0.05
    /// Changes with each start of the machine; nil reads the kernel's.
    public var bootID: String?

    public init() {}
}

/// What one account's cache holds and did, since this process began.
public struct IndexStatistics: Sendable, Equatable {
    /// Values kept; nil when the cache is not to be had now.
    public var entries: Int?
    /// Size of its file.
    public var bytes: UInt64 = 0
    public var hits = 0
    public var misses = 0
    /// Changes that were not written: the queue was full, or the cache.
    public var dropped = 0
    /// Times that the cache was found wrong or full and begun anew.
    public var recreated = 0
    /// Why the cache is off for the account; nil when it is on.
    public var disabled: String?
}
