import DurableFiles
import Glibc
import TestSupport

@testable import ShardFS

/// A file: its bytes, and its modification time where a test set one (seconds since 1970 UTC).
struct DiskFile: Hashable {
    var bytes: [UInt8] = []
    var modified: Int64?
}

/// Files and directories as values. A node represents an inode: two names of one node are hard links.
struct DiskImage {
    typealias Node = Int

    static let root: Node = 0
    var files: [Node: DiskFile] = [:]
    var directories: [Node: [String: Node]] = [root: [:]]

    init() {}

    /// Reads the tree below `path`; `inodes` maps each inode to its node.
    init(of path: String, inodes: inout [UInt64: Node]) {
        var next = 1
        inodes[Self.inode(of: path)] = Self.root
        read(path, Self.root, &next, &inodes)
    }

    init(of path: String) {
        var inodes: [UInt64: Node] = [:]
        self.init(of: path, inodes: &inodes)
    }

    private static func inode(of path: String) -> UInt64 {
        var s = stat()
        return lstat(path, &s) == 0 ? UInt64(s.st_ino) : 0
    }

    private mutating func read(_ path: String, _ node: Node, _ next: inout Int, _ inodes: inout [UInt64: Node]) {
        directories[node] = [:]
        for name in ((try? DirectoryListing.names(SystemCalls(), AT_FDCWD, path)) ?? []).sorted() {
            let child = "\(path)/\(name)"
            var s = stat()
            guard lstat(child, &s) == 0 else { continue }
            if let known = inodes[UInt64(s.st_ino)] {
                directories[node]?[name] = known
                continue
            }
            let made = next
            next += 1
            inodes[UInt64(s.st_ino)] = made
            directories[node]?[name] = made
            if s.st_mode & S_IFMT == S_IFDIR {
                read(child, made, &next, &inodes)
            } else {
                files[made] = DiskFile(bytes: Self.contents(child), modified: Int64(s.st_mtim.tv_sec))
            }
        }
    }

    static func contents(_ path: String) -> [UInt8] {
        let fd = Glibc.open(path, O_RDONLY)
        guard fd >= 0 else { return [] }
        defer { close(fd) }
        var s = stat()
        guard fstat(fd, &s) == 0, s.st_size > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(s.st_size))
        let n = Glibc.read(fd, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, n)))
    }

    /// Writes the tree to `path`, an empty directory, created if missing.
    func materialise(in path: String) {
        var placed: [Node: String] = [:]
        materialise(Self.root, path, &placed)
    }

    private func materialise(_ node: Node, _ path: String, _ placed: inout [Node: String]) {
        mkdir(path, 0o700)
        for (name, child) in directories[node] ?? [:] {
            let at = "\(path)/\(name)"
            if directories[child] != nil {
                materialise(child, at, &placed)
            } else if let first = placed[child] {
                precondition(link(first, at) == 0)
            } else {
                placed[child] = at
                Self.write(files[child] ?? DiskFile(), to: at)
            }
        }
    }

    private static func write(_ file: DiskFile, to path: String) {
        let fd = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        precondition(fd >= 0, "cannot make \(path)")
        defer { close(fd) }
        var done = 0
        while done < file.bytes.count {
            let n = file.bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress! + done, $0.count - done) }
            precondition(n > 0, "cannot write \(path)")
            done += n
        }
        if let modified = file.modified {
            let t = timespec(tv_sec: Int(modified), tv_nsec: 0)
            _ = futimens(fd, [t, t])
        }
    }

    /// A hash of names, bytes and links that distinguishes trees; stable only within one run of the program.
    var signature: Int {
        var hasher = Hasher()
        hash(Self.root, into: &hasher)
        return hasher.finalize()
    }

    private func hash(_ node: Node, into hasher: inout Hasher) {
        for (name, child) in (directories[node] ?? [:]).sorted(by: { $0.key < $1.key }) {
            hasher.combine(name)
            hasher.combine(child)
            if directories[child] != nil {
                hash(child, into: &hasher)
            } else if let file = files[child] {
                file.bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
            }
        }
        hasher.combine(node)
    }

    /// Every path with its size, for the description of a state that violates a rule.
    func listing(_ node: Node = root, _ path: String = "") -> [String] {
        (directories[node] ?? [:]).sorted { $0.key < $1.key }.flatMap { name, child in
            directories[child] == nil
                ? ["\(path)/\(name) (\(files[child]?.bytes.count ?? 0), node \(child))"]
                : listing(child, "\(path)/\(name)")
        }
    }
}

/// A directory for stores that a test makes by the hundred: in memory where possible, since the recording and not the
/// disk determines what a cut leaves.
final class FastScratch {
    private let directory = TemporaryDirectory(inMemory: true)
    private var count = 0

    var path: String { directory.path }

    func next() -> String {
        count += 1
        return "\(path)/\(count)"
    }
}

extension SeededGenerator {
    /// The environment's `SHARDFS_SEED`, else a seed that differs from run to run.
    static let testSeed: UInt64 =
        getenv("SHARDFS_SEED").flatMap { UInt64(String(cString: $0)) } ?? SystemCalls.random(UInt64.self)
}
