import CPosix
import Glibc
import Primitives

/// The files of one account's cache, and the few system calls they need.
struct IndexFiles {
    /// Locked with flock(2): shared by each process that has the database open; an exclusive holder is alone.
    static let presence = "presence"
    /// A `StateRecord`. Locked exclusively for each write to the database.
    static let state = "state"
    static let data = "data.mdb"
    static let lock = "lock.mdb"
    static let lockName: StaticString = "lock.mdb"

    let directory: String

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Makes the directory and its parents.
    func makeDirectory() -> Bool {
        var made = ""
        for component in directory.split(separator: "/") {
            made += "/\(component)"
            if mkdir(made, 0o700) != 0, errno != EEXIST, errno != EROFS, errno != EACCES { return false }
        }
        return access(directory, W_OK | X_OK) == 0
    }

    /// Removes all files; processes that have them open notice and close them. `presence` goes last: while it exists, a
    /// process that finds it locked does not recreate the cache.
    func remove() {
        for name in [Self.data, Self.lock, Self.state, Self.presence] { unlink(path(name)) }
        rmdir(directory)
    }

    func open(_ name: String) -> Int32? {
        let fd = Glibc.open(path(name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        return fd < 0 ? nil : fd
    }

    static func look(_ fd: Int32) -> (look: StateRecord.Stamp, links: Int)? {
        var s = stat()
        return fstat(fd, &s) == 0 ? (look(s), Int(s.st_nlink)) : nil
    }

    /// Returns the stamp of a regular file in an open directory; nil if there is none.
    static func look(_ name: StaticString, in directory: Int32) -> StateRecord.Stamp? {
        var s = stat()
        let result = name.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { fstatat(directory, $0.baseAddress!, &s, AT_SYMLINK_NOFOLLOW) }
        }
        return result == 0 && s.st_mode & S_IFMT == S_IFREG ? look(s) : nil
    }

    func look(_ name: String) -> StateRecord.Stamp? {
        var s = stat()
        return lstat(path(name), &s) == 0 && s.st_mode & S_IFMT == S_IFREG ? Self.look(s) : nil
    }

    private static func look(_ s: stat) -> StateRecord.Stamp {
        StateRecord.Stamp(
            device: UInt64(s.st_dev), inode: UInt64(s.st_ino), size: Int64(s.st_size),
            changed: Int64(s.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(s.st_ctim.tv_nsec))
    }

    static func readState(_ fd: Int32) -> StateRecord? {
        let bytes = [UInt8](unsafeUninitializedCapacity: StateRecord.size) { out, count in
            count = max(0, pread(fd, out.baseAddress!, StateRecord.size, 0))
        }
        return StateRecord(bytes)
    }

    static func writeState(_ record: StateRecord, to fd: Int32, sync: Bool) -> Bool {
        guard let bytes = record.bytes else { return false }
        guard pwrite(fd, bytes, bytes.count, 0) == bytes.count else { return false }
        return !sync || fsync(fd) == 0
    }

    /// Tries flock(2) without waiting.
    static func tryLock(_ fd: Int32, _ operation: Int32) -> Bool {
        while cposix_flock(fd, operation | LOCK_NB) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }

    /// Takes an exclusive flock(2), waiting at most `seconds`: a stopped process must not stop this one.
    static func lock(_ fd: Int32, seconds: Double) -> Bool {
        let deadline = Clocks.monotonic() + Int64(seconds * 1e9)
        while !tryLock(fd, LOCK_EX) {
            if Clocks.monotonic() > deadline { return false }
            cposix_pause(200_000)
        }
        return true
    }

    static func unlock(_ fd: Int32) { _ = cposix_flock(fd, LOCK_UN) }
}

/// File systems on which LMDB's shared memory and locks are unreliable: network file systems, and FUSE, which may be
/// backed by another machine.
enum NetworkFileSystem {
    private static let kinds: [Int64: String] = [
        0x6969: "NFS", 0xff53_4d42: "CIFS", 0xfe53_4d42: "SMB", 0x517b: "SMB", 0x00c3_6400: "CephFS",
        0x6573_5546: "FUSE", 0x0102_1997: "9P", 0x5346_414f: "AFS", 0x7375_7245: "Coda", 0x4750_4653: "GPFS",
        0x0bd0_0bd0: "Lustre", 0x7461_636f: "OCFS2", 0x0116_1970: "GFS2", 0x786f_4256: "vboxsf",
        0xaad7_aaea: "PanFS", 0x1983_0326: "BeeGFS",
    ]

    /// The file system's name if the nearest existing directory of `path` is on one.
    static func name(of path: String) -> String? {
        var path = path[...]
        while true {
            let kind = cposix_file_system_type(path.isEmpty ? "/" : String(path))
            if kind >= 0 { return kinds[kind] }
            guard !path.isEmpty, let slash = path.lastIndex(of: "/") else { return nil }
            path = path[..<slash]
        }
    }
}
