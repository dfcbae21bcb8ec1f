import SMTPCodec
import TestSupport
import Testing

/// Replays the fuzzer's corpus: the input of every fixed finding is added to it.
@Suite struct SMTPCorpusTests {
    @Test func everyInputGivesTheSameEventsHoweverItIsSplit() throws {
        let files = Repository.fuzzCorpus("smtp")
        #expect(files.count >= 17)
        for (name, bytes) in files {
            let wire = Array(bytes.dropFirst())
            for policy in [DecoderScript.Policy.grant, .refuse] {
                let script = DecoderScript(policy: policy)
                let whole = script.events(wire)
                for step in [1, 2, 7, 64] { #expect(script.events(wire, step: step) == whole, "\(name), step \(step)") }
            }
        }
    }
}
