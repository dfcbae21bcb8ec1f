/// The small files of accounts, certificates and configuration, as this module reaches them.
///
/// A protocol, so that tests can fail or count calls. All methods block: never call one on an event loop.
public protocol AccountFiles: Sendable {
    /// The whole of a regular file of at most 16 MiB; nil when there is none.
    func read(_ path: String) throws(AccountFileError) -> [UInt8]?

    /// What changes whenever the file is replaced or written; nil when there is none.
    func stamp(_ path: String) throws(AccountFileError) -> FileStamp?

    /// Whether anything has this name.
    func exists(_ path: String) -> Bool

    /// Puts a file of mode 0600 in place, whole and durable: temporary name, fsync, rename, fsync of the directory.
    /// - Throws: `exists` when `replacing` is false and the name is taken; nothing is changed on any error.
    func publish(_ bytes: [UInt8], at path: String, replacing: Bool) throws(AccountFileError)

    /// Makes a directory of mode 0700, and those above it, durable.
    /// - Returns: False when it was there.
    @discardableResult
    func makeDirectory(_ path: String) throws(AccountFileError) -> Bool

    /// The names of the directories in `path`, sorted, those that begin with a dot left out; empty when `path` is
    /// missing.
    func directories(in path: String) throws(AccountFileError) -> [String]

    /// Takes a directory out of sight with one rename, durable, and then deletes it with all that it holds.
    func removeTree(_ path: String) throws(AccountFileError)

    /// Runs `body` while this process alone holds the lock file `.lock` in `directory`.
    /// - Throws: `busy` after ten seconds, and what `body` throws.
    func withLock<R>(
        in directory: String, _ body: () throws(AccountFileError) -> R
    ) throws(AccountFileError) -> R
}

/// Identity and state of a file: two equal stamps mean the same content.
public struct FileStamp: Sendable, Hashable {
    public var inode: UInt64
    public var size: Int64
    /// Nanoseconds since 1970 UTC, rounded to what the system tells.
    public var modified: Int64

    public init(inode: UInt64, size: Int64, modified: Int64) {
        self.inode = inode
        self.size = size
        self.modified = modified
    }
}

/// A file operation that failed: what was tried on which path, and why.
public struct AccountFileError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable {
        case exists, notFound, notPermitted, noSpace, readOnly, busy, damaged, system
    }

    public let code: Code
    /// One plain sentence.
    public let description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
