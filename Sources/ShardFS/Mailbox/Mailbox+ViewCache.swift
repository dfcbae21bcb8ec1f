// The view cached between two openings (`ViewCache`): loaded and checked when the mailbox is opened, stored when it is
// released.
import DurableFiles
import Primitives

//
// A cached view belongs to one place in one log. It is valid if the log is the same file with the same epoch and base,
// and has the same record at that place. Later records are read as by any follower. A shard counts as listed if its
// directory still has the stamp of a listing that agreed with the view, and no later record concerns it; the other
// shards are listed, under the lock, as without a cached view.

extension Mailbox {
    /// The maximum number of records read again to find the touched shards; beyond it all count as touched.
    private static let rereadRecords = 200_000
    /// The size in bytes of one piece stored in the cache.
    private static let storePiece = 2 << 20
    /// A listing of at least this many shards at opening is worth storing immediately.
    private static let worthKeeping = 4

    var viewCacheKey: ViewCacheKey? { context.viewCacheKey(id) }

    // MARK: reading

    enum CachedView {
        case none
        case usable(MailboxView, ViewParts, lastChecksum: UInt32?)
        /// The view is of records that the log, of the same epoch, does not have any more.
        case logWasCut
    }

    /// Loads the cached view of this log.
    static func cachedView(
        _ context: AccountContext, _ log: LogFile, _ status: MailboxStatus
    ) throws(StoreError) -> CachedView {
        guard let cache = context.options.viewCache, let key = context.viewCacheKey(status.mailboxID) else {
            return .none
        }
        var viewHeader: ViewHeader?
        var tables: [UInt32: (table: ShardTable, serial: UInt64)] = [:]
        cache.load(key) { part, bytes in
            if part == ViewHeader.part {
                viewHeader = ViewHeader(bytes)
            } else if let shard = ShardPart.decode(bytes), shard.table.number == part {
                tables[part] = shard
            }
        }
        guard let viewHeader, isOf(viewHeader, log, status) else { return .none }
        let file = try doing("stat \(LogFile.fileName)") { () throws(Errno) in
            try context.system.status(log.descriptor)
        }
        let applied = Int(viewHeader.applied)
        guard LogFile.records(in: file.size) >= applied else { return .logWasCut }
        if applied > 0 {
            guard let last = try lastRecord(log, applied), last == (viewHeader.lastChecksum, viewHeader.lastToken)
            else { return .logWasCut }
        }
        // An unchanged log needs no check; otherwise its records are verified, though not applied.
        if file.changed != viewHeader.logChanged || file.size != LogFile.offset(of: applied) {
            guard try log.isRight(upTo: applied) else { return .none }
        }
        guard let (list, parts) = viewHeader.joined(with: tables) else { return .none }
        return .usable(
            MailboxView(viewHeader, list, header: log.openedHeader, uidFloor: status.uidFloor), parts,
            lastChecksum: applied > 0 ? viewHeader.lastChecksum : nil)
    }

    private static func isOf(_ viewHeader: ViewHeader, _ log: LogFile, _ status: MailboxStatus) -> Bool {
        let header = log.openedHeader
        return viewHeader.epoch == header.epoch && viewHeader.base == header.base
            && viewHeader.uidValidity == status.uidValidity && viewHeader.uidValidity == header.uidValidity
            && viewHeader.logInode == log.identity.inode && viewHeader.oldestAnswerable == header.oldestAnswerable
    }

    private static func lastRecord(_ log: LogFile, _ applied: Int) throws(StoreError) -> (UInt32, UInt64)? {
        try log.checksumAndToken(at: applied - 1)
    }

    // MARK: listed shards

    /// Finds the shards touched by later records; they no longer count as listed.
    func noteTouched() throws(StoreError) {
        guard options.viewCache != nil else { return }
        let (log, from, to) = state.withLock { ($0.log, $0.parts.place, $0.view.applied) }
        guard from < to else { return }
        var touched: Set<UInt32>? = []
        if to - from > Self.rereadRecords {
            touched = nil
        } else {
            var last: UInt32?
            let end = try log.scan(from: from, to: to) { record, _ in
                guard record.uid != 0, record.kind != .recent else { return }
                let number = record.uid / UID.perShard
                if number != last { touched?.insert(number) }
                last = number
                guard record.kind == .set else { return }
                let end = (UInt64(record.uid) + UInt64(record.messageSize)) / UInt64(UID.perShard)
                for other in UInt64(number)...end { touched?.insert(UInt32(truncatingIfNeeded: other)) }
            }
            // An unreadable record may concern any shard.
            if end != .end { touched = nil }
        }
        let known = touched
        state.withLock { s in
            if s.log === log, s.parts.place == from {
                s.parts.advance(to: to, touching: known)
            } else {
                s.parts = ViewParts()
                s.parts.place = s.view.applied
            }
        }
    }

    /// Whether the shard's directory still has the stamp of a listing that agreed with the view.
    func isAsListed(_ number: UInt32) -> Bool {
        guard let look = state.withLock({ $0.parts.listed[number] }) else { return false }
        guard let now = try? system.status(directory, ShardName.string(number)), now.isDirectory else { return false }
        return ShardStamp(now) == look
    }

    /// Records that a shard agrees with the view, with its status at the start of the listing. Exclusive lock.
    func noteListed(_ number: UInt32, _ status: FileStatus?) {
        guard options.viewCache != nil, let status else { return }
        let look = ShardStamp(status)
        guard look.isSettled(at: context.now &* 1_000_000_000) else { return }
        state.withLock { $0.parts.listed[number] = look }
    }

    // MARK: writing

    /// Stores a view immediately after an opening that took long to build it.
    func keepView(afterListing shards: Int) {
        if shards >= Self.worthKeeping { storeView() }
    }

    /// Stores the view after listing the touched shards again.
    func keepView() {
        guard options.viewCache != nil, !options.readOnly, !isBroken else { return }
        _ = try? listTouched()
        storeView()
    }

    /// Stores the current view. Takes no mailbox lock.
    func storeView() {
        guard let cache = options.viewCache, !options.readOnly, !isBroken, let key = viewCacheKey else { return }
        do throws(StoreError) { try noteTouched() } catch { return }
        let (log, view, parts) = state.withLock { ($0.log, $0.view, $0.parts) }
        // Open intents and unconfirmed names are transient.
        guard view.pending.isEmpty, view.unconfirmed.isEmpty, parts.place == view.applied, view.applied > 0,
            view.applied <= Int(UInt32.max)
        else { return }
        if parts.headerOffset == view.applied, view.list.shards.allSatisfy({ parts.holds($0) }) { return }
        guard let last = try? log.checksumAndToken(at: view.applied - 1), let file = try? system.status(log.descriptor)
        else { return }
        var stored = parts.stored
        var gone = Set(stored.keys)
        var shards: [ViewHeader.Shard] = []
        var piece: [(part: UInt32, bytes: [UInt8])] = []
        var bytes = 0
        var isTaken = true
        for table in view.list.shards {
            gone.remove(table.number)
            if !parts.holds(table) {
                let serial = SystemCalls.random(UInt64.self)
                piece.append((table.number, ShardPart.encode(table, serial: serial)))
                bytes += piece.last?.bytes.count ?? 0
                stored[table.number] = ViewParts.Stored(serial: serial, hasDates: !table.columns.dates.isEmpty)
            }
            shards.append(
                ViewHeader.Shard(
                    number: table.number, count: UInt32(table.count), serial: stored[table.number]?.serial ?? 0,
                    look: parts.listed[table.number]))
            if bytes >= Self.storePiece {
                // An older header names other serials, so it is invalid until the new one is stored.
                isTaken = isTaken && cache.store(key, piece, forgetting: [])
                piece = []
                bytes = 0
            }
        }
        for number in gone { stored[number] = nil }
        let isWhole = file.size == LogFile.offset(of: view.applied)
        let viewHeader = ViewHeader(
            view, shards, log: log, logChanged: isWhole ? file.changed : 0, last: last)
        isTaken =
            isTaken && cache.store(key, piece + [(ViewHeader.part, viewHeader.encoded())], forgetting: gone.sorted())
        let kept = stored
        let wasTaken = isTaken
        state.withLock { s in
            guard s.log === log, s.parts.place == view.applied else { return }
            s.parts.stored = wasTaken ? kept : [:]
            s.parts.headerOffset = wasTaken ? view.applied : nil
        }
    }
}

extension AccountContext {
    func viewCacheKey(_ mailboxID: String) -> ViewCacheKey? {
        guard let address = try? AccountAddress(parsing: name) else { return nil }
        return ViewCacheKey(storeID: storeID, account: address, mailboxID: mailboxID)
    }
}

extension ViewParts {
    /// Whether the cache holds the current contents of the shard.
    func holds(_ table: ShardTable) -> Bool {
        stored[table.number]?.hasDates == !table.columns.dates.isEmpty
    }
}

extension ViewHeader {
    init(
        _ view: MailboxView, _ shards: [Shard], log: LogFile, logChanged: Int64, last: (checksum: UInt32, token: UInt64)
    ) {
        self.init(
            epoch: log.epoch, base: log.base, uidValidity: log.openedHeader.uidValidity, logInode: log.identity.inode,
            logChanged: logChanged, applied: UInt64(view.applied), lastChecksum: last.checksum, lastToken: last.token,
            highestModSeq: view.highestModSeq, oldestAnswerable: view.oldestAnswerable, nextUID: view.nextUID,
            recentUID: view.recentUID, cleanMark: view.cleanMark ?? 0, usedFlags: view.usedFlags.rawValue,
            shards: shards)
    }
}
