import FoundationEssentials
import Primitives
import ShardFS
import Testing

@testable import MailServer

/// docs/configuration.md says of every key what the program does.
@Suite struct ConfigurationReferenceTests {
    private struct Row {
        var value: JSONValue
        var needsRestart: Bool
    }

    private func rows() throws -> [String: Row] {
        let path = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let text = try String(contentsOf: URL(filePath: "/\(path)/docs/configuration.md"), encoding: .utf8)
        var rows: [String: Row] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            let key = String(cells[0].dropFirst().dropLast())
            let value = try JSONValue.parse(Array(cells[1].dropFirst().dropLast().utf8), name: key)
            rows[key] = Row(value: value, needsRestart: cells.last?.contains("**r**") ?? false)
        }
        return rows
    }

    @Test func everyKeyIsListedWithItsDefault() throws {
        let rows = try rows()
        #expect(Set(rows.keys) == Set(ConfigurationKey.all.map(\.path)))
        let defaults = Configuration()
        for key in ConfigurationKey.all {
            #expect(rows[key.path]?.value == key.get(defaults), "\(key.path)")
            #expect(rows[key.path]?.needsRestart == key.needsRestart, "\(key.path)")
        }
    }
}
