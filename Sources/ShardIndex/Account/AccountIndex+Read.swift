import DurableFiles
import Glibc
import Primitives

extension AccountIndex {
    /// Calls `body` with each cached summary of messages with UIDs in `range`, in UID order, in one read transaction.
    ///
    /// The bytes belong to the database and are valid until `body` returns. While `body` runs, the database cannot
    /// reuse any page that this transaction can still read: `body` should be quick, and must not wait for this cache.
    /// - Parameter body: returns whether to continue.
    public func forEach(
        _ mailbox: MailboxKey, in range: ClosedRange<UInt32>, _ body: (UInt32, UnsafeRawBufferPointer) -> Bool
    ) {
        guard let prefix = IndexKey.prefix(.summary, mailbox.id, uidValidity: mailbox.uidValidity) else { return }
        var hits = 0
        read(prefix) { cursor, key in
            IndexKey.set(range.lowerBound, at: prefix.count, in: &key)
            var step = key.withUnsafeBytes { cursor.seek($0) }
            var next = UInt64(range.lowerBound)
            while true {
                switch step {
                case .end: return .good
                case .failed(let outcome): return outcome
                case .at(let found, let stored):
                    guard let uid = Self.uid(found, prefix), uid <= range.upperBound else { return .good }
                    // Without this check, entries linked in a circle would loop for ever.
                    guard uid >= next else { return .wrong("the entries are out of order") }
                    next = UInt64(uid) + 1
                    guard let payload = CachedValue.payload(stored, key: found) else {
                        return .wrong("a value is corrupt")
                    }
                    hits += 1
                    guard body(uid, payload) else { return .good }
                    step = cursor.next()
                }
            }
        }
        count(hits: hits, misses: 0)
    }

    /// Calls `body` with the summary of each of `uids`, which are in ascending order, or nil where none is cached.
    ///
    /// Otherwise behaves as `forEach(_:in:_:)`. An unavailable cache yields nil for every UID.
    public func forEach(
        _ mailbox: MailboxKey, uids: [UInt32], _ body: (UInt32, UnsafeRawBufferPointer?) -> Bool
    ) {
        let (asked, hits) = scan(.summary, mailbox, uids, waiting: waiting.withLock { $0 }, body)
        count(hits: hits, misses: asked - hits)
    }

    /// Calls `body` with the extract of each of `uids`, as `forEach(_:uids:_:)` does; only extracts already written are
    /// found.
    public func forEachExtract(
        _ mailbox: MailboxKey, uids: some RandomAccessCollection<UInt32>,
        _ body: (UInt32, UnsafeRawBufferPointer?) -> Bool
    ) {
        let (_, hits) = scan(.extract, mailbox, Array(uids), waiting: [:], body)
        count(hits: hits, misses: 0)
    }

    /// - Parameter waiting: values not yet written, by key.
    /// - Returns: The number of UIDs that `body` was called for, and how many of them had a value.
    private func scan(
        _ kind: IndexKey.Kind, _ mailbox: MailboxKey, _ uids: [UInt32], waiting: [[UInt8]: [UInt8]],
        _ body: (UInt32, UnsafeRawBufferPointer?) -> Bool
    ) -> (asked: Int, hits: Int) {
        /// The index of the next UID to report, and how many of those before it were found.
        var next = 0
        var hits = 0
        var stopped = false
        let prefix = IndexKey.prefix(kind, mailbox.id, uidValidity: mailbox.uidValidity)
        /// Reports a message that is not in the database.
        func answer(_ uid: UInt32) {
            next += 1
            if !waiting.isEmpty, var key = prefix {
                IndexKey.append(uid, to: &key)
                if let summary = waiting[key] {
                    hits += 1
                    stopped = !summary.withUnsafeBytes { body(uid, $0) }
                    return
                }
            }
            stopped = !body(uid, nil)
        }
        if let prefix {
            read(prefix) { cursor, key in
                var step: ReadCursor.Step?
                var sought: UInt64 = 0
                while next < uids.count {
                    let wanted = uids[next]
                    if step == nil {
                        sought = UInt64(wanted)
                        IndexKey.set(wanted, at: prefix.count, in: &key)
                        step = key.withUnsafeBytes { cursor.seek($0) }
                    }
                    guard case .at(let found, let stored) = step else {
                        if case .failed(let outcome) = step { return outcome }
                        return .good
                    }
                    guard let here = Self.uid(found, prefix) else { return .good }
                    if wanted < here {
                        answer(wanted)
                    } else if wanted > here {
                        // The cursor is behind: seek. A seek that makes no progress would loop for ever.
                        guard wanted > sought else { return .wrong("the entries are out of order") }
                        step = nil
                        continue
                    } else {
                        guard let payload = CachedValue.payload(stored, key: found) else {
                            return .wrong("a value is corrupt")
                        }
                        next += 1
                        hits += 1
                        stopped = !body(wanted, payload)
                        // A neighbour is one step away.
                        step = next < uids.count && uids[next] == here &+ 1 ? cursor.next() : nil
                    }
                    if stopped { return .good }
                }
                return .good
            }
        }
        while next < uids.count, !stopped { answer(uids[next]) }
        return (next, hits)
    }

    /// Returns the summary of one message, or nil if none is cached.
    public func summary(_ mailbox: MailboxKey, uid: UInt32) -> [UInt8]? {
        var result: [UInt8]?
        forEach(mailbox, uids: [uid]) { _, payload in
            result = payload.map(Array.init)
            return true
        }
        return result
    }

    // MARK: parts

    /// Runs `body` with a cursor, and a key made of `prefix` and room for a number.
    private func read(_ prefix: [UInt8], _ body: (ReadCursor, inout [UInt8]) -> LMDBEnvironment.Outcome) {
        // The pages of the database may have to be read from the disk.
        if Waiting.isForbidden { return Waiting.refuse() }
        var key = prefix + [0, 0, 0, 0]
        _ = use(create: false) { environment in ((), environment.read { cursor in body(cursor, &key) }) }
    }

    /// Calls `body` with every value whose key is `prefix` and a number, in one read transaction.
    func readAll(_ prefix: [UInt8], _ body: (UInt32, UnsafeRawBufferPointer) -> Void) {
        read(prefix) { cursor, key in
            var step = key.withUnsafeBytes { cursor.seek($0) }
            var next: UInt64 = 0
            while true {
                switch step {
                case .end: return .good
                case .failed(let outcome): return outcome
                case .at(let found, let stored):
                    guard let number = Self.uid(found, prefix) else { return .good }
                    guard number >= next, let payload = CachedValue.payload(stored, key: found) else {
                        return .wrong("a value is corrupt")
                    }
                    next = UInt64(number) + 1
                    body(number, payload)
                    step = cursor.next()
                }
            }
        }
    }

    /// The number after `prefix`, or nil for any other key.
    @inline(__always)
    static func uid(_ key: UnsafeRawBufferPointer, _ prefix: [UInt8]) -> UInt32? {
        guard key.count == prefix.count + 4, let start = key.baseAddress, memcmp(start, prefix, prefix.count) == 0
        else { return nil }
        return UInt32(bigEndian: key.loadUnaligned(fromByteOffset: prefix.count, as: UInt32.self))
    }

    func count(hits: Int, misses: Int) {
        state.withLock { s in
            s.statistics.hits += hits
            s.statistics.misses += misses
        }
    }
}
