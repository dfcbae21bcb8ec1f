/// The boundaries of the open multiparts, innermost last.
struct OpenBoundaries {
    private struct Entry {
        let text: [UInt8]
        let length: Int
        let owner: Int
    }

    private var entries: [Entry] = []
    /// The length of the longest boundary so far; longer lines are content.
    private(set) var longest = 0

    /// A boundary line is a line of at most 998 octets (RFC 5322 section 2.1.1). RFC 2046 allows a boundary 70.
    static let longestUsable = 996

    var isEmpty: Bool { entries.isEmpty }

    /// Opens the boundary of a multipart inside all open ones; a blank or overlong boundary is never matched.
    ///
    /// Trailing blanks do not count, since a boundary line may gain some in transit (RFC 2046 section 5.1.1).
    mutating func open(_ boundary: [UInt8], of owner: Int) {
        guard let last = boundary.lastIndex(where: { !$0.isBlank }), last < Self.longestUsable else { return }
        let text = last + 1 == boundary.count ? boundary : Array(boundary[...last])
        entries.append(Entry(text: text, length: text.count, owner: owner))
        longest = max(longest, text.count)
    }

    /// Forgets the boundaries of this multipart and of those inside it.
    mutating func close(from owner: Int) {
        while let last = entries.last, last.owner >= owner { entries.removeLast() }
    }

    /// The innermost open multipart for which "--" followed by `text` is a boundary line.
    func match(_ text: Span<UInt8>) -> (owner: Int, isClosing: Bool)? {
        var length = text.count
        while length > 0, text[length - 1].isBlank { length -= 1 }
        guard length > 0, length <= longest + 2 else { return nil }
        let isDashed = length > 2 && text[length - 1] == ASCII.hyphen && text[length - 2] == ASCII.hyphen
        for entry in entries.reversed() {
            if entry.length == length {
                if text.holds(entry.text, at: 0..<length) { return (entry.owner, false) }
            } else if isDashed, entry.length == length - 2, text.holds(entry.text, at: 0..<length - 2) {
                return (entry.owner, true)
            }
        }
        return nil
    }
}
