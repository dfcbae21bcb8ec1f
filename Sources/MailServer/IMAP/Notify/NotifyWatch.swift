import IMAPCodec
import MailAccess
import NIOCore
import Primitives
import ShardFS

/// What a session watches for NOTIFY, and what its client has been told of it. A value that is handed to the pool and
/// back for each look; observers end with the last copy.
struct NotifyWatch: Sendable {
    /// What observers have reported since the last look. Reached from any thread.
    struct Signals: Sendable {
        /// Ids of mailboxes.
        var mailboxes: Set<String> = []
        var tree = false
        var metadata: [(mailbox: MailboxName?, entries: [String])] = []
        /// More annotations changed than are kept.
        var isOverflowing = false
        /// Others than this process may have changed some.
        var annotations = false
        /// What this process has changed since the last look at the file.
        var known: Set<AnnotationState.Change> = []
    }

    let plan: NotifyPlan
    /// Names this client as the origin of what it does itself.
    let id = UInt64.random(in: 0...UInt64.max)
    private let mail: Account?
    private let limit: Int
    private let signals = Locked(Signals())
    private let onChange: @Sendable () -> Void
    /// By name.
    private(set) var mailboxes: [String: WatchedMailbox] = [:]
    private var tree = AccountTree()
    private var annotations = AnnotationState()
    private var account: Observation?
    /// Of the mailbox that is selected, when its news are pushed.
    var selected: MailboxObservation?
    /// Names that this client's own commands were about since the last look at the tree.
    var ownNames: Set<String> = []
    /// Messages that this client put into mailboxes itself, by the mailbox's id, since the last look.
    private var ownMessages: [String: [ClosedRange<UInt32>]] = [:]

    /// Annotations that wait to be told.
    private static let maximumMetadata = 64
    /// Annotations changed by this process that are told apart from those that others change.
    private static let maximumKnown = 1_000
    /// Nanoseconds for which other processes' changes to the tree may go unseen, beside the poll's interval.
    private static let treeAge: UInt64 = 900_000_000

    /// Watches nothing: NOTIFY NONE.
    init() {
        plan = NotifyPlan()
        mail = nil
        limit = 0
        onChange = {}
    }

    /// Blocks.
    /// - Parameter limit: mailboxes that may be watched beside the selected one.
    /// - Returns: nil when there are more.
    init?(
        _ plan: NotifyPlan, of mail: Account, limit: Int, onChange: @escaping @Sendable () -> Void
    ) throws(StoreError) {
        self.plan = plan
        self.mail = mail
        self.limit = limit
        self.onChange = onChange
        guard !plan.isOnlySelected else { return }
        let (signals, id) = (signals, id)
        account = mail.observe { event in
            let isChange = signals.withLock { signals in
                switch event {
                case .tree: signals.tree = true
                case .metadata(let mailbox, let entries, let origin):
                    for entry in entries where signals.known.count < Self.maximumKnown {
                        signals.known.insert(.init(mailbox: mailbox, entry: entry))
                    }
                    if origin == id { return false }
                    if signals.metadata.count < Self.maximumMetadata {
                        signals.metadata.append((mailbox, entries))
                    } else {
                        signals.isOverflowing = true
                    }
                }
                return true
            }
            if isChange { onChange() }
        }
        if plan.needsTree { tree = try mail.tree(maximumAge: 0) }
        if plan.wantsMetadata { annotations = (try? mail.annotationState()) ?? annotations }
        guard try resolve(made: nil) else { return nil }
    }

    // MARK: Asking

    /// Whether there is anything to push.
    var isActive: Bool { plan.selected != nil || account != nil }

    /// Whether some of what other processes do to mailboxes that are not selected is seen only by looking.
    var needsPoll: Bool {
        plan.needsTree || plan.wantsMetadata || mailboxes.values.contains { !$0.mailbox.isWatched }
    }

    /// As if what nobody tells had changed.
    func poll() {
        let unwatched = mailboxes.values.filter { !$0.mailbox.isWatched }.map(\.mailbox.id)
        let (needsTree, wantsMetadata) = (plan.needsTree, plan.wantsMetadata)
        signals.withLock { signals in
            signals.mailboxes.formUnion(unwatched)
            if needsTree { signals.tree = true }
            if wantsMetadata { signals.annotations = true }
        }
    }

    var hasSignals: Bool {
        signals.withLock {
            !$0.mailboxes.isEmpty || $0.tree || !$0.metadata.isEmpty || $0.isOverflowing || $0.annotations
        }
    }

    /// This client has put messages into a mailbox.
    mutating func noteOwn(_ uids: [UInt32], in mailbox: Mailbox) {
        guard plan.selected?.items.isEmpty == false || mailboxes.values.contains(where: { $0.mailbox === mailbox })
        else { return }
        for uid in uids.sorted() { ownMessages[mailbox.id, default: []].append(joining: uid) }
    }

    /// Whether this client put a message there itself.
    func isOwn(_ uid: UInt32, in mailbox: Mailbox) -> Bool {
        ownMessages[mailbox.id]?.contains { $0.contains(uid) } ?? false
    }

    mutating func forgetOwn(in mailbox: Mailbox) { ownMessages[mailbox.id] = nil }

    // MARK: Looking

    /// STATUS of every mailbox that is watched, except of the selected one. Blocks.
    func firstStatus(selected: Mailbox?, appendLimit: UInt64) -> [IMAPResponse] {
        mailboxes.values.sorted { $0.name < $1.name }.compactMap { watched in
            guard watched.mailbox !== selected else { return nil }
            let items = WatchedMailbox.firstItems(watched.events)
            let values = try? watched.mailbox.statusValues(items, appendLimit: appendLimit)
            return values.map { .mailboxStatus(mailbox: watched.name, $0) }
        }
    }

    /// What happened since the last look; nil when there is more to watch than may be. Blocks.
    ///
    /// - Parameter usesModSeq: mod-sequences are told beside what was asked for.
    mutating func look(
        selected: Mailbox?, usesModSeq: Bool, appendLimit: UInt64
    ) throws(StoreError) -> [IMAPResponse]? {
        var update = signals.withLock { signals in
            let update = signals
            signals = Signals()
            // As long as nobody has looked at the file.
            if !update.annotations { signals.known = update.known }
            return update
        }
        if update.isOverflowing { return nil }
        var responses: [IMAPResponse] = []
        if update.tree, let mail {
            let now: AccountTree
            do throws(StoreError) { now = try mail.tree(maximumAge: Self.treeAge) } catch {
                // For the next look.
                signals.withLock { signals in
                    signals.tree = true
                    signals.annotations = signals.annotations || update.annotations
                    signals.known.formUnion(update.known)
                    signals.mailboxes.formUnion(update.mailboxes)
                    signals.metadata = update.metadata + signals.metadata
                }
                throw error
            }
            if now != tree {
                let change = TreeUpdate(from: tree, to: now, plan: plan, own: ownNames)
                tree = now
                responses += change.responses
                guard try resolve(made: change.made) else { return nil }
                // What was made may have messages by now, and who was renamed is looked at by the way.
                update.mailboxes.formUnion(mailboxes.values.filter { change.made.contains($0.name) }.map(\.mailbox.id))
            }
            ownNames = []
        }
        for (name, var watched) in mailboxes where update.mailboxes.contains(watched.mailbox.id) {
            do throws(StoreError) {
                let own = ownMessages.removeValue(forKey: watched.mailbox.id) ?? []
                let items = try watched.look(own: own, isSelected: watched.mailbox === selected)
                mailboxes[name] = watched
                guard var items else { continue }
                if usesModSeq, !items.contains(.highestModSeq) { items.append(.highestModSeq) }
                let values = try watched.mailbox.statusValues(items, appendLimit: appendLimit)
                responses.append(.mailboxStatus(mailbox: name, values))
            } catch {
                // One that is gone, the tree will tell; what cannot be looked at now is when it changes again.
                if error.code == .gone { mailboxes[name] = nil }
            }
        }
        responses += update.metadata.compactMap(metadataResponse)
        if update.annotations { responses += annotationResponses(known: update.known) }
        return responses
    }

    /// What other processes did to annotations. Blocks.
    private mutating func annotationResponses(known: Set<AnnotationState.Change>) -> [IMAPResponse] {
        // What cannot be read is looked at again with the next poll.
        guard let mail, let now = try? mail.annotationState(since: annotations),
            let changes = try? mail.annotationChanges(from: annotations, to: now)
        else { return [] }
        annotations = now
        var reported: [String: (mailbox: MailboxName?, entries: [String])] = [:]
        for change in changes where !known.contains(change) {
            reported[change.mailbox?.description ?? "", default: (change.mailbox, [])].entries.append(change.entry)
        }
        return reported.keys.sorted().compactMap { name in reported[name].flatMap(metadataResponse) }
    }

    private func metadataResponse(_ change: (mailbox: MailboxName?, entries: [String])) -> IMAPResponse? {
        guard let name = change.mailbox else {
            return plan.wantsServerMetadata ? .metadataChanged(mailbox: "", entries: change.entries) : nil
        }
        let isSubscribed = tree.subscriptions.contains(name)
        guard plan.events(for: name.description, isSubscribed: isSubscribed).contains(.metadata) else { return nil }
        return .metadataChanged(mailbox: name.description, entries: change.entries)
    }

    /// Watches the mailboxes that the plan names in the tree as it is; false when there are too many.
    ///
    /// - Parameter made: names of mailboxes that were made since the last look; nil for the first.
    private mutating func resolve(made: Set<String>?) throws(StoreError) -> Bool {
        guard let mail else { return true }
        var wanted: [(name: MailboxName, events: NotifyPlan.Events)] = []
        for level in tree.levels where level.listing.isSelectable {
            let name = level.listing.name
            let isSubscribed = tree.subscriptions.contains(name)
            let events = plan.events(for: name.description, isSubscribed: isSubscribed).intersection(.ofMessages)
            if !events.isEmpty { wanted.append((name, events)) }
        }
        guard wanted.count <= limit else { return false }
        let known = Dictionary(mailboxes.values.map { ($0.mailbox.id, $0) }) { $1 }
        var found: [String: WatchedMailbox] = [:]
        for (name, events) in wanted {
            // One that cannot be opened is watched when the tree changes next.
            guard let mailbox = try? mail.mailbox(name) else { continue }
            if var watched = known[mailbox.id], watched.mailbox === mailbox {
                (watched.name, watched.events) = (name.description, events)
                found[name.description] = watched
                continue
            }
            let (signals, onChange, id) = (signals, onChange, mailbox.id)
            let observation = MailboxObservation(mailbox) {
                signals.withLock { _ = $0.mailboxes.insert(id) }
                onChange()
            }
            guard let snapshot = try? mailbox.snapshot() else { continue }
            let isMade = made?.contains(name.description) ?? false
            let standing = known[mailbox.id]?.standing ?? (isMade ? .empty(like: snapshot) : .init(snapshot))
            found[name.description] = WatchedMailbox(
                name: name.description, events: events, observation: observation, standing: standing)
        }
        mailboxes = found
        return true
    }
}
