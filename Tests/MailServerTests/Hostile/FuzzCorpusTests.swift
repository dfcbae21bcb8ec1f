import TestSupport
import Testing

/// Replays the fuzzers' corpora: the input of every fixed finding is added to them.
@Suite struct FuzzCorpusTests {
    @Test func whatTheServerReads() {
        let files = Repository.fuzzCorpus("server")
        #expect(files.count >= 20)
        for (_, bytes) in files {
            fuzzServer(bytes)
            for count in stride(from: 0, to: bytes.count, by: 7) { fuzzServer(Array(bytes[..<count])) }
        }
    }

    @Test func sessions() {
        let files = Repository.fuzzCorpus("session")
        #expect(files.count >= 10)
        for (_, bytes) in files { fuzzSession(bytes) }
    }
}
