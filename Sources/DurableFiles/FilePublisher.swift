import Glibc

/// Puts a small file in place so that a reader sees either the old or the new bytes, complete, and a power cut leaves
/// one of the two. The only routine that does so.
package struct FilePublisher: Sendable {
    let system: SystemCalls

    package init(system: SystemCalls) { self.system = system }

    /// Replaces (or, with `replacing: false`, creates) `name` in `directory`: temporary name, fsync, rename, fsync of
    /// the directory. Durable on return.
    /// - Throws: `exists` if `replacing` is false and the name is taken. No temporary file is left behind after an
    ///   error. If only the sync of the directory failed, the new file is in place but may not be durable.
    package func publish(
        _ bytes: [UInt8], as name: String, in directory: Int32, replacing: Bool = true, mode: UInt32 = 0o600
    ) throws(FileError) {
        let temporary = ".\(name).\(SystemCalls.random(UInt64.self)).tmp"
        let fd = try doing("create \(temporary)") { () throws(Errno) in
            try system.open(directory, temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode_t(mode))
        }
        do {
            defer { system.close(fd) }
            try writeAndSync(fd, bytes, name)
        } catch {
            try? system.unlink(directory, temporary)
            throw error
        }
        do {
            try put(temporary, as: name, in: directory, replacing: replacing)
        } catch {
            try? system.unlink(directory, temporary)
            throw error
        }
        try doing("sync the directory of \(name)") { () throws(Errno) in try system.sync(directory) }
    }

    private func writeAndSync(_ fd: Int32, _ bytes: [UInt8], _ name: String) throws(FileError) {
        let result: Result<Void, Errno> = bytes.withUnsafeBytes { raw in
            do throws(Errno) { return .success(try system.write(fd, raw)) } catch { return .failure(error) }
        }
        try doing("write \(name)") { () throws(Errno) in try result.get() }
        try doing("sync \(name)") { () throws(Errno) in try system.sync(fd) }
    }

    private func put(_ temporary: String, as name: String, in directory: Int32, replacing: Bool) throws(FileError) {
        do {
            if replacing {
                try system.rename(directory, temporary, directory, name, replacing: true)
            } else {
                try putNew(temporary, as: name, in: directory)
            }
        } catch .exists {
            throw FileError(.exists, "\(name) already exists", errno: .exists)
        } catch {
            throw FileError(error, to: "put \(name) in place")
        }
    }

    private func putNew(_ temporary: String, as name: String, in directory: Int32) throws(Errno) {
        do throws(Errno) {
            // link(2) never replaces.
            try system.link(directory, temporary, directory, name)
            return try system.unlink(directory, temporary)
        } catch {
            guard error == .notSupported || error == .notPermitted else { throw error }
        }
        do throws(Errno) {
            return try system.rename(directory, temporary, directory, name, replacing: false)
        } catch {
            guard error == .notSupported || error == .invalid || error == .noSystemCall else { throw error }
        }
        do throws(Errno) { _ = try system.status(directory, name) } catch .notFound {
            return try system.rename(directory, temporary, directory, name, replacing: true)
        }
        throw .exists
    }

    /// Reads a whole small file; nil if there is none.
    /// - Throws: `damaged` for anything but a regular file of at most `limit` bytes.
    package func read(_ name: String, in directory: Int32, limit: Int = 16 << 20, followsLinks: Bool = false)
        throws(FileError) -> [UInt8]?
    {
        let flags = O_RDONLY | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW)
        guard let (fd, status) = try system.openRegular(directory, name, flags, name) else { return nil }
        defer { system.close(fd) }
        guard status.size <= Int64(limit) else { throw FileError(.damaged, "\(name) is larger than \(limit) bytes") }
        var bytes = [UInt8](repeating: 0, count: Int(status.size))
        let result: Result<Int, Errno> = bytes.withUnsafeMutableBytes { raw in
            do throws(Errno) { return .success(try system.read(fd, raw, at: 0)) } catch { return .failure(error) }
        }
        let count = try doing("read \(name)") { () throws(Errno) in try result.get() }
        bytes.removeSubrange(count...)
        return bytes
    }
}
