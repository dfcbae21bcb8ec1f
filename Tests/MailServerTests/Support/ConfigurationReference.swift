import FoundationEssentials
import Primitives
import ShardFS

/// The table of keys in docs/configuration.md.
struct ConfigurationReference {
    struct Row {
        var value: JSONValue
        var needsRestart: Bool
        /// Whether it takes effect only when the component it belongs to exists.
        var isFuture: Bool
    }

    let rows: [String: Row]

    init() throws {
        let path = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let text = try String(contentsOf: URL(filePath: "/\(path)/docs/configuration.md"), encoding: .utf8)
        var rows: [String: Row] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            let key = String(cells[0].dropFirst().dropLast())
            let value = try JSONValue.parse(Array(cells[1].dropFirst().dropLast().utf8), name: key)
            let marks = cells.last ?? ""
            rows[key] = Row(
                value: value, needsRestart: marks.contains("**r**"), isFuture: marks.contains("\\*"))
        }
        self.rows = rows
    }
}
