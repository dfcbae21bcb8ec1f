/// The boundaries of the multiparts that are open, found by their text: a line costs the same at any depth.
struct OpenBoundaries {
    /// For each boundary the multiparts that have it, the innermost last.
    private var owners: [[UInt8]: [Int]] = [:]
    /// The length of the longest boundary so far; longer lines are content.
    private var longest = 0

    /// Opens the boundary of a multipart inside of all that are open; nil if it is blank and cannot be used.
    ///
    /// Blanks at the end do not count, since a boundary line may gain some in transit (RFC 2046 section 5.1.1).
    mutating func open(_ boundary: [UInt8], of owner: Int) -> [UInt8]? {
        guard let last = boundary.lastIndex(where: { !$0.isBlank }) else { return nil }
        let boundary = Array(boundary[...last])
        owners[boundary, default: []].append(owner)
        longest = max(longest, boundary.count)
        return boundary
    }

    /// Forgets the innermost multipart that has this boundary.
    mutating func close(_ boundary: [UInt8]) {
        owners[boundary]?.removeLast()
        if owners[boundary]?.isEmpty == true { owners[boundary] = nil }
    }

    /// The innermost open multipart for which `line`, which begins with "--", is a boundary line.
    func match(_ line: Line, in bytes: Span<UInt8>) -> (owner: Int, isClosing: Bool)? {
        var end = line.end
        while end > line.start + 2, bytes[end - 1].isBlank { end -= 1 }
        let length = end - line.start - 2
        guard !owners.isEmpty, length > 0, length <= longest + 2 else { return nil }
        var text = bytes.array(line.start + 2..<end)
        let opening = owners[text]?.last
        var closing: Int?
        if length > 2, text[length - 1] == ASCII.hyphen, text[length - 2] == ASCII.hyphen {
            text.removeLast(2)
            closing = owners[text]?.last
        }
        if let closing, closing > opening ?? -1 { return (closing, true) }
        return opening.map { ($0, false) }
    }
}
