import FoundationEssentials
import Glibc
import ShardFS
import TestSupport

/// A complete run: rounds of workers and followers, some of them killed, then the judgement.
struct Run {
    private let arguments: Arguments
    private let root: String
    private let histories: String
    private var random: SeededGenerator
    private var kills = 0
    private var incarnations = 0
    private var violations: [String] = []

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        random = SeededGenerator(seed: arguments.seed)
        // A kept run is identified by its store.
        let kept = arguments.root.map { $0.hasSuffix("/store") ? String($0.dropLast("/store".count)) : $0 }
        var base = kept ?? ""
        if base.isEmpty {
            let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
            base = "\(parent)/shardfs-stress-\(getpid())-\(now())"
        }
        root = "\(base)/store"
        histories = "\(base)/histories"
        try FileManager.default.createDirectory(atPath: histories, withIntermediateDirectories: true)
    }

    /// Runs everything and returns the number of violations.
    mutating func run() throws -> Int {
        say(
            "seed \(arguments.seed), \(arguments.processes) processes of \(arguments.threads) threads, "
                + "\(arguments.seconds) s"
        )
        try World.make(Store.open(root, options: World.options(boot: "boot-1")))
        round("boot-1", seconds: arguments.seconds * 0.7)
        judgeFiles("boot-1", "after the first round")
        // Simulates a reboot that lost nothing: every log is recreated.
        round("boot-2", seconds: arguments.seconds * 0.3)
        judgeFiles("boot-2", "after the second round")
        try judgeContents()
        reportViolations()
        say("\(kills) kills, \(incarnations) worker processes, \(violations.count) violations")
        if !arguments.keep, violations.isEmpty, arguments.root == nil {
            try? FileManager.default.removeItem(atPath: String(root.dropLast("/store".count)))
        } else {
            say("kept: \(root) (--mode judge --root judges it again)")
        }
        return violations.count
    }

    /// Judges a kept run again, and returns the number of violations.
    mutating func judgeAgain() throws -> Int {
        try judgeContents()
        reportViolations()
        say("\(violations.count) violations")
        return violations.count
    }

    private func reportViolations() {
        for violation in violations.prefix(50) { say("VIOLATION \(violation)") }
        if violations.count > 50 { say("… and \(violations.count - 50) more") }
    }

    // MARK: children

    private struct Worker {
        var index: Int
        var child: Child
        /// When it will be killed; nil for a worker that is never killed.
        var dies: UInt64?
        var killed = false
    }

    private mutating func round(_ boot: String, seconds: Double) {
        let until = now() + UInt64(seconds * 1e9)
        var workers = (0..<arguments.processes).map { index in
            // The second half is killed repeatedly; a single process is not killed.
            let mortal = index >= (arguments.processes + 1) / 2
            return Worker(index: index, child: spawn("worker", index, until, boot), dies: mortal ? deathTime() : nil)
        }
        let followers = [spawn("follower", 0, until, boot), spawn("follower", 1, until, boot)]
        while now() < until {
            usleep(2_000)
            for i in workers.indices {
                if let dies = workers[i].dies, now() > dies, now() < until {
                    workers[i].child.kill()
                    workers[i].killed = true
                }
                guard let end = workers[i].child.end(waiting: workers[i].killed) else { continue }
                note(end, killed: workers[i].killed, "worker \(workers[i].index)")
                if now() >= until {
                    workers[i].child = Child(id: 0)
                    break
                }
                workers[i].child = spawn("worker", workers[i].index, until, boot)
                workers[i].killed = false
                if workers[i].dies != nil { workers[i].dies = deathTime() }
            }
        }
        for worker in workers where worker.child.id != 0 {
            finish(worker.child, "worker \(worker.index)")
        }
        for follower in followers { finish(follower, "a follower") }
    }

    /// Waits, with a limit, for a child that knows when to stop.
    private mutating func finish(_ child: Child, _ name: String) {
        let limit = now() + 60_000_000_000
        while now() < limit {
            if let end = child.end(waiting: false) { return note(end, killed: false, name) }
            usleep(2_000)
        }
        child.kill()
        _ = child.end(waiting: true)
        violations.append("\(name) did not end within a minute")
    }

    private mutating func note(_ end: Child.End, killed: Bool, _ name: String) {
        if killed {
            kills += 1
            // It may have ended by itself just before.
            if end != .signalled(SIGKILL), end != .exited(0) { violations.append("\(name) ended with \(end)") }
        } else if end != .exited(0) {
            violations.append("\(name) ended with \(end)")
        }
    }

    private mutating func deathTime() -> UInt64 { now() + UInt64.random(in: 60_000_000...700_000_000, using: &random) }

    private mutating func spawn(_ mode: String, _ index: Int, _ until: UInt64, _ boot: String) -> Child {
        incarnations += 1
        return Child.spawn([
            "--mode", mode, "--root", root, "--histories", histories, "--seed", "\(random.next() >> 1)", "--index",
            "\(index)", "--incarnation", "\(incarnations)", "--until", "\(until)", "--boot", boot, "--threads",
            "\(arguments.threads)",
        ])
    }

    // MARK: judgement

    /// Checks the rules of the files: as left by the killed processes, then as settled by a fresh store.
    private mutating func judgeFiles(_ boot: String, _ when: String) {
        do {
            var check = StoreCheck(root: root)
            check.bootID = boot
            check.verifyContent = true
            for finding in try check.run().errors { violations.append("\(when), as left: \(finding)") }
            let store = try Store.open(root, options: World.options(boot: boot))
            for name in World.mailboxes { _ = try World.mailbox(name, in: store).snapshot() }
            for address in try store.accounts() { _ = try store.account(address).quota() }
            let report = try check.run()
            for finding in report.findings where finding.severity == .error || finding.code == .intentOpen {
                violations.append("\(when), settled: \(finding)")
            }
            if report.has(.quotaUnknown) { violations.append("\(when), settled: the quota is not exact") }
            say(
                "\(when): \(report.messages) messages in \(report.mailboxes) mailboxes, "
                    + "\(report.findings.count) findings"
            )
        } catch {
            violations.append("\(when): the store could not be judged: \(error)")
        }
    }

    private mutating func judgeContents() throws {
        let store = try Store.open(root, options: World.options(boot: "boot-2"))
        let final = try FinalState(store)
        let history = try History(directory: histories)
        let counts = Dictionary(grouping: history.actions, by: \.operation.kind).mapValues(\.count)
        let kinds = counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value)" }
        let unknown = history.actions.count { if case .unknown = $0.status { true } else { false } }
        let failed = history.actions.count { if case .failed = $0.status { true } else { false } }
        let longest = history.actions.filter(\.isOK).map { $0.end - $0.start }.max() ?? 0
        say("\(history.actions.count) operations (\(kinds.joined(separator: ", ")))")
        say("\(unknown) cut off, \(failed) refused, the longest took \(longest / 1_000_000) ms")
        if history.actions.count(where: \.isOK) < 100 { violations.append("too little was done to judge") }
        var judge = Judge(history, final)
        judge.run()
        violations += judge.violations
    }
}
