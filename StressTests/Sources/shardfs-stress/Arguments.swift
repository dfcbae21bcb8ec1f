import Glibc

/// The arguments of the command line.
struct Arguments {
    enum Mode: String { case run, worker, follower, judge, selfTest = "self-test" }

    var mode = Mode.run
    var seed: UInt64 = 1
    var seconds = 10.0
    var processes = 8
    /// Workers sharing one store object in each process.
    var threads = 1
    /// Made below TMPDIR and removed if nil; kept if given.
    var root: String?
    var keep = false
    // Arguments of child processes.
    var histories = ""
    var index = 0
    var incarnation = 0
    var until: UInt64 = 0
    var boot = "boot-1"

    static let usage = """
        usage: shardfs-stress [--seed N] [--seconds S] [--processes N] [--threads N] [--root DIRECTORY] [--keep]
               shardfs-stress --mode judge --root DIRECTORY     (judges a run that was kept)
               shardfs-stress --mode self-test

        Several processes change one mail store at once; half of them are killed again and again. Then the store and
        what every process wrote down are judged. Exit status: 0 no violation, 1 violations, 2 wrong usage.
        """

    init?(_ words: [String]) {
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            if word == "--keep" {
                keep = true
                continue
            }
            guard let value = rest.popFirst() else { return nil }
            switch word {
            case "--mode":
                guard let mode = Mode(rawValue: value) else { return nil }
                self.mode = mode
            case "--seed":
                guard let n = UInt64(value) else { return nil }
                seed = n
            case "--seconds":
                guard let n = Double(value), n > 0, n < 86_400 else { return nil }
                seconds = n
            case "--processes", "--threads", "--index", "--incarnation":
                guard let n = Int(value), n >= 0, n <= 1_000_000 else { return nil }
                switch word {
                case "--processes": processes = min(max(1, n), 64)
                case "--threads": threads = min(max(1, n), 64)
                case "--index": index = n
                default: incarnation = n
                }
            case "--until":
                guard let n = UInt64(value) else { return nil }
                until = n
            case "--root": root = value
            case "--histories": histories = value
            case "--boot": boot = value
            default: return nil
            }
        }
        if mode == .judge, root == nil { return nil }
    }
}

/// Returns monotonic nanoseconds, the same in every process of this machine.
func now() -> UInt64 {
    var t = timespec()
    clock_gettime(CLOCK_MONOTONIC, &t)
    return UInt64(t.tv_sec) * 1_000_000_000 + UInt64(t.tv_nsec)
}

func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}
