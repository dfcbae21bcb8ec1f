public import DurableFiles

/// An error of the store: what failed, where, and the code by which callers react. Errors with equal codes are equal.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure. An open set: a later version may add codes.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String
        private init(_ name: String) { description = name }

        /// No such domain, account, mailbox or message.
        public static let notFound = Code("not found")
        /// The name is taken.
        public static let exists = Code("exists")
        /// An invalid mailbox, account or domain name.
        public static let invalidName = Code("invalid name")
        /// An invalid flag, UID, date or other argument; nothing was changed.
        public static let invalidArgument = Code("invalid argument")
        /// The mailbox's 31 keywords are used up, or a name or message exceeds a stated limit.
        public static let limit = Code("limit")
        /// The account's quota would be exceeded; nothing was stored.
        public static let overQuota = Code("over quota")
        /// Another writer held the mailbox for longer than the configured wait.
        public static let busy = Code("busy")
        /// The mailbox was deleted, or replaced by another of the same name, since it was opened.
        public static let gone = Code("gone")
        /// The mailbox refuses writes after a failed fsync until it is reopened.
        public static let needsReopen = Code("needs reopen")
        /// The store or its file system is read-only.
        public static let readOnly = Code("read-only")
        /// The file system is full (ENOSPC, EDQUOT).
        public static let noSpace = Code("no space")
        /// The last UID, UIDVALIDITY or mod-sequence has been assigned.
        public static let exhausted = Code("exhausted")
        /// The store was written by a newer version of the program.
        public static let newerVersion = Code("newer version")
        /// A file of the store is invalid (a directory in place of a file, for example).
        public static let damaged = Code("damaged")
        /// A system call failed.
        public static let system = Code("system")
        /// The operation is not allowed on this mailbox (deleting INBOX, for example).
        public static let notAllowed = Code("not allowed")
    }

    public let code: Code
    /// One plain sentence for people.
    public let message: String
    /// The errno behind the failure, if there is one.
    public let errno: Errno?

    public init(_ code: Code, _ message: String, errno: Errno? = nil) {
        self.code = code
        self.message = message
        self.errno = errno
    }

    public var description: String { message }

    /// Whether the process, or the machine, has no descriptor left: only calls that make one fail so.
    package var isLackOfDescriptors: Bool { errno == .tooManyFiles || errno == .tooManyFilesInSystem }

    public static func == (a: StoreError, b: StoreError) -> Bool { a.code == b.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(code) }
}
