import FoundationEssentials
import Glibc

/// `AccountFiles` on the file system of this machine.
public struct LocalAccountFiles: AccountFiles {
    private static let largest = 16 << 20
    private let lockPatience: Duration

    /// - Parameter lockPatience: how long `withLock` waits before it says `busy`.
    public init(lockPatience: Duration = .seconds(10)) { self.lockPatience = lockPatience }

    public func read(_ path: String) throws(AccountFileError) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if fd < 0 {
            if errno == ENOENT { return nil }
            throw Self.error("read", path)
        }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let n = buffer.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress, $0.count) }
            if n < 0, errno == EINTR { continue }
            guard n >= 0 else { throw Self.error("read", path) }
            if n == 0 { return bytes }
            guard bytes.count + n <= Self.largest else {
                throw AccountFileError(.damaged, "\(path) is larger than \(Self.largest >> 20) MiB")
            }
            bytes += buffer[..<n]
        }
    }

    public func stamp(_ path: String) throws(AccountFileError) -> FileStamp? {
        guard exists(path) else { return nil }
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let inode = Self.number(attributes[.systemFileNumber]), let size = Self.number(attributes[.size]),
            let modified = attributes[.modificationDate] as? Date
        else {
            if exists(path) { throw AccountFileError(.system, "could not look at \(path)") }
            return nil
        }
        return FileStamp(
            inode: inode, size: Int64(clamping: size),
            modified: Int64(exactly: (modified.timeIntervalSince1970 * 1e9).rounded()) ?? 0)
    }

    public func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    public func publish(_ bytes: [UInt8], at path: String, replacing: Bool) throws(AccountFileError) {
        let temporary =
            "\(PathText.parent(path))/.\(PathText.lastComponent(path)).\(UInt64.random(in: 0...UInt64.max)).tmp"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw Self.error("write", path) }
        do throws(AccountFileError) {
            defer { close(fd) }
            try write(bytes, fd, path)
            guard fsync(fd) == 0 else { throw Self.error("write", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        // link(2) never replaces, and every file system has it.
        guard (replacing ? rename(temporary, path) : link(temporary, path)) == 0 else {
            let failure = Self.error("write", path)
            unlink(temporary)
            throw failure
        }
        if !replacing { unlink(temporary) }
        try syncDirectory(PathText.parent(path))
    }

    private func write(_ bytes: [UInt8], _ fd: Int32, _ path: String) throws(AccountFileError) {
        var done = 0
        while done < bytes.count {
            let n = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress.map { $0 + done }, $0.count - done) }
            if n < 0, errno == EINTR { continue }
            guard n >= 0 else { throw Self.error("write", path) }
            done += n
        }
    }

    @discardableResult
    public func makeDirectory(_ path: String) throws(AccountFileError) -> Bool {
        if mkdir(path, 0o700) == 0 {
            try syncDirectory(PathText.parent(path))
            return true
        }
        if errno == EEXIST {
            if Self.isDirectory(path) { return false }
            throw AccountFileError(.damaged, "\(path) is in the way: a directory should be there")
        }
        let parent = PathText.parent(path)
        guard errno == ENOENT, parent != path, parent != "." else { throw Self.error("make the directory", path) }
        try makeDirectory(parent)
        return try makeDirectory(path)
    }

    public func directories(in path: String) throws(AccountFileError) -> [String] {
        guard let handle = opendir(path) else {
            if errno == ENOENT { return [] }
            throw Self.error("list", path)
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            let type = Int32(entry.pointee.d_type)
            let isDirectory = type == Int32(DT_DIR) || type == Int32(DT_UNKNOWN) && Self.isDirectory("\(path)/\(name)")
            if isDirectory { names.append(name) }
        }
        return names.sorted()
    }

    public func removeTree(_ path: String) throws(AccountFileError) {
        let parent = PathText.parent(path)
        let hidden = "\(parent)/.removed.\(UInt64.random(in: 0...UInt64.max))"
        guard rename(path, hidden) == 0 else { throw Self.error("remove", path) }
        try syncDirectory(parent)
        do {
            try FileManager.default.removeItem(atPath: hidden)
        } catch {
            throw AccountFileError(.system, "\(path) is gone, but its files in \(hidden) could not be deleted")
        }
    }

    public func withLock<R>(
        in directory: String, _ body: () throws(AccountFileError) -> R
    ) throws(AccountFileError) -> R {
        let path = directory + "/.lock"
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard fd >= 0 else { throw Self.error("lock", path) }
        // Closing the descriptor releases the lock.
        defer { close(fd) }
        let clock = ContinuousClock()
        let deadline = clock.now + lockPatience
        while flock(fd, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw Self.error("lock", path) }
            guard clock.now < deadline else {
                throw AccountFileError(.busy, "\(path) is held by another process; try again later")
            }
            usleep(2000)
        }
        return try body()
    }

    private func syncDirectory(_ path: String) throws(AccountFileError) {
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw Self.error("open", path) }
        defer { close(fd) }
        guard fsync(fd) == 0 else { throw Self.error("sync", path) }
    }

    /// The integer type of an attribute is not promised, and differs with the libraries that are loaded.
    private static func number(_ value: Any?) -> UInt64? {
        if let integer = value as? any BinaryInteger { return UInt64(truncatingIfNeeded: integer) }
        return value as? UInt64
    }

    private static func isDirectory(_ path: String) -> Bool {
        guard let handle = opendir(path) else { return false }
        closedir(handle)
        return true
    }

    /// Of the call that failed last.
    private static func error(_ doing: String, _ path: String) -> AccountFileError {
        let number = errno
        let code: AccountFileError.Code
        switch number {
        case EEXIST: code = .exists
        case ENOENT, ENOTDIR: code = .notFound
        case EACCES, EPERM: code = .notPermitted
        case ENOSPC, EDQUOT: code = .noSpace
        case EROFS: code = .readOnly
        case ELOOP, EISDIR: code = .damaged
        default: code = .system
        }
        let reason = strerror(number).map { String(cString: $0) } ?? "error \(number)"
        return AccountFileError(code, "could not \(doing) \(path): \(reason)")
    }
}
