import IMAPCodec
import ShardFS

/// The events that a client has asked to be notified of. RFC 5465 sections 3, 5 and 6.
struct NotifyPlan: Sendable {
    struct Events: OptionSet, Sendable {
        let rawValue: UInt8

        /// MessageNew and MessageExpunge, which always go together.
        static let messages = Self(rawValue: 1)
        static let flags = Self(rawValue: 2)
        static let names = Self(rawValue: 4)
        static let subscriptions = Self(rawValue: 8)
        static let metadata = Self(rawValue: 16)
        static let serverMetadata = Self(rawValue: 32)
        /// The events that require watching a mailbox's messages.
        static let ofMessages: Self = [.messages, .flags]
    }

    /// The notifications for the selected mailbox, whichever it is.
    struct Selected: Sendable {
        var events: Events
        /// EXPUNGE waits for a command that allows it in response (SELECTED-DELAYED).
        var isDelayed: Bool
        /// The items reported for each new message.
        var items: [IMAPFetchItem]
    }

    /// Nil when nothing about the selected mailbox is reported.
    private(set) var selected: Selected?
    private var groups: [(mailboxes: IMAPNotifyMailboxes, events: Events)] = []

    /// Creates the empty plan: NOTIFY NONE.
    init() {}

    /// - Throws: NO with BADEVENT for an event that is not offered, BAD for an invalid combination.
    init(_ groups: [IMAPNotifyGroup]) throws(IMAPFailure) {
        for event in groups.flatMap(\.events) {
            switch event {
            case .annotationChange, .other:
                throw .no(.badEvent(Self.offered), "Some of these events are not supported")
            default: break
            }
        }
        var namesSelected = false
        for group in groups {
            let events = try Self.events(of: group)
            switch group.mailboxes {
            case .selected, .selectedDelayed:
                if namesSelected { throw .bad("The selected mailbox is specified twice") }
                namesSelected = true
                guard events.isSubset(of: .ofMessages) else {
                    throw .bad("Only message events are allowed for the selected mailbox")
                }
                guard !events.isEmpty else { continue }
                selected = Selected(
                    events: events, isDelayed: group.mailboxes == .selectedDelayed, items: Self.items(of: group))
            default:
                guard Self.items(of: group).isEmpty else {
                    throw .bad("FETCH items are allowed for the selected mailbox only")
                }
                self.groups.append((group.mailboxes, events))
            }
        }
    }

    private static let offered = [
        "MessageNew", "MessageExpunge", "FlagChange", "MailboxName", "SubscriptionChange", "MailboxMetadataChange",
        "ServerMetadataChange",
    ]

    private static func items(of group: IMAPNotifyGroup) -> [IMAPFetchItem] {
        group.events.flatMap { event -> [IMAPFetchItem] in if case .messageNew(let items) = event { items } else { [] }
        }
    }

    private static func events(of group: IMAPNotifyGroup) throws(IMAPFailure) -> Events {
        var (new, expunge, events): (Bool, Bool, Events) = (false, false, [])
        for event in group.events {
            switch event {
            case .messageNew: new = true
            case .messageExpunge: expunge = true
            case .flagChange: events.insert(.flags)
            case .mailboxName: events.insert(.names)
            case .subscriptionChange: events.insert(.subscriptions)
            case .mailboxMetadataChange: events.insert(.metadata)
            case .serverMetadataChange: events.insert(.serverMetadata)
            case .annotationChange, .other: break
            }
        }
        guard new == expunge, new || !events.contains(.flags) else {
            throw .bad("MessageNew and MessageExpunge require each other, and FlagChange both")
        }
        if new { events.insert(.messages) }
        return events
    }

    // MARK: Queries

    /// Whether only the selected mailbox is watched.
    var isOnlySelected: Bool { groups.allSatisfy(\.events.isEmpty) }

    /// Whether the mailbox tree must be followed: some group asks for more than annotation changes, or for those of the
    /// subscribed mailboxes, which the tree tells.
    var needsTree: Bool {
        groups.contains { group in
            !group.events.isSubset(of: [.metadata, .serverMetadata])
                || group.mailboxes == .subscribed && group.events.contains(.metadata)
        }
    }

    /// Returns the events to report for a mailbox that is not selected: those of all groups that name it.
    func events(for name: String, isSubscribed: Bool) -> Events {
        groups.reduce(into: Events()) { events, group in
            if Self.names(group.mailboxes, name, isSubscribed: isSubscribed) { events.formUnion(group.events) }
        }
    }

    /// Whether annotation changes are reported.
    var wantsMetadata: Bool { groups.contains { !$0.events.isDisjoint(with: [.metadata, .serverMetadata]) } }

    var wantsServerMetadata: Bool { groups.contains { $0.events.contains(.serverMetadata) } }

    private static func names(_ mailboxes: IMAPNotifyMailboxes, _ name: String, isSubscribed: Bool) -> Bool {
        switch mailboxes {
        case .selected, .selectedDelayed: false
        // The mailbox that mail is delivered to.
        case .inboxes: name == "INBOX"
        case .personal: true
        case .subscribed: isSubscribed
        case .mailboxes(let names): names.contains { canonical($0) == name }
        case .subtree(let roots):
            roots.contains { root in
                let root = canonical(root)
                return name == root || name.utf8.starts(with: "\(root)/".utf8)
            }
        }
    }

    /// Returns a name composed (NFC), as stored names are, with a first level INBOX in upper case.
    private static func canonical(_ name: String) -> String {
        let name = MailboxName.composed(name)
        var levels = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = levels.first, first.uppercased() == "INBOX" else { return name }
        levels[0] = "INBOX"
        return levels.joined(separator: "/")
    }
}
