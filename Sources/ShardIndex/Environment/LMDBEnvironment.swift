import CLMDB
import Glibc
import Primitives

/// An open LMDB environment. `AccountIndex` makes sure that a process has at most one for an account.
///
/// It is opened with MDB_NOSYNC and MDB_NOMETASYNC: the kernel has every write, so even a sudden end of the process
/// loses nothing, and LMDB's copy-on-write keeps the file whole. A file that a power cut or kernel crash may have torn
/// is never opened again (`StateRecord.Condition.open`). MDB_WRITEMAP is off: the map is read-only, so no stray write
/// of this process can reach the file, and a full disk is an error instead of a signal.
final class LMDBEnvironment: @unchecked Sendable {
    // Proof for @unchecked: the handles are set once, and LMDB's functions on them are thread-safe with MDB_NOTLS;
    // `trust` and `idle` are behind their locks; `write` runs on the single writer thread; `close` is called once, when
    // nothing uses the environment any more.
    enum Opened {
        case open(LMDBEnvironment)
        /// There is no trustworthy cache, and none was to be created.
        case absent
        /// Another process is opening or removing it; try again later.
        case busy
        /// Unusable, with the reason.
        case unusable(String)
    }

    /// The result of a read or write.
    enum Outcome: Equatable {
        case good
        /// Not now: no free reader slot, or a lock not obtained. Nothing is wrong.
        case later
        case full
        /// Removed by another process, or grown by one: close it and open it again.
        case reopen
        /// Untrustworthy: remove it and start over.
        case wrong(String)
    }

    private struct Trust {
        var state: StateRecord
        /// This process is changing the file.
        var writing = false
    }

    /// Idle read transactions kept for later readers.
    private static let idleReaders = 16
    private static let readerPlaces: UInt32 = 254
    /// Seconds to wait for another process's commit.
    private static let lockTimeout = 2.0

    private let handle: OpaquePointer
    private let database: MDB_dbi
    private let dataDescriptor: Int32
    private let presence: Int32
    private let stateDescriptor: Int32
    private let directory: Int32
    private let lockStamp: StateRecord.Stamp
    private let boot: String
    private let trust: Monitor<Trust>
    private let idle = Monitor<[OpaquePointer]>([])

    // MARK: opening

    /// Opens the cache in `files`.
    /// - Parameter create: creates a missing cache, and replaces an untrustworthy one.
    static func open(
        _ files: IndexFiles, owner: StateRecord.Owner, boot: String, mapBytes: Int, create: Bool
    ) -> Opened {
        if !create, files.look(IndexFiles.data) == nil { return .absent }
        guard files.makeDirectory() else {
            return .unusable("cannot write to \(files.directory): \(String(cString: strerror(errno)))")
        }
        guard let presence = files.open(IndexFiles.presence) else {
            return .unusable("cannot open \(files.path(IndexFiles.presence)): \(String(cString: strerror(errno)))")
        }
        guard let state = files.open(IndexFiles.state) else {
            Glibc.close(presence)
            return .unusable("cannot open \(files.path(IndexFiles.state)): \(String(cString: strerror(errno)))")
        }
        let result = open(files, owner, boot, mapBytes, create, presence, state)
        if case .open = result { return result }
        Glibc.close(presence)
        Glibc.close(state)
        return result
    }

    private static func open(
        _ files: IndexFiles, _ owner: StateRecord.Owner, _ boot: String, _ mapBytes: Int, _ create: Bool,
        _ presence: Int32, _ state: Int32
    ) -> Opened {
        if IndexFiles.tryLock(presence, LOCK_EX) {
            // No other process has it open, and none can open it during this.
            if !isTrusted(files, IndexFiles.readState(state), owner, boot) {
                guard create else { return .absent }
                unlink(files.path(IndexFiles.data))
                let fresh = StateRecord(owner: owner, boot: boot, condition: .fresh, data: .init())
                guard IndexFiles.writeState(fresh, to: state, sync: false) else {
                    return .unusable("cannot write \(files.path(IndexFiles.state))")
                }
            }
            unlink(files.path(IndexFiles.lock))
        }
        // From exclusive to shared, or shared beside others. In between, another process may have removed everything.
        guard IndexFiles.tryLock(presence, LOCK_SH), files.look(IndexFiles.presence)?.inode == inode(presence),
            files.look(IndexFiles.state)?.inode == inode(state)
        else { return .busy }
        guard IndexFiles.lock(state, seconds: lockTimeout) else { return .busy }
        defer { IndexFiles.unlock(state) }
        guard let record = IndexFiles.readState(state), isTrusted(files, record, owner, boot) else { return .busy }
        return connect(files, record, boot, mapBytes, presence, state)
    }

    private static func inode(_ fd: Int32) -> UInt64? { IndexFiles.look(fd)?.look.inode }

    private static func isTrusted(
        _ files: IndexFiles, _ record: StateRecord?, _ owner: StateRecord.Owner, _ boot: String
    ) -> Bool {
        guard let record, record.owner == owner else { return false }
        let data = files.look(IndexFiles.data)
        switch record.condition {
        case .fresh: return data == nil
        case .clean: return data == record.data
        case .open: return record.boot == boot && data == record.data
        }
    }

    /// Opens the LMDB environment. `state` is locked exclusively.
    private static func connect(
        _ files: IndexFiles, _ record: StateRecord, _ boot: String, _ mapBytes: Int, _ presence: Int32, _ state: Int32
    ) -> Opened {
        var record = record
        var made: OpaquePointer?
        guard mdb_env_create(&made) == 0, let handle = made else { return .unusable("LMDB is out of memory") }
        var code = mdb_env_set_mapsize(handle, mapBytes)
        if code == 0 { code = mdb_env_set_maxreaders(handle, readerPlaces) }
        if code == 0 {
            code = mdb_env_open(
                handle, files.directory, UInt32(MDB_NOSYNC) | UInt32(MDB_NOMETASYNC) | UInt32(MDB_NOTLS), 0o600)
        }
        guard code == 0 else {
            mdb_env_close(handle)
            return failed(files, code)
        }
        // Frees the slots of dead readers.
        var dead: Int32 = 0
        mdb_reader_check(handle, &dead)
        var data: Int32 = -1
        mdb_env_get_fd(handle, &data)
        var database: MDB_dbi = 0
        var transaction: OpaquePointer?
        code = mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &transaction)
        if code == 0 { code = mdb_dbi_open(transaction, nil, 0, &database) }
        if let transaction { mdb_txn_abort(transaction) }
        guard code == 0, let look = IndexFiles.look(data)?.look, let lockStamp = files.look(IndexFiles.lock) else {
            mdb_env_close(handle)
            return failed(files, code)
        }
        if record.condition == .fresh {
            record = StateRecord(owner: record.owner, boot: boot, condition: .open, data: look)
            // Needs no sync: nothing on stable storage claims that this file is whole.
            guard IndexFiles.writeState(record, to: state, sync: false) else {
                mdb_env_close(handle)
                return failed(files, ENOSPC)
            }
        }
        guard look == record.data, hasAllPages(handle, look) else {
            mdb_env_close(handle)
            return failed(files, MDB_CORRUPTED)
        }
        let directory = Glibc.open(files.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else {
            mdb_env_close(handle)
            return .busy
        }
        return .open(
            LMDBEnvironment(
                handle: handle, database: database, dataDescriptor: data, presence: presence, stateDescriptor: state,
                directory: directory, lockStamp: lockStamp, boot: boot, record: record))
    }

    /// Handles an LMDB error. Lack of memory or descriptors is not the cache's fault; after any other error the cache
    /// is removed, and the next open starts over.
    private static func failed(_ files: IndexFiles, _ code: Int32) -> Opened {
        guard code <= 0 else { return .busy }
        files.remove()
        return .unusable("LMDB: \(String(cString: mdb_strerror(code)))")
    }

    /// Whether the file is as long as its meta page says: reading a page beyond the end of the file raises a signal.
    private static func hasAllPages(_ handle: OpaquePointer, _ look: StateRecord.Stamp) -> Bool {
        var info = MDB_envinfo()
        var stat = MDB_stat()
        guard mdb_env_info(handle, &info) == 0, mdb_env_stat(handle, &stat) == 0 else { return false }
        let (pages, isTooMuch) = info.me_last_pgno.addingReportingOverflow(1)
        let (bytes, isTooLong) = pages.multipliedReportingOverflow(by: Int(stat.ms_psize))
        return !isTooMuch && !isTooLong && bytes <= Int(look.size)
    }

    private init(
        handle: OpaquePointer, database: MDB_dbi, dataDescriptor: Int32, presence: Int32, stateDescriptor: Int32,
        directory: Int32, lockStamp: StateRecord.Stamp, boot: String, record: StateRecord
    ) {
        self.handle = handle
        self.database = database
        self.dataDescriptor = dataDescriptor
        self.presence = presence
        self.stateDescriptor = stateDescriptor
        self.directory = directory
        self.lockStamp = lockStamp
        self.boot = boot
        trust = Monitor(Trust(state: record))
    }

    /// Closes the environment; no call may use it now or later. If this process is alone and the file is whole, it is
    /// marked as cleanly closed.
    func close(clean: Bool) {
        for transaction in idle.withLock({ $0 }) { mdb_txn_abort(transaction) }
        let record = trust.withLock { $0.state }
        if clean, record.condition == .open, IndexFiles.tryLock(presence, LOCK_EX),
            var now = IndexFiles.readState(stateDescriptor), let look = IndexFiles.look(dataDescriptor),
            look.links > 0, look.look == now.data, mdb_env_sync(handle, 1) == 0
        {
            now.condition = .clean
            // If this write fails, the cache is good until the next boot and discarded after it.
            _ = IndexFiles.writeState(now, to: stateDescriptor, sync: true)
        }
        mdb_env_close(handle)
        Glibc.close(stateDescriptor)
        Glibc.close(presence)
        Glibc.close(directory)
    }

    // MARK: trust

    /// Whether the files are as the last commit left them.
    /// - Parameter holding: whether this process's writer has `state` locked.
    private func inspect(holding: Bool = false) -> Outcome {
        guard let lock = IndexFiles.look(IndexFiles.lockName, in: directory), lock.inode == lockStamp.inode,
            lock.size >= lockStamp.size,
            let (look, links) = IndexFiles.look(dataDescriptor), links > 0
        else { return .reopen }
        return trust.withLock { trust in
            if look == trust.state.data { return .good }
            // The file never shrinks, whoever writes: reading a page beyond its end raises a signal.
            guard let (look, _) = IndexFiles.look(dataDescriptor), look.size >= trust.state.data.size else {
                return .wrong("the file was truncated")
            }
            if trust.writing || look == trust.state.data { return .good }
            // Another process is committing, or has committed.
            if !holding, !IndexFiles.tryLock(stateDescriptor, LOCK_SH) { return .good }
            defer { if !holding { IndexFiles.unlock(stateDescriptor) } }
            guard let record = IndexFiles.readState(stateDescriptor), let (look, _) = IndexFiles.look(dataDescriptor),
                record.owner == trust.state.owner, record.data == look
            else { return .wrong("the file was changed by another program") }
            trust.state = record
            return .good
        }
    }

    // MARK: reading

    /// Calls `body` with a cursor in a read transaction. Pointers from the cursor are valid until `body` returns.
    func read(_ body: (ReadCursor) -> Outcome) -> Outcome {
        let state = inspect()
        guard state == .good else { return state }
        var code: Int32 = 0
        var transaction = idle.withLock { $0.popLast() }
        if let old = transaction {
            code = mdb_txn_renew(old)
            if code != 0 { mdb_txn_abort(old) }
        } else {
            code = mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &transaction)
        }
        guard code == 0, let transaction else { return Self.outcome(code) }
        var cursor: OpaquePointer?
        code = mdb_cursor_open(transaction, database, &cursor)
        guard code == 0, let cursor else {
            mdb_txn_abort(transaction)
            return Self.outcome(code)
        }
        let result = body(ReadCursor(cursor: cursor, maximumBytes: Int(trust.withLock { $0.state.data.size })))
        mdb_cursor_close(cursor)
        mdb_txn_reset(transaction)
        let kept = idle.withLock { idle in
            guard idle.count < Self.idleReaders else { return false }
            idle.append(transaction)
            return true
        }
        if !kept { mdb_txn_abort(transaction) }
        return result
    }

    func entries() -> Int? {
        guard inspect() == .good else { return nil }
        var stat = MDB_stat()
        return mdb_env_stat(handle, &stat) == 0 ? Int(stat.ms_entries) : nil
    }

    var bytes: UInt64 { UInt64(max(0, IndexFiles.look(dataDescriptor)?.look.size ?? 0)) }

    // MARK: writing

    /// Runs `body` in a write transaction and commits. Writer thread only: LMDB's lock belongs to the thread.
    func write(_ body: (WriteTransaction) -> Int32) -> Outcome {
        guard IndexFiles.lock(stateDescriptor, seconds: Self.lockTimeout) else { return .later }
        defer { IndexFiles.unlock(stateDescriptor) }
        let state = inspect(holding: true)
        guard state == .good else { return state }
        guard var record = IndexFiles.readState(stateDescriptor), let (look, _) = IndexFiles.look(dataDescriptor),
            record.data == look
        else { return .wrong("the file was changed by another program") }
        if record.condition != .open {
            // Durable before the first write: otherwise, after a power cut, a half-written cache would pass for a whole
            // one.
            record.condition = .open
            record.boot = boot
            guard IndexFiles.writeState(record, to: stateDescriptor, sync: true) else { return .later }
        }
        let marked = record
        trust.withLock { trust in
            trust.state = marked
            trust.writing = true
        }
        let result = commit(body)
        if let (look, _) = IndexFiles.look(dataDescriptor) { record.data = look }
        let noted = IndexFiles.writeState(record, to: stateDescriptor, sync: false)
        let after = record
        trust.withLock { trust in
            trust.state = after
            trust.writing = false
        }
        return noted || result != .good ? result : .wrong("its state could not be written")
    }

    private func commit(_ body: (WriteTransaction) -> Int32) -> Outcome {
        var begun: OpaquePointer?
        var code = mdb_txn_begin(handle, nil, 0, &begun)
        guard code == 0, let transaction = begun else { return Self.outcome(code) }
        code = body(WriteTransaction(transaction: transaction, database: database))
        guard code == 0 else {
            mdb_txn_abort(transaction)
            return Self.outcome(code)
        }
        return Self.outcome(mdb_txn_commit(transaction))
    }

    /// Maps an LMDB result code to an outcome.
    static func outcome(_ code: Int32) -> Outcome {
        switch code {
        case 0: .good
        case MDB_MAP_FULL: .full
        case MDB_MAP_RESIZED: .reopen
        case MDB_READERS_FULL, ENOMEM, ENOSPC, EDQUOT, EINTR, EAGAIN: .later
        default: .wrong(String(cString: mdb_strerror(code)))
        }
    }
}
