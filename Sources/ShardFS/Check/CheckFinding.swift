/// A finding of a check: a broken rule, or something worth knowing.
public struct CheckFinding: Hashable, Sendable, CustomStringConvertible {
    public enum Severity: Int, Comparable, Sendable, CaseIterable {
        /// Not an error: settled when the mailbox is next opened, or left by a killed writer.
        case info
        /// Not created by the engine, which ignores it.
        case warning
        /// A rule of the store is broken.
        case error

        public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }
    }

    /// The rule. An open set: a later version may add codes.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String
        public let severity: Severity
        private init(_ name: String, _ severity: Severity) {
            description = name
            self.severity = severity
        }

        // Names.
        public static let foreignName = Code("foreign-name", .warning)
        public static let nonCanonicalName = Code("odd-name", .warning)
        public static let leftover = Code("leftover", .info)
        public static let unknownFlag = Code("unknown-flag", .info)
        public static let wrongShard = Code("wrong-shard", .error)
        public static let uidTwice = Code("uid-twice", .error)
        public static let uidInShardAndExpunged = Code("uid-in-shard-and-expunged", .error)
        public static let notAFile = Code("not-a-file", .error)
        public static let unreadable = Code("unreadable", .error)

        // status.json, the log's header, and their agreement.
        public static let formatBad = Code("format-bad", .error)
        public static let documentBad = Code("document-bad", .error)
        public static let statusMissing = Code("status-missing", .error)
        public static let statusBad = Code("status-bad", .error)
        public static let statusInsane = Code("status-insane", .error)
        public static let uidAboveCeiling = Code("uid-above-ceiling", .error)
        public static let logMissing = Code("log-missing", .error)
        public static let logHeaderBad = Code("log-header-bad", .error)
        public static let logOfAnotherEpoch = Code("log-of-another-epoch", .error)
        public static let headerDisagrees = Code("header-disagrees", .error)
        public static let cleanMarkWrong = Code("clean-mark-wrong", .error)
        public static let needsRecovery = Code("needs-recovery", .info)
        public static let oldProgram = Code("old-program", .info)

        // Records, and the file names that they describe.
        public static let recordBad = Code("record-bad", .error)
        public static let logTorn = Code("log-torn", .info)
        public static let recordUnknown = Code("record-unknown", .info)
        public static let modSeqOrder = Code("modseq-order", .error)
        public static let modSeqAboveCeiling = Code("modseq-above-ceiling", .error)
        public static let uidOrder = Code("uid-order", .error)
        public static let uidReturned = Code("uid-returned", .error)
        public static let intentOpen = Code("intent-open", .info)
        public static let messageMissing = Code("message-missing", .error)
        public static let messageUnlogged = Code("message-unlogged", .error)
        public static let flagsDiffer = Code("flags-differ", .error)
        public static let sizeDiffers = Code("size-differs", .error)
        public static let digestDiffers = Code("digest-differs", .error)

        // The account.
        public static let uidValidityTwice = Code("uidvalidity-twice", .error)
        public static let uidValidityAboveCounter = Code("uidvalidity-above-counter", .error)
        public static let uidValidityCounterBad = Code("uidvalidity-counter-bad", .error)
        public static let mailboxIDTwice = Code("mailbox-id-twice", .error)
        public static let quotaWrong = Code("quota-wrong", .error)
        public static let quotaExceeded = Code("quota-exceeded", .warning)
        public static let quotaUnknown = Code("quota-unknown", .info)
    }

    public let code: Code
    /// The path below the store's root.
    public let path: String
    /// One plain sentence.
    public let message: String

    public var severity: Severity { code.severity }
    public var description: String { "\(severity) \(code) \(path): \(message)" }
}

/// The findings of a check and the numbers of checked objects.
public struct CheckReport: Sendable {
    public internal(set) var findings: [CheckFinding] = []
    public internal(set) var accounts = 0
    public internal(set) var mailboxes = 0
    /// Messages with a name in a shard.
    public internal(set) var messages = 0

    public var errors: [CheckFinding] { findings.filter { $0.severity == .error } }
    public func has(_ code: CheckFinding.Code) -> Bool { findings.contains { $0.code == code } }

    mutating func add(_ code: CheckFinding.Code, _ path: String, _ message: String) {
        findings.append(CheckFinding(code: code, path: path, message: message))
    }
}
