// Times the engine's operations and the bare system calls that they need, alternating on one disk, and prints medians
// and ratios. `shardfs-bench [DIRECTORY] [ROUNDS] [MESSAGES]`.
import CBare
import Glibc
import ShardFS

bare_line_buffered()
let arguments = CommandLine.arguments
let base = arguments.count > 1 ? arguments[1] : "."
let rounds = arguments.count > 2 ? max(3, Int(arguments[2]) ?? 7) : 7
let large = arguments.count > 3 ? max(1000, Int(arguments[3]) ?? 100_000) : 100_000

var template = Array("\(base)/shardfs-bench-XXXXXX".utf8CString)
guard mkdtemp(&template) != nil else { fatalError("cannot make a directory in \(base)") }
let work = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
defer { _ = system("rm -rf '\(work)'") }

do {
    try Benchmark(work: work, rounds: rounds, large: large).run()
} catch {
    print("failed: \(error)")
    _ = system("rm -rf '\(work)'")
    exit(1)
}
