import Primitives

/// Escaping of text in the log, so that no client can forge a field or a line: not by a quoted local part, a mailbox
/// name, or anything else it sends.
///
/// Ambiguous values are put in double quotes, with a backslash before quotes and backslashes; invisible characters are
/// written as `\x0a` or `\u{202E}`.
package enum LogText {
    /// The value of a field.
    package static func value(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { isVisible($0) && !isSpecial($0) }
        return isPlain ? text : quoted(text)
    }

    /// The message of a line. One that could be read as a field is quoted whole.
    package static func message(_ text: String) -> String {
        if text.unicodeScalars.allSatisfy({ (isVisible($0) || $0 == " ") && $0 != "=" && $0 != "\\" }) { return text }
        return quoted(text)
    }

    private static func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\"" || scalar == "=" || scalar == "\\"
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" {
                out += "\\"
                out.unicodeScalars.append(scalar)
            } else if isVisible(scalar) || scalar == " " {
                out.unicodeScalars.append(scalar)
            } else if scalar.value < 0x100 {
                out += "\\x" + Hex.encode([UInt8(truncatingIfNeeded: scalar.value)])
            } else {
                out += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
            }
        }
        return out + "\""
    }

    /// False for white space, control and format characters, line separators, and unassigned code points.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x80 { return (0x21...0x7E).contains(scalar.value) }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse,
            .unassigned:
            return false
        default: return true
        }
    }
}
