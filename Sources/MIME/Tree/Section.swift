/// The text after the part numbers of an IMAP section (RFC 3501 section 6.4.5).
public enum SectionText: Sendable, Equatable {
    /// No text: the body of the part, or the whole message if there are no numbers.
    case body
    /// The header of the part.
    case mime
    /// The header of the message, or of the message embedded in the part.
    case header
    /// The body of the message, or of the message embedded in the part.
    case text
}

extension Message {
    /// The part with these numbers, which count from 1; nil if there is none.
    ///
    /// The body of a message that is not a multipart is its part 1.
    public func part(at path: [Int]) -> Part? {
        guard !path.isEmpty else { return nil }
        var container: Part? = root
        var found: Part?
        for number in path {
            guard let current = container else { return nil }
            let next: Part
            if case .multipart(let children) = current.structure {
                guard number >= 1, number <= children.count else { return nil }
                next = children[number - 1]
            } else if number == 1 {
                // Not a multipart, hence the root of a message: other single parts never become the container.
                next = current
            } else {
                return nil
            }
            found = next
            switch next.structure {
            case .single:
                container = nil
            case .multipart:
                container = next
            case .message(let message):
                container = message.root
            }
        }
        return found
    }

    /// The bytes named by a section; nil if the message has no such section.
    public func range(of text: SectionText, at path: [Int] = []) -> Range<Int>? {
        guard !path.isEmpty else {
            switch text {
            case .body: return range
            case .mime: return nil
            case .header: return root.header
            case .text: return root.body
            }
        }
        guard let part = part(at: path) else { return nil }
        switch text {
        case .body: return part.body
        case .mime: return part.header
        case .header, .text:
            guard case .message(let message) = part.structure else { return nil }
            return text == .header ? message.root.header : message.root.body
        }
    }
}
