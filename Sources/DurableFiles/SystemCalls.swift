// Every system call of the engine and of the small files around it. Nothing outside this file calls the operating
// system for them, so a hook that is asked before each call sees, fails or records all that happens to a disk.
import CPosix
package import Glibc

/// The operating system: every call that reaches a disk, behind one hook. A value; the hook is nil in production.
package struct SystemCalls: Sendable {
    package let hook: (any SystemHook)?

    package init(hook: (any SystemHook)? = nil) { self.hook = hook }

    package static let currentDirectory = AT_FDCWD

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

    package func open(_ directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, mode: mode_t = 0o600)
        throws(Errno)
        -> Int32
    {
        Int32(
            try call(.open(directory: directory, path: String(cString: path), flags: flags)) {
                Int(Glibc.openat(directory, path, flags | O_CLOEXEC, mode))
            })
    }

    package func openDirectory(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) -> Int32 {
        try open(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// A file without a name in the file system of `directory` (O_TMPFILE).
    package func openUnnamed(_ directory: Int32) throws(Errno) -> Int32 {
        Int32(try call(.openUnnamed(directory: directory)) { Int(cposix_open_tmpfile(directory)) })
    }

    package func close(_ fd: Int32) {
        // The descriptor is gone whatever close(2) answers; durability comes from fsync alone.
        _ = try? call(.close(fd), retry: false) { Int(Glibc.close(fd)) }
    }

    // MARK: bytes

    /// Reads at most `buffer.count` bytes at `offset`; fewer only at the end of the file.
    package func read(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
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
    package func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            var left = bytes.count - done
            if let limit = hook?.writeLimit() { left = max(1, min(left, limit)) }
            let part = UnsafeRawBufferPointer(start: bytes.baseAddress! + done, count: left)
            let n = try call(.write(fd, bytes: part)) { Glibc.write(fd, part.baseAddress!, part.count) }
            done += n
        }
    }

    package func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let part = UnsafeRawBufferPointer(start: bytes.baseAddress! + done, count: bytes.count - done)
            let n = try call(.writeAt(fd, bytes: part, offset: offset + Int64(done))) {
                Glibc.pwrite(fd, part.baseAddress!, part.count, off_t(offset + Int64(done)))
            }
            done += n
        }
    }

    package func truncate(_ fd: Int32, to size: Int64) throws(Errno) {
        _ = try call(.truncate(fd, size: size)) { Int(Glibc.ftruncate(fd, off_t(size))) }
    }

    /// Sets the modification time, seconds since 1970 UTC.
    package func setModified(_ fd: Int32, _ seconds: Int64) throws(Errno) {
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

    package func status(_ fd: Int32) throws(Errno) -> FileStatus {
        var s = stat()
        _ = try call(.status(fd)) { Int(Glibc.fstat(fd, &s)) }
        return FileStatus(s)
    }

    /// - Parameter followsLinks: a symbolic link in the last component too.
    package func status(
        _ directory: Int32, _ path: UnsafePointer<CChar>, followsLinks: Bool = false
    ) throws(Errno) -> FileStatus {
        var s = stat()
        _ = try call(.statusAt(directory: directory, path: String(cString: path))) {
            Int(Glibc.fstatat(directory, path, &s, followsLinks ? 0 : AT_SYMLINK_NOFOLLOW))
        }
        return FileStatus(s)
    }

    package func makeDirectory(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.makeDirectory(directory: directory, path: String(cString: path))) {
            Int(Glibc.mkdirat(directory, path, 0o700))
        }
    }

    package func unlink(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.unlink(directory: directory, path: String(cString: path), isDirectory: false)) {
            Int(Glibc.unlinkat(directory, path, 0))
        }
    }

    package func removeDirectory(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.unlink(directory: directory, path: String(cString: path), isDirectory: true)) {
            Int(Glibc.unlinkat(directory, path, AT_REMOVEDIR))
        }
    }

    /// rename(2); with `replacing: false` renameat2(2) and RENAME_NOREPLACE.
    package func rename(
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
    package func link(
        _ fromDirectory: Int32, _ from: UnsafePointer<CChar>, _ toDirectory: Int32, _ to: UnsafePointer<CChar>
    ) throws(Errno) {
        _ = try call(
            .link(
                fromDirectory: fromDirectory, from: String(cString: from), toDirectory: toDirectory,
                to: String(cString: to))
        ) { Int(Glibc.linkat(fromDirectory, from, toDirectory, to, 0)) }
    }

    /// A name for an open file, one without a name included.
    package func linkUnnamed(_ fd: Int32, _ directory: Int32, _ name: UnsafePointer<CChar>) throws(Errno) {
        _ = try call(.linkUnnamed(fd, toDirectory: directory, to: String(cString: name))) {
            Int(cposix_link_fd(fd, directory, name))
        }
    }

    // MARK: durability

    package func sync(_ fd: Int32) throws(Errno) { _ = try call(.sync(fd)) { Int(Glibc.fsync(fd)) } }

    package func syncData(_ fd: Int32) throws(Errno) { _ = try call(.syncData(fd)) { Int(Glibc.fdatasync(fd)) } }

    package func syncFileSystem(_ fd: Int32) throws(Errno) {
        _ = try call(.syncFileSystem(fd)) { Int(cposix_syncfs(fd)) }
    }

    // MARK: locks, listings, the rest

    /// flock(2) that never waits: false when another open file description holds it.
    package func tryLock(_ fd: Int32, exclusive: Bool) throws(Errno) -> Bool {
        let operation = (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB
        do {
            _ = try call(.lock(fd, operation: operation)) { Int(cposix_flock(fd, operation)) }
            return true
        } catch {
            if error == .wouldBlock { return false }
            throw error
        }
    }

    package func unlock(_ fd: Int32) { _ = try? call(.lock(fd, operation: LOCK_UN)) { Int(cposix_flock(fd, LOCK_UN)) } }

    /// Directory entries as getdents64(2) packs them; 0 at the end.
    package func list(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try call(.list(fd)) { Int(cposix_getdents64(fd, buffer.baseAddress, buffer.count)) }
    }

    // MARK: watching

    /// An inotify(7) descriptor.
    package func openWatcher() throws(Errno) -> Int32 {
        Int32(try plain(true) { Int(inotify_init1(Int32(IN_CLOEXEC))) })
    }

    /// Watches an open directory; the answer names it in the events.
    package func watch(_ watcher: Int32, _ directory: Int32, _ events: UInt32) throws(Errno) -> Int32 {
        // By descriptor: its path may be another's by now.
        let path = "/proc/self/fd/\(directory)"
        return Int32(try call(.watch(directory)) { Int(inotify_add_watch(watcher, path, events)) })
    }

    /// Nothing when the kernel has removed the watch by itself.
    package func unwatch(_ watcher: Int32, _ watch: Int32) { _ = inotify_rm_watch(watcher, watch) }

    /// Waits for events and reads some.
    package func readEvents(_ watcher: Int32, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try plain(true) { Glibc.read(watcher, buffer.baseAddress, buffer.count) }
    }

    /// Starts a thread that nobody waits for.
    package static func startThread(
        _ body: @escaping @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
    )
        throws(Errno)
    {
        var thread = pthread_t()
        let failure = pthread_create(&thread, nil, body, nil)
        guard failure == 0 else { throw Errno(rawValue: failure) }
        pthread_detach(thread)
    }

    @inlinable
    package static func random<T: FixedWidthInteger>(_ type: T.Type) -> T {
        var value: T = 0
        withUnsafeMutableBytes(of: &value) { fillRandomly($0) }
        return value
    }

    @usableFromInline
    static func fillRandomly(_ bytes: UnsafeMutableRawBufferPointer) {
        // getrandom(2) fails only where the kernel lacks it; an id that repeats would give UIDs twice.
        precondition(cposix_random(bytes.baseAddress, bytes.count) == 0, "no random numbers from the kernel")
    }

    /// Lets the calling thread sleep.
    package static func pause(nanoseconds: UInt64) { cposix_pause(nanoseconds) }
    package static var processID: Int32 { getpid() }
}
