/// A parameter of Content-Type or Content-Disposition.
public struct Parameter: Sendable, Equatable {
    /// The name as written, without continuation numbers; ends in "*" if `value` is in the extended form of RFC 2231.
    public let name: [UInt8]
    /// The value, unquoted, continuations joined; the extended form is still charset'language'percent-encoded.
    public let value: [UInt8]

    public init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// The parameters of a field, in order (RFC 2045 section 5.1, RFC 2231).
public struct ParameterList: Sendable, Equatable {
    public internal(set) var parameters: [Parameter]

    public init(_ parameters: [Parameter] = []) { self.parameters = parameters }

    /// The value of the first parameter of this name, ignoring case.
    public func value(named name: String) -> [UInt8]? {
        parameters.first { $0.name.equalsIgnoringCase(name) }?.value
    }

    /// The value as UTF-8 text: the extended form if there is one, else the plain one with encoded words decoded.
    public func text(named name: String) -> [UInt8]? {
        if let extended = value(named: name + "*") { return Self.decodeExtended(extended) }
        return value(named: name).map(EncodedWord.decode)
    }

    /// Decodes charset'language'percent-encoded; without the two apostrophes the whole value is UTF-8 text.
    private static func decodeExtended(_ value: [UInt8]) -> [UInt8] {
        var charset: [UInt8] = []
        var text = value[...]
        if let first = value.firstIndex(of: ASCII.apostrophe),
            let second = value[(first + 1)...].firstIndex(of: ASCII.apostrophe)
        {
            charset = Array(value[..<first])
            text = value[(second + 1)...]
        }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var index = text.startIndex
        while index < text.endIndex {
            if text[index] == ASCII.percent, index + 2 < text.endIndex,
                let high = text[index + 1].hexValue, let low = text[index + 2].hexValue
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(text[index])
                index += 1
            }
        }
        return Charset(named: charset.isEmpty ? Array("utf-8".utf8) : charset).decode(decoded)
    }
}
