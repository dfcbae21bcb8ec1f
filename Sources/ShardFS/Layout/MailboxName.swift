import Primitives

/// The name of a mailbox: UTF-8 in NFC, levels separated by `/`, at most 1000 bytes and 64 levels.
///
/// A first level `inbox` in any case is INBOX (RFC 9051, 5.1). A value exists only for a name that is safe to look up:
/// no empty level, no `.` or `..`, no NUL, CR or LF. Names are equal if their bytes are.
public struct MailboxName: Hashable, Sendable, CustomStringConvertible {
    /// The whole name, as shown to clients.
    public let description: String
    /// The levels from the top; never empty.
    public let components: [String]

    public static let separator: Character = "/"
    public static let maximumBytes = 1000
    public static let maximumLevels = 64
    /// The maximum length in bytes of a level encoded as a directory name, the limit of file systems.
    public static let maximumDirectoryBytes = 255

    public static let inbox = MailboxName(canonical: ["INBOX"])

    /// - Throws: `invalidName` for an invalid name, `limit` for one that is too long or too deep.
    public init(_ name: String) throws(StoreError) {
        // Composition shortens a text to no less than a third; a longer one is not worth normalizing.
        guard name.utf8.count <= 3 * Self.maximumBytes else { throw Self.tooLong }
        let text = Normalization.nfc(name)
        guard text.utf8.count <= Self.maximumBytes else { throw Self.tooLong }
        var components: [String] = []
        // By bytes: a separator followed by a combining mark would be a different Character.
        for part in text.utf8.split(separator: 0x2F, omittingEmptySubsequences: false) {
            let component = String(Substring(part))
            try Self.check(component)
            components.append(component)
        }
        guard components.count <= Self.maximumLevels else {
            throw StoreError(.limit, "a mailbox name may have at most \(Self.maximumLevels) levels")
        }
        if components[0].utf8.count == 5, components[0].lowercased() == "inbox" { components[0] = "INBOX" }
        self.init(canonical: components)
    }

    /// Parses a name from bytes, which must be valid UTF-8.
    /// - Throws: the errors of `init(_:)`.
    public init(utf8 bytes: some Collection<UInt8>) throws(StoreError) {
        guard bytes.count <= 3 * Self.maximumBytes else { throw Self.tooLong }
        guard let name = String(validating: bytes, as: UTF8.self) else {
            throw StoreError(.invalidName, "a mailbox name must be valid UTF-8")
        }
        try self.init(name)
    }

    /// Normalizes a text that is not a name itself, for comparison with names.
    public static func composed(_ text: String) -> String { Normalization.nfc(text) }

    private init(canonical components: [String]) {
        self.components = components
        description = components.joined(separator: String(Self.separator))
    }

    private static var tooLong: StoreError {
        StoreError(.limit, "a mailbox name may have at most \(maximumBytes) bytes of UTF-8")
    }

    private static func check(_ component: String) throws(StoreError) {
        if component.isEmpty { throw StoreError(.invalidName, "a mailbox name must not have an empty level") }
        if component == "." || component == ".." {
            throw StoreError(.invalidName, "'\(component)' cannot be a mailbox name level")
        }
        if component.utf8.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) {
            throw StoreError(.invalidName, "a mailbox name must not contain NUL, CR or LF")
        }
        if MailboxDirectoryName.encode(component).utf8.count > maximumDirectoryBytes {
            throw StoreError(
                .limit, "a mailbox name level may have at most \(maximumDirectoryBytes) bytes, encoded as a directory")
        }
    }

    // MARK: relations

    public var isInbox: Bool { components.count == 1 && components[0] == "INBOX" }

    /// The last level.
    public var leaf: String { components[components.count - 1] }

    /// The name one level up; nil at the top.
    public var parent: MailboxName? {
        components.count == 1 ? nil : MailboxName(canonical: Array(components.dropLast()))
    }

    /// Whether `other` is an ancestor of this name; a name is not its own descendant.
    public func isDescendant(of other: MailboxName) -> Bool {
        components.count > other.components.count
            && zip(components, other.components).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
    }

    /// The name after its ancestor (or itself) `old` was renamed to `new`; unchanged if `old` is neither.
    /// - Throws: `limit` if the new name is too long or too deep.
    public func renamed(from old: MailboxName, to new: MailboxName) throws(StoreError) -> MailboxName {
        guard self == old || isDescendant(of: old) else { return self }
        let tail = components.dropFirst(old.components.count)
        return try MailboxName((new.components + tail).joined(separator: String(Self.separator)))
    }

    // MARK: on disk

    /// The directory's name within its parent's `mailboxes`.
    var directoryName: String { MailboxDirectoryName.encode(leaf) }

    /// The path from the account's directory to the mailbox's: `mailboxes/A/mailboxes/B`.
    var relativePath: String {
        components.map { "mailboxes/" + MailboxDirectoryName.encode($0) }.joined(separator: "/")
    }

    /// The mailbox of a directory within `parent`'s `mailboxes` (the account's, if nil); nil if no mailbox name leads
    /// to that directory.
    init?(directoryName: some Collection<UInt8>, in parent: MailboxName?) {
        guard let component = MailboxDirectoryName.decode(directoryName) else { return nil }
        let text = parent.map { "\($0)/\(component)" } ?? component
        guard let name = try? MailboxName(text), name.components.count == (parent?.components.count ?? 0) + 1,
            name.directoryName.utf8.elementsEqual(directoryName)
        else { return nil }
        self = name
    }

    // MARK: equality

    // By bytes: String compares by canonical equivalence with Unicode tables that may be newer than ours.
    public static func == (a: MailboxName, b: MailboxName) -> Bool {
        a.description.utf8.elementsEqual(b.description.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        var text = description
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
