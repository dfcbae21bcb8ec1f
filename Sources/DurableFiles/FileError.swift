/// A file operation that failed: its kind, one plain sentence, and the errno behind it. Equal when the codes are.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The name is taken.
        case exists
        /// The directory or the lock file was removed.
        case gone
        /// Someone else held the lock until the deadline.
        case busy
        /// The file system has no room (ENOSPC, EDQUOT).
        case noSpace
        /// The file system takes no writes.
        case readOnly
        /// Something else stands where a file of this kind should be.
        case damaged
        /// Any other refusal of the operating system.
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

/// Runs a system call and names its purpose when it fails.
@inline(__always)
func doing<R>(_ what: @autoclosure () -> String, _ body: () throws(Errno) -> R) throws(FileError) -> R {
    do { return try body() } catch { throw FileError(error, to: what()) }
}
