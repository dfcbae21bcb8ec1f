import Glibc

/// Converts text of one charset to UTF-8, piece by piece; a piece may end inside a character.
///
/// UTF-8 itself passes unchecked. In other charsets, unreadable bytes become U+FFFD. If the C library lacks the
/// conversion table of a charset, its text is read like text without a charset.
public struct CharsetDecoder: ~Copyable {
    private enum Mode {
        case pass
        case windows1252
        case guess
        case iconv(iconv_t, name: String)
    }

    private let mode: Mode
    /// Runs before iconv, for charsets with shifts.
    private var shifts: ShiftedText?
    /// The bytes of a character that ends in a later piece.
    private var carry: [UInt8] = []
    private static let longestCharacter = 32
    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    public init(_ charset: Charset) {
        switch charset.kind {
        case .utf8: mode = .pass
        case .windows1252: mode = .windows1252
        case .guess: mode = .guess
        case .iso2022JP:
            shifts = ShiftedText(.iso2022JP)
            mode = Self.open("CP932")
        case .hz:
            shifts = ShiftedText(.hz)
            mode = Self.open("GB18030")
        case .iconv(let name): mode = Self.open(name)
        }
    }

    private static func open(_ name: String) -> Mode {
        Converters.take(name).map { .iconv($0, name: name) } ?? .guess
    }

    deinit {
        if case .iconv(let handle, let name) = mode { Converters.give(handle, name) }
    }

    /// Whether the bytes pass unchanged.
    var isIdentity: Bool { if case .pass = mode { true } else { false } }

    /// Appends the text of the next piece.
    public mutating func decode(_ bytes: [UInt8], into output: inout [UInt8]) { decode(bytes.span, into: &output) }

    /// Appends the text of the next piece.
    public mutating func decode(_ bytes: Span<UInt8>, into output: inout [UInt8]) {
        switch mode {
        case .pass:
            output.append(bytes, 0..<bytes.count)
        case .windows1252:
            if bytes.isASCII { return output.append(bytes, 0..<bytes.count) }
            for index in 0..<bytes.count { Windows1252.append(bytes[index], to: &output) }
        case .guess:
            if carry.isEmpty, bytes.isASCII { return output.append(bytes, 0..<bytes.count) }
            var input = carry
            input.append(bytes, 0..<bytes.count)
            carry = Array(input[Self.guess(input, into: &output)...])
        case .iconv(let handle, _):
            var input = carry
            if shifts?.decode(bytes, into: &input) == nil { input.append(bytes, 0..<bytes.count) }
            let rest = Self.convert(&input, handle, into: &output)
            carry = Array(input[rest...])
        }
    }

    /// Takes UTF-8 characters and stray bytes, and returns the start of an unfinished character.
    private static func guess(_ input: [UInt8], into output: inout [UInt8]) -> Int {
        var index = 0
        while index < input.count {
            let length =
                switch input[index] {
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                default: 1
                }
            let end = index + length
            if length > 1, end > input.count, input[(index + 1)...].allSatisfy({ $0 & 0xC0 == 0x80 }) { return index }
            if length > 1, end <= input.count, String(validating: input[index..<end], as: UTF8.self) != nil {
                output += input[index..<end]
                index = end
            } else {
                Windows1252.append(input[index], to: &output)
                index += 1
            }
        }
        return index
    }

    /// Appends the rest of the text; call it once, at the end.
    public mutating func finish(into output: inout [UInt8]) {
        guard case .iconv(let handle, _) = mode else {
            for byte in carry { Windows1252.append(byte, to: &output) }
            carry = []
            return
        }
        if let rest = shifts?.finish() { carry += rest }
        if !carry.isEmpty {
            let rest = Self.convert(&carry, handle, into: &output)
            if rest < carry.count { output += Self.replacement }
        }
        carry = []
        var buffer = [CChar](repeating: 0, count: 64)
        let capacity = buffer.count
        buffer.withUnsafeMutableBufferPointer { target in
            var next = target.baseAddress
            var left = capacity
            _ = Glibc.iconv(handle, nil, nil, &next, &left)
        }
        output += buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    }

    /// Converts as much as possible and returns the start of the unfinished character at the end.
    private static func convert(_ input: inout [UInt8], _ handle: iconv_t, into output: inout [UInt8]) -> Int {
        let length = input.count
        var position = 0
        var buffer = [UInt8](repeating: 0, count: min(max(length * 2, 64), 1 << 16))
        while position < length {
            let start = position
            var produced = 0
            let failure = step(&input, &position, handle, &buffer, &produced)
            output += buffer[..<produced]
            switch failure {
            case 0:
                return position
            case E2BIG where produced > 0 || position > start:
                continue
            case EINVAL where length - position < longestCharacter:
                return position
            default:
                output += replacement
                position = min(position + 1, length)
            }
        }
        return position
    }

    /// Calls iconv once; returns its errno, or 0.
    private static func step(
        _ input: inout [UInt8], _ position: inout Int, _ handle: iconv_t, _ buffer: inout [UInt8], _ produced: inout Int
    ) -> Int32 {
        let capacity = buffer.count
        let length = input.count
        return input.withUnsafeMutableBytes { source in
            buffer.withUnsafeMutableBytes { target in
                var from = source.baseAddress?.advanced(by: position).assumingMemoryBound(to: CChar.self)
                var to = target.baseAddress?.assumingMemoryBound(to: CChar.self)
                var fromLeft = length - position
                var toLeft = capacity
                let result = Glibc.iconv(handle, &from, &fromLeft, &to, &toLeft)
                let failure = result == -1 ? errno : 0
                position = length - fromLeft
                produced = capacity - toLeft
                return failure
            }
        }
    }
}
