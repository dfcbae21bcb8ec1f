import IMAPCodec
import MailAccess
import ServerRuntime
import ShardFS

/// Builds the responses to one LIST command. Blocks; others have turns on the pool meanwhile.
struct MailboxLister {
    let command: IMAPListCommand
    let appendLimit: UInt64

    func answers(for mail: Account) throws(StoreError) -> [IMAPResponse] {
        let selection = command.selection
        let wanted = command.returnOptions ?? IMAPListReturn()
        let patterns = command.patterns.map { ListPattern(reference: command.reference, $0) }
        var subscribed: Set<String> = []
        if selection.contains(.subscribed) || wanted.subscribed {
            subscribed = Set(try mail.subscriptions().map(\.description))
        }
        var known: [String: MailboxListing] = [:]
        for listing in try Self.listings(of: mail) { known[listing.name.description] = listing }

        var answers: [IMAPResponse] = []
        var candidates = Set(known.keys)
        if selection.contains(.subscribed) { candidates.formUnion(subscribed) }
        func isSelected(_ name: String) -> Bool {
            (!selection.contains(.subscribed) || subscribed.contains(name))
                && (!selection.contains(.specialUse) || known[name]?.specialUse != nil)
        }
        // `parents` have a selected mailbox below them (RFC 5258 section 3.5) and need not exist. `needed` are those
        // whose selected descendant matches no pattern, so that only they can report it.
        var parents: Set<String> = []
        var needed: Set<String> = []
        if selection.contains(.recursiveMatch) {
            for name in candidates where isSelected(name) {
                let ancestors = Self.ancestors(of: name)
                parents.formUnion(ancestors)
                if try !Self.matches(name, patterns) { needed.formUnion(ancestors) }
            }
            candidates.formUnion(parents)
        }
        for name in candidates.sorted(by: Self.precedes) where try Self.matches(name, patterns) {
            let listing = known[name]
            let isSelected = isSelected(name)
            guard isSelected || needed.contains(name) else { continue }
            answers.append(
                .list(
                    IMAPListEntry(
                        attributes: Self.attributes(listing, isSubscribed: subscribed.contains(name)), mailbox: name,
                        childInfo: parents.contains(name) ? selection.childInfo : [])))
            if wanted.status != nil { try Turn.use(Self.statusWork) }
            if let items = wanted.status, let listing, listing.isSelectable, isSelected,
                // A mailbox that cannot be opened has no STATUS; the listing goes on (RFC 5819 section 2).
                let mailbox = try? mail.mailbox(listing.name),
                let values = try? mailbox.statusValues(items, appendLimit: appendLimit)
            {
                answers.append(.mailboxStatus(mailbox: name, values))
            }
        }
        return answers
    }

    /// What a mailbox costs in the listing of all, and its STATUS, in units of work: a few system calls, and many.
    private static let listingWork = 4_096
    private static let statusWork = 8_192

    /// All mailboxes and levels. The walk itself is not interrupted, since it holds the account's lock; it is paid for
    /// behind it.
    static func listings(of mail: Account) throws(StoreError) -> [MailboxListing] {
        let listings = try mail.list()
        try Turn.use(listings.count * listingWork)
        return listings
    }

    private static func matches(_ name: String, _ patterns: [ListPattern]) throws(StoreError) -> Bool {
        for pattern in patterns {
            try Turn.use(pattern.work(on: name))
            if pattern.matches(name) { return true }
        }
        return false
    }

    /// Returns the responses to LSUB. Blocks.
    static func subscribed(
        _ reference: String, _ pattern: String, of mail: Account
    ) throws(StoreError) -> [IMAPResponse] {
        let names = Set(try mail.subscriptions().map(\.description))
        let selectable = Set(try listings(of: mail).filter(\.isSelectable).map(\.name.description))
        let pattern = ListPattern(reference: reference, pattern)
        var reported: [String: Bool] = [:]
        for name in names {
            if try matches(name, [pattern]) {
                reported[name] = selectable.contains(name)
            } else {
                // With `%`, the matching level reports a name further down (RFC 3501 section 6.3.9).
                for ancestor in try pattern.matchingAncestors(of: name) where !names.contains(ancestor) {
                    reported[ancestor] = false
                }
            }
        }
        return reported.sorted { precedes($0.key, $1.key) }.map { name, isSelectable in
            .lsub(attributes: isSelectable ? [] : ["\\Noselect"], mailbox: name)
        }
    }

    static func attributes(_ listing: MailboxListing?, isSubscribed: Bool) -> [String] {
        var attributes: [String] = []
        if let listing {
            if !listing.isSelectable { attributes.append("\\Noselect") }
            attributes.append(listing.hasChildren ? "\\HasChildren" : "\\HasNoChildren")
            if let use = listing.specialUse { attributes.append(use.description) }
        } else {
            attributes.append("\\NonExistent")
        }
        if isSubscribed { attributes.append("\\Subscribed") }
        return attributes
    }

    private static func ancestors(of name: String) -> [String] {
        name.utf8.indices.filter { name.utf8[$0] == UInt8(ascii: "/") }.map { String(name[..<$0]) }
    }

    /// Whether `a` is listed before `b`: INBOX first, the rest by name.
    private static func precedes(_ a: String, _ b: String) -> Bool {
        if (a == "INBOX") != (b == "INBOX") { return a == "INBOX" }
        return a < b
    }
}

extension IMAPListSelection {
    /// The CHILDINFO names of the selection options.
    fileprivate var childInfo: [String] {
        (contains(.subscribed) ? ["SUBSCRIBED"] : []) + (contains(.specialUse) ? ["SPECIAL-USE"] : [])
    }
}
