/// The special use of a mailbox: an attribute of RFC 6154, written with its backslash.
public struct SpecialUse: Hashable, Sendable, CustomStringConvertible {
    /// The attribute as RFC 6154 spells it, `\Sent` for example.
    public let description: String
    private init(_ attribute: String) { description = attribute }

    public static let all = SpecialUse(#"\All"#)
    public static let archive = SpecialUse(#"\Archive"#)
    public static let drafts = SpecialUse(#"\Drafts"#)
    public static let flagged = SpecialUse(#"\Flagged"#)
    public static let junk = SpecialUse(#"\Junk"#)
    public static let sent = SpecialUse(#"\Sent"#)
    public static let trash = SpecialUse(#"\Trash"#)

    /// All known attributes.
    public static let known: [SpecialUse] = [.all, .archive, .drafts, .flagged, .junk, .sent, .trash]

    /// The default mailboxes of a new account, besides INBOX. A mailbox of one of these names has the use even without
    /// one in status.json, as in a store of the old program.
    public static let defaults: [(name: String, use: SpecialUse)] = [
        ("Sent", .sent), ("Drafts", .drafts), ("Trash", .trash), ("Junk", .junk), ("Archive", .archive),
    ]

    /// Parses an attribute, ignoring case, with or without its backslash; nil for one that is not in RFC 6154.
    public init?(parsing text: String) {
        let wanted = text.utf8.first == 0x5C ? text : #"\"# + text
        guard let known = Self.known.first(where: { $0.description.lowercased() == wanted.lowercased() }) else {
            return nil
        }
        self = known
    }

    /// The default use of a mailbox name; nil if it has none.
    init?(defaultOf name: MailboxName) {
        guard name.components.count == 1, let found = Self.defaults.first(where: { $0.name == name.leaf }) else {
            return nil
        }
        self = found.use
    }
}
