import Primitives

// The number of mailboxes and levels of an account, so that a limit on it costs no walk over the tree for each new one.

extension AccountContext {
    /// How often the levels of an account that has too many are counted, in nanoseconds.
    private static let recountRests: Int64 = 10_000_000_000

    /// Takes room for new levels of the mailbox tree. The account's lock is held.
    ///
    /// Counted once, then kept up to date; other processes' changes show at the next maintenance. Levels that cannot be
    /// read do not count: a damaged mailbox keeps nobody from creating another.
    /// - Parameter always: for INBOX, without which no mail arrives.
    /// - Throws: `limit` beyond ``StoreOptions/maximumMailboxes``.
    func takeLevels(_ new: Int, always: Bool = false) throws(StoreError) {
        guard new > 0 else { return }
        let maximum = options.maximumMailboxes
        let now = Clocks.monotonic()
        var known = levelCount.withLock { $0 }
        if let count = known, count.levels + new > maximum, now >= count.at + Self.recountRests { known = nil }
        let count: (at: Int64, levels: Int)
        if let known { count = known } else { count = (now, try levels(unreadable: { _, _ in }).count) }
        let isGranted = always || count.levels + new <= maximum
        levelCount.withLock { $0 = (count.at, count.levels + (isGranted ? new : 0)) }
        guard isGranted else { throw StoreError(.limit, "an account may have at most \(maximum) mailboxes") }
    }

    /// Notes that a level is gone.
    func noteLevelGone() { levelCount.withLock { if let count = $0 { $0 = (count.at, max(0, count.levels - 1)) } } }

    func forgetLevelCount() { levelCount.withLock { $0 = nil } }
}
