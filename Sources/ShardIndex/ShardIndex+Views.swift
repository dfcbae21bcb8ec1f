public import ShardFS

// Mailbox views, kept for the engine beside the summaries.

extension ShardIndex: ViewCache {
    public func load(_ key: ViewCacheKey, _ body: (_ part: UInt32, _ bytes: UnsafeRawBufferPointer) -> Void) {
        account(storeID: key.storeID, key.account)?.loadView(key.mailboxID, body)
    }

    public func store(
        _ key: ViewCacheKey, _ parts: [(part: UInt32, bytes: [UInt8])], forgetting: [UInt32]
    ) -> Bool {
        account(storeID: key.storeID, key.account)?.storeView(key.mailboxID, parts, forgetting) ?? false
    }
}

extension AccountIndex {
    /// Bytes of view parts that may wait at one time: the view of ten million messages takes 300 MiB.
    private static let waitingViewBytes = 8 << 20
    private static let viewLockTimeout = 10.0

    func loadView(_ id: String, _ body: (UInt32, UnsafeRawBufferPointer) -> Void) {
        guard let prefix = IndexKey.prefix(.view, id, uidValidity: nil) else { return }
        readAll(prefix, body)
    }

    func storeView(_ id: String, _ parts: [(part: UInt32, bytes: [UInt8])], _ forgetting: [UInt32]) -> Bool {
        guard let prefix = IndexKey.prefix(.view, id, uidValidity: nil) else { return false }
        var mutations: [Mutation] = []
        for (part, bytes) in parts {
            guard bytes.count <= core.options.maximumValueBytes else { return false }
            var key = prefix
            IndexKey.append(part, to: &key)
            mutations.append(.put(key: key, value: bytes))
        }
        for part in forgetting {
            var key = prefix
            IndexKey.append(part, to: &key)
            mutations.append(.delete(key: key))
        }
        return core.writer.add(self, mutations, waitingBelow: Self.waitingViewBytes, seconds: Self.viewLockTimeout)
    }
}
