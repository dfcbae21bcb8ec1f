/// The beginning of a message's text, for a list of messages (RFC 8970).
public enum Preview {
    /// Unicode scalars of a preview (RFC 8970 section 3.3).
    public static let maximumLength = 200
    /// Encoded bytes of a part used for a preview.
    public static let readLimit = 64 << 10

    /// The text of a part on one line; empty if there is nothing to read.
    ///
    /// - Parameter body: the part's body, transfer-encoded, or the beginning of it.
    public static func text(of part: Part, _ body: [UInt8]) -> String {
        let body = body.count > readLimit ? Array(body[..<readLimit]) : body
        let encoding = TransferEncoding(named: part.fields.encoding)
        guard encoding != .unknown else { return "" }
        let bytes = encoding.decode(body.span, 0..<body.count)
        let charset = Charset(named: part.fields.type.parameters.text(named: "charset") ?? [])
        let text = String(decoding: charset.decode(bytes), as: UTF8.self)
        return part.fields.type.isType("text", "html") ? html(text) : plain(text)
    }

    /// The first lines outside quotations; in a text of quotations only, the quotation.
    public static func plain(_ text: String) -> String {
        var line = PreviewLine()
        var quotation = PreviewLine()
        var isAtLineStart = true
        var isQuoted = false
        // The ">" markers of all quotation levels are not text.
        var isInMarks = false
        if text.hasPrefix("-----BEGIN PGP MESSAGE-----") { return "" }
        for scalar in text.unicodeScalars {
            if isAtLineStart {
                isQuoted = scalar == ">"
                isInMarks = isQuoted
            }
            isAtLineStart = scalar == "\n" || scalar == "\r"
            if !isQuoted {
                line.take(scalar)
            } else if !isInMarks || scalar != ">" && scalar != " " {
                isInMarks = false
                quotation.take(scalar)
            }
            if line.isFull { break }
        }
        return line.text.isEmpty ? quotation.text : line.text
    }

    /// The text of an HTML document, without its quotations unless there is nothing else.
    public static func html(_ text: String) -> String {
        var reader = HTMLText(text)
        var line = PreviewLine()
        var quotation = PreviewLine()
        while !line.isFull, let (scalar, isQuoted) = reader.next() {
            if isQuoted { quotation.take(scalar) } else { line.take(scalar) }
        }
        return line.text.isEmpty ? quotation.text : line.text
    }
}

/// Collects text on one line: runs of blanks become one, and invisible characters are left out.
struct PreviewLine {
    private(set) var text = ""
    private var count = 0
    private var owesBlank = false

    var isFull: Bool { count >= Preview.maximumLength }

    mutating func take(_ scalar: Unicode.Scalar) {
        guard !isFull else { return }
        if scalar.isBlankInPreview {
            owesBlank = count > 0
            return
        }
        // Joiners shape letters within a word; elsewhere newsletters use them as padding.
        let isJoiner = scalar == "\u{200C}" || scalar == "\u{200D}"
        if scalar.isInvisible || isJoiner && (count == 0 || owesBlank) { return }
        if owesBlank {
            owesBlank = false
            count += 1
            // The blank would be the last character of the line.
            if isFull { return }
            text.unicodeScalars.append(" ")
        }
        text.unicodeScalars.append(scalar)
        count += 1
    }
}

extension Unicode.Scalar {
    fileprivate var isBlankInPreview: Bool {
        value < 0x20 || (0x7F...0x9F).contains(value) || properties.isWhitespace
    }

    /// Format characters without a glyph: direction marks, soft hyphens, byte order marks and fillers.
    fileprivate var isInvisible: Bool {
        switch value {
        case 0xAD, 0x034F, 0x061C, 0x115F...0x1160, 0x17B4...0x17B5, 0x180B...0x180E, 0x200B, 0x200E...0x200F,
            0x202A...0x202E, 0x2060...0x206F, 0x2800, 0x3164, 0xFEFF, 0xFFA0, 0xFFF9...0xFFFB:
            true
        default: false
        }
    }
}
