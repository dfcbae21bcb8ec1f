import Glibc
import Testing

/// Replays the fuzzer's corpus: the input of every fixed finding is added to it.
@Suite struct MIMECorpusTests {
    @Test func everySeedReplays() throws {
        let root = "\(#filePath)".split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
        let folder = "\(root)/Fuzz/corpus/mime"
        let directory = try #require(opendir(folder), "no corpus at \(folder)")
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let descriptor = open("\(folder)/\(name)", O_RDONLY)
            try #require(descriptor >= 0)
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            bytes.removeLast(bytes.count - max(0, read(descriptor, &bytes, bytes.count)))
            fuzzMIME(bytes)
            for length in stride(from: 0, to: bytes.count, by: max(7, bytes.count / 40)) {
                fuzzMIME(Array(bytes[..<length]))
            }
            count += 1
        }
        #expect(count >= 10)
    }
}
