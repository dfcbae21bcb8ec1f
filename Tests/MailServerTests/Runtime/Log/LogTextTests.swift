import Logging
import Primitives
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

@Suite struct LogTextTests {
    @Test(arguments: [
        ("alice@example.com", "alice@example.com"), ("<a@b>", "<a@b>"), ("192.0.2.7", "192.0.2.7"), ("", #""""#),
        ("j\u{F6}rg@example.com", "j\u{F6}rg@example.com"), ("a b", #""a b""#), ("a=b", #""a=b""#),
        (#"a"b"#, #""a\"b""#),
        (#"a\b"#, #""a\\b""#), ("a\nb", #""a\x0ab""#), ("a\u{1B}[2Jb", #""a\x1b[2Jb""#), ("a\u{9B}b", #""a\x9bb""#),
        ("a\u{A0}b", #""a\xa0b""#), ("a\u{202E}b", #""a\u{202E}b""#), ("a\u{2028}b", #""a\u{2028}b""#),
        ("\u{E000}", #""\u{E000}""#),
        (#""x client=1.2.3.4"@b"#, #""\"x client=1.2.3.4\"@b""#),
    ]) func values(text: String, written: String) {
        #expect(LogText.value(text) == written)
    }

    @Test(arguments: [
        ("locked out after too many failures", "locked out after too many failures"),
        ("it's 5: \"x\"", "it's 5: \"x\""),
        ("bad client=1.2.3.4", #""bad client=1.2.3.4""#), ("a\nb", #""a\x0ab""#),
    ]) func messages(text: String, written: String) {
        #expect(LogText.message(text) == written)
    }

    /// Whatever a client says, a line has the fields that the server wrote, and is one line.
    @Test(arguments: [
        "\"a client=6.6.6.6\"@b", "a\" client=6.6.6.6", "a\\\" client=6.6.6.6", "a\r\nINFO x: client=6.6.6.6", "=", " ",
        "\\",
        "a\u{2028}client=6.6.6.6", "\u{3000}client=6.6.6.6",
    ]) func noFieldIsForged(value: String) throws {
        let lines = Locked<[String]>([])
        let log = LogOutput(LogOutput.Settings()) { line in lines.withLock { $0.append(line) } }
        log.logger("login").info(
            "words", metadata: ["account": "\(value)", "client": "192.0.2.7", "error": "\(value)"])
        let line = try #require(lines.withLock { $0.first })
        #expect(line.split(whereSeparator: \.isNewline).count == 1)
        let fields = Self.fields(line)
        #expect(fields.map(\.key) == ["account", "client", "error"])
        #expect(fields.map(\.value)[1] == "192.0.2.7")
    }

    /// Reads `key=value` and `key="value"` behind the words, as programs do.
    private static func fields(_ line: String) -> [(key: String, value: String)] {
        var rest = Array(line.unicodeScalars.drop(while: { $0 != "=" }))[...]
        var key = "account"
        var found: [(String, String)] = []
        while rest.first == "=" {
            rest.removeFirst()
            var value = ""
            if rest.first == "\"" {
                rest.removeFirst()
                while let scalar = rest.popFirst(), scalar != "\"" {
                    value.unicodeScalars.append(scalar == "\\" ? rest.popFirst() ?? " " : scalar)
                }
            } else {
                while let scalar = rest.first, scalar != " ", scalar != "\n" {
                    value.unicodeScalars.append(scalar)
                    rest.removeFirst()
                }
            }
            found.append((key, value))
            key = ""
            while let scalar = rest.first, scalar != "=", scalar != "\n" {
                rest.removeFirst()
                if scalar != " " { key.unicodeScalars.append(scalar) }
            }
        }
        return found
    }
}
