/// Parses address lists in header fields, broken ones included.
public enum AddressList {
    /// Parses an unfolded field value; never fails, and reads each byte a fixed number of times.
    ///
    /// - Parameter limit: entries to take at most; the rest of the value is ignored.
    public static func parse(_ value: [UInt8], limit: Int = ParseLimits.standard.addresses) -> [AddressEntry] {
        var parser = AddressParser(value, limit: limit)
        return parser.parse()
    }
}

struct AddressParser {
    private struct Word {
        let text: [UInt8]
        /// Whether the word touches the one before it.
        let isJoined: Bool
    }

    private enum Pending {
        case nothing
        /// From an address without angle brackets.
        case bare(name: [UInt8]?, mailbox: [UInt8], host: [UInt8])
        /// From an address in angle brackets, which ends the entry.
        case angle(Address)
    }

    /// Words kept of one entry; a longer name is cut.
    private static let longestPhrase = 1000

    private var lexer: FieldLexer
    private let limit: Int
    private var entries: [AddressEntry] = []
    private var isInGroup = false
    private var words: [Word] = []
    private var pending = Pending.nothing
    private var entryStart = 0

    init(_ value: [UInt8], limit: Int) {
        lexer = FieldLexer(value)
        self.limit = limit
    }

    mutating func parse() -> [AddressEntry] {
        while entries.count < limit {
            let isSpaced = lexer.skipBlanksAndComments()
            guard let byte = lexer.current else { break }
            switch byte {
            case ASCII.comma:
                lexer.advance()
                finishEntry()
            case ASCII.semicolon:
                lexer.advance()
                finishEntry()
                if isInGroup { entries.append(.groupEnd) }
                isInGroup = false
            case ASCII.colon:
                lexer.advance()
                startGroup()
            case ASCII.openAngle:
                readAngle()
            case ASCII.at:
                readBareDomain()
            case ASCII.quote:
                addWord(lexer.quotedString(), isSpaced: isSpaced)
            case ASCII.openBracket:
                addWord(lexer.domainLiteral(), isSpaced: isSpaced)
            case ASCII.closeAngle, ASCII.closeParen, ASCII.closeBracket, ASCII.backslash:
                lexer.advance()
            default:
                addWord(lexer.run(until: Self.endsWord), isSpaced: isSpaced)
            }
        }
        if entries.count < limit { finishEntry() }
        if isInGroup { entries.append(.groupEnd) }
        return entries
    }

    // MARK: - Entries

    private mutating func addWord(_ text: [UInt8], isSpaced: Bool) {
        // Words after a bare address are ignored, unless angle brackets follow and make it a name.
        guard case .nothing = pending, words.count < Self.longestPhrase else { return }
        // A comment in front is no name.
        if words.isEmpty { lexer.forgetComment() }
        words.append(Word(text: text, isJoined: !isSpaced && !words.isEmpty))
    }

    private mutating func startGroup() {
        guard !isInGroup, case .nothing = pending, !words.isEmpty else { return }
        entries.append(.groupStart(name: phrase(words[...]) ?? []))
        isInGroup = true
        resetEntry()
    }

    private mutating func finishEntry() {
        defer { resetEntry() }
        switch pending {
        case .angle(let address):
            let name = address.name ?? lexer.comment
            append(Address(name: name, route: address.route, mailbox: address.mailbox, host: address.host))
        case .bare(let name, let mailbox, let host):
            append(Address(name: name ?? lexer.comment, mailbox: mailbox, host: host))
        case .nothing:
            guard let first = words.first else { return }
            if words.count == 1 {
                append(Address(name: lexer.comment, mailbox: first.text, host: []))
            } else {
                append(Address(name: phrase(words[...]), mailbox: [], host: []))
            }
        }
    }

    private mutating func append(_ address: Address) {
        entries.append(.mailbox(address))
    }

    private mutating func resetEntry() {
        words.removeAll(keepingCapacity: true)
        pending = .nothing
        entryStart = lexer.index
        lexer.forgetComment()
    }

    /// The words, with one space where the field has blanks; nil if nothing is left.
    private func phrase(_ words: ArraySlice<Word>) -> [UInt8]? {
        if words.count == 1, let only = words.first?.text { return only.isEmpty ? nil : only }
        var text: [UInt8] = []
        for word in words {
            if !text.isEmpty, !word.isJoined { text.append(ASCII.space) }
            text += word.text
        }
        return text.isEmpty ? nil : text
    }

    // MARK: - Addresses

    /// Reads on from the "@" of an address without angle brackets: the last adjoining words are its local part.
    private mutating func readBareDomain() {
        lexer.advance()
        let host = readDomain()
        guard case .nothing = pending else { return }
        var split = words.count
        var isJoined = true
        while split > 0, isJoined {
            split -= 1
            let before = split > 0 ? words[split - 1].text.last : nil
            isJoined = words[split].isJoined || words[split].text.first == ASCII.dot || before == ASCII.dot
        }
        let mailbox = split == words.count - 1 ? words[split].text : words[split...].flatMap(\.text)
        pending = .bare(name: phrase(words[..<split]), mailbox: mailbox, host: host)
    }

    private mutating func readAngle() {
        var name = phrase(words[...])
        switch pending {
        case .nothing:
            break
        case .bare:
            // "a@b.example <a@b.example>": the text before the brackets is the name.
            name = Array(lexer.bytes[entryStart..<lexer.index]).trimmed
        case .angle:
            finishEntry()
            name = nil
        }
        lexer.advance()
        lexer.skipBlanksAndComments()
        let route = readRoute()
        let mailbox = readAngleLocalPart()
        let host = lexer.take(ASCII.at) ? readDomain() : []
        _ = lexer.run { $0 == ASCII.closeAngle || $0 == ASCII.comma || $0 == ASCII.semicolon }
        _ = lexer.take(ASCII.closeAngle)
        pending = .angle(Address(name: name, route: route, mailbox: mailbox, host: host))
        // Comments within the brackets are no name either.
        lexer.forgetComment()
    }

    /// Takes an obsolete source route up to its colon: "@a, @b:", with empty elements and comments (RFC 5322 section
    /// 4.4). Nil, and nothing is taken, if there is none.
    private mutating func readRoute() -> [UInt8]? {
        guard lexer.current == ASCII.at || lexer.current == ASCII.comma else { return nil }
        let start = lexer
        var route: [UInt8] = []
        while true {
            lexer.skipBlanksAndComments()
            switch lexer.current {
            case ASCII.colon?:
                lexer.advance()
                return route
            case ASCII.at?:
                if !route.isEmpty { route.append(ASCII.comma) }
                route.append(ASCII.at)
                lexer.advance()
            case ASCII.comma?: lexer.advance()
            case ASCII.openBracket?: route += lexer.domainLiteral()
            case let byte? where !Self.endsWord(byte): route += lexer.run(until: Self.endsWord)
            default:
                lexer = start
                return nil
            }
        }
    }

    private mutating func readAngleLocalPart() -> [UInt8] {
        var text: [UInt8] = []
        while true {
            let isSpaced = lexer.skipBlanksAndComments()
            guard let byte = lexer.current else { return text }
            let piece: [UInt8]
            switch byte {
            case ASCII.at, ASCII.closeAngle, ASCII.comma, ASCII.semicolon:
                return text
            case ASCII.quote:
                piece = lexer.quotedString()
            case ASCII.openBracket:
                piece = lexer.domainLiteral()
            default:
                if Self.endsWord(byte) {
                    lexer.advance()
                    piece = [byte] + lexer.run(until: Self.endsWord)
                } else {
                    piece = lexer.run(until: Self.endsWord)
                }
            }
            if text.isEmpty {
                text = piece
                continue
            }
            if isSpaced, text.last != ASCII.dot, piece.first != ASCII.dot { text.append(ASCII.space) }
            text += piece
        }
    }

    /// Reads the domain after an "@" already taken; blanks and comments around dots are left out.
    private mutating func readDomain() -> [UInt8] {
        var text: [UInt8] = []
        while true {
            let isSpaced = lexer.skipBlanksAndComments()
            guard let byte = lexer.current else { return text }
            if isSpaced, let last = text.last, last != ASCII.dot, byte != ASCII.dot { return text }
            if byte == ASCII.openBracket {
                text += lexer.domainLiteral()
            } else if Self.endsWord(byte) {
                return text
            } else if text.isEmpty {
                text = lexer.run(until: Self.endsWord)
            } else {
                text += lexer.run(until: Self.endsWord)
            }
        }
    }

    /// Blanks and the specials of RFC 5322 except the dot, which is part of our words.
    private static func endsWord(_ byte: UInt8) -> Bool {
        switch byte {
        case ASCII.space, ASCII.tab, ASCII.cr, ASCII.lf, ASCII.openParen, ASCII.closeParen: true
        case ASCII.openAngle, ASCII.closeAngle, ASCII.openBracket, ASCII.closeBracket, ASCII.colon: true
        case ASCII.semicolon, ASCII.at, ASCII.backslash, ASCII.comma, ASCII.quote: true
        default: false
        }
    }
}
