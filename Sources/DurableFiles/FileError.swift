/// A failed file operation: its kind, one plain sentence, and the errno behind it. Errors with equal codes are equal.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The name is taken.
        case exists
        /// The directory or the lock file was removed.
        case gone
        /// Another taker held the lock until the deadline.
        case busy
        /// The file system is full (ENOSPC, EDQUOT).
        case noSpace
        /// The file system is read-only.
        case readOnly
        /// Not the expected kind of file, or one that is too large.
        case damaged
        /// Any other error from the operating system.
        case system
    }

    package let code: Code
    package let description: String
    package let errno: Errno?

    package init(_ code: Code, _ description: String, errno: Errno? = nil) {
        self.code = code
        self.description = description
        self.errno = errno
    }

    /// Wraps a failed system call; `doing` completes "could not …".
    package init(_ errno: Errno, to doing: String) {
        let code: Code
        switch errno {
        case .noSpace, .quota: code = .noSpace
        case .readOnly: code = .readOnly
        case .notDirectory, .isDirectory, .loop: code = .damaged
        default: code = .system
        }
        self.init(code, "could not \(doing): \(errno)", errno: errno)
    }

    package static func == (a: FileError, b: FileError) -> Bool { a.code == b.code }
    package func hash(into hasher: inout Hasher) { hasher.combine(code) }
}

/// Runs a system call; a failure is thrown as a `FileError` that names its purpose.
@inline(__always)
func doing<R>(_ what: @autoclosure () -> String, _ body: () throws(Errno) -> R) throws(FileError) -> R {
    do { return try body() } catch { throw FileError(error, to: what()) }
}
