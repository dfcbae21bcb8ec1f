import TestSupport
import Testing

@testable import IMAPCodec

@Suite struct CorpusTests {
    @Test func everySeedReplays() throws {
        let files = Repository.fuzzCorpus("imap")
        #expect(files.count >= 20)
        for (name, bytes) in files {
            for pieceSize in [1, 2, 3, 7, 64] {
                #expect(imapEvents(of: bytes, pieceSize: pieceSize) == imapEvents(of: bytes), "\(name) in \(pieceSize)")
            }
            fuzzIMAP(bytes)
        }
    }

    /// The parser accepts everything in the seeds of legal commands.
    @Test func legalSeedsAreUnderstood() throws {
        let illegal: Set = [
            "bad.txt", "bad-names.txt", "bare-lf.txt", "brace-in-line.txt", "append-refused.txt", "discard-budget.txt",
            "long-line-tag.txt",
        ]
        for (name, bytes) in Repository.fuzzCorpus("imap") where !illegal.contains(name) {
            for case .reject(let rejection) in imapEvents(of: bytes) {
                Issue.record("\(name): \(rejection)")
            }
        }
    }
}
