import IMAPCodec
import ShardFS

/// What has changed between two looks at an account's mailboxes, as a client that asked for it is told.
struct TreeUpdate {
    var responses: [IMAPResponse] = []
    /// Mailboxes that were not there before, renamed ones not among them.
    var made: Set<String> = []

    /// - Parameter own: names that this client's own commands were about: nothing is told of them (RFC 5465 section 5).
    init(from old: AccountTree, to new: AccountTree, plan: NotifyPlan, own: Set<String>) {
        let before = Dictionary(old.levels.map { ($0.listing.name, $0) }) { $1 }
        let after = Dictionary(new.levels.map { ($0.listing.name, $0) }) { $1 }
        let formerNames = Dictionary(
            old.levels.compactMap { level in level.identity.map { ($0, level.listing.name) } }
        ) { $1 }
        var renamed: [MailboxName: MailboxName] = [:]
        for level in new.levels where before[level.listing.name] == nil {
            // The directory moved; at its former name there is nothing or another.
            if let identity = level.identity, let former = formerNames[identity],
                after[former]?.identity != identity
            {
                renamed[level.listing.name] = former
            }
        }
        var reported: Set<MailboxName> = []
        func tell(_ name: MailboxName, _ event: NotifyPlan.Events, oldName: MailboxName? = nil) {
            let isSubscribed = new.subscriptions.contains(name)
            var events = plan.events(
                for: name.description, isSubscribed: isSubscribed || old.subscriptions.contains(name))
            if let oldName {
                let was = old.subscriptions.contains(oldName)
                events.formUnion(plan.events(for: oldName.description, isSubscribed: was))
            }
            guard events.contains(event), !own.contains(name.description), reported.insert(name).inserted else {
                return
            }
            responses.append(
                .list(
                    IMAPListEntry(
                        attributes: after[name]?.listing.attributes(isSubscribed: isSubscribed)
                            ?? ["\\NonExistent"] + (isSubscribed ? ["\\Subscribed"] : []),
                        mailbox: name.description, oldName: oldName?.description)))
        }

        for level in new.levels {
            let name = level.listing.name
            if let former = renamed[name] {
                // Those below moved along, which goes without saying.
                if let parent = name.parent, let formerParent = former.parent, renamed[parent] == formerParent {
                    continue
                }
                tell(name, .names, oldName: former)
            } else if let was = before[name] {
                // One that holds messages now, or no more, was made or deleted as far as a client can see.
                if was.listing.isSelectable != level.listing.isSelectable {
                    tell(name, .names)
                    if level.listing.isSelectable { made.insert(name.description) }
                } else if was.identity != level.identity {
                    tell(name, .names)
                    made.insert(name.description)
                }
            } else {
                made.insert(name.description)
                tell(name, .names)
                // Whether it has others below it has changed.
                if let parent = name.parent { tell(parent, .names) }
            }
        }
        let moved = Set(renamed.values)
        for level in old.levels where after[level.listing.name] == nil && !moved.contains(level.listing.name) {
            tell(level.listing.name, .names)
            if let parent = level.listing.name.parent { tell(parent, .names) }
        }
        let subscriptions = old.subscriptions.symmetricDifference(new.subscriptions)
        for name in subscriptions.sorted(by: { $0.description < $1.description }) { tell(name, .subscriptions) }
    }
}

extension MailboxListing {
    /// As LIST shows them.
    func attributes(isSubscribed: Bool) -> [String] {
        var attributes: [String] = []
        if !isSelectable { attributes.append("\\Noselect") }
        attributes.append(hasChildren ? "\\HasChildren" : "\\HasNoChildren")
        if let specialUse { attributes.append(specialUse.description) }
        if isSubscribed { attributes.append("\\Subscribed") }
        return attributes
    }
}
