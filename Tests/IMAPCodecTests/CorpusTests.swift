import Glibc
import Testing

@testable import IMAPCodec

/// The seed inputs of the fuzz target.
enum Corpus {
    static func files(at file: StaticString = #filePath) throws -> [(name: String, bytes: [UInt8])] {
        let folder = "\(file)".split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Fuzz/corpus/imap"
        let directory = try #require(opendir(folder), "no corpus at \(folder)")
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return try names.sorted().map { name in
            let descriptor = open(folder + "/" + name, O_RDONLY)
            try #require(descriptor >= 0)
            defer { close(descriptor) }
            var content = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &content, content.count)
            return (name, Array(content.prefix(max(0, count))))
        }
    }
}

@Suite struct CorpusTests {
    @Test func everySeedReplays() throws {
        let files = try Corpus.files()
        #expect(files.count >= 20)
        for (name, bytes) in files {
            for pieceSize in [1, 2, 3, 7, 64] {
                #expect(imapEvents(of: bytes, pieceSize: pieceSize) == imapEvents(of: bytes), "\(name) in \(pieceSize)")
            }
            fuzzIMAP(bytes)
        }
    }

    /// Seeds of legal commands hold nothing that the parser refuses.
    @Test func legalSeedsAreUnderstood() throws {
        let illegal: Set = [
            "bad.txt", "bad-names.txt", "bare-lf.txt", "brace-in-line.txt", "append-refused.txt", "discard-budget.txt",
            "long-line-tag.txt",
        ]
        for (name, bytes) in try Corpus.files() where !illegal.contains(name) {
            for case .reject(let rejection) in imapEvents(of: bytes) {
                Issue.record("\(name): \(rejection)")
            }
        }
    }
}
