package import Primitives

/// Formats config.json: keys in the order of the key table, lists on one line, indented by two spaces.
package enum ConfigurationText {
    /// The whole document: every key with its value, paths unchanged.
    package static func document(_ configuration: Configuration) -> String {
        var lines: [String] = []
        var section: String?
        var sectionLines: [String] = []
        func close() {
            guard let name = section else { return }
            lines.append("  \(quoted(name)): {\n" + sectionLines.joined(separator: ",\n") + "\n  }")
            sectionLines = []
            section = nil
        }
        for key in ConfigurationKey.all {
            let value = line(key.get(configuration))
            guard let dot = key.path.firstIndex(of: ".") else {
                close()
                lines.append("  \(quoted(key.path)): \(value)")
                continue
            }
            let name = String(key.path[..<dot])
            if section != name { close() }
            section = name
            sectionLines.append("    \(quoted(String(key.path[key.path.index(after: dot)...]))): \(value)")
        }
        close()
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }

    /// Formats a value on one line.
    package static func line(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let b): b ? "true" : "false"
        case .integer(let i): String(i)
        case .unsigned(let u): String(u)
        case .number(let d): String(d)
        case .string(let s): quoted(s)
        case .array(let items): "[" + items.map(line).joined(separator: ", ") + "]"
        case .object(let o):
            "{" + o.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \(line($0.value))" }.joined(separator: ", ")
                + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            default:
                if scalar.value < 0x20 {
                    let hex = String(scalar.value, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out + "\""
    }
}
