import CBare
import Glibc
import ShardFS

/// One row: the times of the engine, the times of the bare calls, and the limit of their ratio.
struct Row {
    var name: String
    var unit: String
    var engine: [Double] = []
    var bare: [Double] = []
    var goal: Double
    /// Whether the values are rates (higher is better) rather than times.
    var isRate = false

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    func pad(_ text: String, _ width: Int, left: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return left ? text + space : space + text
    }

    func number(_ value: Double) -> String {
        let scaled = Int((value * 100).rounded())
        let part = String(scaled % 100)
        return "\(scaled / 100).\(part.count < 2 ? "0" + part : part)"
    }

    func print() {
        // Ratios pair by pair, so that drift of the machine's speed affects both sides.
        let ratios = zip(engine, bare).map { $0 / $1 }
        let ratio = Row.median(ratios)
        let met = isRate ? ratio >= goal : ratio <= goal
        Swift.print(
            pad(name, 44, left: true), pad(number(Row.median(engine)), 10), pad(number(Row.median(bare)), 10), unit,
            pad(number(ratio), 7), isRate ? ">=" : "<=", number(goal), met ? "met" : "MISSED")
    }
}

struct Failure: Error, CustomStringConvertible {
    var description: String
}

final class Benchmark {
    let work: String
    let rounds: Int
    let large: Int
    var serial = 0

    init(work: String, rounds: Int, large: Int) {
        self.work = work
        self.rounds = rounds
        self.large = large
    }

    func run() throws {
        print("# \(rounds) rounds turn about, medians; engine / bare calls, ratio of medians by pair")
        print("operation", String(repeating: " ", count: 36), "engine       bare        ratio   goal")
        try flags()
        try appends(.none, "append 4 KiB, durability none", count: 500, goal: 2)
        try appends(.messages, "append 4 KiB, durability messages", count: 100, goal: 1.3)
        try threads(mailboxes: 8, "append 4 KiB, 8 threads, 8 mailboxes")
        try threads(mailboxes: 1, "append 4 KiB, 8 threads, 1 mailbox")
        try copyAndMove()
        try openLarge()
    }

    // MARK: helpers

    /// Makes a new directory; placed beside the engine's files, it is in the same block group.
    func directory(_ name: String, in parent: String? = nil) -> String {
        serial += 1
        let path = "\(parent ?? work)/\(name)-\(serial)"
        mkdir(path, 0o700)
        return path
    }

    func check(_ seconds: Double) throws -> Double {
        guard seconds >= 0 else {
            throw Failure(description: "a bare call failed: \(String(cString: strerror(errno)))")
        }
        return seconds
    }

    func store(_ durability: StoreOptions.Durability) throws -> (Account, String) {
        var options = StoreOptions()
        options.durability = durability
        let path = directory("store")
        let store = try Store.open(path, options: options)
        return (try store.createAccount(AccountAddress(parsing: "bench@example.com")), path)
    }

    func mailbox(_ account: Account, _ name: String) throws -> Mailbox {
        try account.create(MailboxName(name))
        return try account.mailbox(MailboxName(name))
    }

    let body = [UInt8](repeating: 0x78, count: 4096)

    func append(_ mailbox: Mailbox) throws {
        let message = try mailbox.stage()
        try message.write(body)
        _ = try mailbox.append(message.finish())
    }

    // MARK: rows

    func flags() throws {
        var row = Row(name: "flag change (us)", unit: "us", goal: 2)
        let (account, _) = try store(.messages)
        let mailbox = try mailbox(account, "INBOX")
        let files = 100
        for _ in 0..<files { try append(mailbox) }
        let count = 20_000
        for _ in 0..<rounds {
            row.bare.append(try check(bare_rename(directory("bare"), Int32(files), Int32(count))) / Double(count) * 1e6)
            let start = bare_now()
            for i in 0..<count {
                let uid = [UID(UInt32(i / 2 % files + 1))]
                _ = try mailbox.changeFlags(uid, i & 1 == 0 ? .add(.seen) : .remove(.seen))
            }
            row.engine.append((bare_now() - start) / Double(count) * 1e6)
        }
        row.print()
    }

    func appends(_ durability: StoreOptions.Durability, _ name: String, count: Int, goal: Double) throws {
        var row = Row(name: name + " (us)", unit: "us", goal: goal)
        let (account, path) = try store(durability)
        let mailbox = try mailbox(account, "INBOX")
        try append(mailbox)
        let beside = "\(path)/domains/example.com/users/bench/mailboxes/INBOX"
        for _ in 0..<rounds {
            row.bare.append(
                try check(
                    bare_append(
                        beside, directory("bare", in: beside), 1, Int32(count), 4096, durability == .none ? 0 : 1))
                    / Double(count) * 1e6)
            let start = bare_now()
            for _ in 0..<count { try append(mailbox) }
            row.engine.append((bare_now() - start) / Double(count) * 1e6)
        }
        row.print()
    }

    func threads(mailboxes: Int, _ name: String) throws {
        var row = Row(name: name + " (per s)", unit: "/s", goal: 0.8, isRate: true)
        let count = 100
        let (account, path) = try store(.messages)
        let parent = "\(path)/domains/example.com/users/bench/mailboxes"
        let boxes = try (0..<mailboxes).map { try mailbox(account, "box\($0)") }
        for box in boxes { try append(box) }
        for _ in 0..<rounds {
            let stages = (0..<8).map { "\(parent)/box\($0 % mailboxes)" }
            let shared = directory("bare", in: stages[0])
            let dirs = stages.map { mailboxes == 1 ? shared : directory("bare", in: $0) }
            var from = stages.map { UnsafePointer(strdup($0)) }
            var pointers = dirs.map { UnsafePointer(strdup($0)) }
            let bare = try check(bare_append_threads(&from, &pointers, 8, Int32(count), 4096))
            for p in from + pointers { free(UnsafeMutablePointer(mutating: p)) }
            row.bare.append(Double(8 * count) / bare)
            let start = bare_now()
            try inThreads(8) { i in
                for _ in 0..<count { try self.append(boxes[i % boxes.count]) }
            }
            row.engine.append(Double(8 * count) / (bare_now() - start))
        }
        row.print()
    }

    func copyAndMove() throws {
        let count = 1000
        var copy = Row(name: "copy of 1,000 as a set (ms)", unit: "ms", goal: 1.5)
        var move = Row(name: "move of 1,000 (ms)", unit: "ms", goal: 1.5)
        var expunge = Row(name: "expunge of 1,000 (ms)", unit: "ms", goal: 1.5)
        let (account, _) = try store(.messages)
        for round in 0..<rounds {
            // New source inodes each round: hard links do not slow down with their number, but EMLINK comes at 65,000.
            let source = try mailbox(account, "source\(round)")
            let target = try mailbox(account, "target\(round)")
            var staged: [(message: FinishedMessage, flags: MessageFlags)] = []
            for _ in 0..<count {
                let message = try source.stage()
                try message.write(body)
                staged.append((try message.finish(), []))
            }
            _ = try source.append(staged)
            staged = []
            let uids = (1...count).map { UID(UInt32($0)) }
            let from = directory("bare")
            _ = try check(bare_append(from, from, 1, Int32(count), 4096, 0))
            sync()

            copy.bare.append(try check(bare_copy(from, directory("bare"), 1, Int32(count))) * 1e3)
            copy.engine.append(try timed { _ = try source.copy(uids, to: target) })
            move.bare.append(try check(bare_move(from, directory("bare"), 1, Int32(count))) * 1e3)
            move.engine.append(try timed { _ = try source.move(uids, to: target) })
            let again = directory("bare")
            _ = try check(bare_append(again, again, 1, Int32(count), 4096, 0))
            sync()
            expunge.bare.append(try check(bare_move(again, directory("bare"), 1, Int32(count))) * 1e3)
            expunge.engine.append(try timed { _ = try target.remove(uids) })
        }
        copy.print()
        move.print()
        expunge.print()
    }

    func timed(_ body: () throws -> Void) rethrows -> Double {
        let start = bare_now()
        try body()
        return (bare_now() - start) * 1e3
    }

    func openLarge() throws {
        var row = Row(name: "open of \(large) messages, no cache (ms)", unit: "ms", goal: 1.3)
        let path = directory("store")
        var options = StoreOptions()
        options.durability = .none
        let address = try AccountAddress(parsing: "bench@example.com")
        let name = try MailboxName("INBOX")
        do {
            let account = try Store.open(path, options: options).createAccount(address)
            let mailbox = try mailbox(account, "INBOX")
            var staged: [(message: FinishedMessage, flags: MessageFlags)] = []
            let message = try smallMessage(mailbox)
            for i in 0..<large {
                // An inode has at most 65,000 links.
                staged.append((message, i % 3 == 0 ? [.seen] : []))
                if staged.count == 1000 {
                    if i % 50_000 == 49_999, i + 1 < large {
                        let next = try smallMessage(mailbox)
                        _ = try mailbox.append(staged)
                        staged = []
                        try fill(mailbox, next, from: i + 1)
                        break
                    }
                    _ = try mailbox.append(staged)
                    staged = []
                }
            }
            if !staged.isEmpty { _ = try mailbox.append(staged) }
        }
        let directory = "\(path)/domains/example.com/users/bench/mailboxes/INBOX"
        for _ in 0..<max(rounds, 5) {
            var found: Int32 = 0
            row.bare.append(try check(bare_open(directory, &found)) * 1e3)
            let before = residentKiB()
            let store = try Store.open(path, options: options)
            let account = try store.account(address)
            var mailbox: Mailbox?
            row.engine.append(try timed { mailbox = try account.mailbox(name) })
            guard let mailbox, mailbox.currentSnapshot().messages.count == Int(found), Int(found) == large else {
                throw Failure(description: "the mailbox has not the messages it should have")
            }
            if row.engine.count == 1 {
                let used = residentKiB() - before
                print(
                    "memory of the open mailbox: \(used) KiB, \(used * 1024 / large) bytes a message (goal 32 + 1 MiB)")
            }
        }
        row.print()
    }

    private func smallMessage(_ mailbox: Mailbox) throws -> FinishedMessage {
        let message = try mailbox.stage()
        try message.write(Array("Subject: x\r\n\r\nx\r\n".utf8))
        return try message.finish()
    }

    private func fill(_ mailbox: Mailbox, _ first: FinishedMessage, from start: Int) throws {
        var message = first
        var at = start
        while at < large {
            if (at - start) % 50_000 == 0, at > start {
                message = try smallMessage(mailbox)
            }
            let count = min(1000, large - at)
            _ = try mailbox.append((0..<count).map { (message, ($0 + at) % 3 == 0 ? [.seen] : []) })
            at += count
        }
    }

    func residentKiB() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return 0 }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4
    }
}

/// Runs `body` in `count` threads; after all have ended, throws the first error.
func inThreads(_ count: Int, _ body: @escaping (Int) throws -> Void) throws {
    final class Job {
        let body: () throws -> Void
        var failure: (any Error)?
        init(_ body: @escaping () throws -> Void) { self.body = body }
    }
    var ids: [pthread_t] = []
    var jobs: [Job] = []
    for i in 0..<count {
        let job = Job { try body(i) }
        var id = pthread_t()
        pthread_create(
            &id, nil,
            { argument in
                let job = Unmanaged<Job>.fromOpaque(argument!).takeUnretainedValue()
                do { try job.body() } catch { job.failure = error }
                return nil
            }, Unmanaged.passUnretained(job).toOpaque())
        ids.append(id)
        jobs.append(job)
    }
    for id in ids { pthread_join(id, nil) }
    if let failure = jobs.lazy.compactMap(\.failure).first { throw failure }
}
