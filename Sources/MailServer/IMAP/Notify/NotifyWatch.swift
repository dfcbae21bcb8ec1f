import IMAPCodec
import MailAccess
import NIOCore
import Primitives
import ServerRuntime
import ShardFS

/// The mailboxes that a session watches for NOTIFY, and their state as last reported. A value that is passed to the
/// pool and back for each check; observers end with the last copy.
struct NotifyWatch: Sendable {
    /// The changes that observers have reported since the last check. Accessed from any thread.
    struct Signals: Sendable {
        /// Ids of changed mailboxes.
        var mailboxes: Set<String> = []
        var tree = false
        var metadata: [(mailbox: MailboxName?, entries: [String])] = []
        /// More annotation changes arrived than are kept.
        var isOverflowing = false
        /// Other processes may have changed annotations.
        var annotations = false
        /// Annotations that this process has changed since the file was last read.
        var known: Set<AnnotationState.Change> = []
    }

    let plan: NotifyPlan
    /// Identifies this client as the origin of its own changes.
    let id = UInt64.random(in: 0...UInt64.max)
    private let mail: Account?
    private let limit: Int
    private let signals = Locked(Signals())
    private let onChange: @Sendable () -> Void
    /// The watched mailboxes, by name.
    private(set) var mailboxes: [String: WatchedMailbox] = [:]
    private var tree = AccountTree()
    private var annotations = AnnotationState()
    private var account: Observation?
    /// The observation of the selected mailbox, when its updates are pushed.
    var selected: MailboxObservation?
    /// Mailbox names affected by this client's own commands since the tree was last read.
    var ownNames: Set<String> = []
    /// UIDs of messages that this client has added itself since the last check, by mailbox id.
    private var ownMessages: [String: [ClosedRange<UInt32>]] = [:]

    /// Maximum number of annotation changes waiting to be reported.
    private static let maximumMetadata = 64
    /// Maximum number of annotations remembered as changed by this process rather than by others.
    private static let maximumKnown = 1_000
    /// Nanoseconds for which other processes' changes to the tree may go unseen, on top of the poll interval.
    private static let treeAge: UInt64 = 900_000_000
    /// What a level of the tree costs to read and compare, in units of work.
    private static let levelWork = 4_096

    /// Watches nothing: NOTIFY NONE.
    init() {
        plan = NotifyPlan()
        mail = nil
        limit = 0
        onChange = {}
    }

    /// Starts watching the mailboxes of a plan. Blocks.
    ///
    /// - Parameter limit: maximum number of mailboxes watched besides the selected one.
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
        if plan.needsTree {
            tree = try mail.tree(maximumAge: 0)
            try Turn.use(tree.levels.count * Self.levelWork)
        }
        if plan.wantsMetadata { annotations = (try? mail.annotationState()) ?? annotations }
        guard try resolve(made: nil) else { return nil }
    }

    // MARK: Queries

    /// Whether there is anything to push.
    var isActive: Bool { plan.selected != nil || account != nil }

    /// Whether some of other processes' changes to unselected mailboxes are found only by polling.
    var needsPoll: Bool {
        plan.needsTree || plan.wantsMetadata || mailboxes.values.contains { !$0.mailbox.isWatched }
    }

    /// Marks everything without a kernel watch as changed, so that the next check reads it again.
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

    /// Records messages that this client has added to a mailbox.
    mutating func noteOwn(_ uids: [UInt32], in mailbox: Mailbox) {
        guard plan.selected?.items.isEmpty == false || mailboxes.values.contains(where: { $0.mailbox === mailbox })
        else { return }
        for uid in uids.sorted() { ownMessages[mailbox.id, default: []].append(joining: uid) }
    }

    /// Whether this client added a message itself.
    func isOwn(_ uid: UInt32, in mailbox: Mailbox) -> Bool {
        ownMessages[mailbox.id]?.contains { $0.contains(uid) } ?? false
    }

    mutating func forgetOwn(in mailbox: Mailbox) { ownMessages[mailbox.id] = nil }

    // MARK: Checks

    /// Returns the STATUS responses of all watched mailboxes except the selected one. Blocks.
    func firstStatus(selected: Mailbox?, appendLimit: UInt64) -> [IMAPResponse] {
        mailboxes.values.sorted { $0.name < $1.name }.compactMap { watched in
            guard watched.mailbox !== selected else { return nil }
            let items = WatchedMailbox.firstItems(watched.events)
            let values = try? watched.mailbox.statusValues(items, appendLimit: appendLimit)
            return values.map { .mailboxStatus(mailbox: watched.name, $0) }
        }
    }

    /// Returns the responses for all changes since the last check; nil when there is too much to watch or to report.
    /// Blocks.
    ///
    /// - Parameter usesModSeq: adds HIGHESTMODSEQ to every STATUS response.
    mutating func look(
        selected: Mailbox?, usesModSeq: Bool, appendLimit: UInt64
    ) throws(StoreError) -> [IMAPResponse]? {
        var update = signals.withLock { signals in
            let update = signals
            signals = Signals()
            // Kept until the file is read.
            if !update.annotations { signals.known = update.known }
            return update
        }
        if update.isOverflowing { return nil }
        var responses: [IMAPResponse] = []
        if update.tree, let mail {
            let now: AccountTree
            do throws(StoreError) {
                now = try mail.tree(maximumAge: Self.treeAge)
                try Turn.use(now.levels.count * Self.levelWork)
            } catch {
                // Kept for the next check.
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
                // A new mailbox may already hold messages.
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
                // The tree reports a deleted mailbox; any other one that fails is checked when it next changes.
                if error.code == .gone { mailboxes[name] = nil }
            }
        }
        responses += update.metadata.compactMap(metadataResponse)
        if update.annotations { responses += annotationResponses(known: update.known) }
        return responses
    }

    /// Returns the responses for annotations changed by other processes. Blocks.
    private mutating func annotationResponses(known: Set<AnnotationState.Change>) -> [IMAPResponse] {
        // An unreadable file is read again at the next poll.
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

    /// Watches the mailboxes of the current tree that the plan names; false when there are too many.
    ///
    /// - Parameter made: names of mailboxes created since the last check; nil at the first one.
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
            // A mailbox that cannot be opened is tried again when the tree next changes.
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
