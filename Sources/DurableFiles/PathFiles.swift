import Glibc
import Primitives

/// Small files addressed by path: accounts, certificates, configuration and state. Reading follows symbolic links.
///
/// All methods block: never call one on an event loop.
package struct PathFiles: Sendable {
    private let system: SystemCalls
    private let lockTimeout: Int64

    /// - Parameter lockTimeout: nanoseconds that `withLock` waits before it fails with `busy`.
    package init(system: SystemCalls = SystemCalls(), lockTimeout: Int64 = 10_000_000_000) {
        self.system = system
        self.lockTimeout = lockTimeout
    }

    private static let here = SystemCalls.currentDirectory

    /// Reads a whole regular file of at most 16 MiB; nil if there is none.
    package func read(_ path: String) throws(FileError) -> [UInt8]? {
        try FilePublisher(system: system).read(path, in: Self.here, followsLinks: true)
    }

    /// The stamp of a file, which changes whenever the file is replaced or written; nil if there is none. A symbolic
    /// link is not followed: the stamp is the link's own.
    package func stamp(_ path: String) throws(FileError) -> FileStamp? {
        do throws(Errno) {
            return FileStamp(try system.status(Self.here, path))
        } catch .notFound { return nil } catch .notDirectory { return nil } catch {
            throw FileError(error, to: "stat \(path)")
        }
    }

    /// Whether anything exists at this path; a dangling symbolic link does not count.
    package func exists(_ path: String) -> Bool {
        (try? system.status(Self.here, path, followsLinks: true)) != nil
    }

    /// Publishes a file of mode 0600 atomically and durably, as `FilePublisher` does.
    /// - Throws: `exists` if `replacing` is false and the name is taken. Nothing has changed after an error, unless
    ///   only the sync of the directory failed: then the new file is in place but may not be durable.
    package func publish(_ bytes: [UInt8], at path: String, replacing: Bool) throws(FileError) {
        try inDirectory(PathText.parent(path)) { directory throws(FileError) in
            try FilePublisher(system: system).publish(
                bytes, as: PathText.lastComponent(path), in: directory, replacing: replacing)
        }
    }

    /// Creates a directory of mode 0700 and any missing parents, durably.
    /// - Returns: False if it existed already.
    @discardableResult
    package func makeDirectory(_ path: String) throws(FileError) -> Bool {
        let parent = PathText.parent(path)
        do throws(Errno) {
            try system.makeDirectory(Self.here, path)
        } catch .exists {
            if (try? system.status(Self.here, path, followsLinks: true))?.isDirectory == true { return false }
            throw FileError(.damaged, "\(path) is not a directory", errno: .exists)
        } catch {
            guard error == .notFound, parent != path, parent != "." else {
                throw FileError(error, to: "create the directory \(path)")
            }
            try makeDirectory(parent)
            return try makeDirectory(path)
        }
        try inDirectory(parent) { directory throws(FileError) in try sync(directory, parent) }
        return true
    }

    /// The sorted names of the directories in `path`, without those that begin with a dot; empty if `path` does not
    /// exist.
    package func directories(in path: String) throws(FileError) -> [String] {
        var names: [String] = []
        do throws(FileError) {
            // The dot allows `path` itself to be a symbolic link.
            try DirectoryListing.forEach(system, Self.here, path + "/.", failure: { $0 }) {
                raw, kind throws(FileError) in
                let name = String(decoding: raw, as: UTF8.self)
                guard !name.hasPrefix("."), kind == .directory || kind == .unknown && isDirectory("\(path)/\(name)")
                else { return }
                names.append(name)
            }
        } catch {
            if error.errno == .notFound { return [] }
            throw error
        }
        return names.sorted()
    }

    /// Hides a directory with one durable rename, then deletes it and everything in it.
    package func removeTree(_ path: String) throws(FileError) {
        let parent = PathText.parent(path)
        try inDirectory(parent) { directory throws(FileError) in
            let hidden = ".removed.\(SystemCalls.random(UInt64.self))"
            try doing("remove \(path)") { () throws(Errno) in
                try system.rename(directory, PathText.lastComponent(path), directory, hidden, replacing: true)
            }
            try sync(directory, parent)
            do throws(FileError) {
                try delete(directory, Array(hidden.utf8CString))
            } catch {
                throw FileError(
                    .system, "\(path) is gone, but its files in \(parent)/\(hidden) could not be deleted",
                    errno: error.errno)
            }
        }
    }

    /// Runs `body` while holding the lock file `.lock` in `directory`, exclusively.
    /// - Parameter failure: converts the error of a lock that could not be taken; `busy` after the timeout.
    package func withLock<R, E: Error>(
        in directory: String, failure: (FileError) -> E, _ body: () throws(E) -> R
    ) throws(E) -> R {
        try LockFile.hold(
            system, in: Self.here, directory + "/.lock", until: Clocks.monotonic() &+ lockTimeout, failure: failure,
            body)
    }

    // MARK: parts

    private func inDirectory(_ path: String, _ body: (Int32) throws(FileError) -> Void) throws(FileError) {
        let directory = try doing("open the directory \(path)") { () throws(Errno) in
            try system.open(Self.here, path, O_RDONLY | O_DIRECTORY)
        }
        defer { system.close(directory) }
        try body(directory)
    }

    private func sync(_ directory: Int32, _ path: String) throws(FileError) {
        try doing("sync the directory \(path)") { () throws(Errno) in try system.sync(directory) }
    }

    private func isDirectory(_ path: String) -> Bool { (try? system.status(Self.here, path))?.isDirectory == true }

    /// Deletes a file or a directory tree. Names are bytes: other programs can create names that are not valid UTF-8.
    private func delete(_ parent: Int32, _ name: [CChar]) throws(FileError) {
        do throws(Errno) {
            return try system.unlink(parent, name)
        } catch {
            guard error == .isDirectory else { throw FileError(error, to: "delete a file") }
        }
        var names: [[CChar]] = []
        try DirectoryListing.forEach(system, parent, name, failure: { $0 }) { raw, _ throws(FileError) in
            names.append(raw.map { CChar(bitPattern: $0) } + [0])
        }
        let directory = try doing("open a directory") { () throws(Errno) in try system.openDirectory(parent, name) }
        defer { system.close(directory) }
        for name in names { try delete(directory, name) }
        try doing("delete a directory") { () throws(Errno) in try system.removeDirectory(parent, name) }
    }
}
