import IMAPCodec
import ShardFS

/// The changes between two states of an account's mailbox tree, as responses to a client that asked for them.
struct TreeUpdate {
    var responses: [IMAPResponse] = []
    /// Names of new mailboxes, not counting renamed ones.
    var made: Set<String> = []

    /// - Parameter own: names affected by this client's own commands, which are not reported (RFC 5465 section 5).
    init(from old: AccountTree, to new: AccountTree, plan: NotifyPlan, own: Set<String>) {
        let before = Dictionary(old.levels.map { ($0.listing.name, $0) }) { $1 }
        let after = Dictionary(new.levels.map { ($0.listing.name, $0) }) { $1 }
        let formerNames = Dictionary(
            old.levels.compactMap { level in level.identity.map { ($0, level.listing.name) } }
        ) { $1 }
        var renamed: [MailboxName: MailboxName] = [:]
        for level in new.levels where before[level.listing.name] == nil {
            // The directory moved; its former name is free or belongs to another directory.
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
                // Children that moved along with their parent are not reported.
                if let parent = name.parent, let formerParent = former.parent, renamed[parent] == formerParent {
                    continue
                }
                tell(name, .names, oldName: former)
            } else if let was = before[name] {
                // To a client, a mailbox that becomes selectable is created, and one that ceases to be is deleted.
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
                // The parent's \HasChildren may have changed.
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
    /// Returns the attributes for LIST.
    func attributes(isSubscribed: Bool) -> [String] {
        var attributes: [String] = []
        if !isSelectable { attributes.append("\\Noselect") }
        attributes.append(hasChildren ? "\\HasChildren" : "\\HasNoChildren")
        if let specialUse { attributes.append(specialUse.description) }
        if isSubscribed { attributes.append("\\Subscribed") }
        return attributes
    }
}
