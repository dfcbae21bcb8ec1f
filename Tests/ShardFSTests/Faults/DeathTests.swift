import TestSupport
import Testing

@testable import ShardFS

/// The process dies at each call in turn: from then on it does nothing, and the kernel drops its locks. Another
/// process, one that had the mailboxes open or one that opens them, settles its unfinished work.
@Suite struct DeathTests {
    @Test(arguments: FaultRun.allCases) func deathAtEveryCall(_ run: FaultRun) throws {
        let bench = try FaultBench(run)
        let calls = try bench.calls()
        var wrong: [String] = []
        for at in 0..<calls where wrong.count < 10 { wrong += try Self.die(bench, at) }
        #expect(wrong.isEmpty, "\(run.rawValue), \(calls) calls:\n\(wrong.joined(separator: "\n"))")
    }

    static func die(_ bench: FaultBench, _ at: Int) throws -> [String] {
        let path = bench.scratch.copy(bench.image)
        defer { removeTree(path) }
        let options = bench.run.options(bench.run.boot)
        // Another process that had everything open before, except when the first opening is under test.
        let follower = bench.run.opens ? nil : try Store.open(path, options: options)
        _ = try follower?.world(bench.run.places)
        let hook = FaultHook()
        do {
            if bench.run == .openStore {
                hook.arm(.death(at: at))
                _ = try bench.store(path, hook)
            } else {
                let store = try bench.store(path, hook)
                hook.arm(.death(at: at))
                try bench.run.run(store)
            }
        } catch is StoreError {}
        let failed = hook.disarm().failed ?? "none"
        let shown = shownMarks(path, bench.run.places)

        var wrong: [String] = []
        let store = try follower ?? Store.open(path, options: options)
        for place in bench.run.places {
            guard let mailbox = try place.find(store) else { continue }
            let uid = try mailbox.append("a later message").rawValue
            if uid <= shown[place.key]?.highestUID ?? 0 {
                wrong.append("\(place.key): UID \(uid) was given out before")
            }
            if try mailbox.snapshot().highestModSeq <= shown[place.key]?.highestModSeq ?? 0 {
                wrong.append("\(place.key): HIGHESTMODSEQ did not grow")
            }
        }
        wrong += try AtRest(store: store, places: bench.run.places).violations()
        let seen = try store.world(bench.run.places)
        let fresh = try Store.open(path, options: options)
        let now = try fresh.world(bench.run.places)
        for (key, mailbox) in seen where now[key]?.messages != mailbox.messages {
            wrong.append(
                "\(key): the process beside sees \(mailbox.listing), a new one \(now[key]?.listing ?? "nothing")")
        }
        wrong += bench.rules().violations(
            bench.adopting(now).mapValues { mailbox in
                var mailbox = mailbox
                mailbox.messages = mailbox.messages.filter { $0.value.text != "a later message" }
                return mailbox
            })
        if bench.run == .move || bench.run == .moveAcrossAccounts { wrong += inOneMailbox(bench.before, now) }
        wrong += try AtRest(store: fresh, places: bench.run.places).violations()
        return wrong.map { "death at call \(failed): \($0)" }
    }

    private static func inOneMailbox(_ before: World, _ now: World) -> [String] {
        let texts = now.values.flatMap { $0.messages.values.map(\.text) }
        return before.values.flatMap { $0.messages.values.map(\.text) }.compactMap { text in
            let count = texts.count { $0 == text }
            return count == 1 ? nil : "a message is in \(count) mailboxes"
        }
    }

    private static func shownMarks(_ path: String, _ places: [Place]) -> [String: ShownMarks] {
        var shown: [String: ShownMarks] = [:]
        for place in places {
            guard let address = try? AccountAddress(parsing: place.address), let name = try? MailboxName(place.mailbox)
            else { continue }
            let log = "\(path)/\(Store.path(address))/\(name.relativePath)/\(LogFile.fileName)"
            var marks = ShownMarks()
            _ = marks.add(log: DiskImage.contents(log))
            shown[place.key] = marks
        }
        return shown
    }
}
