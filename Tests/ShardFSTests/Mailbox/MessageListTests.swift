import Glibc
import Testing

@testable import ShardFS

/// Compares the packed list with a plain dictionary.
@Suite struct MessageListTests {
    private struct Model {
        var messages: [UInt32: (flags: UInt64, modSeq: ModSeq, size: UInt32)] = [:]
        var uids: [UInt32] { messages.keys.sorted() }
    }

    @Test func randomChangesAgreeWithAPlainDictionary() {
        var random = SystemRandomNumberGenerator()
        var list = MessageList()
        var model = Model()
        var old: [(list: MessageList, model: Model, modSeq: ModSeq)] = []
        for step in 1...6_000 {
            let uid = UInt32.random(in: 1...4_500, using: &random)
            let modSeq = ModSeq(step)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let flags = UInt64.random(in: 0..<32, using: &random)
                let size = UInt32.random(in: 0..<10_000, using: &random)
                list.put(uid, flags: flags, modSeq: modSeq, size: size, record: 0)
                model.messages[uid] = (flags, modSeq, size)
            case 5..<8:
                let flags = UInt64.random(in: 0..<32, using: &random)
                #expect(list.setFlags(uid, flags, modSeq) == (model.messages[uid] != nil))
                if let size = model.messages[uid]?.size { model.messages[uid] = (flags, modSeq, size) }
            default:
                #expect((list.remove(uid) != nil) == (model.messages.removeValue(forKey: uid) != nil))
            }
            if step % 1_000 == 0 { old.append((list, model, modSeq)) }
        }
        check(list, model)
        list.locateShards()
        check(list, model)
        for (before, then, modSeq) in old {
            // A copy does not change.
            check(before, then)
            var changed: [UInt32] = []
            list.forEachChanged(since: modSeq, in: 1...4_000) { changed.append($1.uid.rawValue) }
            #expect(changed == model.uids.filter { $0 <= 4_000 && model.messages[$0]!.modSeq > modSeq })
            let places = Dictionary(uniqueKeysWithValues: changed.map { ($0, list.count(below: UID($0))) })
            list.forEachChanged(since: modSeq, in: 1_500...4_000) { #expect(places[$1.uid.rawValue] == $0) }
            var missing: [UID] = []
            before.forEachMissing(from: list) {
                #expect($0 == before.count(below: $1.uid))
                missing.append($1.uid)
            }
            #expect(missing == then.uids.filter { model.messages[$0] == nil }.map { UID($0) })
            #expect(list.counts(below: missing) == missing.map { list.count(below: $0) })
        }
    }

    private func check(_ list: MessageList, _ model: Model) {
        let uids = model.uids
        #expect(list.count == uids.count)
        var listed: [UInt32] = []
        list.forEach { listed.append($0.uid.rawValue) }
        #expect(listed == uids)
        let seen = MessageFlags.seen.rawValue
        let deleted = MessageFlags.deleted.rawValue
        let all = model.messages.values
        #expect(list.totals.unseen == all.count { $0.flags & seen == 0 })
        #expect(list.totals.deleted == all.count { $0.flags & deleted != 0 })
        #expect(list.totals.octets == all.reduce(0) { $0 + UInt64($1.size) })
        #expect(list.totals.deletedOctets == all.reduce(0) { $0 + ($1.flags & deleted != 0 ? UInt64($1.size) : 0) })
        #expect(list.firstUnseen == uids.firstIndex { model.messages[$0]!.flags & seen == 0 })
        checkCollection(list, uids)
    }

    private func checkCollection(_ list: MessageList, _ uids: [UInt32]) {
        let places = Array(uids.indices)
        #expect(Array(list).map(\.uid.rawValue) == uids, "by iterator")
        #expect(places.map { list[$0].uid.rawValue } == uids, "by index")
        #expect(list.reversed().map(\.uid.rawValue) == uids.reversed())
        #expect(uids.map { list.index(of: UID($0)) } == places)
        #expect(uids.map { list.entry(of: UID($0))?.uid } == uids.map { UID($0) })
        #expect(uids.map { list.count(below: UID($0)) } == places)
        #expect(list.counts(below: uids.map { UID($0) }) == places)
        #expect(list.count(below: .max) == uids.count { $0 < .max })
        #expect((list.first?.uid.rawValue, list.last?.uid.rawValue) == (uids.first, uids.last))
        #expect((list.isEmpty, list.count, list.endIndex) == (uids.isEmpty, uids.count, uids.count))
        let middle = uids.count / 3..<uids.count - uids.count / 3
        #expect(list[middle].map(\.uid.rawValue) == Array(uids[middle]))
    }

    /// UIDs to put and then to remove again, so that shards are full, sparse, far apart, and gone.
    static let collections: [(put: [UInt32], removed: [UInt32])] = [
        ([], []), ([1], []), ([1], [1]), ([.max], []), ([999, 1000, 1001], []), ([999, 1000, 1001], [1000]),
        ([1, 4_294_967_294, .max], []), ([1, 2_000_000_000, .max], [2_000_000_000]),
        (Array(1...3_500), []), (Array(1...3_500), Array(1...2_100)), (Array(1...3_500), Array(1_000...1_999)),
        (Array(1...3_500).reversed(), []), (stride(from: 7, to: 60_000, by: 900).map { $0 }, [7, 907, 30_607]),
    ]

    @Test(arguments: collections) func isACollection(put: [UInt32], removed: [UInt32]) {
        var list = MessageList()
        for uid in put { list.put(uid, flags: 0, modSeq: 1, size: uid, record: 0) }
        let before = list
        // Shards are located when a snapshot is taken: later changes must agree with a list that has not located them.
        list.locateShards()
        checkCollection(list, put.sorted())
        let gone = Set(removed)
        let left = put.filter { !gone.contains($0) }.sorted()
        for uid in removed {
            list.remove(uid)
            if let last = left.last { #expect(list[list.index(of: UID(last)) ?? .max].uid == UID(last)) }
        }
        checkCollection(list, left)
        for uid in removed { list.put(uid, flags: 0, modSeq: 2, size: uid, record: 0) }
        checkCollection(list, put.sorted())
        checkCollection(before, put.sorted())
        var iterator = before.makeIterator()
        list.locateShards()
        for uid in put.sorted() { #expect(iterator.next()?.uid == UID(uid)) }
        #expect(iterator.next() == nil && iterator.next() == nil)
    }

    @Test func forEachStopsAtAnError() {
        struct Enough: Error {}
        var list = MessageList()
        for uid in 1...2_500 { list.put(UInt32(uid), flags: 0, modSeq: 1, size: 1, record: 0) }
        var reported: [UID] = []
        #expect(throws: Enough.self) {
            try list.forEach(in: 998...2_100) { entry throws(Enough) in
                if entry.uid == 1_002 { throw Enough() }
                reported.append(entry.uid)
            }
        }
        #expect(reported == [998, 999, 1_000, 1_001])
    }
}

/// INTERNALDATE in the message list.
@Suite struct InternalDateTests {
    @Test func datesAreTheFilesTimesHoweverTheyBecameKnown() throws {
        let t = try TestStore()
        defer { t.check() }
        let inbox = try t.mailbox()
        let first = try inbox.append("a", date: 1_000_000_000)
        let second = try inbox.append("b", [.seen])
        func entry(_ uid: UID, _ mailbox: Mailbox) throws -> MessageEntry {
            try #require(try mailbox.snapshot().messages.entry(of: uid))
        }
        // Known from the append, without reading the file.
        #expect(try entry(first, inbox).knownInternalDate == 1_000_000_000)
        #expect(try entry(second, inbox).knownInternalDate == inbox.open(second).internalDate)
        // Unknown after a start: looked up for the whole shard at once.
        try t.reopen()
        let again = try t.mailbox()
        #expect(try entry(first, again).knownInternalDate == nil)
        #expect(try again.internalDate(of: entry(second, again)) == again.open(second).internalDate)
        #expect(try entry(first, again).knownInternalDate == 1_000_000_000)
        // A message added by another process, to a shard whose dates are already known.
        let other = try TestStore.second(t).account(AccountAddress(parsing: "alice@example.com")).mailbox(.inbox)
        let third = try other.append("c", date: 2_000_000_000)
        #expect(try entry(third, again).knownInternalDate == nil)
        #expect(try again.internalDate(of: entry(third, again)) == 2_000_000_000)
        #expect(try entry(third, again).knownInternalDate == 2_000_000_000)
        // A renamed file is the same message.
        _ = try again.changeFlags([third], .add([.flagged]))
        #expect(try entry(third, again).knownInternalDate == 2_000_000_000)
        // Expunged: the file is kept and its date is reported; an older snapshot's entry still finds it.
        let pendingExpunge = try entry(second, again)
        let date = try again.open(second).internalDate
        _ = try again.remove([second])
        #expect(try again.internalDate(of: pendingExpunge) == date)
        #expect(try entry(first, again).knownInternalDate == 1_000_000_000)
    }

    /// The dates of a set are known from the start, in every shard it reaches; where most are unknown they stay so.
    @Test func datesOfASetAreKnown() throws {
        let t = try TestStore()
        defer { t.check() }
        let inbox = try t.mailbox()
        func set(_ count: Int) throws -> [(FinishedMessage, MessageFlags)] {
            try (0..<count).map { (try inbox.finished("\($0)", date: 1_000_000_000 + Int64($0)), []) }
        }
        func known(_ mailbox: Mailbox) throws -> [Int64?] {
            var dates: [Int64?] = []
            try mailbox.snapshot().messages.forEach { dates.append($0.knownInternalDate) }
            return dates
        }
        let results = try inbox.append(set(1_050))
        #expect(results.last?.uid.shard == 1)
        #expect(try known(inbox) == (0..<1_050).map { 1_000_000_000 + $0 })
        try t.reopen()
        let again = try t.mailbox()
        _ = try again.append("one", date: 5)
        #expect(try known(again).allSatisfy { $0 == nil })
        let last = try #require(try again.snapshot().messages.last)
        #expect(try again.internalDate(of: last) == 5)
    }

    @Test(
        arguments: [
            (-5, -5), (-2_000_000_000, -2_000_000_000), (4_294_967_295, 4_294_967_295), (9_000_000_000, 9_000_000_000),
        ] as [(Int, Int64)])
    func aFilesOddTimeIsReported(_ time: Int, _ reported: Int64) throws {
        let t = try TestStore()
        defer { t.check() }
        let uid = try t.mailbox().append("a")
        let name = "\(try t.directory())/0000/\(MessageFileName.string(uid, []))"
        var times = [timespec(tv_sec: time, tv_nsec: 0), timespec(tv_sec: time, tv_nsec: 0)]
        try #require(utimensat(AT_FDCWD, name, &times, 0) == 0)
        try t.reopen()
        let inbox = try t.mailbox()
        let entry = try #require(try inbox.snapshot().messages.entry(of: uid))
        #expect(try inbox.internalDate(of: entry) == reported)
    }
}
