import FoundationEssentials
import SMTPCodec
import Testing

/// Replays the corpus of the fuzzer: a finding that was fixed is added there and stays fixed.
@Suite struct SMTPCorpusTests {
    private static var directory: String {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fuzz/corpus/smtp").path
    }

    @Test func everyInputGivesTheSameEventsHoweverItIsSplit() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.directory).sorted()
        #expect(names.count >= 17)
        for name in names {
            let data = try Data(contentsOf: URL(filePath: "\(Self.directory)/\(name)"))
            let wire = Array(data.dropFirst())
            for policy in [DecoderScript.Policy.grant, .refuse] {
                let script = DecoderScript(policy: policy)
                let whole = script.events(wire)
                for step in [1, 2, 7, 64] { #expect(script.events(wire, step: step) == whole, "\(name), step \(step)") }
            }
        }
    }
}
