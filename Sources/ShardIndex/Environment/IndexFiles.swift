import CPosix
import Glibc
import Primitives

/// The files of one account's cache, and the few system calls that they need.
struct IndexFiles {
    /// Who has the database open holds it shared by flock(2); whoever gets it exclusively is alone.
    static let presence = "presence"
    /// A `StateRecord`. Held exclusively for each write to the database.
    static let state = "state"
    static let data = "data.mdb"
    static let lock = "lock.mdb"
    static let lockName: StaticString = "lock.mdb"

    let directory: String

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Makes the directory and those above it.
    func makeDirectory() -> Bool {
        var made = ""
        for component in directory.split(separator: "/") {
            made += "/\(component)"
            if mkdir(made, 0o700) != 0, errno != EEXIST, errno != EROFS, errno != EACCES { return false }
        }
        return access(directory, W_OK | X_OK) == 0
    }

    /// Removes all; those who have it open see that and let go. `presence` goes last: as long as it stands, nobody who
    /// finds it taken begins anew.
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

    /// As `look`, in a directory that is open.
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

    /// flock(2) that never waits.
    static func tryLock(_ fd: Int32, _ operation: Int32) -> Bool {
        while cposix_flock(fd, operation | LOCK_NB) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }

    /// flock(2), exclusively, that waits for at most `seconds`: a stopped process must not stop this one.
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

/// File systems on which LMDB's shared memory and locks cannot be relied on: those of other machines, and those of a
/// program, which may be another machine's.
enum NetworkFileSystem {
    private static let kinds: [Int64: String] = [
        0x6969: "NFS", 0xff53_4d42: "CIFS", 0xfe53_4d42: "SMB", 0x517b: "SMB", 0x00c3_6400: "CephFS",
        0x6573_5546: "FUSE", 0x0102_1997: "9P", 0x5346_414f: "AFS", 0x7375_7245: "Coda", 0x4750_4653: "GPFS",
        0x0bd0_0bd0: "Lustre", 0x7461_636f: "OCFS2", 0x0116_1970: "GFS2", 0x786f_4256: "vboxsf",
        0xaad7_aaea: "PanFS", 0x1983_0326: "BeeGFS",
    ]

    /// Its name when the nearest directory of `path` that exists is on one.
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
