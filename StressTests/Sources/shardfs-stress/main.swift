import Glibc
import ShardFS
import TestSupport

guard let arguments = Arguments(CommandLine.arguments) else {
    say(Arguments.usage)
    exit(2)
}

func openStore() throws -> Store {
    try Store.open(arguments.root ?? "", options: World.options(boot: arguments.boot))
}

do {
    switch arguments.mode {
    case .run:
        var run = try Run(arguments)
        exit(try run.run() == 0 ? 0 : 1)
    case .judge:
        var run = try Run(arguments)
        exit(try run.judgeAgain() == 0 ? 0 : 1)
    case .worker:
        let name = "w\(arguments.index).\(arguments.incarnation)"
        let history = HistoryWriter("\(arguments.histories)/\(name)")
        let store = try openStore()
        let (root, boot, seed, until, threads) = (
            arguments.root ?? "", arguments.boot, arguments.seed, arguments.until, arguments.threads
        )
        onThreads(threads) { thread in
            var worker = Worker(
                root: root, boot: boot, name: "\(name).\(thread)", history: history, store: store,
                seed: seed &+ UInt64(thread), id: thread, idStep: threads)
            worker.run(until: until)
        }
    case .follower:
        let history = HistoryWriter("\(arguments.histories)/f\(arguments.index).\(arguments.incarnation)")
        var follower = Follower(store: try openStore(), history: history)
        // A fast follower and a slow one.
        follower.run(until: arguments.until, pause: arguments.index == 0 ? 200 : 20_000)
    case .selfTest:
        exit(SelfTest.run() ? 0 : 1)
    }
} catch {
    say("shardfs-stress: \(error)")
    exit(1)
}
