/// Parses ENVELOPE, BODY and BODYSTRUCTURE strictly by the grammar of RFC 3501 section 9 or RFC 9051 section 9.
struct IMAPStructureGrammar {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    private let bytes: [UInt8]
    private let isRev2: Bool
    private(set) var index = 0

    init(_ text: String, isRev2: Bool) { self.init(Array(text.utf8), isRev2: isRev2) }

    init(_ bytes: [UInt8], isRev2: Bool) {
        self.bytes = bytes
        self.isRev2 = isRev2
    }

    var isAtEnd: Bool { index == bytes.count }
    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private func violation(_ wanted: String) -> Violation {
        let around = bytes[max(0, index - 80)..<min(bytes.count, index + 40)]
        return Violation(description: "\(wanted) wanted at \(index): \(String(decoding: around, as: UTF8.self))")
    }

    mutating func skip(_ text: String) throws(Violation) {
        guard bytes[index...].starts(with: text.utf8) else { throw violation("'\(text)'") }
        index += text.utf8.count
    }

    private mutating func has(_ text: String) -> Bool {
        guard bytes[index...].starts(with: text.utf8) else { return false }
        index += text.utf8.count
        return true
    }

    @discardableResult
    mutating func number() throws(Violation) -> Int {
        let digits = bytes[index...].prefix { (0x30...0x39).contains($0) }
        guard let value = Int(String(decoding: digits, as: UTF8.self)) else { throw violation("number") }
        index += digits.count
        return value
    }

    @discardableResult
    mutating func string() throws(Violation) -> String {
        if has("{") {
            let count = try number()
            try skip("}\r\n")
            guard index + count <= bytes.count, !bytes[index..<index + count].contains(0) else {
                throw violation("literal")
            }
            defer { index += count }
            return String(decoding: bytes[index..<index + count], as: UTF8.self)
        }
        try skip("\"")
        var text: [UInt8] = []
        while true {
            guard var byte = current, byte != 0, byte < 0x80 || isRev2, byte != 10, byte != 13 else {
                throw violation("quoted character")
            }
            index += 1
            if byte == UInt8(ascii: "\"") {
                guard let text = String(validating: text, as: UTF8.self) else { throw violation("UTF-8") }
                return text
            }
            if byte == UInt8(ascii: "\\") {
                guard let escaped = current, escaped == UInt8(ascii: "\"") || escaped == byte else {
                    throw violation("escaped character")
                }
                byte = escaped
                index += 1
            }
            text.append(byte)
        }
    }

    mutating func nstring() throws(Violation) { if !has("NIL") { try string() } }

    mutating func envelope() throws(Violation) {
        try skip("(")
        try nstring()
        try skip(" ")
        try nstring()
        for _ in 0..<6 {
            try skip(" ")
            try addresses()
        }
        try skip(" ")
        try nstring()
        try skip(" ")
        try nstring()
        try skip(")")
    }

    private mutating func addresses() throws(Violation) {
        if has("NIL") { return }
        try skip("(")
        repeat {
            try skip("(")
            for part in 0..<4 {
                if part > 0 { try skip(" ") }
                try nstring()
            }
            try skip(")")
        } while !has(")")
    }

    /// Parses `body`; extension data must be present if `isExtensible`, and absent otherwise.
    mutating func body(isExtensible: Bool) throws(Violation) {
        try skip("(")
        if current == UInt8(ascii: "(") {
            repeat { try body(isExtensible: isExtensible) } while current == UInt8(ascii: "(")
            try skip(" ")
            try string()
            if isExtensible {
                try skip(" ")
                try parameters()
            }
        } else {
            try part(isExtensible: isExtensible)
        }
        if isExtensible { try extensions() }
        try skip(")")
    }

    private mutating func part(isExtensible: Bool) throws(Violation) {
        let type = try string().lowercased()
        try skip(" ")
        let subtype = try string().lowercased()
        if type == "multipart" { throw violation("parts of a multipart") }
        try skip(" ")
        try parameters()
        try skip(" ")
        try nstring()
        try skip(" ")
        try nstring()
        try skip(" ")
        try string()
        try skip(" ")
        try number()
        if type == "message", subtype == "rfc822" || (isRev2 && subtype == "global") {
            try skip(" ")
            try envelope()
            try skip(" ")
            try body(isExtensible: isExtensible)
            try skip(" ")
            try number()
        } else if type == "text" {
            try skip(" ")
            try number()
        }
        if isExtensible {
            try skip(" ")
            try nstring()
        }
    }

    private mutating func parameters() throws(Violation) {
        if has("NIL") { return }
        try skip("(")
        repeat {
            try string()
            try skip(" ")
            try string()
        } while has(" ")
        try skip(")")
    }

    private mutating func extensions() throws(Violation) {
        try skip(" ")
        if !has("NIL") {
            try skip("(")
            try string()
            try skip(" ")
            try parameters()
            try skip(")")
        }
        try skip(" ")
        if has("(") {
            repeat { try string() } while has(" ")
            try skip(")")
        } else {
            try nstring()
        }
        try skip(" ")
        try nstring()
    }
}
