import TestSupport

@testable import MIME

/// Byte and text helpers for the tables.
func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// The text with CRLF for every line feed, as mail is stored.
func mail(_ text: String) -> [UInt8] { Array(text.replacing("\n", with: "\r\n").utf8) }

func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
func string(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
func string(_ bytes: [UInt8], _ range: Range<Int>?) -> String? { range.map { string(Array(bytes[$0])) } }

extension AddressEntry {
    /// The form of IMAP's ENVELOPE, with bare strings and "" for empty ones.
    var rendered: String {
        switch self {
        case .mailbox(let address):
            let name = string(address.name) ?? "NIL"
            let route = string(address.route) ?? "NIL"
            return "(\(name)|\(route)|\(string(address.mailbox))|\(string(address.host)))"
        case .groupStart(let name): return "{\(string(name))"
        case .groupEnd: return "}"
        }
    }
}

extension Array where Element == AddressEntry {
    var rendered: String { map(\.rendered).joined() }
}

extension ParameterList {
    var rendered: String {
        parameters.isEmpty
            ? "NIL" : "(" + parameters.map { "\(string($0.name))=\(string($0.value))" }.joined(separator: " ") + ")"
    }
}

extension Part {
    /// The values of IMAP's BODY, in its order: type, parameters, id, description, encoding, size, lines.
    var rendered: String {
        let type = "\(string(fields.type.type))/\(string(fields.type.subtype))"
        let common =
            "\(type) \(fields.type.parameters.rendered) \(string(fields.id) ?? "NIL")"
            + " \(string(fields.description) ?? "NIL") \(string(fields.encoding)) \(size)"
        switch structure {
        case .multipart(let parts):
            return "(\(parts.map(\.rendered).joined()) \(string(fields.type.subtype)))"
        case .message(let message):
            return "(\(common) <\(string(message.envelope.subject) ?? "NIL")> \(message.root.rendered) \(lines))"
        case .single:
            return "(\(common)\(fields.type.isType("text") ? " \(lines)" : ""))"
        }
    }
}

extension ParseLimits {
    /// Limits that random mail reaches.
    static func tight(_ generator: inout SeededGenerator) -> ParseLimits {
        ParseLimits(
            depth: Int.random(in: 1...4, using: &generator), parts: Int.random(in: 1...5, using: &generator),
            headerBytes: Int.random(in: 1...100, using: &generator),
            addresses: Int.random(in: 1...3, using: &generator), parameters: Int.random(in: 1...3, using: &generator),
            allHeaderBytes: Int.random(in: 1...200, using: &generator))
    }
}
