import DurableFiles
import Glibc
import Primitives

/// The bytes and messages used by an account, exact across all threads and processes: the file `quota.ledger`.
///
/// The file is updated in place under a lock on itself and never replaced. The order of operations keeps it correct:
/// reserve, then make the message visible; remove the message, then release. So a dead writer leaves a count that is
/// too high, never too low; whoever settles its work calls `markRecount`. A reboot without `close` makes the ledger
/// unknown until a recount. A recount compares the logs under the lock: a mark therefore comes under it too, together
/// with the records that it is about, unless these follow an intent.
///
/// The lock is a leaf: nothing else is locked while it is held; callers may hold other locks.
final class QuotaLedger: Sendable {
    static let fileName = "quota.ledger"

    /// The outcome of a reservation.
    enum Outcome: Hashable, Sendable {
        /// Counted; to be released if the message is not stored.
        case granted
        /// The account has no room; nothing was counted.
        case overQuota
        /// There may be room: the ledger is full but not exact. Recount, `set`, and reserve again.
        case needsRecount
    }

    /// The contents of the ledger.
    struct Usage: Hashable, Sendable {
        /// The sum of the messages' sizes.
        var bytes: UInt64
        var messages: UInt64
        /// Whether the numbers are exact; otherwise they are upper bounds, `UInt64.max` if unknown.
        var isExact: Bool
    }

    private let system: SystemCalls
    private let directory: Int32
    private let boot: QuotaBoot
    private let lockWait: Int64
    private let readOnly: Bool
    private let syncsEachChange: Bool
    /// Unused descriptors, each with a separate open file description.
    private let idle: Locked<[Int32]>
    private static let maximumIdle = 4

    /// - Parameters:
    ///   - directory: the account's directory, which must stay open for the lifetime of this object.
    ///   - bootID: changes with each reboot. For a store shared by several machines, use one constant for all of them
    ///     together with `syncsEachChange`, since their reboots are independent.
    ///   - lockWait: nanoseconds to wait for the ledger's lock.
    ///   - readOnly: locks, creates and writes nothing; `usage` still works.
    init(
        system: SystemCalls, directory: Int32, bootID: String, lockWait: Int64 = 10_000_000_000, readOnly: Bool = false,
        syncsEachChange: Bool = false
    ) {
        self.system = system
        self.directory = directory
        boot = QuotaBoot(bootID)
        self.lockWait = lockWait
        self.readOnly = readOnly
        self.syncsEachChange = syncsEachChange
        var descriptors: [Int32] = []
        descriptors.reserveCapacity(Self.maximumIdle)
        idle = Locked(descriptors)
    }

    deinit { closeIdle() }

    // MARK: use

    /// Reserves bytes and messages if they fit.
    func reserve(bytes: UInt64, messages: Int, limits: QuotaLimits) throws(StoreError) -> Outcome {
        let count = try Self.count(messages)
        return try change { line in
            let (sum, overflow) = line.bytes.addingReportingOverflow(bytes)
            // The highest number means "unknown" and is never reached by counting.
            let full = overflow || sum == .max
            let all = Self.sum(line.messages, count)
            if full && limits.bytes > 0 || !limits.allow(bytes: sum, messages: all) {
                return line.state == .recount ? .needsRecount : .overQuota
            }
            if full {
                line = .unknown
            } else {
                line.bytes = sum
                line.messages = all
                if line.state == .clean { line.state = .open }
            }
            return .granted
        }
    }

    /// Releases the usage of messages that were removed or never stored. If the count would fall below zero, it was
    /// wrong, and the ledger becomes unknown.
    func release(bytes: UInt64, messages: Int) throws(StoreError) {
        let count = try Self.count(messages)
        try change { line in
            if line.isUnknown { return }
            if bytes > line.bytes || count > line.messages {
                line = .unknown
                return
            }
            line.bytes -= bytes
            line.messages -= count
            if line.state == .clean { line.state = .open }
        }
    }

    /// Records that the count may be too high, because a writer died between its change and the ledger's, and runs
    /// `body` before a recount can end: it writes the records that show to a recount what it has missed.
    func markRecount(with body: () throws(StoreError) -> Void = { () throws(StoreError) in }) throws(StoreError) {
        if readOnly { throw StoreError(.readOnly, "the store was opened read-only") }
        try locked { fd, raw throws(StoreError) in
            let before = try self.read(fd, raw)
            var line = before
            line.state = .recount
            try self.replace(before, line, fd, raw)
            try body()
        }
    }

    /// Ends a recount if `isCurrent` holds while nobody can reserve or release.
    /// - Parameter isExact: false for an estimate, which still needs a recount; it stands in only for an unknown count.
    @discardableResult
    func set(
        bytes: UInt64, messages: Int, isExact: Bool = true, if isCurrent: () -> Bool = { true }
    ) throws(StoreError) -> Bool {
        let count = try Self.count(messages)
        return try change { line in
            guard isCurrent() else { return false }
            line.state = isExact ? .open : .recount
            if isExact || line.isUnknown {
                line.bytes = min(bytes, .max - 1)
                line.messages = count
            }
            return true
        }
    }

    /// Reads the current usage.
    func usage() throws(StoreError) -> Usage {
        let line = try readOnly ? readWithoutLock() : change { $0 }
        return Usage(bytes: line.bytes, messages: line.messages, isExact: line.state != .recount)
    }

    /// Whether the numbers are not exact.
    var needsRecount: Bool {
        get throws(StoreError) { try !usage().isExact }
    }

    /// Marks the ledger clean and makes it durable, so that it is trusted after a reboot. A ledger that needs a recount
    /// still does. The object may be used again; the first change removes the mark.
    func close() throws(StoreError) {
        defer { closeIdle() }
        if readOnly { return }
        try locked { fd, raw throws(StoreError) in
            var line = try self.read(fd, raw)
            guard line.state == .open else { return }
            let before = line
            line.state = .clean
            try self.write(line, fd, raw)
            do throws(StoreError) {
                try self.sync(fd)
            } catch {
                // The mark may or may not be on disk; the file must not claim more than the disk may hold.
                try? self.write(before, fd, raw)
                throw error
            }
        }
    }

    // MARK: the file

    /// Reads the line under the lock, lets `body` change it, and writes it if it differs.
    @inline(__always)
    private func change<R>(_ body: (inout QuotaLine) throws(StoreError) -> R) throws(StoreError) -> R {
        if readOnly { throw StoreError(.readOnly, "the store was opened read-only") }
        return try locked { fd, raw throws(StoreError) in
            let before = try self.read(fd, raw)
            var line = before
            let result = try body(&line)
            try self.replace(before, line, fd, raw)
            return result
        }
    }

    @inline(__always)
    private func replace(
        _ before: QuotaLine, _ line: QuotaLine, _ fd: Int32, _ raw: UnsafeMutableRawBufferPointer
    ) throws(StoreError) {
        if line == before { return }
        if before.state == .clean { try open(before, fd, raw) }
        try write(line, fd, raw)
        if syncsEachChange { try sync(fd) }
    }

    /// Removes the `clean` mark, durably, before any change.
    private func open(
        _ clean: QuotaLine, _ fd: Int32, _ raw: UnsafeMutableRawBufferPointer
    ) throws(StoreError) {
        var line = clean
        line.state = .open
        try write(line, fd, raw)
        do throws(StoreError) {
            try sync(fd)
        } catch {
            // The disk may still say clean: the next writer must find it here too, and write and sync again.
            try? write(clean, fd, raw)
            throw error
        }
    }

    private func read(_ fd: Int32, _ raw: UnsafeMutableRawBufferPointer) throws(StoreError) -> QuotaLine {
        let count = try doing("read the quota ledger") { () throws(Errno) in try system.read(fd, raw, at: 0) }
        return QuotaLine.parse(UnsafeRawBufferPointer(rebasing: raw[..<count]), boot: boot)
    }

    private func write(
        _ line: QuotaLine, _ fd: Int32, _ raw: UnsafeMutableRawBufferPointer
    ) throws(StoreError) {
        line.write(raw, boot: boot)
        try doing("write the quota ledger") { () throws(Errno) in
            try system.write(fd, UnsafeRawBufferPointer(raw), at: 0)
        }
    }

    private func sync(_ fd: Int32) throws(StoreError) {
        try doing("sync the quota ledger") { () throws(Errno) in try system.syncData(fd) }
    }

    private func readWithoutLock() throws(StoreError) -> QuotaLine {
        // A line is written by one call, and its checksum exposes a partial read.
        guard let bytes = try system.files.read(Self.fileName, in: directory, limit: 4096) else {
            return .unknown
        }
        return bytes.withUnsafeBytes {
            QuotaLine.parse(UnsafeRawBufferPointer(rebasing: $0.prefix(QuotaLine.count)), boot: boot)
        }
    }

    // MARK: lock and descriptors

    @inline(__always)
    private func locked<R>(
        _ body: (Int32, UnsafeMutableRawBufferPointer) throws(StoreError) -> R
    ) throws(StoreError) -> R {
        let fd = try descriptor()
        do throws(StoreError) {
            try take(fd)
        } catch {
            system.close(fd)
            throw error
        }
        let result: Result<R, StoreError> = withUnsafeTemporaryAllocation(
            byteCount: QuotaLine.count, alignment: 8
        ) { raw in
            do throws(StoreError) { return .success(try body(fd, raw)) } catch { return .failure(error) }
        }
        system.unlock(fd)
        releaseDescriptor(fd)
        return try result.get()
    }

    private func take(_ fd: Int32) throws(StoreError) {
        if try tryLock(fd) { return }
        var pauses = LockPauses(until: Clocks.monotonic() &+ lockWait)
        while pauses.pause() {
            if try tryLock(fd) { return }
        }
        throw StoreError(.busy, "the quota ledger is held by another writer")
    }

    private func tryLock(_ fd: Int32) throws(StoreError) -> Bool {
        try doing("lock the quota ledger") { () throws(Errno) in try system.tryLock(fd, exclusive: true) }
    }

    private func descriptor() throws(StoreError) -> Int32 {
        if let fd = idle.withLock({ $0.popLast() }) { return fd }
        let fd = try doing("open the quota ledger") { () throws(Errno) in
            try system.open(directory, Self.fileName, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)
        }
        do throws(StoreError) {
            let status = try doing("stat the quota ledger") { () throws(Errno) in try system.status(fd) }
            guard status.isRegularFile else { throw StoreError(.damaged, "\(Self.fileName) is not a regular file") }
        } catch {
            system.close(fd)
            throw error
        }
        return fd
    }

    private func releaseDescriptor(_ fd: Int32) {
        let kept = idle.withLock { pool in
            if pool.count >= Self.maximumIdle { return false }
            pool.append(fd)
            return true
        }
        if !kept { system.close(fd) }
    }

    private func closeIdle() {
        let descriptors = idle.withLock { pool in
            defer { pool.removeAll(keepingCapacity: true) }
            return pool
        }
        for fd in descriptors { system.close(fd) }
    }

    // MARK: numbers

    private static func count(_ messages: Int) throws(StoreError) -> UInt64 {
        guard let count = UInt64(exactly: messages) else {
            throw StoreError(.invalidArgument, "a message count must not be negative")
        }
        return count
    }

    private static func sum(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? .max : sum
    }
}
