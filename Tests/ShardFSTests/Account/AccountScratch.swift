import FoundationEssentials
import Glibc
import Primitives
import TestSupport

@testable import ShardFS

/// A temporary directory, open.
final class AccountScratch: Sendable {
    private let place = TemporaryDirectory()
    let directory: Int32
    let system = System()

    init() throws { directory = try system.openDirectory(System.currentDirectory, place.path) }

    deinit { system.close(directory) }

    var path: String { place.path }

    func write(_ text: String, to name: String) throws {
        try FilePublisher(system: system).publish(Array(text.utf8), as: name, in: directory)
    }

    func read(_ name: String) throws -> String? {
        try FilePublisher(system: system).read(name, in: directory).map { String(decoding: $0, as: UTF8.self) }
    }

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path) }

    func makeDirectory(_ name: String) throws { try system.makeDirectory(directory, name) }

    /// Descriptors that this process has open for files below the directory.
    func openDescriptors() -> [String] {
        let descriptors = (try? DirectoryListing.names(System(), AT_FDCWD, "/proc/self/fd")) ?? []
        return descriptors.compactMap { fd in
            var target = [CChar](repeating: 0, count: 4096)
            guard readlink("/proc/self/fd/\(fd)", &target, 4095) > 0 else { return nil }
            let name = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return name.hasPrefix(path + "/") ? name : nil
        }
    }
}

func inMilliseconds(_ n: Int64) -> Int64 { Clocks.monotonic() + n * 1_000_000 }
