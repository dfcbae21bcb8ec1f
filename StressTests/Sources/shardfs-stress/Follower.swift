import Glibc
import ShardFS

/// A reader that polls the mailboxes and compares each snapshot with the one before, like a mail program with CONDSTORE
/// and QRESYNC.
struct Follower {
    private struct Seen {
        var uidValidity: UInt32
        var highest: ModSeq = 0
        var uidNext: UID = 0
        var highestUID: UInt32 = 0
        /// The client's copy, maintained from reported changes only.
        var cache: [UInt32: MessageFlags] = [:]
        var modSeqs: [UInt32: ModSeq] = [:]
    }

    private let store: Store
    private let history: HistoryWriter
    private var seen: [String: Seen] = [:]

    init(store: Store, history: HistoryWriter) {
        self.store = store
        self.history = history
    }

    mutating func run(until deadline: UInt64, pause: UInt32) {
        while now() < deadline {
            for name in World.mailboxes {
                do throws(StoreError) { try poll(name) } catch {
                    history.violation("follower of \(name): \(error.code) \(error.message)")
                }
            }
            usleep(pause)
        }
    }

    private mutating func poll(_ name: String) throws(StoreError) {
        let mailbox = try World.mailbox(name, in: store)
        let snapshot = try mailbox.snapshot()
        func wrong(_ text: String) { history.violation("follower of \(name): \(text)") }
        guard var last = seen[name] else {
            var first = Seen(uidValidity: snapshot.uidValidity)
            update(&first, snapshot)
            seen[name] = first
            return
        }
        if snapshot.uidValidity != last.uidValidity { wrong("UIDVALIDITY changed") }
        if snapshot.highestModSeq < last.highest {
            wrong("HIGHESTMODSEQ went down from \(last.highest) to \(snapshot.highestModSeq)")
        }
        if snapshot.uidNext < last.uidNext { wrong("UIDNEXT went down from \(last.uidNext) to \(snapshot.uidNext)") }
        // The expunges reported by the engine; asked after the snapshot, so it may know more.
        let gone = try mailbox.expunged(since: last.highest).map { Set($0.map(\.rawValue)) }
        for uid in last.cache.keys where snapshot.messages.entry(of: UID(uid)) == nil {
            if let gone, !gone.contains(uid) { wrong("message \(uid) vanished without being told") }
        }
        var previous: UInt32 = 0
        snapshot.messages.forEach { entry in
            let uid = entry.uid.rawValue
            if uid <= previous { wrong("UIDs \(previous) and \(uid) do not rise in one listing") }
            previous = uid
            if entry.uid >= snapshot.uidNext { wrong("message \(uid) is not below UIDNEXT \(snapshot.uidNext)") }
            if entry.modSeq > snapshot.highestModSeq {
                wrong("message \(uid) has mod-sequence \(entry.modSeq) above HIGHESTMODSEQ \(snapshot.highestModSeq)")
            }
            if let flags = last.cache[uid] {
                if flags != entry.flags, entry.modSeq <= last.highest {
                    wrong(
                        "flags of \(uid) went from '\(flags.letters)' to '\(entry.flags.letters)', but its "
                            + "mod-sequence \(entry.modSeq) is not above \(last.highest)")
                }
                if let modSeq = last.modSeqs[uid], entry.modSeq < modSeq {
                    wrong("the mod-sequence of \(uid) went down from \(modSeq) to \(entry.modSeq)")
                }
            } else if uid <= last.highestUID {
                wrong("message \(uid) appeared below \(last.highestUID), which was seen before")
            } else if entry.modSeq <= last.highest {
                wrong("new message \(uid) has mod-sequence \(entry.modSeq), not above \(last.highest)")
            }
        }
        update(&last, snapshot)
        seen[name] = last
    }

    private func update(_ seen: inout Seen, _ snapshot: MailboxSnapshot) {
        seen.highest = snapshot.highestModSeq
        seen.uidNext = snapshot.uidNext
        seen.cache = [:]
        seen.modSeqs = [:]
        snapshot.messages.forEach { entry in
            seen.cache[entry.uid.rawValue] = entry.flags
            seen.modSeqs[entry.uid.rawValue] = entry.modSeq
            seen.highestUID = max(seen.highestUID, entry.uid.rawValue)
        }
    }
}
