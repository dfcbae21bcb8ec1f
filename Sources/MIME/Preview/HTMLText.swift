/// Extracts the text of an HTML document, scalar by scalar; every input is accepted, and time is linear in it.
///
/// It knows just enough for a preview: tags, comments and the contents of scripts and styles are left out, tags that
/// begin a new line or cell produce a blank, character references are resolved, quotations are marked.
struct HTMLText {
    private let scalars: [Unicode.Scalar]
    private var index = 0
    /// Open blockquotes.
    private var quotes = 0
    /// The scalars of a reference that are not returned yet, in reverse order.
    private var pending: [Unicode.Scalar] = []

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    /// Returns the next scalar of the text, and whether it is quoted.
    mutating func next() -> (scalar: Unicode.Scalar, isQuoted: Bool)? {
        while true {
            if let scalar = pending.popLast() { return (scalar, quotes > 0) }
            guard index < scalars.count else { return nil }
            let scalar = scalars[index]
            switch scalar {
            case "<":
                guard markup() else { break }
                continue
            case "&":
                guard let (value, length) = HTMLReference.resolve(scalars[index...].prefix(HTMLReference.longest))
                else { break }
                index += length
                pending = value.reversed()
                continue
            default: break
            }
            index += 1
            return (scalar, quotes > 0)
        }
    }

    /// Skips markup that begins with "<"; false if it is text.
    private mutating func markup() -> Bool {
        let first = index + 1 < scalars.count ? scalars[index + 1] : " "
        switch first {
        case "!" where holds("!--", at: index + 1):
            skip(past: "-->", from: index + 2)
        case "!", "?":
            skip(past: ">", from: index + 2)
        case "/":
            guard index + 2 < scalars.count, scalars[index + 2].isASCIILetter else {
                skip(past: ">", from: index + 2)
                return true
            }
            tag(named: name(at: index + 2), isEnd: true)
        case _ where first.isASCIILetter:
            tag(named: name(at: index + 1), isEnd: false)
        default:
            return false
        }
        return true
    }

    private mutating func tag(named name: String, isEnd: Bool) {
        skipAttributes()
        if Self.opaque.contains(name) {
            if !isEnd { skip(pastEndOf: name) }
        } else if name == "blockquote" {
            quotes = isEnd ? max(0, quotes - 1) : quotes + 1
            pending = [" "]
        } else if !Self.inline.contains(name) {
            pending = [" "]
        }
    }

    /// Skips to after the ">" of a tag; one within quotes does not end it.
    private mutating func skipAttributes() {
        var quote: Unicode.Scalar?
        var isValue = false
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            if let open = quote {
                if scalar == open { quote = nil }
            } else if scalar == ">" {
                return
            } else if isValue, scalar == "\"" || scalar == "'" {
                quote = scalar
            }
            // A quotation mark opens a value only after "=".
            if scalar == "=" {
                isValue = true
            } else if scalar != " ", scalar != "\n", scalar != "\t" {
                isValue = false
            }
        }
    }

    private mutating func skip(past end: String, from start: Int) {
        let last = end.unicodeScalars.last
        index = min(start, scalars.count)
        while index < scalars.count {
            index += 1
            if scalars[index - 1] == last, index - start >= end.unicodeScalars.count,
                holds(end, at: index - end.unicodeScalars.count)
            {
                return
            }
        }
    }

    private mutating func skip(pastEndOf name: String) {
        while index < scalars.count {
            if scalars[index] == "<", holds("/", at: index + 1), self.name(at: index + 2) == name {
                return skipAttributes()
            }
            index += 1
        }
    }

    private func holds(_ text: String, at start: Int) -> Bool {
        var position = start
        for scalar in text.unicodeScalars {
            guard position < scalars.count, scalars[position] == scalar else { return false }
            position += 1
        }
        return true
    }

    /// The name of an element in lower case; a long one is cut off.
    private func name(at start: Int) -> String {
        var name = ""
        for scalar in scalars[min(start, scalars.count)...].prefix(16) {
            guard scalar.isASCIILetter || ("0"..."9").contains(scalar) else { break }
            name.unicodeScalars.append(Unicode.Scalar(UInt8(truncatingIfNeeded: scalar.value).asciiLowered))
        }
        return name
    }

    /// Elements whose content is not readable text.
    private static let opaque: Set<String> = ["script", "style", "title", "textarea", "noembed", "iframe", "xmp"]
    /// Elements that do not begin a new line or cell.
    private static let inline: Set<String> = [
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd",
        "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
        "wbr", "o", "v",
    ]
}

extension Unicode.Scalar {
    fileprivate var isASCIILetter: Bool { (value | 0x20) &- 0x61 < 26 && value < 0x80 }
}
