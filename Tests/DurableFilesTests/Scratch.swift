import DurableFiles
import Glibc
import Primitives
import TestSupport

/// An open temporary directory.
final class Scratch: Sendable {
    private let place = TemporaryDirectory()
    let directory: Int32
    let system = SystemCalls()

    init() throws { directory = try system.openDirectory(SystemCalls.currentDirectory, place.path) }

    deinit { system.close(directory) }

    var path: String { place.path }

    func write(_ text: String, to name: String) throws {
        try FilePublisher(system: system).publish(Array(text.utf8), as: name, in: directory)
    }

    func read(_ name: String) throws -> String? {
        try FilePublisher(system: system).read(name, in: directory).map { String(decoding: $0, as: UTF8.self) }
    }

    func names() throws -> [String] { try DirectoryListing.names(system, directory, ".").sorted() }

    func makeDirectory(_ name: String) throws { try system.makeDirectory(directory, name) }

    func openDescriptors() -> [String] { place.openDescriptors() }

    @discardableResult
    func hold<R>(
        _ name: String, until deadline: Int64, _ body: () throws(FileError) -> R
    ) throws(FileError) -> R {
        try LockFile.hold(system, in: directory, name, until: deadline, failure: { $0 }, body)
    }
}

func inMilliseconds(_ n: Int64) -> Int64 { Clocks.monotonic() + n * 1_000_000 }
