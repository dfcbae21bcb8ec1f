// Every system call of the engine and of the small files around it. Nothing outside this file makes system calls for
// them, so a hook called before each one sees, fails or records everything that happens to a disk.
import CPosix
package import Glibc

/// The operating system: every call that reaches a disk, behind one hook. A value; the hook is nil in production.
package struct SystemCalls: Sendable {
    package let hook: (any SystemHook)?

    package init(hook: (any SystemHook)? = nil) { self.hook = hook }

    package static let currentDirectory = AT_FDCWD

    /// Runs `body`, again after EINTR; throws the errno when it returns -1.
    /// - Parameter waits: whether the call may wait for a disk, which a thread must not do within ``Waiting``.
    @inline(__always)
    private func call(
        _ what: @autoclosure () -> SystemCall, retry: Bool = true, waits: Bool = true, _ body: () -> Int
    ) throws(Errno) -> Int {
        if waits { try Waiting.check() }
        if let hook {
            if let refused = hook.before(what()) { throw refused }
            let n = try plain(retry, body)
            hook.after(what(), result: n)
            return n
        }
        return try plain(retry, body)
    }

    /// As the above, for a body that asks for what is in memory alone.
    private func cached(_ what: @autoclosure () -> SystemCall, _ body: () -> Int) throws(Errno) -> Int {
        do { return try call(what(), waits: false, body) } catch {
            switch error {
            case .notFound, .notDirectory, .loop: break
            // Also those of this way alone: looking without waiting takes a descriptor.
            default: Waiting.refuse()
            }
            throw error
        }
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
        if Waiting.isForbidden, flags & (O_ACCMODE | O_CREAT | O_TRUNC) == O_RDONLY {
            return Int32(
                try cached(.open(directory: directory, path: String(cString: path), flags: flags)) {
                    Int(cposix_open_cached(directory, path, flags | O_CLOEXEC))
                })
        }
        return Int32(
            try call(.open(directory: directory, path: String(cString: path), flags: flags)) {
                Int(Glibc.openat(directory, path, flags | O_CLOEXEC, mode))
            })
    }

    package func openDirectory(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) -> Int32 {
        try open(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// Opens an unnamed file in the file system of `directory` (O_TMPFILE).
    package func openUnnamed(_ directory: Int32) throws(Errno) -> Int32 {
        Int32(try call(.openUnnamed(directory: directory)) { Int(cposix_open_tmpfile(directory)) })
    }

    package func close(_ fd: Int32) {
        // The descriptor is gone whatever close(2) returns; durability comes from fsync alone.
        _ = try? call(.close(fd), retry: false, waits: false) { Int(Glibc.close(fd)) }
    }

    // MARK: bytes

    /// Reads at most `buffer.count` bytes at `offset`; fewer only at the end of the file.
    package func read(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        if Waiting.isForbidden { return try readCached(fd, buffer, at: offset) }
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

    private func readCached(
        _ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(Errno) -> Int {
        if buffer.count > Waiting.longestRead { try Waiting.check() }
        var done = 0
        while done < buffer.count {
            let n = try cached(.read(fd, count: buffer.count - done, offset: offset + Int64(done))) {
                Int(
                    cposix_read_cached(fd, buffer.baseAddress! + done, buffer.count - done, offset + Int64(done)))
            }
            if n == 0 { break }
            done += n
        }
        return done
    }

    /// Writes all of `bytes` at the file's position (with O_APPEND, its end). After an error, part may have been
    /// written.
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

    /// Sets the modification (and access) time, seconds since 1970 UTC.
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
        _ = try call(.status(fd), waits: false) { Int(Glibc.fstat(fd, &s)) }
        return FileStatus(s)
    }

    /// Returns the status of a path.
    /// - Parameter followsLinks: follows a symbolic link in the last component too.
    package func status(
        _ directory: Int32, _ path: UnsafePointer<CChar>, followsLinks: Bool = false
    ) throws(Errno) -> FileStatus {
        if Waiting.isForbidden, !followsLinks { return try statusCached(directory, path) }
        var s = stat()
        _ = try call(.statusAt(directory: directory, path: String(cString: path))) {
            Int(Glibc.fstatat(directory, path, &s, followsLinks ? 0 : AT_SYMLINK_NOFOLLOW))
        }
        return FileStatus(s)
    }

    private func statusCached(_ directory: Int32, _ path: UnsafePointer<CChar>) throws(Errno) -> FileStatus {
        var s = stat()
        _ = try cached(.statusAt(directory: directory, path: String(cString: path))) {
            let fd = cposix_find_cached(directory, path)
            guard fd >= 0 else { return Int(fd) }
            defer { _ = Glibc.close(fd) }
            return Int(Glibc.fstat(fd, &s))
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

    /// Adds a name for a file; fails with EEXIST, never replaces, never follows a symbolic link.
    package func link(
        _ fromDirectory: Int32, _ from: UnsafePointer<CChar>, _ toDirectory: Int32, _ to: UnsafePointer<CChar>
    ) throws(Errno) {
        _ = try call(
            .link(
                fromDirectory: fromDirectory, from: String(cString: from), toDirectory: toDirectory,
                to: String(cString: to))
        ) { Int(Glibc.linkat(fromDirectory, from, toDirectory, to, 0)) }
    }

    /// Adds a name for an open file, which may be unnamed.
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

    /// The room of the file system that holds `fd`.
    package func space(_ fd: Int32) throws(Errno) -> DiskSpace {
        var status = statvfs()
        if fstatvfs(fd, &status) != 0 { throw Errno.last }
        let unit = UInt64(status.f_frsize)
        return DiskSpace(
            freeBytes: UInt64(status.f_bavail) &* unit, totalBytes: UInt64(status.f_blocks) &* unit,
            freeFiles: UInt64(status.f_favail), totalFiles: UInt64(status.f_files))
    }

    /// flock(2) without waiting: false if another open file description holds the lock.
    package func tryLock(_ fd: Int32, exclusive: Bool) throws(Errno) -> Bool {
        let operation = (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB
        do {
            _ = try call(.lock(fd, operation: operation), waits: false) { Int(cposix_flock(fd, operation)) }
            return true
        } catch {
            if error == .wouldBlock { return false }
            throw error
        }
    }

    package func unlock(_ fd: Int32) {
        _ = try? call(.lock(fd, operation: LOCK_UN), waits: false) { Int(cposix_flock(fd, LOCK_UN)) }
    }

    /// Reads directory entries in the format of getdents64(2); returns the number of bytes, 0 at the end.
    package func list(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try call(.list(fd)) { Int(cposix_getdents64(fd, buffer.baseAddress, buffer.count)) }
    }

    // MARK: watching

    /// Opens an inotify(7) descriptor.
    package func openWatcher() throws(Errno) -> Int32 {
        Int32(try plain(true) { Int(inotify_init1(Int32(IN_CLOEXEC))) })
    }

    /// Watches an open directory; the returned number identifies it in the events.
    package func watch(_ watcher: Int32, _ directory: Int32, _ events: UInt32) throws(Errno) -> Int32 {
        // By descriptor: the directory's path may lead elsewhere by now.
        let path = "/proc/self/fd/\(directory)"
        return Int32(try call(.watch(directory)) { Int(inotify_add_watch(watcher, path, events)) })
    }

    /// Ends a watch; does nothing if the kernel has already removed it.
    package func unwatch(_ watcher: Int32, _ watch: Int32) { _ = inotify_rm_watch(watcher, watch) }

    /// Waits for events and reads as many as fit; returns the number of bytes.
    package func readEvents(_ watcher: Int32, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try plain(true) { Glibc.read(watcher, buffer.baseAddress, buffer.count) }
    }

    /// Starts a detached thread.
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
        // getrandom(2) fails only where the kernel lacks it; a repeated id could assign a UID twice.
        precondition(cposix_random(bytes.baseAddress, bytes.count) == 0, "the kernel returned no random bytes")
    }

    /// Puts the calling thread to sleep.
    package static func pause(nanoseconds: UInt64) { cposix_pause(nanoseconds) }
    package static var processID: Int32 { getpid() }
}
