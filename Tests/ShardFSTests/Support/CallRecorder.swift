import DurableFiles
import Glibc
import Primitives

@testable import ShardFS

/// The changes of a process to a disk, in order.
enum DiskEvent: Sendable {
    case write(DiskImage.Node, offset: Int, bytes: [UInt8], time: Int64)
    case truncate(DiskImage.Node, size: Int)
    case setTime(DiskImage.Node, Int64)
    /// A name for a new or known file, or for a new directory.
    case add(directory: DiskImage.Node, name: String, node: DiskImage.Node, isDirectory: Bool)
    case remove(directory: DiskImage.Node, name: String)
    case rename(
        from: DiskImage.Node, name: String, to: DiskImage.Node, newName: String, node: DiskImage.Node,
        isDirectory: Bool)
    case sync(DiskImage.Node, dataOnly: Bool)
    case syncAll
    /// Inserted by the test: everything before it was acknowledged.
    case mark(Int)
}

/// Records the calls of one process that change anything below `root`, with everything needed to replay them.
final class CallRecorder: SystemHook {
    fileprivate struct State {
        var recording = false
        var device: UInt64 = 0
        var inodes: [UInt64: DiskImage.Node] = [:]
        var nextNode = 0
        var events: [DiskEvent] = []
        var wasMissing = false
    }

    private let state = Locked(State())

    /// Starts recording; returns the current tree, which counts as durable.
    func start(_ root: String) -> DiskImage {
        var inodes: [UInt64: DiskImage.Node] = [:]
        let image = DiskImage(of: root, inodes: &inodes)
        var s = stat()
        lstat(root, &s)
        state.withLock {
            $0 = State()
            $0.device = UInt64(s.st_dev)
            $0.inodes = inodes
            $0.nextNode = (inodes.values.max() ?? 0) + 1
            $0.recording = true
        }
        return image
    }

    func stop() { state.withLock { $0.recording = false } }

    var events: [DiskEvent] { state.withLock { $0.events } }

    func mark(_ step: Int) { state.withLock { $0.events.append(.mark(step)) } }

    func before(_ call: SystemCall) -> Errno? {
        if case .open(let directory, let path, let flags) = call, flags & O_CREAT != 0 {
            var s = stat()
            let missing = fstatat(directory, path, &s, AT_SYMLINK_NOFOLLOW) != 0
            state.withLock { $0.wasMissing = missing }
        }
        return nil
    }

    func after(_ call: SystemCall, result: Int) {
        state.withLock { s in
            if s.recording { s.record(call, result) }
        }
    }
}

extension CallRecorder.State {
    fileprivate mutating func record(_ call: SystemCall, _ result: Int) {
        switch call {
        case .open(let directory, let path, let flags):
            guard flags & O_CREAT != 0, wasMissing, let place = place(directory, path) else { return }
            guard let node = add(Int32(result)) else { return }
            events.append(.add(directory: place.node, name: place.name, node: node, isDirectory: false))
        case .openUnnamed: _ = add(Int32(result))
        case .write(let fd, let bytes):
            guard let node = node(fd) else { return }
            let end = Int(lseek(fd, 0, SEEK_CUR))
            events.append(.write(node, offset: end - result, bytes: Array(bytes.prefix(result)), time: modified(fd)))
        case .writeAt(let fd, let bytes, let offset):
            guard let node = node(fd) else { return }
            events.append(.write(node, offset: Int(offset), bytes: Array(bytes.prefix(result)), time: modified(fd)))
        case .truncate(let fd, let size):
            if let node = node(fd) { events.append(.truncate(node, size: Int(size))) }
        case .setTime(let fd):
            if let node = node(fd) { events.append(.setTime(node, modified(fd))) }
        case .makeDirectory(let directory, let path):
            guard let place = place(directory, path), let node = add(directory, path) else { return }
            events.append(.add(directory: place.node, name: place.name, node: node, isDirectory: true))
        case .unlink(let directory, let path, _):
            guard let place = place(directory, path) else { return }
            events.append(.remove(directory: place.node, name: place.name))
        case .rename(let fromDirectory, let from, let toDirectory, let to):
            var s = stat()
            guard let source = place(fromDirectory, from), let target = place(toDirectory, to),
                fstatat(toDirectory, to, &s, AT_SYMLINK_NOFOLLOW) == 0, let node = inodes[UInt64(s.st_ino)]
            else { return }
            events.append(
                .rename(
                    from: source.node, name: source.name, to: target.node, newName: target.name, node: node,
                    isDirectory: s.st_mode & S_IFMT == S_IFDIR))
        case .link(_, _, let toDirectory, let to), .linkUnnamed(_, let toDirectory, let to):
            guard let place = place(toDirectory, to), let node = known(toDirectory, to) else { return }
            events.append(.add(directory: place.node, name: place.name, node: node, isDirectory: false))
        case .sync(let fd): if let node = node(fd) { events.append(.sync(node, dataOnly: false)) }
        case .syncData(let fd): if let node = node(fd) { events.append(.sync(node, dataOnly: true)) }
        case .syncFileSystem: events.append(.syncAll)
        case .close, .read, .status, .statusAt, .lock, .list, .watch: return
        }
    }

    private func node(_ fd: Int32) -> DiskImage.Node? {
        var s = stat()
        guard fstat(fd, &s) == 0, UInt64(s.st_dev) == device else { return nil }
        return inodes[UInt64(s.st_ino)]
    }

    private func modified(_ fd: Int32) -> Int64 {
        var s = stat()
        return fstat(fd, &s) == 0 ? Int64(s.st_mtim.tv_sec) : 0
    }

    private func known(_ directory: Int32, _ path: String) -> DiskImage.Node? {
        var s = stat()
        guard fstatat(directory, path, &s, AT_SYMLINK_NOFOLLOW) == 0, UInt64(s.st_dev) == device else { return nil }
        return inodes[UInt64(s.st_ino)]
    }

    /// The directory that a path leads to, and the last component.
    private func place(_ directory: Int32, _ path: String) -> (node: DiskImage.Node, name: String)? {
        guard let slash = path.lastIndex(of: "/") else {
            return known(directory, ".").map { ($0, path) }
        }
        let name = String(path[path.index(after: slash)...])
        return known(directory, String(path[..<slash])).map { ($0, name) }
    }

    // Inode numbers may be reused by other files.

    private mutating func add(_ fd: Int32) -> DiskImage.Node? {
        var s = stat()
        guard fstat(fd, &s) == 0, UInt64(s.st_dev) == device else { return nil }
        return add(s)
    }

    private mutating func add(_ directory: Int32, _ path: String) -> DiskImage.Node? {
        var s = stat()
        guard fstatat(directory, path, &s, AT_SYMLINK_NOFOLLOW) == 0, UInt64(s.st_dev) == device else { return nil }
        return add(s)
    }

    private mutating func add(_ s: stat) -> DiskImage.Node {
        inodes[UInt64(s.st_ino)] = nextNode
        nextNode += 1
        return nextNode - 1
    }
}
