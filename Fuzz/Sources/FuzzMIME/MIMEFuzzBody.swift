import MIME

// The body of the fuzz target, run on each input. The parser's tests run it too, on the seed corpus.

/// Parses an input as a message under standard and tiny limits, and as each kind of field value and text.
func fuzzMIME(_ bytes: [UInt8]) {
    let tiny = ParseLimits(depth: 3, parts: 4, headerBytes: 64, addresses: 2, parameters: 2)
    for limits in [ParseLimits.standard, tiny] {
        let message = Message(parsing: bytes, limits: limits)
        precondition(message.range == 0..<bytes.count, "the tree does not cover the message")
        var parts = 0
        check(message.root, inside: 0..<bytes.count, depth: 1, parts: &parts, limits)
        precondition(parts <= limits.parts, "too many parts")
        checkScanner(bytes, message, limits)
        let header = HeaderBlock(scanning: bytes.span, limits: limits)
        precondition(header.range == message.root.header, "tree and header block disagree")
        let fields = HeaderSelection.only([Array("to".utf8), Array("subject".utf8)])
        for hasBody in [false, true] { _ = header.raw(fields, in: bytes.span, hasBody: hasBody) }
        _ = message.contains(TextQuery("Nädel"), in: bytes.span, limits: limits)
        _ = message.range(of: .text, at: [1, 2])
        for field in header.fields {
            let text = HeaderValue.text(bytes.span, field.value)
            precondition(String(validating: text, as: UTF8.self) != nil, "header text is no UTF-8")
        }
    }
    checkFieldValues(bytes)
    checkPieces(bytes)
    checkPreviews(bytes)
    checkSearch(bytes)
}

private func check(_ part: Part, inside outer: Range<Int>, depth: Int, parts: inout Int, _ limits: ParseLimits) {
    parts += 1
    precondition(depth <= limits.depth, "too deep")
    precondition(part.header.upperBound == part.body.lowerBound, "header and body do not touch")
    precondition(part.header.lowerBound >= outer.lowerBound && part.body.upperBound <= outer.upperBound, "part outside")
    switch part.structure {
    case .single:
        break
    case .multipart(let children):
        precondition(!children.isEmpty, "multipart without parts")
        for child in children { check(child, inside: part.body, depth: depth + 1, parts: &parts, limits) }
    case .message(let message):
        precondition(message.range == part.body, "embedded message is not the body")
        check(message.root, inside: part.body, depth: depth + 1, parts: &parts, limits)
    }
}

/// Checks that scanning in pieces gives the tree of the whole; the bytes themselves choose the sizes.
private func checkScanner(_ bytes: [UInt8], _ whole: Message, _ limits: ParseLimits) {
    for largest in [1, 7, 64] {
        var scanner = MessageScanner(limits: limits)
        var start = 0
        while start < bytes.count {
            let end = min(start + 1 + Int(bytes[start]) % largest, bytes.count)
            scanner.feed(bytes.span.extracting(start..<end))
            start = end
        }
        precondition(scanner.finish() == whole, "pieces give another tree")
        precondition(scanner.topHeader == Array(bytes[whole.root.header]), "pieces give another header")
    }
}

private func checkFieldValues(_ bytes: [UInt8]) {
    let groups = AddressList.parse(bytes).reduce(0) { level, entry in
        switch entry {
        case .groupStart: level + 1
        case .groupEnd: level - 1
        case .mailbox: level
        }
    }
    precondition(groups == 0, "group not closed")
    if let list = ContentType(parsing: bytes)?.parameters {
        for parameter in list.parameters { _ = list.text(named: String(decoding: parameter.name, as: UTF8.self)) }
    }
    _ = ContentDisposition(parsing: bytes)
    let decoded = EncodedWord.decode(bytes)
    precondition(String(validating: decoded, as: UTF8.self) != nil, "decoded words are no UTF-8")
    let subject = BaseSubject(bytes)
    precondition(subject.text.count <= decoded.count, "the base subject grew")
    let key = UnicodeCasemap.key(subject.text)
    precondition(String(validating: key, as: UTF8.self) != nil, "the collation's key is no UTF-8")
    for id in MessageIDs(bytes) { precondition(id.count >= 3 && id.count < bytes.count, "no message id") }
    if let date = HeaderDate(parsing: bytes) {
        precondition(HeaderDate(sentDate: bytes) == date, "the forgiving reading of a date differs")
        precondition(HeaderDate(parsing: Array(date.formatted.utf8)) == date, "date does not come back")
    }
}

/// Checks that decoding piece by piece equals decoding at once; the first byte chooses charset and size.
private func checkPieces(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let size = Int(first % 7) + 1
    for encoding in [TransferEncoding.base64, .quotedPrintable] {
        var decoder = TransferDecoder(encoding)
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            decoder.decode(bytes.span, start..<min(start + size, bytes.count), into: &output)
        }
        decoder.finish(into: &output)
        precondition(output == encoding.decode(bytes.span, 0..<bytes.count), "pieces differ")
    }
    let names = ["utf-8", "iso-2022-jp", "utf-7", "shift_jis", "gb18030", "big5", "euc-kr", "utf-16", "iso-2022-kr"]
    let charset = Charset(named: Array(names[Int(first / 7) % names.count].utf8))
    var decoder = CharsetDecoder(charset)
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
        decoder.decode(Array(bytes[start..<min(start + size, bytes.count)]), into: &output)
    }
    decoder.finish(into: &output)
    _ = charset.decode(bytes)
}

private func checkPreviews(_ bytes: [UInt8]) {
    let message = Message(parsing: bytes)
    for part in message.previewParts {
        precondition(part.body.upperBound <= bytes.count, "a part outside of the message")
        checkPreview(Preview.text(of: part, Array(bytes[part.body])))
    }
    let text = String(decoding: bytes, as: UTF8.self)
    checkPreview(Preview.plain(text))
    checkPreview(Preview.html(text))
}

/// Checks that a preview is one line, no longer than RFC 8970 section 3.3 allows.
private func checkPreview(_ text: String) {
    let scalars = text.unicodeScalars
    precondition(scalars.count <= Preview.maximumLength, "a preview is too long")
    precondition(!scalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }, "a preview has controls")
    precondition(scalars.first != " " && scalars.last != " ", "a preview begins or ends with a blank")
}

/// Searches the rest of the input for its first line, in one of the charsets that a search can use.
private func checkSearch(_ bytes: [UInt8]) {
    let line = bytes.prefix { $0 != 0x0A }
    let text = Array(bytes.dropFirst(line.count + 1))
    let names = ["utf-8", "iso-2022-jp", "utf-7", "windows-1252", "gb18030", "utf-16"]
    let needle = Charset(named: Array(names[line.count % names.count].utf8)).decode(Array(line))
    precondition(String(validating: needle, as: UTF8.self) != nil, "a decoded text is no UTF-8")
    let query = TextQuery(needle)
    precondition(query.isFound(in: needle), "a text does not contain itself")
    precondition(query.isFound(in: Array("x ".utf8) + needle + Array(" x".utf8)), "a text is not found behind another")
    let isFound = query.isFound(in: text)
    var matcher = TextMatcher(query)
    for byte in text { matcher.take([byte]) }
    precondition(matcher.finish() == isFound, "the pieces that a text comes in change what is found")
    matcher.reset()
    matcher.take(text)
    precondition(matcher.finish() == isFound, "a matcher remembers another text")
}
