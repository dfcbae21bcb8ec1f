import FoundationEssentials
import Testing

@testable import MailServer

/// Replays the corpora of the fuzzers: a finding that was fixed is added there and stays fixed.
@Suite struct FuzzCorpusTests {
    private static func files(_ target: String) throws -> [(name: String, bytes: [UInt8])] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../Fuzz/corpus/\(target)")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
            (name, try [UInt8](Data(contentsOf: folder.appending(path: name))))
        }
    }

    @Test func whatTheServerReads() throws {
        let files = try Self.files("server")
        #expect(files.count >= 20)
        for (_, bytes) in files {
            fuzzServer(bytes)
            for count in stride(from: 0, to: bytes.count, by: 7) { fuzzServer(Array(bytes[..<count])) }
        }
    }

    @Test func sessions() throws {
        let files = try Self.files("session")
        #expect(files.count >= 10)
        for (_, bytes) in files { fuzzSession(bytes) }
    }
}
