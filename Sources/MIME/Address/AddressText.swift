extension AddressList {
    /// The addresses of an unfolded field value as text to search in, encoded words decoded: what the envelope has of
    /// them, without the field's comments, blanks and quotes.
    ///
    /// `Name <user@host>, Group: <user@host>;` is followed by the other spellings of its addresses, each on a line of
    /// its own: with the quotes that RFC 5322 asks for, and with the route.
    ///
    /// - Parameter limit: entries to take at most.
    public static func searchText(of value: [UInt8], limit: Int = ParseLimits.standard.addresses) -> [UInt8] {
        var text = AddressText()
        for entry in parse(value, limit: limit) { text.append(entry) }
        return text.line + text.others
    }
}

private struct AddressText {
    private(set) var line: [UInt8] = []
    private(set) var others: [UInt8] = []
    private var needsComma = false

    mutating func append(_ entry: AddressEntry) {
        if needsComma, entry != .groupEnd { line += [ASCII.comma, ASCII.space] }
        needsComma = true
        switch entry {
        case .groupStart(let name):
            line += EncodedWord.decode(name) + [ASCII.colon, ASCII.space]
            needsComma = false
        case .groupEnd: line.append(ASCII.semicolon)
        case .mailbox(let address): append(address)
        }
    }

    private mutating func append(_ address: Address) {
        let name = address.name.map(EncodedWord.decode) ?? []
        let host = address.host.isEmpty ? [] : [ASCII.at] + address.host
        line += Self.text(name, address.mailbox + host)
        let quotedName = name.contains(where: Self.isSpecial) ? Self.quoted(name) : name
        let needsQuotes = address.mailbox.contains { Self.isSpecial($0) || $0.isWhitespace || $0 == ASCII.at }
        let mailbox = needsQuotes ? Self.quoted(address.mailbox) : address.mailbox
        guard needsQuotes || quotedName != name || address.route != nil else { return }
        let route = address.route.map { $0 + [ASCII.colon] } ?? []
        others += [ASCII.lf] + Self.text(quotedName, route + mailbox + host)
    }

    private static func text(_ name: [UInt8], _ address: [UInt8]) -> [UInt8] {
        (name.isEmpty ? [] : name + [ASCII.space]) + [ASCII.openAngle] + address + [ASCII.closeAngle]
    }

    private static func quoted(_ text: [UInt8]) -> [UInt8] {
        let escaped = text.flatMap { $0 == ASCII.quote || $0 == ASCII.backslash ? [ASCII.backslash, $0] : [$0] }
        return [ASCII.quote] + escaped + [ASCII.quote]
    }

    /// The specials of RFC 5322 section 3.2.3 without the dot, which names and local parts have without quotes, and
    /// the at sign of addresses that are names.
    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case ASCII.openParen, ASCII.closeParen, ASCII.openAngle, ASCII.closeAngle, ASCII.openBracket: true
        case ASCII.closeBracket, ASCII.colon, ASCII.semicolon, ASCII.backslash, ASCII.comma, ASCII.quote: true
        default: false
        }
    }
}
