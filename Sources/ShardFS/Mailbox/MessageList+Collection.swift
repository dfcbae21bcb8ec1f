extension MessageList: RandomAccessCollection {
    @inlinable public var startIndex: Int { 0 }
    @inlinable public var endIndex: Int { count }

    /// The message at an index, which is its sequence number minus one.
    public subscript(_ index: Int) -> MessageEntry {
        precondition(index >= 0 && index < count, "message index \(index) is outside 0..<\(count)")
        let (place, start) = shard(holding: index)
        return shards[place].entry(index - start)
    }

    public var last: MessageEntry? { shards.last.map { $0.entry($0.count - 1) } }

    public struct Iterator: IteratorProtocol, Sendable {
        private var rest: ArraySlice<ShardTable>
        @usableFromInline var columns: ShardColumns
        @usableFromInline var place = 0

        init(_ shards: [ShardTable]) {
            rest = shards[...]
            columns = ShardColumns(firstUID: 0)
        }

        @inlinable
        public mutating func next() -> MessageEntry? {
            if place == columns.offsets.count, !takeShard() { return nil }
            defer { place += 1 }
            return columns.entry(place)
        }

        @usableFromInline
        mutating func takeShard() -> Bool {
            guard let shard = rest.popFirst() else { return false }
            columns = shard.columns
            place = 0
            return true
        }
    }

    public func makeIterator() -> Iterator { Iterator(shards) }
}

// MARK: In bulk

extension MessageList {
    /// Calls `body` for each message, in UID order.
    @inlinable
    public func forEach<E: Error>(_ body: (MessageEntry) throws(E) -> Void) throws(E) {
        try forEach(in: .min ... .max, body)
    }

    /// Calls `body` for each message with a UID in `range`, in UID order.
    @inlinable
    public func forEach<E: Error>(
        in range: ClosedRange<UID>, _ body: (MessageEntry) throws(E) -> Void
    ) throws(E) {
        let (first, last) = (range.lowerBound.shard, range.upperBound.shard)
        for shard in shards[insertionIndex(first)...] {
            if shard.number > last { return }
            let columns = shard.columns
            var i = shard.number == first ? columns.place(of: range.lowerBound) : 0
            while i < columns.offsets.count, columns.uid(i) <= range.upperBound.rawValue {
                try body(columns.entry(i))
                i += 1
            }
        }
    }

    /// Calls `body` with the index and UID of each message with a UID in `range` that has all of one set of flags and
    /// none of another, in UID order.
    public func forEach(
        in range: ClosedRange<UID>, having wanted: MessageFlags, lacking unwanted: MessageFlags,
        _ body: (_ index: Int, UID) -> Void
    ) {
        let (mask, value) = (wanted.rawValue | unwanted.rawValue, wanted.rawValue)
        var before = index(ofShard: range.lowerBound.shard)
        for shard in shards[insertionIndex(range.lowerBound.shard)...] {
            if shard.number > range.upperBound.shard { return }
            let columns = shard.columns
            columns.flags.withUnsafeBufferPointer { flags in
                for i in flags.indices where flags[i] & mask == value {
                    let uid = UID(columns.uid(i))
                    if range.contains(uid) { body(before + i, uid) }
                }
            }
            before += shard.count
        }
    }

    /// Calls `body` with the index and entry of each message with a UID in `range` and a mod-sequence above `modSeq`,
    /// in UID order; reads only shards with such messages.
    public func forEachChanged<E: Error>(
        since modSeq: ModSeq, in range: ClosedRange<UID> = .min ... .max,
        _ body: (_ index: Int, MessageEntry) throws(E) -> Void
    ) throws(E) {
        var before = 0
        for shard in shards {
            if shard.number > range.upperBound.shard { return }
            defer { before += shard.count }
            guard shard.highestModSeq > modSeq, shard.number >= range.lowerBound.shard else { continue }
            let columns = shard.columns
            for i in columns.offsets.indices where columns.modSeqs[i] > modSeq {
                let uid = columns.uid(i)
                if uid > range.upperBound.rawValue { return }
                if uid >= range.lowerBound.rawValue { try body(before + i, columns.entry(i)) }
            }
        }
    }

    /// Calls `body` with the index and entry of each message of this list that is missing from `newer`, in UID order;
    /// skips unchanged shards.
    public func forEachMissing(from newer: MessageList, _ body: (_ index: Int, MessageEntry) -> Void) {
        var before = 0
        for shard in shards {
            let columns = shard.columns
            defer { before += columns.offsets.count }
            guard let s = newer.shardIndex(shard.number) else {
                for i in columns.offsets.indices { body(before + i, columns.entry(i)) }
                continue
            }
            let other = newer.shards[s].columns
            if other.offsets == columns.offsets { continue }
            for i in columns.offsets.indices where !other.find(columns.uid(i)).found {
                body(before + i, columns.entry(i))
            }
        }
    }
}
