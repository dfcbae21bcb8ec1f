import DurableFiles
import Primitives
import Testing

@Suite struct FilePublisherTests {
    @Test func replacesAndKeepsOut() throws {
        let scratch = try Scratch()
        try scratch.write("old", to: "file")
        try scratch.write("new", to: "file")
        #expect(try scratch.read("file") == "new")
        #expect(throws: FileError(.exists, "")) {
            try FilePublisher(system: scratch.system).publish([1], as: "file", in: scratch.directory, replacing: false)
        }
        #expect(try scratch.read("file") == "new")
        #expect(try scratch.names() == ["file"])
    }

    @Test func theBytesAreSyncedBeforeTheNameAndTheDirectoryAfterIt() throws {
        let scratch = try Scratch()
        let order = CallOrder()
        try FilePublisher(system: SystemCalls(hook: order)).publish([1], as: "file", in: scratch.directory)
        #expect(order.names == ["open", "write", "sync", "close", "rename", "sync"])
    }

    /// Whichever call fails, the file has the old bytes or the new, and no temporary file is left.
    @Test(arguments: 0..<6, [true, false]) func aFailureLeavesNothingBehind(index: Int, replacing: Bool) throws {
        let scratch = try Scratch()
        if replacing { try scratch.write("old", to: "file") }
        let failing = CallOrder(failingAt: index)
        let result = Result {
            try FilePublisher(system: SystemCalls(hook: failing)).publish(
                Array("new".utf8), as: "file", in: scratch.directory, replacing: replacing)
        }
        let found = try scratch.read("file")
        if case .success = result {
            #expect(found == "new")
        } else {
            #expect([replacing ? "old" : nil, "new"].contains(found))
        }
        #expect(try scratch.names().allSatisfy { $0 == "file" })
        #expect(scratch.openDescriptors().isEmpty)
    }

    @Test func readsNothingButSmallRegularFiles() throws {
        let scratch = try Scratch()
        let publisher = FilePublisher(system: scratch.system)
        try scratch.write("four", to: "file")
        try scratch.makeDirectory("folder")
        #expect(try publisher.read("none", in: scratch.directory) == nil)
        #expect(try publisher.read("file", in: scratch.directory, limit: 4) == Array("four".utf8))
        #expect(throws: FileError(.damaged, "")) { try publisher.read("file", in: scratch.directory, limit: 3) }
        #expect(throws: FileError(.damaged, "")) { try publisher.read("folder", in: scratch.directory) }
    }
}

/// Records the calls that change something, and fails one of them.
private final class CallOrder: SystemHook {
    private let state = Locked<[String]>([])
    private let failingAt: Int?

    init(failingAt: Int? = nil) { self.failingAt = failingAt }

    var names: [String] { state.withLock { $0 } }

    func before(_ call: SystemCall) -> Errno? {
        let name: String
        switch call {
        case .open: name = "open"
        case .write: name = "write"
        case .sync: name = "sync"
        case .close: name = "close"
        case .rename: name = "rename"
        case .link: name = "link"
        default: return nil
        }
        return state.withLock { names in
            names.append(name)
            // No caller checks the result of close; failing it would leak the descriptor.
            return names.count - 1 == failingAt && name != "close" ? .io : nil
        }
    }
}
