// Every system call of the engine. Nothing outside this file calls the operating system, so a hook that is
// asked before each call sees, fails or records all that the engine does to a disk.
import CPosix
import Glibc

/// What one system call is about to do. Byte pointers are valid only during the hook's call.
public enum SystemCall {
    case open(directory: Int32, path: String, flags: Int32)
    case openUnnamed(directory: Int32)
    case close(Int32)
    case read(Int32, count: Int, offset: Int64)
    case write(Int32, bytes: UnsafeRawBufferPointer)
    case writeAt(Int32, bytes: UnsafeRawBufferPointer, offset: Int64)
    case truncate(Int32, size: Int64)
    case setTime(Int32)
    case status(Int32)
    case statusAt(directory: Int32, path: String)
    case makeDirectory(directory: Int32, path: String)
    case unlink(directory: Int32, path: String, isDirectory: Bool)
    case rename(fromDirectory: Int32, from: String, toDirectory: Int32, to: String)
    case link(fromDirectory: Int32, from: String, toDirectory: Int32, to: String)
    case linkUnnamed(Int32, toDirectory: Int32, to: String)
    case sync(Int32)
    case syncData(Int32)
    case syncFileSystem(Int32)
    case lock(Int32, operation: Int32)
    case list(Int32)
    case watch(Int32)
}

/// The seam for fault injection and recording. Both methods run on the thread that makes the call.
public protocol SystemHook: Sendable {
    /// Asked before each call; an errno that is returned fails the call with nothing done.
    func before(_ call: SystemCall) -> Errno?
    /// Told after a call that succeeded. `result` is a descriptor, a byte count or zero.
    func after(_ call: SystemCall, result: Int)
    /// The most bytes that one write may take now; nil for no limit (short writes).
    func writeLimit() -> Int?
}

extension SystemHook {
    public func after(_ call: SystemCall, result: Int) {}
    public func writeLimit() -> Int? { nil }
}

/// What fstat(2) tells of a file. Times in nanoseconds since 1970 UTC.
struct FileStatus: Sendable {
    var device: UInt64 = 0
    var inode: UInt64 = 0
    var size: Int64 = 0
    var links: UInt64 = 0
    var mode: UInt32 = 0
    var modified: Int64 = 0
    var changed: Int64 = 0

    var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    var isRegularFile: Bool { mode & S_IFMT == S_IFREG }
    var identity: FileIdentity { FileIdentity(device: device, inode: inode) }

    init(_ s: stat) {
        device = UInt64(s.st_dev)
        inode = UInt64(s.st_ino)
        size = Int64(s.st_size)
        links = UInt64(s.st_nlink)
        mode = s.st_mode
        modified = Self.nanoseconds(s.st_mtim)
        changed = Self.nanoseconds(s.st_ctim)
    }

    /// Seconds since 1970; 0 for a file from before.
    var modifiedSeconds: Int64 { max(0, modified / 1_000_000_000) }

    /// A file system can hold times beyond the 292 years that nanoseconds reach: they count as the last moment.
    private static func nanoseconds(_ time: timespec) -> Int64 {
        let (product, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return time.tv_sec < 0 ? .min : .max }
        let (sum, beyond) = product.addingReportingOverflow(Int64(time.tv_nsec))
        return beyond ? .max : sum
    }
}

/// A file's identity on this machine for as long as it exists.
struct FileIdentity: Hashable, Sendable {
    var device: UInt64
    var inode: UInt64
}

/// The operating system as the engine sees it. A value; the hook is nil in production.
struct System: Sendable {
    let hook: (any SystemHook)?

    init(hook: (any SystemHook)? = nil) { self.hook = hook }

    static let currentDirectory = AT_FDCWD

    /// Runs `body` until it is not interrupted; -1 becomes the errno.
    @inline(__always)
    private func call(
        _ what: @autoclosure () -> SystemCall, retry: Bool = true, _ body: () -> Int
    ) throws(Errno) -> Int {
        if let hook {
            if let refused = hook.before(what()) { throw refused }
            let n = try plain(retry, body)
            hook.after(what(), result: n)
            return n
        }
        return try plain(retry, body)
    }

    @inline(__always)
    private func plain(_ retry: Bool, _ body: () -> Int) throws(Errno) -> Int {
        while true {
            let n = body()
            if n >= 0 { return n }
            let e = Errno.last
            if retry, e == .interrupted { continue }
            throw e
        }
    }

    // MARK: descriptors

    func open(_ directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, mode: mode_t = 0o600) throws(Errno)
        -> Int32
    {
        Int32(
            try call(.open(directory: directory, path: String(cString: path), flags: flags)) {
                Int(Glibc.openat(directory, path, flags | O_CLOEXEC, mode))
            })
    }

    func openDirectory(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) -> Int32 {
        try open(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// A file without a name in the file system of `directory` (O_TMPFILE).
    func openUnnamed(_ directory: Int32) throws(Errno) -> Int32 {
        Int32(try call(.openUnnamed(directory: directory)) { Int(cposix_open_tmpfile(directory)) })
    }

    func close(_ fd: Int32) {
        // The descriptor is gone whatever close(2) answers; durability comes from fsync alone.
        _ = try? call(.close(fd), retry: false) { Int(Glibc.close(fd)) }
    }

    // MARK: bytes

    /// Reads at most `buffer.count` bytes at `offset`; fewer only at the end of the file.
    func read(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let n = try call(.read(fd, count: buffer.count - done, offset: offset + Int64(done))) {
                Glibc.pread(fd, buffer.baseAddress! + done, buffer.count - done, off_t(offset + Int64(done)))
            }
            if n == 0 { break }
            done += n
        }
        return done
    }

    /// Writes all of `bytes` at the file's position (its end, with O_APPEND). After an error some may be written.
    func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            var left = bytes.count - done
            if let limit = hook?.writeLimit() { left = max(1, min(left, limit)) }
            let part = UnsafeRawBufferPointer(start: bytes.baseAddress! + done, count: left)
            let n = try call(.write(fd, bytes: part)) { Glibc.write(fd, part.baseAddress!, part.count) }
            done += n
        }
    }

    func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let part = UnsafeRawBufferPointer(start: bytes.baseAddress! + done, count: bytes.count - done)
            let n = try call(.writeAt(fd, bytes: part, offset: offset + Int64(done))) {
                Glibc.pwrite(fd, part.baseAddress!, part.count, off_t(offset + Int64(done)))
            }
            done += n
        }
    }

    func truncate(_ fd: Int32, to size: Int64) throws(Errno) {
        _ = try call(.truncate(fd, size: size)) { Int(Glibc.ftruncate(fd, off_t(size))) }
    }

    /// Sets the modification time, seconds since 1970 UTC.
    func setModified(_ fd: Int32, _ seconds: Int64) throws(Errno) {
        let t = timespec(tv_sec: Int(seconds), tv_nsec: 0)
        _ = try call(.setTime(fd)) {
            withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { times in
                times[0] = t
                times[1] = t
                return Int(Glibc.futimens(fd, times.baseAddress))
            }
        }
    }

    // MARK: names

    func status(_ fd: Int32) throws(Errno) -> FileStatus {
        var s = stat()
        _ = try call(.status(fd)) { Int(Glibc.fstat(fd, &s)) }
        return FileStatus(s)
    }

    /// Does not follow a symbolic link in the last component.
    func status(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) -> FileStatus {
        var s = stat()
        _ = try call(.statusAt(directory: directory, path: String(cString: path))) {
            Int(Glibc.fstatat(directory, path, &s, AT_SYMLINK_NOFOLLOW))
        }
        return FileStatus(s)
    }

    func makeDirectory(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.makeDirectory(directory: directory, path: String(cString: path))) {
            Int(Glibc.mkdirat(directory, path, 0o700))
        }
    }

    func unlink(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.unlink(directory: directory, path: String(cString: path), isDirectory: false)) {
            Int(Glibc.unlinkat(directory, path, 0))
        }
    }

    func removeDirectory(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.unlink(directory: directory, path: String(cString: path), isDirectory: true)) {
            Int(Glibc.unlinkat(directory, path, AT_REMOVEDIR))
        }
    }

    /// rename(2); with `replacing: false` renameat2(2) and RENAME_NOREPLACE.
    func rename(
        _ fromDirectory: Int32, _ from: UnsafePointer<CChar>, _ toDirectory: Int32, _ to: UnsafePointer<CChar>,
        replacing: Bool
    ) throws(Errno) {
        _ = try call(
            .rename(
                fromDirectory: fromDirectory, from: String(cString: from), toDirectory: toDirectory,
                to: String(cString: to))
        ) {
            Int(
                replacing
                    ? Glibc.renameat(fromDirectory, from, toDirectory, to)
                    : cposix_rename_noreplace(fromDirectory, from, toDirectory, to))
        }
    }

    /// A further name for a file; fails with EEXIST, never replaces, never follows a symbolic link.
    func link(
        _ fromDirectory: Int32, _ from: UnsafePointer<CChar>, _ toDirectory: Int32, _ to: UnsafePointer<CChar>
    ) throws(Errno) {
        _ = try call(
            .link(
                fromDirectory: fromDirectory, from: String(cString: from), toDirectory: toDirectory,
                to: String(cString: to))
        ) { Int(Glibc.linkat(fromDirectory, from, toDirectory, to, 0)) }
    }

    /// A name for an open file, one without a name included.
    func linkUnnamed(_ fd: Int32, _ directory: Int32, _ name: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.linkUnnamed(fd, toDirectory: directory, to: String(cString: name))) {
            Int(cposix_link_fd(fd, directory, name))
        }
    }

    // MARK: durability

    func sync(_ fd: Int32) throws(Errno) { _ = try call(.sync(fd)) { Int(Glibc.fsync(fd)) } }

    func syncData(_ fd: Int32) throws(Errno) { _ = try call(.syncData(fd)) { Int(Glibc.fdatasync(fd)) } }

    func syncFileSystem(_ fd: Int32) throws(Errno) { _ = try call(.syncFileSystem(fd)) { Int(cposix_syncfs(fd)) } }

    // MARK: locks, listings, the rest

    /// flock(2) that never waits: false when another open file description holds it.
    func tryLock(_ fd: Int32, exclusive: Bool) throws(Errno) -> Bool {
        let operation = (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB
        do {
            _ = try call(.lock(fd, operation: operation)) { Int(cposix_flock(fd, operation)) }
            return true
        } catch {
            if error == .wouldBlock { return false }
            throw error
        }
    }

    func unlock(_ fd: Int32) { _ = try? call(.lock(fd, operation: LOCK_UN)) { Int(cposix_flock(fd, LOCK_UN)) } }

    /// Directory entries as getdents64(2) packs them; 0 at the end.
    func list(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try call(.list(fd)) { Int(cposix_getdents64(fd, buffer.baseAddress, buffer.count)) }
    }

    // MARK: watching

    /// An inotify(7) descriptor.
    func openWatcher() throws(Errno) -> Int32 { Int32(try plain(true) { Int(inotify_init1(Int32(IN_CLOEXEC))) }) }

    /// Watches an open directory; the answer names it in the events.
    func watch(_ watcher: Int32, _ directory: Int32, _ events: UInt32) throws(Errno) -> Int32 {
        // By descriptor: its path may be another's by now.
        let path = "/proc/self/fd/\(directory)"
        return Int32(try call(.watch(directory)) { Int(inotify_add_watch(watcher, path, events)) })
    }

    /// Nothing when the kernel has removed the watch by itself.
    func unwatch(_ watcher: Int32, _ watch: Int32) { _ = inotify_rm_watch(watcher, watch) }

    /// Waits for events and reads some.
    func readEvents(_ watcher: Int32, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try plain(true) { Glibc.read(watcher, buffer.baseAddress, buffer.count) }
    }

    /// Starts a thread that nobody waits for.
    static func startThread(_ body: @escaping @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?)
        throws(Errno)
    {
        var thread = pthread_t()
        let failure = pthread_create(&thread, nil, body, nil)
        guard failure == 0 else { throw Errno(rawValue: failure) }
        pthread_detach(thread)
    }

    static func random<T: FixedWidthInteger>(_ type: T.Type) -> T {
        var value: T = 0
        withUnsafeMutableBytes(of: &value) { bytes in
            // getrandom(2) fails only where the kernel lacks it; an id that repeats would give UIDs twice.
            precondition(cposix_random(bytes.baseAddress, bytes.count) == 0, "no random numbers from the kernel")
        }
        return value
    }

    static func pause(nanoseconds: UInt64) { cposix_pause(nanoseconds) }
    static var processID: Int32 { getpid() }
}
