import DurableFiles
import Glibc
import Primitives

/// The result of a copy or move: pairs of source and destination UIDs, in the requested order.
public struct CopyResult: Sendable {
    public var uidValidity: UInt32
    public var copied: [(source: UID, target: UID)] = []

    public init(uidValidity: UInt32 = 0) { self.uidValidity = uidValidity }
}

extension Mailbox {
    /// Copies messages to another mailbox of the store as hard links: no data is copied, INTERNALDATE is kept. All or
    /// none.
    ///
    /// Missing UIDs are skipped, as RFC 9051 requires for UID COPY. A keyword that goes beyond the target's limits is
    /// omitted.
    /// - Throws: the errors of `append`.
    public func copy(_ uids: [UID], to target: Mailbox) throws(StoreError) -> CopyResult {
        var used = try usedKeywords(uids)
        // A name missing under the shared lock was removed by a dead writer's expunge or by another program: try once
        // more with the source settled and every name checked.
        var verify = false
        while true {
            let letters = try KeywordMap(from: self, to: target, used: used)
            var sources: [UID] = []
            let outcome: SetWriter.Outcome
            var isCovered = true
            do throws(StoreError) {
                outcome = try Mailbox.lockedBoth(
                    self, exclusive: verify || isSame(as: target), target, uids: uids.count, records: uids.count + 3
                ) { () throws(StoreError) -> SetWriter.Outcome in
                    let members = try copyMembers(uids, to: target, letters, verify, &sources, &used)
                    // A keyword added since the flags were read needs a letter in the target first.
                    isCovered = letters.covers(used, from: self, to: target)
                    guard isCovered, !members.isEmpty else { return .done([], [], nil) }
                    return try SetWriter(mailbox: target).run(members)
                }
            } catch {
                guard error.errno == .notFound, !verify else { throw error }
                verify = true
                continue
            }
            guard isCovered else { continue }
            guard let results = try target.finishSet(outcome) else { continue }
            var result = CopyResult(uidValidity: target.state.withLock { $0.status.uidValidity })
            result.copied = zip(sources, results).map { ($0, $1.uid) }
            return result
        }
    }

    func usedKeywords(_ uids: [UID]) throws(StoreError) -> UsedKeywords {
        try refresh()
        let (list, extra) = state.withLock { ($0.view.list, $0.extraKeywords) }
        var used = UsedKeywords()
        for entry in uids.lazy.compactMap({ list.entry(of: $0) }) { used.add(entry, extra) }
        return used
    }

    private func copyMembers(
        _ uids: [UID], to mailbox: Mailbox, _ letters: KeywordMap, _ verify: Bool, _ sources: inout [UID],
        _ used: inout UsedKeywords
    ) throws(StoreError) -> [SetMember] {
        let (list, log, extra) = state.withLock { ($0.view.list, $0.log, $0.extraKeywords) }
        var members: [SetMember] = []
        members.reserveCapacity(uids.count)
        sources = []
        let time = context.now
        let entries = uids.compactMap { list.entry(of: $0) }
        let digests = try log.digests(of: entries)
        for (entry, digest) in zip(entries, digests) {
            guard let shard = try shard(entry.uid.shard) else { continue }
            if verify, try shard.lookUp(entry.uid.rawValue, lastKnown: entry.flags) == nil { continue }
            // Under the shared lock a flag change may run concurrently: the copy has the flags from before it, and the
            // name is looked up again on ENOENT.
            let mapped = letters.map(entry.flags, extra.names(of: entry.uid))
            members.append(
                SetMember(size: entry.size, digest: digest, flags: mapped.flags, extra: mapped.extra, time: time) {
                    (target, newName) throws(Errno) in
                    try self.linkOrCopy(entry.uid.rawValue, entry.flags, in: shard, to: target, newName, of: mailbox)
                })
            sources.append(entry.uid)
            used.add(entry, extra)
        }
        return members
    }

    /// Makes a hard link; copies the bytes at the link limit (65,000 on ext4), across file systems, or without hard
    /// links.
    func linkOrCopy(
        _ uid: UInt32, _ flags: MessageFlags, in shard: ShardDirectory, to target: ShardDirectory,
        _ newName: UnsafePointer<CChar>, of mailbox: Mailbox
    ) throws(Errno) {
        guard context.can(.hardLinks) else { return try copyBytes(uid, shard, target, newName, mailbox) }
        var name: String?
        for _ in 0..<8 {
            do {
                if let name { return try system.link(shard.descriptor, name, target.descriptor, newName) }
                return try MessageFileName.with(uid, flags) { (name) throws(Errno) in
                    try system.link(shard.descriptor, name, target.descriptor, newName)
                }
            } catch .notFound {
                // The target's directory may be the missing one: the caller creates it again.
                guard let now = (try? shard.lookUp(uid, lastKnown: nil)) ?? nil else { throw .notFound }
                if now.name == name { throw .notFound }
                name = now.name
            } catch {
                guard
                    error == .tooManyLinks || error == .crossDevice || error == .notSupported || error == .notPermitted
                else { throw error }
                return try copyBytes(uid, shard, target, newName, mailbox)
            }
        }
        throw .notFound
    }

    private func copyBytes(
        _ uid: UInt32, _ shard: ShardDirectory, _ target: ShardDirectory, _ newName: UnsafePointer<CChar>,
        _ mailbox: Mailbox
    ) throws(Errno) {
        do throws(StoreError) {
            guard let now = try shard.lookUp(uid, lastKnown: nil),
                let file = try MessageFile.open(system, shard.descriptor, now.name, uid: UID(uid))
            else { throw StoreError(.notFound, "gone", errno: .notFound) }
            let copy = try mailbox.stage(copyOf: file)
            try doing("link a copy") { () throws(Errno) in try copy.staged.link(target.descriptor, newName) }
        } catch {
            throw error.errno ?? .io
        }
    }

    /// Stages a copy of a message's bytes and INTERNALDATE in the file system of this mailbox.
    func stage(copyOf file: MessageFile) throws(StoreError) -> FinishedMessage {
        let staged = try stagingFile()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { break }
            try staged.write(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            offset += Int64(count)
        }
        return try staged.finish(internalDate: file.internalDate)
    }

    /// Runs `body` under both mailboxes' locks, taken in the order of their ids, the target's exclusively, with room
    /// below both mailboxes' ceilings.
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
            if source.isSame(as: target) {
                result = try target.locked(exclusive: true, run)
            } else if source.order < target.order {
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

/// The keywords of messages to be copied or moved.
struct UsedKeywords {
    private(set) var flags: MessageFlags = []
    /// Those without a letter, by name.
    private(set) var extra: Set<String> = []

    mutating func add(_ entry: MessageEntry, _ keywords: ExtraKeywords) {
        flags.formUnion(entry.flags)
        if !keywords.isEmpty { extra.formUnion(keywords.names(of: entry.uid)) }
    }
}

/// Maps the keywords of one mailbox to those of another; a letter without a name is carried over as `keyword-b`.
struct KeywordMap {
    private var pairs: [(from: MessageFlags, to: MessageFlags, name: String)] = []
    /// The letters of names that have none in the source.
    private var extra: [String: MessageFlags] = [:]
    private var same = false
    private var sourceGeneration: UInt64?
    private var targetGeneration: UInt64?

    /// Assigns letters in the target, durably and as long as it has room, to names that it lacks.
    init(from source: Mailbox, to target: Mailbox, used: UsedKeywords) throws(StoreError) {
        if source.isSame(as: target) {
            same = true
            return
        }
        let letters = used.flags.intersection(.keywordMask).letters.utf8
        guard !letters.isEmpty || !used.extra.isEmpty else { return }
        source.nameKeywords(in: used.flags)
        let (table, generation) = source.state.withLock { ($0.status.keywords, $0.letterGeneration) }
        let names = letters.map { table.names[$0] ?? KeywordTable.substitute(for: $0) }
        let there = try target.letters(of: names + used.extra.sorted(), create: true)
        (sourceGeneration, targetGeneration) = (generation, there.generation)
        for (letter, name) in zip(letters, names) {
            pairs.append((MessageFlags(letter: letter), there.flags(of: [name]), name))
        }
        for name in used.extra { extra[name] = there.flags(of: [name]) }
    }

    /// Whether every keyword in `used` has been looked up, and no letter was freed since. Under both locks.
    func covers(_ used: UsedKeywords, from source: Mailbox, to target: Mailbox) -> Bool {
        if same { return true }
        guard source.isCurrent(sourceGeneration), target.isCurrent(targetGeneration) else { return false }
        return used.flags.intersection(.keywordMask).subtracting(pairs.reduce([]) { $0.union($1.from) }).isEmpty
            && used.extra.allSatisfy { extra[$0] != nil }
    }

    /// A message's flags in the target, and its keywords that have no letter there.
    func map(_ flags: MessageFlags, _ names: [String]) -> (flags: MessageFlags, extra: [String]) {
        if same { return (flags, names) }
        var mapped = flags.subtracting(.keywordMask)
        var left: [String] = []
        for (from, to, name) in pairs where flags.contains(from) {
            mapped.formUnion(to)
            if to.isEmpty { left.append(name) }
        }
        for name in names {
            if let to = extra[name], !to.isEmpty { mapped.formUnion(to) } else { left.append(name) }
        }
        return (mapped, left)
    }
}
