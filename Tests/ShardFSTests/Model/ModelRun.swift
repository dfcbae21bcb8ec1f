import DurableFiles
import Glibc
import TestSupport
import Testing

@testable import ShardFS

/// Random operations on two open stores of one directory, each compared with the model at once.
final class ModelRun {
    private static let boxes = ["alice@example.com/INBOX", "alice@example.com/Work/Old", "bob@example.com/INBOX"]
    private static let bobsLimit = 1 << 20
    private static let systemFlags: [String: MessageFlags] = [
        "\\Answered": .answered, "\\Deleted": .deleted, "\\Flagged": .flagged, "\\Seen": .seen, "\\Draft": .draft,
    ]
    private static let names = systemFlags.keys.sorted() + ["Red", "Green", "Blue"]

    let store: TestStore
    private var other: Store
    private var model = ModelStore()
    private var random: SeededGenerator
    private var boots = 1
    private var counter = 0
    /// The operations performed, for the analysis of a failure.
    private(set) var trace: [String] = []

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        var options = StoreOptions()
        options.durability = StoreOptions.Durability.allCases.randomElement(using: &random)!
        options.bootID = "boot-1"
        for capability in [Capability.unnamedFiles, .renameNoReplace, .hardLinks]
        where Int.random(in: 0..<4, using: &random) == 0 {
            options.withoutCapabilities.insert(capability)
        }
        store = try TestStore(options)
        other = try Store.open(store.path, options: options)
        for box in Self.boxes {
            let account = try store.store.createAccount(AccountAddress(parsing: ModelStore.account(box)))
            try account.create(Self.mailboxName(box))
            _ = try account.quota()
            model.boxes[box] = ModelStore.Box()
        }
        let bob = try store.account("bob@example.com").context
        try bob.files.publish(Array(#"{"quota_mb": 1}"#.utf8), as: "user.json", in: bob.directory)
        model.limits["bob@example.com"] = Self.bobsLimit
        for box in Self.boxes { try look(box) }
    }

    private static func mailboxName(_ box: String) throws -> MailboxName {
        try MailboxName(String(box[box.index(after: box.firstIndex(of: "/")!)...]))
    }

    /// The mailbox `box`, opened by one of the two stores at random.
    private func mailbox(_ box: String) throws -> Mailbox {
        let store = Bool.random(using: &random) ? store.store : other
        return try store.account(AccountAddress(parsing: ModelStore.account(box))).mailbox(Self.mailboxName(box))
    }

    private func chance(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }

    private func someUIDs(_ box: String) -> [UInt32] {
        var uids = (model.boxes[box]?.messages.keys.sorted() ?? []).shuffled(using: &random)
        uids = Array(uids.prefix(Int.random(in: 1...5, using: &random)))
        // Occasionally one more UID, which rarely exists; no UID twice.
        let other = UInt32.random(in: 1...5_000, using: &random)
        if chance(6), !uids.contains(other) { uids.append(other) }
        return uids
    }

    private func someFlags() -> Set<String> { Set(Self.names.filter { _ in chance(3) }) }

    private func flags(_ names: Set<String>, _ mailbox: Mailbox) throws -> MessageFlags {
        let keywords = names.filter { !$0.hasPrefix("\\") }.sorted()
        return try names.reduce(mailbox.keywords(keywords, create: true)) { $0.union(Self.systemFlags[$1] ?? []) }
    }

    private func names(_ flags: MessageFlags, _ table: KeywordTable) -> Set<String> {
        Set(Self.systemFlags.filter { flags.contains($0.value) }.map(\.key) + table.names(in: flags))
    }

    // MARK: one operation

    func step() throws {
        let box = Self.boxes.randomElement(using: &random)!
        let mailbox = try mailbox(box)
        switch Int.random(in: 0..<40, using: &random) {
        case 0..<8: try append(box, mailbox, count: 1)
        case 8..<11: try append(box, mailbox, count: Int.random(in: 2...6, using: &random))
        case 11..<18: try changeFlags(box, mailbox, conditional: false)
        case 18..<21: try changeFlags(box, mailbox, conditional: true)
        case 21..<23: try expunge(box, mailbox, onlyDeleted: true)
        case 23..<25: try expunge(box, mailbox, onlyDeleted: false)
        case 25..<27: try undelete(box, mailbox)
        case 27..<30: try transfer(box, mailbox, moves: false)
        case 30..<34: try transfer(box, mailbox, moves: true)
        case 34: try takeRecent(box, mailbox)
        case 35:
            trace.append("compact \(box)")
            try mailbox.compact()
        case 36..<38: try synchronize(box, mailbox)
        case 38: try reopen()
        default: try restart()
        }
        for box in Self.boxes { try look(box) }
    }

    private func append(_ box: String, _ mailbox: Mailbox, count: Int) throws {
        let account = ModelStore.account(box)
        let added = someFlags()
        // Large steps reach Bob's limit.
        let size = account.hasPrefix("bob") && chance(3) ? 200_000 : Int.random(in: 0...300, using: &random)
        var texts: [String] = []
        for _ in 0..<count {
            counter += 1
            texts.append("message \(counter) " + String(repeating: "x", count: size))
        }
        trace.append("append \(count) of \(size) to \(box) \(added.sorted())")
        let bits = try flags(added, mailbox)
        func stage() throws -> [(message: FinishedMessage, flags: MessageFlags)] {
            try texts.map { (message: try mailbox.finished($0), flags: bits) }
        }
        let before = try #require(model.boxes[box])
        guard model.hasRoom(account, texts.reduce(0) { $0 + $1.utf8.count }) else {
            // Already while they are received.
            #expect(throws: StoreError(.overQuota, "")) { try mailbox.append(stage()) }
            // UIDs of failed attempts may be skipped.
            return
        }
        let results = try mailbox.append(stage())
        #expect(results.count == count)
        for (text, result) in zip(texts, results) {
            #expect(result.uid.rawValue >= model.boxes[box]!.nextUID)
            #expect(result.modSeq > before.highest)
            add(box, result.uid.rawValue, ModelStore.Message(text: text, flags: added, modSeq: result.modSeq))
        }
    }

    private func add(_ box: String, _ uid: UInt32, _ message: ModelStore.Message) {
        model.boxes[box]!.messages[uid] = message
        model.boxes[box]!.nextUID = max(model.boxes[box]!.nextUID, uid + 1)
    }

    private func changeFlags(_ box: String, _ mailbox: Mailbox, conditional: Bool) throws {
        let uids = someUIDs(box)
        let (added, removed) = (someFlags(), someFlags())
        let before = try #require(model.boxes[box])
        let since =
            conditional
            ? ModSeq.random(
                in: before.highest > 20 ? before.highest - 20...before.highest : 0...before.highest, using: &random)
            : nil
        let replaces = chance(4)
        trace.append(
            "flags \(uids) of \(box) +\(added.sorted()) -\(replaces ? ["all"] : removed.sorted()) since \(since ?? 0)")
        let change =
            replaces
            ? FlagChange.replace(with: try flags(added, mailbox))
            : FlagChange(add: try flags(added, mailbox), remove: try flags(removed, mailbox))
        let result = try mailbox.changeFlags(uids.map { UID($0) }, change, unchangedSince: since)
        var missing: [UInt32] = []
        var modified: [UInt32] = []
        for uid in uids {
            guard let old = before.messages[uid] else {
                missing.append(uid)
                continue
            }
            if let since, old.modSeq > since {
                modified.append(uid)
                continue
            }
            let flags = replaces ? added : old.flags.subtracting(removed).union(added)
            let now = try #require(result.changed.first { $0.uid.rawValue == uid })
            if flags == old.flags {
                #expect(now.modSeq == old.modSeq, "nothing changed in \(uid)")
            } else {
                #expect(now.modSeq > before.highest)
            }
            model.boxes[box]!.messages[uid]!.flags = flags
            model.boxes[box]!.messages[uid]!.modSeq = now.modSeq
        }
        #expect(result.missing.map(\.rawValue).sorted() == missing.sorted())
        #expect(result.modified.map(\.rawValue).sorted() == modified.sorted())
    }

    private func expunge(_ box: String, _ mailbox: Mailbox, onlyDeleted: Bool) throws {
        let uids = someUIDs(box)
        trace.append("\(onlyDeleted ? "expunge" : "remove") \(uids) of \(box)")
        let messages = try #require(model.boxes[box]).messages
        let expected = uids.filter { uid in
            messages[uid].map { !onlyDeleted || $0.flags.contains("\\Deleted") } ?? false
        }
        let wanted = uids.map { UID($0) }
        let gone = try onlyDeleted ? mailbox.expunge(wanted) : mailbox.remove(wanted)
        #expect(gone.map(\.rawValue).sorted() == expected.sorted())
        for uid in expected { take(box, uid, waits: true) }
    }

    private func take(_ box: String, _ uid: UInt32, waits: Bool) {
        let message = model.boxes[box]!.messages.removeValue(forKey: uid)
        if waits { model.boxes[box]!.waiting[uid] = message }
    }

    private func undelete(_ box: String, _ mailbox: Mailbox) throws {
        let waiting = try mailbox.recoverableMessages()
        let expected = try #require(model.boxes[box]).waiting
        #expect(waiting.map(\.uid.rawValue).sorted() == expected.keys.sorted())
        guard let one = waiting.randomElement(using: &random), var message = expected[one.uid.rawValue] else { return }
        trace.append("undelete \(one.uid) of \(box)")
        guard model.hasRoom(ModelStore.account(box), message.text.utf8.count) else {
            #expect(throws: StoreError(.overQuota, "")) { try mailbox.undelete(one) }
            return
        }
        let result = try mailbox.undelete(one)
        #expect(result.uid.rawValue >= model.boxes[box]!.nextUID)
        model.boxes[box]!.waiting[one.uid.rawValue] = nil
        message.flags.remove("\\Deleted")
        message.modSeq = result.modSeq
        add(box, result.uid.rawValue, message)
    }

    private func transfer(_ box: String, _ mailbox: Mailbox, moves: Bool) throws {
        let targetBox = Self.boxes.randomElement(using: &random)!
        let target = try targetBox == box ? mailbox : self.mailbox(targetBox)
        let uids = someUIDs(box)
        trace.append("\(moves ? "move" : "copy") \(uids) of \(box) to \(targetBox)")
        let messages = try #require(model.boxes[box]).messages
        let expected = uids.filter { messages[$0] != nil }
        let account = ModelStore.account(targetBox)
        let bytes = expected.reduce(0) { $0 + messages[$1]!.text.utf8.count }
        if !(moves && account == ModelStore.account(box)), !model.hasRoom(account, bytes) {
            #expect(throws: StoreError(.overQuota, "")) {
                moves
                    ? try mailbox.move(uids.map { UID($0) }, to: target)
                    : try mailbox.copy(uids.map { UID($0) }, to: target)
            }
            return
        }
        let floor = try #require(model.boxes[targetBox]).nextUID
        let result =
            try moves ? mailbox.move(uids.map { UID($0) }, to: target) : mailbox.copy(uids.map { UID($0) }, to: target)
        #expect(result.copied.map(\.source.rawValue) == expected)
        #expect(result.copied.map(\.target.rawValue).sorted() == result.copied.map(\.target.rawValue))
        let snapshot = try target.snapshot()
        for (source, new) in result.copied {
            #expect(new.rawValue >= floor)
            var message = try #require(messages[source.rawValue])
            message.modSeq = try #require(snapshot.messages.entry(of: new)).modSeq
            if moves { take(box, source.rawValue, waits: false) }
            add(targetBox, new.rawValue, message)
        }
    }

    private func takeRecent(_ box: String, _ mailbox: Mailbox) throws {
        trace.append("recent \(box)")
        let recent = try mailbox.takeRecent().rawValue
        #expect(recent >= model.boxes[box]!.recent)
        let next = try mailbox.snapshot().recentUID.rawValue
        #expect(next > (model.boxes[box]!.messages.keys.max() ?? 0), "nothing is recent to two sessions")
        model.boxes[box]!.recent = next
    }

    /// Synchronizes the client by CONDSTORE and QRESYNC alone; afterwards it must know everything.
    private func synchronize(_ box: String, _ mailbox: Mailbox) throws {
        trace.append("synchronize \(box)")
        let snapshot = try mailbox.snapshot()
        var client = try #require(model.boxes[box]).client
        if let gone = try mailbox.expunged(since: client.modSeq) {
            for uid in gone { client.known[uid.rawValue] = nil }
        } else {
            client.known = client.known.filter { snapshot.messages.entry(of: UID($0.key)) != nil }
        }
        snapshot.messages.forEach { entry in
            if entry.modSeq > client.modSeq { client.known[entry.uid.rawValue] = names(entry.flags, snapshot.keywords) }
        }
        client.modSeq = snapshot.highestModSeq
        #expect(client.known == model.boxes[box]!.messages.mapValues(\.flags))
        model.boxes[box]!.client = client
    }

    /// Drops one of the two stores and reopens it, closed cleanly or not.
    private func reopen() throws {
        let closes = Bool.random(using: &random)
        trace.append("reopen, \(closes ? "closed" : "left")")
        if Bool.random(using: &random) {
            if closes { try store.store.close() }
            try store.reopen()
        } else {
            if closes { try other.close() }
            other = try Store.open(store.path, options: store.options)
        }
    }

    /// Simulates a reboot that loses nothing.
    private func restart() throws {
        let closes = Bool.random(using: &random)
        trace.append("restart, \(closes ? "closed" : "left")")
        if closes {
            try other.close()
            try store.store.close()
        }
        boots += 1
        try store.reopen { $0.bootID = "boot-\(self.boots)" }
        other = try Store.open(store.path, options: store.options)
        for box in Self.boxes {
            let snapshot = try mailbox(box).snapshot()
            for uid in model.boxes[box]!.messages.keys {
                // New mod-sequences are allowed, lower ones are not.
                let now = try #require(snapshot.messages.entry(of: UID(uid))).modSeq
                #expect(now >= model.boxes[box]!.messages[uid]!.modSeq)
                model.boxes[box]!.messages[uid]!.modSeq = now
            }
        }
    }

    // MARK: comparison

    private func look(_ box: String) throws {
        let mailbox = try mailbox(box)
        let snapshot = try mailbox.snapshot()
        let expected = try #require(model.boxes[box])
        var found: [String] = []
        snapshot.messages.forEach { entry in
            let uid = entry.uid.rawValue
            #expect(entry.modSeq <= snapshot.highestModSeq)
            #expect(Int(entry.size) == expected.messages[uid]?.text.utf8.count)
            found.append("\(uid) @\(entry.modSeq) \(names(entry.flags, snapshot.keywords).sorted())")
        }
        let wanted = expected.messages.sorted { $0.key < $1.key }.map { "\($0) @\($1.modSeq) \($1.flags.sorted())" }
        try #require(found == wanted, "\(box)")
        #expect(snapshot.messages.count == expected.messages.count)
        #expect(snapshot.uidNext.rawValue >= expected.nextUID)
        #expect(snapshot.highestModSeq >= expected.highest)
        model.boxes[box]!.highest = max(expected.highest, snapshot.highestModSeq)
        model.boxes[box]!.nextUID = max(expected.nextUID, snapshot.uidNext.rawValue)
        if let uid = expected.messages.keys.sorted().randomElement(using: &random) {
            #expect(try mailbox.text(UID(uid)) == expected.messages[uid]!.text)
        }
        let account = ModelStore.account(box)
        let quota = try store.store.account(AccountAddress(parsing: account)).quota()
        #expect(quota.bytes == UInt64(model.bytes(account)))
        #expect(quota.messages == UInt64(model.count(account)))
    }
}
