import FoundationEssentials

/// A JSON document that preserves unknown keys and 64-bit integers.
package enum JSONValue: Codable, Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package init(from decoder: any Decoder) throws {
        let c = try decoder.singleValueContainer()
        if c.decodeNil() {
            self = .null
        } else if let b = try? c.decode(Bool.self) {
            self = .bool(b)
        } else if let i = try? c.decode(Int64.self) {
            self = .integer(i)
        } else if let u = try? c.decode(UInt64.self) {
            self = .unsigned(u)
        } else if let d = try? c.decode(Double.self) {
            self = .number(d)
        } else if let s = try? c.decode(String.self) {
            self = .string(s)
        } else if let a = try? c.decode([JSONValue].self) {
            self = .array(a)
        } else {
            self = .object(try c.decode([String: JSONValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var c = encoder.singleValueContainer()
        switch self {
        case .null: try c.encodeNil()
        case .bool(let b): try c.encode(b)
        case .integer(let i): try c.encode(i)
        case .unsigned(let u): try c.encode(u)
        case .number(let d): try c.encode(d)
        case .string(let s): try c.encode(s)
        case .array(let a): try c.encode(a)
        case .object(let o): try c.encode(o)
        }
    }

    package subscript(_ key: String) -> JSONValue? {
        if case .object(let o) = self { return o[key] }
        return nil
    }

    package var string: String? { if case .string(let s) = self { s } else { nil } }
    package var bool: Bool? { if case .bool(let b) = self { b } else { nil } }
    package var array: [JSONValue]? { if case .array(let a) = self { a } else { nil } }
    package var object: [String: JSONValue]? { if case .object(let o) = self { o } else { nil } }

    /// The value as a whole number from 0 to 2^64 - 1; nil for anything else.
    package var unsignedInteger: UInt64? {
        switch self {
        case .integer(let i): UInt64(exactly: i)
        case .unsigned(let u): u
        case .number(let d): UInt64(exactly: d)
        default: nil
        }
    }

    package static func uint(_ value: UInt64) -> JSONValue {
        Int64(exactly: value).map { .integer($0) } ?? .unsigned(value)
    }

    /// Parses a JSON document.
    /// - Parameter name: the document's name in the error message.
    package static func parse(_ bytes: [UInt8], name: String) throws(JSONError) -> JSONValue {
        do {
            return try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch {
            throw JSONError(description: "\(name) is not valid JSON")
        }
    }

    /// Serializes the document with sorted keys, two-space indentation and a final newline, friendly to diffs and to
    /// people.
    /// - Throws: `JSONError` for a number without a JSON form.
    package func serialized() throws(JSONError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return try Array(encoder.encode(self)) + [0x0A]
        } catch {
            throw JSONError(description: "a number in the document cannot be represented in JSON")
        }
    }
}

/// The reason why a document could not be read or written, in one plain sentence.
package struct JSONError: Error, Hashable, CustomStringConvertible {
    package let description: String
}
