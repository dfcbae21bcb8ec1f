import Glibc

@testable import ShardFS

/// A mailbox as a client sees it.
struct MailboxWorld: Equatable {
    struct Message: Equatable {
        var text: String
        var flags: MessageFlags
        var date: Int64
        /// Keywords without a letter.
        var extra: [String] = []
    }

    var id: String
    var uidValidity: UInt32
    var uidNext: UID
    var highestModSeq: ModSeq
    var messages: [UInt32: Message]

    /// The keyword of a run that frees a letter for it: an extra one where a fault keeps the letter from being freed, and
    /// so compared by its name.
    private static let keywordInEitherForm = "New"

    init(_ mailbox: Mailbox) throws {
        let snapshot = try mailbox.snapshot()
        id = snapshot.mailboxID
        uidValidity = snapshot.uidValidity
        uidNext = snapshot.uidNext
        highestModSeq = snapshot.highestModSeq
        messages = [:]
        for i in 0..<snapshot.messages.count {
            let entry = snapshot.messages[i]
            let file = try mailbox.open(entry.uid)
            let text = Self.checked(
                String(decoding: try file.read(), as: UTF8.self), snapshot.keywords.names(in: entry.flags))
            var (flags, extra) = (entry.flags, snapshot.extraKeywords.names(of: entry.uid))
            if let letter = snapshot.keywords.flag(Self.keywordInEitherForm), flags.contains(letter) {
                flags.subtract(letter)
                extra.append(Self.keywordInEitherForm)
            }
            messages[entry.uid.rawValue] = Message(
                text: file.size == entry.size ? text : "SIZE \(entry.size) IN THE VIEW, \(file.size) ON DISK",
                flags: flags, date: file.internalDate, extra: extra)
        }
    }

    /// A message says by "[may be A B]" which keywords it may ever show.
    private static func checked(_ text: String, _ keywords: [String]) -> String {
        guard text.hasPrefix("[may be "), let end = text.firstIndex(of: "]") else { return text }
        let allowed = text[..<end].dropFirst("[may be ".count).split(separator: " ").map(String.init)
        let wrong = keywords.filter { !allowed.contains($0) }
        return wrong.isEmpty ? text : "SHOWN AS \(wrong) THOUGH \(text)"
    }

    var listing: String {
        messages.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.flags.letters)" }.joined(separator: " ")
    }
}

/// The mailboxes of a store that a test names, by `address/mailbox`.
typealias World = [String: MailboxWorld]

/// A mailbox used by a test.
struct Place: Hashable {
    var address = "alice@example.com"
    var mailbox = "INBOX"
    var key: String { "\(address)/\(mailbox)" }

    static let inbox = Place()
    static let sent = Place(mailbox: "Sent")
    static let bob = Place(address: "bob@example.com")

    func open(_ store: Store) throws(StoreError) -> Mailbox {
        try store.account(AccountAddress(parsing: address)).mailbox(MailboxName(mailbox))
    }

    /// Opens the mailbox; nil if it does not exist.
    func find(_ store: Store) throws -> Mailbox? {
        do { return try open(store) } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }
}

extension Store {
    /// The current view of clients; a nonexistent mailbox is absent.
    func world(_ places: [Place]) throws -> World {
        var world: World = [:]
        for place in places {
            if let mailbox = try place.find(self) { world[place.key] = try MailboxWorld(mailbox) }
        }
        return world
    }
}

/// The effect of one step of a test on the messages: which states between before and after are legal.
enum StepKind: Sendable {
    /// Messages come or go individually, flags change.
    case single
    /// All new messages of a mailbox or none.
    case set
    /// Every message of before exists somewhere after.
    case move
}

/// The rules that hold at every moment between two states: `before` is acknowledged and `after` is not yet.
struct Rules {
    var before: World
    var after: World
    var kind: StepKind
    /// Everything ever shown: content by mailbox id and UID.
    var shown: [String: [UInt32: String]] = [:]
    /// Every set of flags and keywords that a message ever had; nil if they are exact.
    var flagsShown: [String: [UInt32: FlagsShown]]?

    struct FlagsShown {
        var flags: Set<UInt64> = []
        var extra: Set<[String]> = []

        init(_ messages: [MailboxWorld.Message] = []) { for message in messages { insert(message) } }

        mutating func insert(_ message: MailboxWorld.Message) {
            flags.insert(message.flags.rawValue)
            extra.insert(message.extra)
        }
    }

    /// The violations in `now`.
    func violations(_ now: World) -> [String] {
        var wrong: [String] = []
        for (id, keys) in ids() {
            let present = keys.filter { now[$0]?.id == id }
            let old = keys.compactMap { before[$0]?.id == id ? before[$0] : nil }.first
            let new = keys.compactMap { after[$0]?.id == id ? after[$0] : nil }.first
            guard let key = present.first else {
                if old != nil, new != nil { wrong.append("mailbox \(keys.sorted()) is gone") }
                continue
            }
            if present.count > 1 { wrong.append("mailbox \(id) has two names: \(present)") }
            if let mailbox = now[key] { check(key, mailbox, old, new, &wrong) }
        }
        for (key, mailbox) in now where ids()[mailbox.id] == nil {
            wrong.append("mailbox \(key) has an id that nobody gave it")
        }
        if kind == .move { checkMoved(now, &wrong) }
        return wrong
    }

    private func ids() -> [String: Set<String>] {
        var ids: [String: Set<String>] = [:]
        for world in [before, after] { for (key, mailbox) in world { ids[mailbox.id, default: []].insert(key) } }
        return ids
    }

    private func check(
        _ key: String, _ now: MailboxWorld, _ old: MailboxWorld?, _ new: MailboxWorld?, _ wrong: inout [String]
    ) {
        let old = old?.messages ?? [:]
        let new = new?.messages ?? [:]
        for (uid, message) in now.messages {
            guard let text = shown[now.id]?[uid] ?? new[uid]?.text ?? old[uid]?.text else {
                wrong.append("\(key): UID \(uid) was never given out")
                continue
            }
            if text != message.text { wrong.append("\(key): UID \(uid) has other bytes: \(message.text.prefix(60))") }
            let states = [old[uid], new[uid]].compactMap { $0 }
            if states.isEmpty { wrong.append("\(key): UID \(uid) was expunged and is back") }
            let legal = flagsShown?[now.id]?[uid] ?? FlagsShown(states)
            if !states.isEmpty, !legal.flags.contains(message.flags.rawValue) {
                wrong.append("\(key): UID \(uid) has the flags '\(message.flags.letters)'")
            }
            if !states.isEmpty, !legal.extra.contains(message.extra) {
                wrong.append("\(key): UID \(uid) has the keywords \(message.extra)")
            }
            if let date = states.first?.date, date != message.date {
                wrong.append("\(key): UID \(uid) has the date \(message.date), not \(date)")
            }
        }
        for uid in old.keys where new[uid] != nil && now.messages[uid] == nil {
            wrong.append("\(key): UID \(uid), acknowledged, is lost")
        }
        let fresh = new.keys.filter { old[$0] == nil }
        let there = fresh.filter { now.messages[$0] != nil }
        if kind == .set, !there.isEmpty, there.count != fresh.count {
            wrong.append("\(key): of the set \(fresh.sorted()) only \(there.sorted()) is there")
        }
    }

    private func checkMoved(_ now: World, _ wrong: inout [String]) {
        let texts = now.values.flatMap { $0.messages.values.map(\.text) }
        for message in before.values.flatMap({ $0.messages.values }) where !texts.contains(message.text) {
            wrong.append("a moved message is in no mailbox")
        }
    }
}
