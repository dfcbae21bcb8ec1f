import Primitives

/// Encoded words of header fields (RFC 2047, with the language of RFC 2231 section 5).
public enum EncodedWord {
    /// Words of one field that are decoded: more than any list of people has.
    static let mostWords = 10_000
    /// Changes of charset between the words of one field that are followed: text of people changes it a few times, and
    /// each change costs as much as a hundred words.
    static let mostChanges = 1_000

    /// How many words were decoded so far.
    public static var decodedWords: Int { decoded.withLock { $0 } }
    private static let decoded = Locked(0)

    private struct Word {
        let charset: [UInt8]
        let content: [UInt8]
        let end: Int
    }

    /// Decodes an unfolded value to valid UTF-8.
    ///
    /// Blanks between two encoded words are dropped, and adjacent words in one charset are converted together, since
    /// many senders split characters. Bytes above 127 outside encoded words are read as UTF-8 if all of them are valid,
    /// else as windows-1252. Time is linear in the value; what stands behind ``mostWords`` words, or ``mostChanges``
    /// changes of charset, stays as it is.
    public static func decode(_ value: [UInt8]) -> [UInt8] {
        guard value.span.firstIndex(of: ASCII.equals, from: 0, to: value.count) != nil else { return plain(value) }
        var output: [UInt8] = []
        output.reserveCapacity(value.count)
        /// Decoded bytes of adjacent words, waiting for conversion.
        var run: [UInt8] = []
        var runCharset: [UInt8]?
        var lastCharset: [UInt8]?
        /// Charsets named so far.
        var known: [[UInt8]: Charset] = [:]
        func flushRun() {
            guard let name = runCharset else { return }
            let charset = known[name] ?? Charset(named: name)
            known[name] = charset
            output += charset.decode(run)
            run = []
            runCharset = nil
        }
        var plainStart = 0
        var index = 0
        var words = 0
        var changes = 0
        while index < value.count, words < mostWords, changes < mostChanges {
            guard value[index] == ASCII.equals, let word = word(in: value, at: index) else {
                index += 1
                continue
            }
            let gap = value[plainStart..<index]
            if runCharset == nil || !gap.allSatisfy(\.isWhitespace) {
                flushRun()
                output += plain(Array(gap))
            }
            if let current = runCharset, current != word.charset { flushRun() }
            if let last = lastCharset, last != word.charset { changes += 1 }
            lastCharset = word.charset
            words += 1
            run += word.content
            runCharset = word.charset
            index = word.end
            plainStart = index
        }
        flushRun()
        if words > 0 { decoded.withLock { $0 += words } }
        return output + plain(Array(value[plainStart...]))
    }

    private static func plain(_ bytes: [UInt8]) -> [UInt8] {
        UTF8Text.isValid(bytes) ? bytes : Charset.windows1252.decode(bytes)
    }

    /// The word that begins at `start`, if it is well formed.
    private static func word(in value: [UInt8], at start: Int) -> Word? {
        guard start + 1 < value.count, value[start + 1] == ASCII.question else { return nil }
        // Each field ends at a question mark, so a failed attempt reads no further than the third one after `start`.
        guard let charsetEnd = nextQuestion(in: value, from: start + 2), charsetEnd > start + 2,
            charsetEnd + 2 < value.count, value[charsetEnd + 2] == ASCII.question
        else { return nil }
        let textStart = charsetEnd + 3
        guard let textEnd = nextQuestion(in: value, from: textStart),
            textEnd + 1 < value.count, value[textEnd + 1] == ASCII.equals
        else { return nil }
        let charset = value[(start + 2)..<charsetEnd].prefix { $0 != ASCII.star }.map(\.asciiLowered)
        let content: [UInt8]
        switch value[charsetEnd + 1].asciiLowered {
        case UInt8(ascii: "b"): content = TransferEncoding.base64.decode(value.span, textStart..<textEnd)
        case UInt8(ascii: "q"): content = decodeQ(value[textStart..<textEnd])
        default: return nil
        }
        return Word(charset: charset, content: content, end: textEnd + 2)
    }

    private static func nextQuestion(in value: [UInt8], from start: Int) -> Int? {
        value.span.firstIndex(of: ASCII.question, from: start, to: value.count)
    }

    private static func decodeQ(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            if byte == ASCII.underscore {
                result.append(ASCII.space)
            } else if byte == ASCII.equals, index + 2 < text.endIndex,
                let high = text[index + 1].hexValue, let low = text[index + 2].hexValue
            {
                result.append(high << 4 | low)
                index += 2
            } else {
                result.append(byte)
            }
            index += 1
        }
        return result
    }
}
