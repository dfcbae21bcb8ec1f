import DurableFiles
import Glibc
import Primitives

extension Mailbox {
    /// Moves messages to another mailbox of the store with one rename each, so that no message is ever missing from
    /// both. Durable on return (except with `durability: none`). Not all or none: a batch of single moves, settled
    /// forward.
    ///
    /// Within one mailbox a message gets a new UID. Across file systems, messages are copied and then expunged here.
    public func move(_ uids: [UID], to target: Mailbox) throws(StoreError) -> CopyResult {
        var result = CopyResult()
        try move(uids, to: target, into: &result)
        return result
    }

    /// Like ``move(_:to:)``, but `result` receives the messages moved so far even when it throws.
    public func move(_ uids: [UID], to target: Mailbox, into result: inout CopyResult) throws(StoreError) {
        // Within one mailbox, use a single view.
        let target = isSame(as: target) ? self : target
        result.uidValidity = target.state.withLock { $0.status.uidValidity }
        var sourceShards: Set<UInt32> = []
        var targetShards: [ShardDirectory] = []
        var failure: StoreError?
        do throws(StoreError) {
            try moveAll(uids, target, &result, &sourceShards, &targetShards)
        } catch {
            failure = error
        }
        if !result.copied.isEmpty {
            // Messages moved before a failure are made just as durable.
            try makeDurable(sourceShards, target, targetShards)
            // An empty directory left behind is harmless.
            try? removeEmptyShards(sourceShards)
        }
        if let failure { throw failure }
        for mailbox in [self, target] {
            mailbox.raiseCeilingsAhead()
            mailbox.compactIfNeeded()
        }
    }

    private func moveAll(
        _ uids: [UID], _ target: Mailbox, _ result: inout CopyResult, _ sourceShards: inout Set<UInt32>,
        _ targetShards: inout [ShardDirectory]
    ) throws(StoreError) {
        var used = try usedKeywords(uids)
        var at = 0
        while at < uids.count {
            let round = uids[at..<min(at + Self.expungeRound, uids.count)]
            let letters = try KeywordMap(from: self, to: target, used: used)
            let moved: MoveOutcome
            do throws(StoreError) {
                moved = try Mailbox.lockedBoth(
                    self, exclusive: true, target, uids: round.count, records: 2 * round.count,
                    sourceRecords: 2 * round.count
                ) { () throws(StoreError) in
                    try moveRound(round, target, letters, &used, &result, &sourceShards, &targetShards)
                }
            } catch {
                // What has moved is not in the round any more.
                if context.room.canRetry(error) { continue }
                throw error
            }
            switch moved {
            case .done: at = round.endIndex
            case .newKeyword: break
            case .recount: try target.context.recountQuota()
            case .overQuota: throw StoreError(.overQuota, "the quota of \(target.context.name) is used up")
            case .crossDevice:
                try copyAndRemove(Array(round), target, &result)
                at = round.endIndex
            }
        }
    }

    /// Moves messages across file systems.
    private func copyAndRemove(
        _ uids: [UID], _ target: Mailbox, _ result: inout CopyResult
    ) throws(StoreError) {
        let copied = try copy(uids, to: target).copied
        do throws(StoreError) {
            // If somebody else removed the original meanwhile, the copy must not stay.
            let gone = Set(try remove(copied.map(\.source)))
            result.copied += copied.filter { gone.contains($0.source) }
            _ = try? target.remove(copied.filter { !gone.contains($0.source) }.map(\.target))
        } catch {
            // The files show which messages are gone; the list may not know yet. A duplicate is better than a loss, so
            // a copy is removed only if its original is seen.
            let kept = copied.filter { isSeen($0.source) }
            let unmoved = Set(kept.map(\.source))
            result.copied += copied.filter { !unmoved.contains($0.source) }
            _ = try? target.remove(kept.map(\.target))
            throw error
        }
    }

    /// Whether a message's file has the name that the list expects.
    private func isSeen(_ uid: UID) -> Bool {
        guard let entry = state.withLock({ $0.view.list.entry(of: uid) }), let shard = try? shard(uid.shard) else {
            return false
        }
        let status = try? MessageFileName.with(uid.rawValue, entry.flags) { (name) throws(Errno) in
            try system.status(shard.descriptor, name)
        }
        return status != nil
    }

    private func makeDurable(
        _ sourceShards: Set<UInt32>, _ target: Mailbox, _ targetShards: [ShardDirectory]
    ) throws(StoreError) {
        guard options.durability != .none else { return }
        do {
            // The names above them were made durable before the first rename.
            for shard in targetShards { try shard.sync() }
            for number in sourceShards {
                guard let shard = try shard(number) else { continue }
                try shard.sync()
            }
        } catch {
            _ = breakMailbox(error)
            throw target.breakMailbox(error)
        }
    }

    /// `newKeyword`: a keyword was added since the flags were read, or letters were freed; nothing was done.
    private enum MoveOutcome { case done, newKeyword, recount, overQuota, crossDevice }

    private func moveRound(
        _ uids: ArraySlice<UID>, _ target: Mailbox, _ letters: KeywordMap, _ used: inout UsedKeywords,
        _ result: inout CopyResult, _ sourceShards: inout Set<UInt32>, _ targetShards: inout [ShardDirectory]
    ) throws(StoreError) -> MoveOutcome {
        let (list, log, extra) = state.withLock { ($0.view.list, $0.log, $0.extraKeywords) }
        let first = target.state.withLock { UInt32($0.view.nextUID) }
        let time = context.now
        var away: [LogRecord] = []
        var here: [LogRecord] = []
        var keywords: [(uid: UInt32, names: [String])] = []
        let entries = uids.compactMap { list.entry(of: $0) }
        for (entry, digest) in zip(entries, try log.digests(of: entries)) {
            let mapped = letters.map(entry.flags, extra.names(of: entry.uid))
            keywords.append((first + UInt32(here.count), mapped.extra))
            used.add(entry, extra)
            here.append(
                LogRecord(
                    .append, done: false, uid: first + UInt32(here.count), flags: mapped.flags, time: time,
                    size: entry.size, digest: digest, changesKeywords: !mapped.extra.isEmpty))
            away.append(
                LogRecord(
                    .expunge, done: false, uid: entry.uid.rawValue, flags: entry.flags, time: time, size: entry.size))
        }
        guard !here.isEmpty else { return .done }
        guard letters.covers(used, from: self, to: target) else { return .newKeyword }
        let tokens = context.tokens.take(2 * here.count)
        for i in here.indices {
            here[i].token = tokens &+ UInt64(i)
            away[i].token = tokens &+ UInt64(here.count + i)
        }
        let all = here.reduce(UInt64(0)) { $0 + UInt64($1.messageSize) }
        var failure: StoreError?
        var reserved = false
        var refused: MoveOutcome?
        do {
            // Intents first, so that a kill after the reservation is noticed; reserve there before releasing here.
            try target.write(here)
            try write(away)
            if target.context !== context {
                switch try target.context.reserve(bytes: all, messages: here.count) {
                case .granted: reserved = true
                case .overQuota: refused = .overQuota
                case .needsRecount: refused = .recount
                }
            }
            if refused == nil { try target.publishKeywords(of: keywords) }
        } catch {
            failure = error
        }
        var crossDevice = false
        var moved: [(source: UID, target: UID)] = []
        var bytes: UInt64 = 0
        for i in here.indices {
            here[i].isDone = true
            away[i].isDone = true
            if failure == nil, refused == nil, !crossDevice {
                do {
                    switch try moveOne(&here[i], &away[i], target, &targetShards) {
                    case .moved:
                        bytes += UInt64(here[i].messageSize)
                        sourceShards.insert(away[i].uid / UID.perShard)
                        moved.append((UID(away[i].uid), UID(here[i].uid)))
                        continue
                    case .gone: break
                    case .crossDevice: crossDevice = true
                    }
                } catch { failure = error }
            }
            here[i].kind = .void
            away[i].kind = .void
        }
        if reserved {
            try target.context.ledger.release(bytes: all - bytes, messages: here.count - moved.count)
            try context.ledger.release(bytes: bytes, messages: moved.count)
        }
        try target.write(here)
        try write(away)
        result.copied += moved
        if let failure { throw failure }
        return refused ?? (crossDevice ? .crossDevice : .done)
    }

    private enum OneMove { case moved, gone, crossDevice }

    private func moveOne(
        _ here: inout LogRecord, _ away: inout LogRecord, _ target: Mailbox, _ targetShards: inout [ShardDirectory]
    ) throws(StoreError) -> OneMove {
        guard let shard = try shard(away.uid / UID.perShard) else { return .gone }
        let (uid, flags) = (away.uid, away.flags)
        var found: String?
        for _ in 0..<3 {
            do {
                let name = found
                let there = try target.publish(here.uid, here.flags, moving: true) { (there, newName) throws(Errno) in
                    if let name { return try renameChecked(shard.descriptor, name, there.descriptor, newName) }
                    try MessageFileName.with(uid, flags) { (name) throws(Errno) in
                        try renameChecked(shard.descriptor, name, there.descriptor, newName)
                    }
                }
                if targetShards.last !== there { targetShards.append(there) }
                return .moved
            } catch {
                if error.errno == .crossDevice { return .crossDevice }
                guard error.errno == .notFound else {
                    if let there = try? target.shard(here.uid / UID.perShard),
                        renameHappened(
                            shard.descriptor, found ?? MessageFileName.string(UID(uid), flags), there.descriptor,
                            MessageFileName.string(UID(here.uid), here.flags))
                    {
                        if targetShards.last !== there { targetShards.append(there) }
                        return .moved
                    }
                    throw error
                }
            }
            guard let now = try shard.lookUp(away.uid, lastKnown: nil) else { return .gone }
            found = now.name
        }
        return .gone
    }
}
