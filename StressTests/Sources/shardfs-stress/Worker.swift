import DurableFiles
import Glibc
import ShardFS
import TestSupport

/// A stream of random operations on the store, each recorded in the history before and after.
struct Worker {
    private let root: String
    private let boot: String
    private let name: String
    private let history: HistoryWriter
    private var store: Store
    private var random: SeededGenerator
    private var nextID: Int
    private let idStep: Int
    private var counter = 0

    /// - Parameters:
    ///   - name: part of the names of messages; unique to each worker ever started.
    ///   - id: of its first operation; later ids increase by `idStep`.
    init(
        root: String, boot: String, name: String, history: HistoryWriter, store: Store, seed: UInt64, id: Int,
        idStep: Int
    ) {
        self.root = root
        self.boot = boot
        self.name = name
        self.history = history
        self.store = store
        random = SeededGenerator(seed: seed)
        nextID = id
        self.idStep = idStep
    }

    mutating func run(until deadline: UInt64) {
        while now() < deadline { step() }
    }

    // MARK: one operation

    private mutating func step() {
        let mailboxName = World.mailboxes.randomElement(using: &random)!
        do throws(StoreError) {
            let mailbox = try World.mailbox(mailboxName, in: store)
            let snapshot = random.one(in: 3) ? mailbox.currentSnapshot() : try mailbox.snapshot()
            let crowded = snapshot.messages.count > World.crowded
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<20: crowded ? thinOut(mailboxName, mailbox, snapshot) : append(mailboxName, mailbox)
            case 20..<25: crowded ? thinOut(mailboxName, mailbox, snapshot) : appendSet(mailboxName, mailbox)
            case 25..<55: changeFlags(mailboxName, mailbox, snapshot)
            case 55..<59: conditional(mailboxName, mailbox, snapshot)
            case 59..<64: expunge(mailboxName, mailbox, snapshot)
            case 64..<66: thinOut(mailboxName, mailbox, snapshot)
            case 66..<69: undelete(mailboxName, mailbox)
            case 69..<75: transfer(.copy, mailboxName, mailbox, snapshot)
            case 75..<83: transfer(.move, mailboxName, mailbox, snapshot)
            case 83..<90: list(mailboxName, mailbox)
            case 90..<95: read(mailboxName, mailbox, snapshot)
            case 95..<97: compact(mailboxName, mailbox)
            case 97..<98: recent(mailboxName, mailbox)
            default: reopen(mailboxName)
            }
        } catch {
            history.violation("opening \(mailboxName): \(error.code) \(error.message)")
        }
    }

    private mutating func perform(_ operation: Operation, _ body: () throws(StoreError) -> Outcome) {
        let id = nextID
        nextID += idStep
        history.write(Event(phase: .invoke, id: id, at: now(), operation: operation))
        do throws(StoreError) {
            let outcome = try body()
            history.write(Event(phase: .ok, id: id, at: now(), outcome: outcome))
        } catch {
            let at = now()
            history.write(Event(phase: .fail, id: id, at: at, error: error.code.description))
            // No other errors are expected here.
            if ![.overQuota, .notFound].contains(error.code) {
                history.violation("\(operation.kind) in \(operation.mailbox): \(error.code) \(error.message)")
            }
        }
    }

    private mutating func token() -> String {
        counter += 1
        return "\(name).\(counter)"
    }

    private mutating func someFlags() -> [String] {
        (World.systemFlags.map(\.name) + World.keywords).filter { _ in random.one(in: 5) }
    }

    private mutating func some(_ snapshot: MailboxSnapshot, atMost: Int = 3) -> [UInt32] {
        guard snapshot.messages.count > 0 else { return [] }
        var uids: Set<UInt32> = []
        for _ in 0..<Int.random(in: 1...atMost, using: &random) {
            // Contention on few messages: half of the picks are among the oldest.
            let range = random.one(in: 2) ? min(4, snapshot.messages.count) : snapshot.messages.count
            uids.insert(snapshot.messages[Int.random(in: 0..<range, using: &random)].uid.rawValue)
        }
        return uids.sorted()
    }

    private mutating func message(_ token: String, in mailbox: Mailbox) throws(StoreError) -> FinishedMessage {
        let message = try mailbox.stage()
        try message.write(Content.bytes(token, size: Int.random(in: 60...3_000, using: &random)))
        return try message.finish()
    }

    private mutating func append(_ name: String, _ mailbox: Mailbox) {
        var operation = Operation(kind: .append, mailbox: name)
        operation.tokens = [token()]
        operation.add = someFlags()
        var me = self
        perform(operation) { () throws(StoreError) in
            let message = try me.message(operation.tokens[0], in: mailbox)
            let result = try mailbox.append(message, flags: World.flags(operation.add, in: mailbox))
            var outcome = Outcome()
            outcome.uids = [result.uid.rawValue]
            return outcome
        }
        random = me.random
    }

    private mutating func appendSet(_ name: String, _ mailbox: Mailbox) {
        var operation = Operation(kind: .set, mailbox: name)
        for _ in 0..<Int.random(in: 2...5, using: &random) { operation.tokens.append(token()) }
        operation.add = someFlags()
        var me = self
        perform(operation) { () throws(StoreError) in
            let flags = try World.flags(operation.add, in: mailbox)
            var messages: [(message: FinishedMessage, flags: MessageFlags)] = []
            for token in operation.tokens { messages.append((try me.message(token, in: mailbox), flags)) }
            var outcome = Outcome()
            outcome.uids = try mailbox.append(messages).map(\.uid.rawValue)
            return outcome
        }
        random = me.random
    }

    private mutating func changeFlags(_ name: String, _ mailbox: Mailbox, _ snapshot: MailboxSnapshot) {
        var operation = Operation(kind: .flags, mailbox: name)
        operation.uids = some(snapshot)
        guard !operation.uids.isEmpty else { return }
        fill(&operation)
        perform(operation) { () throws(StoreError) in
            try Self.change(operation, mailbox, since: nil)
        }
    }

    private mutating func conditional(_ name: String, _ mailbox: Mailbox, _ snapshot: MailboxSnapshot) {
        var operation = Operation(kind: .conditional, mailbox: name)
        operation.uids = some(snapshot)
        guard !operation.uids.isEmpty else { return }
        fill(&operation)
        perform(operation) { () throws(StoreError) in
            try Self.change(operation, mailbox, since: snapshot.highestModSeq)
        }
    }

    private mutating func fill(_ operation: inout Operation) {
        let all = World.systemFlags.map(\.name) + World.keywords
        // \Deleted is set only by expunge, or everything would soon be gone.
        let picked = all.filter { _ in random.one(in: 3) }.filter { $0 != "\\Deleted" }
        switch Int.random(in: 0..<7, using: &random) {
        case 0..<3: operation.add = picked
        case 3..<6: operation.remove = picked
        default:
            operation.add = picked
            operation.remove = all.filter { !picked.contains($0) }
        }
    }

    private static func change(
        _ operation: Operation, _ mailbox: Mailbox, since: ModSeq?
    ) throws(StoreError) -> Outcome {
        let change = FlagChange(
            add: try World.flags(operation.add, in: mailbox), remove: try World.flags(operation.remove, in: mailbox))
        let result = try mailbox.changeFlags(operation.uids.map { UID($0) }, change, unchangedSince: since)
        var outcome = Outcome()
        let table = mailbox.currentSnapshot().keywords
        for entry in result.changed { outcome.flags[entry.uid.rawValue] = World.names(entry.flags, table) }
        outcome.missing = result.missing.map(\.rawValue)
        outcome.modified = result.modified.map(\.rawValue)
        return outcome
    }

    /// Marks some messages and expunges those that are marked by then.
    private mutating func expunge(_ name: String, _ mailbox: Mailbox, _ snapshot: MailboxSnapshot) {
        let uids = some(snapshot)
        guard !uids.isEmpty else { return }
        var mark = Operation(kind: .flags, mailbox: name)
        mark.uids = uids
        mark.add = ["\\Deleted"]
        perform(mark) { () throws(StoreError) in try Self.change(mark, mailbox, since: nil) }
        var operation = Operation(kind: .expunge, mailbox: name)
        operation.uids = uids
        perform(operation) { () throws(StoreError) in
            var outcome = Outcome()
            outcome.uids = try mailbox.expunge(uids.map { UID($0) }).map(\.rawValue)
            return outcome
        }
    }

    private mutating func thinOut(_ name: String, _ mailbox: Mailbox, _ snapshot: MailboxSnapshot) {
        var operation = Operation(kind: .remove, mailbox: name)
        operation.uids = some(snapshot, atMost: 12)
        guard !operation.uids.isEmpty else { return }
        perform(operation) { () throws(StoreError) in
            var outcome = Outcome()
            outcome.uids = try mailbox.remove(operation.uids.map { UID($0) }).map(\.rawValue)
            return outcome
        }
    }

    private mutating func undelete(_ name: String, _ mailbox: Mailbox) {
        guard let waiting = try? mailbox.recoverableMessages(), let one = waiting.randomElement(using: &random) else {
            return
        }
        var operation = Operation(kind: .undelete, mailbox: name)
        operation.uids = [one.uid.rawValue]
        operation.add = World.names(one.flags.subtracting(.deleted), mailbox.currentSnapshot().keywords)
        perform(operation) { () throws(StoreError) in
            var outcome = Outcome()
            outcome.uids = [try mailbox.undelete(one).uid.rawValue]
            return outcome
        }
    }

    private mutating func transfer(
        _ kind: Operation.Kind, _ name: String, _ mailbox: Mailbox, _ snapshot: MailboxSnapshot
    ) {
        var operation = Operation(kind: kind, mailbox: name)
        operation.uids = some(snapshot, atMost: 5)
        let target = World.mailboxes.randomElement(using: &random)!
        operation.target = target
        guard !operation.uids.isEmpty else { return }
        let store = self.store
        perform(operation) { () throws(StoreError) in
            let other = try World.mailbox(target, in: store)
            let uids = operation.uids.map { UID($0) }
            let result = try kind == .copy ? mailbox.copy(uids, to: other) : mailbox.move(uids, to: other)
            var outcome = Outcome()
            outcome.pairs = result.copied.map { [$0.source.rawValue, $0.target.rawValue] }
            return outcome
        }
    }

    private mutating func list(_ name: String, _ mailbox: Mailbox) {
        perform(Operation(kind: .list, mailbox: name)) { () throws(StoreError) in
            let snapshot = try mailbox.snapshot()
            var outcome = Outcome()
            snapshot.messages.forEach { entry in
                outcome.flags[entry.uid.rawValue] = World.names(entry.flags, snapshot.keywords)
            }
            outcome.highest = snapshot.highestModSeq
            return outcome
        }
    }

    private mutating func read(_ name: String, _ mailbox: Mailbox, _ snapshot: MailboxSnapshot) {
        guard let uid = some(snapshot, atMost: 1).first else { return }
        var operation = Operation(kind: .read, mailbox: name)
        operation.uids = [uid]
        let history = self.history
        perform(operation) { () throws(StoreError) in
            let bytes = try mailbox.open(UID(uid)).read()
            var outcome = Outcome()
            outcome.token = Content.token(bytes)
            if outcome.token == nil {
                history.violation("message \(uid) of \(name) reads as other bytes than were sent")
            }
            return outcome
        }
    }

    private mutating func compact(_ name: String, _ mailbox: Mailbox) {
        perform(Operation(kind: .compact, mailbox: name)) { () throws(StoreError) in
            try mailbox.compact()
            return Outcome()
        }
    }

    private mutating func recent(_ name: String, _ mailbox: Mailbox) {
        perform(Operation(kind: .recent, mailbox: name)) { () throws(StoreError) in
            var outcome = Outcome()
            outcome.uids = [try mailbox.takeRecent().rawValue]
            return outcome
        }
    }

    private mutating func reopen(_ name: String) {
        let (root, boot) = (root, boot)
        var opened: Store?
        perform(Operation(kind: .reopen, mailbox: name)) { () throws(StoreError) in
            let store = try Store.open(root, options: World.options(boot: boot))
            _ = try World.mailbox(name, in: store)
            opened = store
            return Outcome()
        }
        if let opened { store = opened }
    }
}
