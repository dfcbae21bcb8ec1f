import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// Keeps parts in memory, and corrupts them on demand.
final class MemoryViewCache: ViewCache {
    let kept = Locked<[ViewCacheKey: [UInt32: [UInt8]]]>([:])
    let refuses = Locked(false)

    func load(_ key: ViewCacheKey, _ body: (UInt32, UnsafeRawBufferPointer) -> Void) {
        for (part, bytes) in kept.withLock({ $0[key] ?? [:] }) { bytes.withUnsafeBytes { body(part, $0) } }
    }

    func store(_ key: ViewCacheKey, _ parts: [(part: UInt32, bytes: [UInt8])], forgetting: [UInt32]) -> Bool {
        if refuses.withLock({ $0 }) { return false }
        kept.withLock { kept in
            for number in forgetting { kept[key]?[number] = nil }
            for (part, bytes) in parts { kept[key, default: [:]][part] = bytes }
        }
        return true
    }

    func change(_ body: (inout [UInt32: [UInt8]]) -> Void) {
        kept.withLock { kept in for key in kept.keys { body(&kept[key]!) } }
    }
}

/// Counts listings of shards.
private final class ListingCounter: SystemHook {
    let count = Locked(0)
    let shards = Locked<Set<Int32>>([])

    func before(_ call: SystemCall) -> Errno? { nil }
    func after(_ call: SystemCall, result: Int) {
        switch call {
        case .open(let directory, let path, _):
            if ShardName.parse(path) != nil { shards.withLock { _ = $0.insert(Int32(result)) } }
            // A listing opens the directory again.
            if path == ".", shards.withLock({ $0.contains(directory) }) { count.withLock { $0 += 1 } }
        case .close(let fd): shards.withLock { _ = $0.remove(fd) }
        default: break
        }
    }

    /// Returns the number of shards listed since the last call.
    func take() -> Int {
        count.withLock { n in
            defer { n = 0 }
            return n
        }
    }
}

extension ShardName {
    fileprivate static func parse(_ text: String) -> UInt32? {
        Array(text.utf8).withUnsafeBufferPointer { parse($0) }
    }
}

/// A mailbox is the same with a cached view, a damaged one, an old one or none.
@Suite struct ViewCacheTests {
    private static let shards = 8

    /// A store with a mailbox of eight shards, whose directories count as old.
    private struct Bench {
        let t: TestStore
        let cache = MemoryViewCache()
        let counter = ListingCounter()

        init() throws {
            var options = StoreOptions()
            options.durability = .none
            // Everything done so far counts as long ago.
            options.clock = { Clocks.wall() + 100 }
            options.viewCache = cache
            options.hook = counter
            t = try TestStore(options)
            _ = try t.account()
            let inbox = try t.directory()
            try Self.makeTree(inbox)
            for shard in 0..<ViewCacheTests.shards {
                try #require(mkdir("\(inbox)/\(ShardName.string(UInt32(shard)))", 0o700) == 0)
                for i in 1...5 {
                    let name = MessageFileName.string(UID(UInt32(shard * 1000 + i * 7)), i == 2 ? [.seen] : [])
                    Self.write("\(inbox)/\(ShardName.string(UInt32(shard)))/\(name)", "message \(shard).\(i)")
                }
            }
            _ = try t.mailbox().contents()
            // Listed by the recovery and by the opening.
            try #require(counter.take() >= ViewCacheTests.shards)
        }

        static func makeTree(_ path: String) throws {
            var made = ""
            for component in path.split(separator: "/") {
                made += "/\(component)"
                mkdir(made, 0o700)
            }
            try #require(access(path, W_OK) == 0)
        }

        static func write(_ path: String, _ text: String) {
            let fd = open(path, O_CREAT | O_WRONLY, 0o600)
            _ = Glibc.write(fd, text, text.utf8.count)
            close(fd)
        }

        /// Reopens the mailbox as a new process would.
        func reopen() throws -> Mailbox {
            try t.reopen()
            return try t.mailbox()
        }

        /// The result of opening without a cache, which writes nothing.
        func truth() throws -> [MessageEntry] {
            var options = t.options
            options.viewCache = nil
            options.readOnly = true
            options.hook = nil
            return try Store.open(t.path, options: options).account(AccountAddress(parsing: "alice@example.com"))
                .mailbox(MailboxName("INBOX")).entries()
        }

        func expectTruth(_ mailbox: Mailbox, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let truth = try truth()
            let entries = try mailbox.entries()
            #expect(entries == truth, sourceLocation: sourceLocation)
            for entry in entries {
                #expect(throws: Never.self, sourceLocation: sourceLocation) { _ = try mailbox.text(entry.uid) }
            }
        }
    }

    @Test func aKeptViewSparesTheListing() throws {
        let b = try Bench()
        try b.t.store.close()
        _ = b.counter.take()
        let again = try b.reopen()
        #expect(b.counter.take() == 0)
        try b.expectTruth(again)
        // One shard is changed: one is listed, even after a crash.
        try again.append("new")
        _ = try again.changeFlags([UID(3007)], .add([.flagged]))
        let killed = try b.reopen()
        #expect(b.counter.take() <= 2)
        try b.expectTruth(killed)
        b.t.check()
    }

    @Test func withoutAGoodCloseTheLastKeptOneServes() throws {
        let b = try Bench()
        // The first opening listed all shards and cached the result.
        let again = try b.reopen()
        #expect(b.counter.take() == 0)
        try b.expectTruth(again)
        try b.t.account().maintain()
        _ = try again.remove([UID(7)])
        try again.append("new")
        try b.t.account().maintain()
        _ = b.counter.take()
        let third = try b.reopen()
        #expect(b.counter.take() == 0)
        try b.expectTruth(third)
        b.t.check()
    }

    @Test func datesAreKept() throws {
        let b = try Bench()
        let inbox = try b.t.mailbox()
        let entry = try #require(inbox.entries().first)
        let date = try inbox.internalDate(of: entry)
        try b.t.store.close()
        let again = try b.reopen()
        #expect(try again.entries().first?.knownInternalDate == date)
    }

    enum Hand: CaseIterable, Sendable {
        case rename, remove, add, odd, removeShard, emptyLog, logByte, logHeader, status, replacedShard, copiedMailbox
        case compact, otherEpoch, uidValidity
    }

    /// Changes to the files while no server runs.
    @Test(arguments: Hand.allCases) func foreignHands(_ hand: Hand) throws {
        let b = try Bench()
        try b.t.store.close()
        let inbox = try b.t.directory()
        let shard = "\(inbox)/0003"
        switch hand {
        case .rename: #expect(rename("\(shard)/00003007_.eml", "\(shard)/00003007_FS.eml") == 0)
        case .remove: #expect(unlink("\(shard)/00003007_.eml") == 0)
        case .add: Bench.write("\(shard)/00003999_.eml", "by hand")
        case .odd: #expect(rename("\(shard)/00003007_.eml", "\(shard)/3007_S.eml") == 0)
        case .removeShard: removeTree(shard)
        case .emptyLog: #expect(truncate("\(inbox)/changes.log", 0) == 0)
        case .logByte: Self.spoil("\(inbox)/changes.log", at: 8192 + 64 * 10 + 20)
        case .logHeader:
            Self.spoil("\(inbox)/changes.log", at: 100)
            Self.spoil("\(inbox)/changes.log", at: 4196)
        case .status: #expect(unlink("\(inbox)/status.json") == 0)
        case .replacedShard:
            #expect(rename(shard, "\(inbox)/kept") == 0)
            #expect(mkdir(shard, 0o700) == 0)
            #expect(rename("\(inbox)/kept/00003007_.eml", "\(shard)/00003007_.eml") == 0)
            removeTree("\(inbox)/kept")
        case .copiedMailbox:
            #expect(Program.run(["cp", "-a", inbox, "\(inbox).copy"]).status == 0)
            removeTree(inbox)
            #expect(rename("\(inbox).copy", inbox) == 0)
            #expect(unlink("\(inbox)/0002/00002007_.eml") == 0)
        case .compact: try b.t.mailbox().compact()
        case .otherEpoch:
            try b.t.reopen { $0.bootID = "other" }
            try b.t.mailbox().append("after the restart")
            try b.t.reopen { $0.bootID = "another" }
        case .uidValidity:
            let text = try Program.text("\(inbox)/status.json")
            unlink("\(inbox)/status.json")
            Bench.write(
                "\(inbox)/status.json",
                text.replacing(#"uid_validity": "#, with: #"uid_validity": 1"#)
                    .replacing(#""uid_validity":"#, with: #""uid_validity":1"#))
        }
        let mailbox = try b.reopen()
        // The engine settles what it found, so the opening without a cache comes afterwards.
        let contents = try mailbox.contents()
        #expect(contents == (try Self.names(inbox)))
        try b.expectTruth(mailbox)
        try mailbox.append("goes on")
        try b.t.store.close()
        try b.expectTruth(b.reopen())
    }

    /// Renames at a later tick of the file system's clock; changes within one tick are covered by the age of a
    /// directory.
    private static func renameLate(_ directory: String, _ from: String, _ to: String) {
        func changed() -> Int64? { (try? SystemCalls().status(AT_FDCWD, directory))?.changed }
        let before = changed()
        repeat {
            rename("\(directory)/\(from)", "\(directory)/\(to)")
            if changed() != before { return }
            rename("\(directory)/\(to)", "\(directory)/\(from)")
        } while true
    }

    private static func spoil(_ path: String, at offset: Int) {
        let fd = open(path, O_RDWR)
        defer { close(fd) }
        var byte: UInt8 = 0
        _ = pread(fd, &byte, 1, off_t(offset))
        byte ^= 0x55
        _ = pwrite(fd, &byte, 1, off_t(offset))
    }

    /// `uid:flags` from the file names alone.
    private static func names(_ inbox: String) throws -> [String] {
        var found: [(UInt32, String)] = []
        for name in try DirectoryListing.names(SystemCalls(), AT_FDCWD, inbox) where ShardName.parse(name) != nil {
            for file in try DirectoryListing.names(SystemCalls(), AT_FDCWD, "\(inbox)/\(name)") {
                let parsed = try #require(Array(file.utf8).withUnsafeBufferPointer { MessageFileName.parse($0) })
                found.append((parsed.uid, "\(parsed.uid):\(parsed.flags.letters)"))
            }
        }
        return found.sorted { $0.0 < $1.0 }.map(\.1)
    }

    enum Spoiling: CaseIterable, Sendable {
        case noHeader, noShard, cutHeader, cutShard, bytes, swapped, oldHeader, oldShards, empty, anotherMailbox,
            refused
    }

    @Test(arguments: Spoiling.allCases) func spoiltParts(_ spoiling: Spoiling) throws {
        let b = try Bench()
        let before = b.cache.kept.withLock { $0 }
        let inbox = try b.t.mailbox()
        if spoiling == .refused { b.cache.refuses.withLock { $0 = true } }
        _ = try inbox.changeFlags([UID(7), UID(3007)], .add([.flagged]))
        _ = try inbox.remove([UID(5007)])
        if spoiling == .anotherMailbox {
            let other = try b.t.mailbox("Other")
            for i in 0..<40 { try other.append("other \(i)") }
        }
        try b.t.store.close()
        var seed: UInt64 = 7
        for round in 0..<(spoiling == .bytes ? 60 : 1) {
            b.cache.change { parts in
                switch spoiling {
                case .noHeader: parts[ViewHeader.part] = nil
                case .noShard: parts[2] = nil
                case .cutHeader: parts[ViewHeader.part]?.removeLast(50)
                case .cutShard: parts[2]?.removeLast(50)
                case .bytes:
                    seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let part = parts.keys.sorted()[round % parts.count]
                    let at = Int(seed >> 33) % (parts[part]?.count ?? 1)
                    parts[part]?[at] ^= UInt8(truncatingIfNeeded: seed >> 20) | 1
                case .swapped: (parts[1], parts[2]) = (parts[2], parts[1])
                case .empty: for key in parts.keys { parts[key] = [] }
                case .oldHeader, .oldShards, .anotherMailbox, .refused: break
                }
            }
            switch spoiling {
            case .oldHeader:
                b.cache.kept.withLock { kept in
                    for key in kept.keys { kept[key]?[ViewHeader.part] = before[key]?[ViewHeader.part] }
                }
            case .oldShards:
                b.cache.kept.withLock { kept in
                    for key in kept.keys {
                        for part in 0..<8 { kept[key]?[UInt32(part)] = before[key]?[UInt32(part)] }
                    }
                }
            case .anotherMailbox:
                b.cache.kept.withLock { kept in
                    let all = Array(kept)
                    for (i, one) in all.enumerated() { kept[one.key] = all[(i + 1) % all.count].value }
                }
            default: break
            }
            try b.expectTruth(b.reopen())
        }
        b.t.check()
    }

    /// Two processes on one mailbox, one with the cache, and foreign changes in between; each opening must match the
    /// files.
    @Test(arguments: [UInt64(1), 2, 3]) func aRandomLife(_ seed: UInt64) throws {
        let b = try Bench()
        let inbox = try b.t.directory()
        var random = seed
        func next(_ n: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % n
        }
        var options = b.t.options
        options.viewCache = nil
        options.hook = nil
        let other = try Store.open(b.t.path, options: options)
        for _ in 0..<120 {
            let mine = next(2) == 0
            let mailbox =
                mine
                ? try b.t.mailbox()
                : try other.account(AccountAddress(parsing: "alice@example.com")).mailbox(MailboxName("INBOX"))
            let uids = try mailbox.entries().map(\.uid)
            switch next(9) {
            case 0: try mailbox.append("one more", next(2) == 0 ? [.seen] : [])
            case 1: if !uids.isEmpty { _ = try mailbox.changeFlags([uids[next(uids.count)]], .add([.flagged])) }
            case 2:
                if !uids.isEmpty { _ = try mailbox.changeFlags([uids[next(uids.count)]], .remove([.flagged, .seen])) }
            case 3: if uids.count > 10 { _ = try mailbox.remove([uids[next(uids.count)]]) }
            case 4: try b.t.account().maintain()
            case 5: try mailbox.compact()
            case 6: try b.t.store.close()
            case 7:
                if let entry = try mailbox.entries().dropFirst(next(max(1, uids.count))).first {
                    let shard = "\(inbox)/\(ShardName.string(entry.uid.shard))"
                    let from = MessageFileName.string(entry.uid, entry.flags)
                    let to = MessageFileName.string(entry.uid, entry.flags.symmetricDifference([.answered]))
                    Self.renameLate(shard, from, to)
                }
            default: break
            }
            guard next(3) == 0 else { continue }
            let again = try b.reopen()
            #expect(try again.contents() == (try Self.names(inbox)))
            try b.expectTruth(again)
        }
        b.t.check()
    }

    /// A directory changed a moment ago may change again without a new stamp.
    @Test func aYoungDirectoryIsListedAgain() throws {
        let b = try Bench()
        try b.t.reopen { $0.clock = { Clocks.wall() - 1000 } }
        b.cache.kept.withLock { $0 = [:] }
        _ = try b.t.mailbox()
        try b.t.store.close()
        _ = b.counter.take()
        _ = try b.reopen()
        #expect(b.counter.take() == Self.shards)
    }
}

extension Mailbox {
    fileprivate func entries() throws -> [MessageEntry] {
        var all: [MessageEntry] = []
        try snapshot().messages.forEach { all.append($0) }
        return all
    }
}
