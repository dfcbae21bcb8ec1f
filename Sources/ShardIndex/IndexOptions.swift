/// Options of a read cache. Plain values with working defaults.
public struct IndexOptions: Sendable {
    /// Bytes of all account caches together; those used least recently are removed first.
    public var maximumBytes: UInt64 = 4096 << 20
    /// Bytes of one account's cache; a full one starts over. This reserves address space, not memory.
    public var maximumAccountBytes: UInt64 = 1024 << 20
    /// Account caches open at one time.
    public var openAccounts = 64
    /// Bytes that may wait to be written; changes beyond that are dropped.
    public var maximumWaitingBytes = 32 << 20
    /// Bytes of the largest value; larger ones are not kept.
    public var maximumValueBytes = 1 << 20
    /// Seconds that a change may wait for others, to be written with them.
    public var writeDelay = 0.05
    /// An id that changes with each boot; nil reads the kernel's.
    public var bootID: String?

    public init() {}
}

/// Contents and counters of one account's cache, since this process started.
public struct IndexStatistics: Sendable, Equatable {
    /// Values kept; nil if the cache is unavailable now.
    public var entries: Int?
    /// Bytes of its file.
    public var bytes: UInt64 = 0
    public var hits = 0
    public var misses = 0
    /// Changes that were not written because the queue or the cache was full.
    public var dropped = 0
    /// The number of times the cache was found damaged or full and was recreated.
    public var recreated = 0
    /// The reason why the account's cache is off; nil if it is on.
    public var disabled: String?
}
