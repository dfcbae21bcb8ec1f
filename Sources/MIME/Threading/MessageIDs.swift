/// The message ids of a Message-ID, References or In-Reply-To value, in order.
///
/// Each is normalised as RFC 5256 section 3 requires: without its angle brackets, unquoted, blanks and comments
/// removed; case is kept. Text with nothing on one side of its "@" is not a message id. Time is linear in the value.
public struct MessageIDs: Sequence, IteratorProtocol, Sendable {
    private let value: [UInt8]
    private var index = 0

    /// - Parameter value: unfolded.
    public init(_ value: [UInt8]) { self.value = value }

    public mutating func next() -> [UInt8]? {
        while let open = value.span.firstIndex(of: ASCII.openAngle, from: index, to: value.count) {
            index = open + 1
            if let id = read() { return id }
        }
        index = value.count
        return nil
    }

    /// Reads on after a "<"; stops before another one.
    private mutating func read() -> [UInt8]? {
        var id: [UInt8] = []
        /// The position of the last "@" outside quotes.
        var at: Int?
        // An unterminated quote or comment is an ordinary byte; the search for its end fails once, so that time stays
        // linear.
        var hasQuotes = true
        var hasComments = true
        while index < value.count {
            let byte = value[index]
            switch byte {
            case ASCII.openAngle:
                return nil
            case ASCII.closeAngle:
                index += 1
                guard let at, at > 0, at < id.count - 1 else { return nil }
                return id
            case ASCII.quote where hasQuotes && takeQuoted(into: &id): break
            case ASCII.quote: (hasQuotes, index) = (false, index + 1)
            case ASCII.openParen where hasComments && takeComment(): break
            case ASCII.openParen:
                hasComments = false
                id.append(byte)
                index += 1
            default:
                if byte == ASCII.at { at = id.count }
                if !byte.isWhitespace { id.append(byte) }
                index += 1
            }
        }
        return nil
    }

    private mutating func takeQuoted(into id: inout [UInt8]) -> Bool {
        var content: [UInt8] = []
        var position = index + 1
        while position < value.count, value[position] != ASCII.openAngle {
            var byte = value[position]
            position += 1
            if byte == ASCII.quote {
                id += content
                index = position
                return true
            }
            if byte == ASCII.backslash, position < value.count {
                byte = value[position]
                position += 1
            }
            content.append(byte)
        }
        return false
    }

    private mutating func takeComment() -> Bool {
        var depth = 0
        var position = index
        while position < value.count, value[position] != ASCII.openAngle, value[position] != ASCII.closeAngle {
            switch value[position] {
            case ASCII.backslash: position += 1
            case ASCII.openParen: depth += 1
            case ASCII.closeParen: depth -= 1
            default: break
            }
            position += 1
            if depth == 0 {
                index = position
                return true
            }
        }
        return false
    }
}
