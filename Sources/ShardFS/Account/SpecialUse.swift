/// What a mailbox is for: an attribute of RFC 6154, written with its backslash.
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

    /// Every attribute that there is.
    public static let known: [SpecialUse] = [.all, .archive, .drafts, .flagged, .junk, .sent, .trash]

    /// The mailboxes that a new account has beside INBOX. A mailbox of one of these names is shown with the use even
    /// when status.json says nothing of it, as in a store of the old program.
    public static let defaults: [(name: String, use: SpecialUse)] = [
        ("Sent", .sent), ("Drafts", .drafts), ("Trash", .trash), ("Junk", .junk), ("Archive", .archive),
    ]

    /// Reads an attribute in any case, its backslash present or not; nil for one that RFC 6154 does not have.
    public init?(parsing text: String) {
        let wanted = text.utf8.first == 0x5C ? text : #"\"# + text
        guard let known = Self.known.first(where: { $0.description.lowercased() == wanted.lowercased() }) else {
            return nil
        }
        self = known
    }

    /// The use that a mailbox has by its name alone.
    init?(defaultOf name: MailboxName) {
        guard name.components.count == 1, let found = Self.defaults.first(where: { $0.name == name.leaf }) else {
            return nil
        }
        self = found.use
    }
}
