import DurableFiles

/// The engine's interface to DurableFiles: the only place where its errors become `StoreError`s.
struct StoreFiles: Sendable {
    let system: SystemCalls

    /// Reads a whole small file; nil if there is none.
    /// - Throws: `damaged` for anything but a regular file of at most `limit` bytes.
    func read(_ name: String, in directory: Int32, limit: Int = 16 << 20) throws(StoreError) -> [UInt8]? {
        do throws(FileError) {
            return try FilePublisher(system: system).read(name, in: directory, limit: limit)
        } catch { throw StoreError(error) }
    }

    /// Publishes a file as `FilePublisher` does: atomically, and durable on return.
    /// - Throws: `exists` if `replacing` is false and the name is taken.
    func publish(
        _ bytes: [UInt8], as name: String, in directory: Int32, replacing: Bool = true
    ) throws(StoreError) {
        do throws(FileError) {
            try FilePublisher(system: system).publish(bytes, as: name, in: directory, replacing: replacing)
        } catch { throw StoreError(error) }
    }

    /// Runs `body` while holding the lock file `name`.
    /// - Throws: the errors of `LockFile.acquire` and of `body`.
    func hold<R>(
        _ name: String, in directory: Int32, until deadline: Int64, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        try LockFile.hold(system, in: directory, name, until: deadline, failure: StoreError.init, body)
    }

    /// The names in a directory; empty if it does not exist.
    func names(_ directory: Int32, _ path: String) throws(StoreError) -> [String] {
        do throws(FileError) {
            return try DirectoryListing.names(system, directory, path)
        } catch { throw StoreError(error) }
    }

    /// Removes a directory with all that is in it, as far as possible; levels of mailboxes are not deeper than names can
    /// be.
    func removeTree(_ directory: Int32, _ path: String) {
        for name in (try? names(directory, path)) ?? [] {
            let child = "\(path)/\(name)"
            if (try? system.status(directory, child))?.isDirectory == true {
                removeTree(directory, child)
            } else {
                try? system.unlink(directory, child)
            }
        }
        try? system.removeDirectory(directory, path)
    }

    /// Calls `body` with the name of each entry of a directory; the bytes are valid only during the call.
    @inline(__always)
    func forEach(
        _ directory: Int32, _ path: UnsafePointer<CChar>,
        _ body: (UnsafeBufferPointer<UInt8>, DirectoryListing.Kind) throws(StoreError) -> Void
    ) throws(StoreError) {
        try DirectoryListing.forEach(system, directory, path, failure: StoreError.init, body)
    }

    /// Opens a regular file; nil if there is none.
    func openRegular(
        _ directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, _ name: @autoclosure () -> String
    ) throws(StoreError) -> (descriptor: Int32, status: FileStatus)? {
        do throws(FileError) {
            return try system.openRegular(directory, path, flags, name())
        } catch { throw StoreError(error) }
    }
}

extension SystemCalls {
    var files: StoreFiles { StoreFiles(system: self) }
}

extension StoreError {
    init(_ error: FileError) {
        let code: Code =
            switch error.code {
            case .exists: .exists
            case .gone: .gone
            case .busy: .busy
            case .noSpace: .noSpace
            case .readOnly: .readOnly
            case .damaged: .damaged
            case .system: .system
            }
        self.init(code, error.description, errno: error.errno)
    }

    /// Wraps a failed system call; `doing` completes "could not …".
    static func system(_ errno: Errno, _ doing: String) -> StoreError { StoreError(FileError(errno, to: doing)) }
}

/// Runs a system call; a failure is thrown as a `StoreError` that names its purpose.
@inline(__always)
func doing<R>(_ what: @autoclosure () -> String, _ body: () throws(Errno) -> R) throws(StoreError) -> R {
    do { return try body() } catch { throw StoreError.system(error, what()) }
}
