// Changes are queued, and written by the single writer thread.
import Primitives

extension AccountIndex {
    /// Entries and bytes of one write transaction.
    private static let transactionEntries = 2_000
    private static let transactionBytes = 8 << 20

    /// Caches a message's summary. It is queued, found at once and written later; it may be dropped.
    public func put(_ mailbox: MailboxKey, uid: UInt32, _ summary: [UInt8]) {
        guard summary.count <= core.options.maximumValueBytes,
            var key = IndexKey.prefix(.summary, mailbox.id, uidValidity: mailbox.uidValidity)
        else { return dropped(1) }
        IndexKey.append(uid, to: &key)
        waiting.withLock { $0[key] = summary }
        if !queue([.put(key: key, value: summary)]) { forget([.put(key: key, value: summary)]) }
    }

    /// Caches extracts of messages' summaries, from which they can be made again. They are found once written, or
    /// never.
    public func putExtracts(_ mailbox: MailboxKey, _ extracts: [(uid: UInt32, bytes: [UInt8])]) {
        guard let prefix = IndexKey.prefix(.extract, mailbox.id, uidValidity: mailbox.uidValidity) else {
            return dropped(extracts.count)
        }
        // Extracts only save time: the last quarter of the space is reserved for summaries, which save reading files.
        let used = use(create: false) { ($0.bytes, .good) }?.0 ?? 0
        if used > UInt64(core.mapBytes / 4 * 3) { return dropped(extracts.count) }
        let fitting = extracts.filter { $0.bytes.count <= core.options.maximumValueBytes }
        if fitting.count < extracts.count { dropped(extracts.count - fitting.count) }
        queue(
            fitting.map { extract in
                var key = prefix
                IndexKey.append(extract.uid, to: &key)
                return .put(key: key, value: extract.bytes)
            })
    }

    /// Removes messages. A leftover summary only costs space: its UID is never given to another message.
    public func remove(_ mailbox: MailboxKey, uids: some Sequence<UInt32>) {
        let prefixes = [IndexKey.Kind.summary, .extract].compactMap {
            IndexKey.prefix($0, mailbox.id, uidValidity: mailbox.uidValidity)
        }
        var mutations: [Mutation] = []
        for uid in uids {
            for var key in prefixes {
                IndexKey.append(uid, to: &key)
                mutations.append(.delete(key: key))
            }
        }
        waiting.withLock { table in
            for case .delete(let key) in mutations { table[key] = nil }
        }
        queue(mutations)
    }

    /// Removes everything of a mailbox, under every UIDVALIDITY.
    public func removeMailbox(id: String) {
        var mutations: [Mutation] = []
        for kind in [IndexKey.Kind.summary, .extract, .view] {
            guard let prefix = IndexKey.prefix(kind, id, uidValidity: nil) else { continue }
            mutations.append(.deletePrefix(prefix))
            waiting.withLock { $0 = $0.filter { !$0.key.starts(with: prefix) } }
        }
        queue(mutations)
    }

    /// Returns false if there was no room for the changes.
    @discardableResult
    func queue(_ mutations: [Mutation]) -> Bool {
        if mutations.isEmpty || core.writer.add(self, mutations) { return true }
        dropped(mutations.count)
        return false
    }

    /// Takes summaries that were written, or were dropped, off the waiting table; a later one for the same message
    /// stays.
    private func forget(_ batch: [Mutation]) {
        waiting.withLock { table in
            for case .put(let key, let value) in batch where table[key] == value { table[key] = nil }
        }
    }

    func dropped(_ count: Int) { state.withLock { $0.statistics.dropped += count } }

    // MARK: on the writer thread

    /// Writes changes: each group in one transaction, small groups together in one.
    func write(_ groups: [[Mutation]]) {
        var batch: [Mutation] = []
        var bytes = 0
        for group in groups {
            batch += group
            bytes += group.reduce(0) { $0 + $1.cost }
            if batch.count >= Self.transactionEntries || bytes >= Self.transactionBytes {
                writeBatch(batch)
                batch = []
                bytes = 0
            }
        }
        if !batch.isEmpty { writeBatch(batch) }
        core.written(self)
    }

    private func writeBatch(_ batch: [Mutation]) {
        defer { forget(batch) }
        // A mailbox may have more entries than one transaction should remove.
        var again = batch
        for _ in 0..<10_000 {
            var left: [Mutation] = []
            let result = use(create: true) { environment in
                ((), environment.write { transaction in Self.apply(again, transaction, left: &left) })
            }
            guard let result, result.1 == .good else { return dropped(again.count) }
            if left.isEmpty { return }
            again = left
        }
    }

    private static func apply(_ batch: [Mutation], _ transaction: WriteTransaction, left: inout [Mutation]) -> Int32 {
        for mutation in batch {
            var code: Int32 = 0
            switch mutation {
            case .put(let key, let value): code = transaction.put(key, value)
            case .delete(let key): code = transaction.delete(key)
            case .deletePrefix(let prefix):
                var deleted = 0
                code = transaction.delete(prefix: prefix, limit: transactionEntries, deleted: &deleted)
                // A later put of the same batch is deleted too: a cache may lack anything.
                if deleted == transactionEntries { left.append(mutation) }
            }
            guard code == 0 else { return code }
        }
        return 0
    }
}
