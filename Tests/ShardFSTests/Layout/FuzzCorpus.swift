import Glibc
import Testing

@testable import ShardFS

/// The seed inputs of a fuzz target.
enum FuzzCorpus {
    static func files(_ target: String, at file: StaticString = #filePath) throws -> [(name: String, bytes: [UInt8])] {
        let root = "\(file)".split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
        let folder = "\(root)/Fuzz/corpus/\(target)"
        let system = System()
        let directory = try system.openDirectory(AT_FDCWD, folder)
        defer { system.close(directory) }
        return try DirectoryListing.names(system, directory, ".").sorted().map { name in
            (name, try #require(try FilePublisher(system: system).read(name, in: directory)))
        }
    }
}
