/// A line that ends in a later piece. Only as much is kept as shows whether it is a boundary line.
struct UnfinishedLine {
    private var text: [UInt8] = []
    /// Whether the last byte after `text` is a CR: part of the line end, if a line feed follows.
    private var endsInCR = false
    /// Whether it cannot be a boundary line.
    private var isContent = false
    private(set) var isEmpty = true

    /// Bytes kept in memory.
    var heldBytes: Int { text.count }

    /// Takes more of the line; `longest` is the length of the longest boundary.
    mutating func take(_ bytes: Span<UInt8>, _ range: Range<Int>, longest: Int) {
        guard !range.isEmpty else { return }
        isEmpty = false
        guard !isContent else { return }
        // The dashes before and after the boundary; only blanks can follow.
        let kept = min(range.count, max(longest + 4 - text.count, 0))
        text += bytes.array(range.lowerBound..<range.lowerBound + kept)
        isContent =
            text[0] != ASCII.hyphen || text.count > 1 && text[1] != ASCII.hyphen
            || kept < range.count && text.last == ASCII.cr
        for index in range.lowerBound + kept..<range.upperBound where !isContent {
            isContent = endsInCR || !(bytes[index].isBlank || bytes[index] == ASCII.cr)
            endsInCR = bytes[index] == ASCII.cr
        }
        if isContent { text.removeAll(keepingCapacity: true) }
    }

    /// Returns the text after the two dashes of a possible boundary line, and resets this for the next line.
    ///
    /// - Parameter isEnded: whether a line feed follows, so that a trailing CR is not text.
    mutating func end(isEnded: Bool) -> [UInt8]? {
        defer {
            text.removeAll(keepingCapacity: true)
            endsInCR = false
            isContent = false
            isEmpty = true
        }
        guard !isContent, isEnded || !endsInCR else { return nil }
        var end = text.count
        if isEnded, !endsInCR, text.last == ASCII.cr { end -= 1 }
        return end > 2 ? Array(text[2..<end]) : nil
    }
}
