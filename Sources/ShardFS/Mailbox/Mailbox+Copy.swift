import Glibc

/// What a copy or move did: source and destination UIDs pairwise, in the order asked for.
public struct CopyResult: Sendable {
    public var uidValidity: UInt32
    public var copied: [(source: UID, target: UID)] = []
}

extension Mailbox {
    /// Copies messages to another mailbox of the store as hard links: no data moves, INTERNALDATE stays. All or none.
    ///
    /// UIDs that are not there are passed over, as RFC 9051 wants of UID COPY.
    /// - Throws: as `append`; `limit` when the target has no letter left for a keyword.
    public func copy(_ uids: [UID], to target: Mailbox) throws(StoreError) -> CopyResult {
        let letters = try KeywordMap(from: self, to: target, used: try usedFlags(uids))
        while true {
            var sources: [UID] = []
            let outcome = try Mailbox.lockedBoth(
                self, exclusive: id == target.id, target, uids: uids.count, records: uids.count + 3
            ) { () throws(StoreError) -> SetWriter.Outcome in
                let members = try copyMembers(uids, letters, &sources)
                guard !members.isEmpty else { return .done([], []) }
                return try SetWriter(mailbox: target).run(members)
            }
            guard let results = try target.finishSet(outcome) else { continue }
            var result = CopyResult(uidValidity: target.state.withLock { $0.status.uidValidity })
            result.copied = zip(sources, results).map { ($0, $1.uid) }
            return result
        }
    }

    private func usedFlags(_ uids: [UID]) throws(StoreError) -> MessageFlags {
        try refresh()
        let list = state.withLock { $0.view.list }
        return uids.reduce([]) { $0.union(list.entry(of: $1)?.flags ?? []) }
    }

    private func copyMembers(
        _ uids: [UID], _ letters: KeywordMap, _ sources: inout [UID]
    ) throws(StoreError) -> [SetMember] {
        let (list, log) = state.withLock { ($0.view.list, $0.log) }
        var members: [SetMember] = []
        members.reserveCapacity(uids.count)
        sources = []
        let time = context.now
        for uid in uids {
            guard let entry = list.entry(of: uid), let shard = try shard(uid.shard) else { continue }
            // Under the shared lock a flag change may run beside; the name is looked up again on ENOENT.
            guard let now = try shard.lookUp(uid.rawValue, lastKnown: entry.flags) else { continue }
            let digest = try log.record(at: Int(entry.record))?.digest ?? .unknown
            let name = now.name
            members.append(
                SetMember(size: entry.size, digest: digest, flags: letters.map(now.flags), time: time) {
                    (target, newName) throws(Errno) in
                    try self.linkOrCopy(uid.rawValue, name, in: shard, to: target, newName)
                })
            sources.append(uid)
        }
        return members
    }

    /// A hard link; the bytes where links end (65,000 on ext4), across file systems, or without links.
    func linkOrCopy(
        _ uid: UInt32, _ name: String, in shard: ShardDirectory, to target: ShardDirectory,
        _ newName: UnsafePointer<CChar>
    ) throws(Errno) {
        guard context.can(.hardLinks) else { return try copyBytes(uid, shard, target, newName) }
        var name = name
        for _ in 0..<8 {
            do {
                return try system.link(shard.descriptor, name, target.descriptor, newName)
            } catch .notFound {
                guard let now = (try? shard.lookUp(uid, lastKnown: nil)) ?? nil else { throw .notFound }
                name = now.name
            } catch {
                guard error == .tooManyLinks || error == .crossDevice || error == .notSupported else { throw error }
                return try copyBytes(uid, shard, target, newName)
            }
        }
        throw .notFound
    }

    private func copyBytes(
        _ uid: UInt32, _ shard: ShardDirectory, _ target: ShardDirectory, _ newName: UnsafePointer<CChar>
    ) throws(Errno) {
        do throws(StoreError) {
            guard let now = try shard.lookUp(uid, lastKnown: nil),
                let file = try MessageFile.open(system, shard.descriptor, now.name, uid: UID(uid))
            else { throw StoreError(.notFound, "gone", errno: .notFound) }
            let staged = try stage()
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
            defer { buffer.deallocate() }
            var offset: Int64 = 0
            while true {
                let count = try file.read(into: buffer, at: offset)
                if count == 0 { break }
                try staged.write(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
                offset += Int64(count)
            }
            try staged.finish(internalDate: file.internalDate)
            try doing("link a copy") { () throws(Errno) in try staged.link(target.descriptor, newName) }
        } catch {
            throw error.errno ?? .io
        }
    }

    /// Runs `body` under both mailboxes' locks, taken in the order of their ids, the target's exclusively; with room
    /// below the target's ceilings.
    static func lockedBoth<R>(
        _ source: Mailbox, exclusive: Bool, _ target: Mailbox, uids: Int, records: Int, sourceRecords: Int = 0,
        _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        while true {
            func run() throws(StoreError) -> R? {
                guard target.hasRoom(uids: uids, records: records),
                    source.hasRoom(uids: 0, records: sourceRecords)
                else { return nil }
                return try body()
            }
            let result: R?
            if source.id == target.id {
                result = try target.locked(exclusive: true, run)
            } else if source.id < target.id {
                result = try source.locked(exclusive: exclusive) { () throws(StoreError) in
                    try target.locked(exclusive: true, run)
                }
            } else {
                result = try target.locked(exclusive: true) { () throws(StoreError) in
                    try source.locked(exclusive: exclusive, run)
                }
            }
            if let result { return result }
            try target.raiseCeilings(uids: uids, records: records, always: true)
            try source.raiseCeilings(uids: 0, records: sourceRecords, always: true)
        }
    }
}

/// Keyword letters of one mailbox as those of another; letters without a name are not carried over.
struct KeywordMap {
    private var pairs: [(from: MessageFlags, to: MessageFlags)] = []
    private var same = false

    /// Gives names the target lacks a letter there, durably.
    init(from source: Mailbox, to target: Mailbox, used: MessageFlags) throws(StoreError) {
        if source.id == target.id {
            same = true
            return
        }
        let letters = used.intersection(.keywordMask).letters.utf8
        guard !letters.isEmpty else { return }
        source.nameKeywords(in: used)
        let table = source.state.withLock { $0.status.keywords }
        for letter in letters {
            let name = table.names[letter] ?? "keyword-\(Character(UnicodeScalar(letter)))"
            pairs.append((MessageFlags(letter: letter), try target.keywords([name], create: true)))
        }
    }

    func map(_ flags: MessageFlags) -> MessageFlags {
        if same { return flags }
        var mapped = flags.subtracting(.keywordMask)
        for (from, to) in pairs where flags.contains(from) { mapped.formUnion(to) }
        return mapped
    }
}
