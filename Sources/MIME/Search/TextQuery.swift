/// Text to search for, prepared once and used for any number of messages.
public struct TextQuery: Sendable, Equatable {
    /// The folded text.
    let pattern: [UInt8]
    /// For each prefix of the pattern, the length of its longest border: the state to continue from after a mismatch.
    let borders: [Int]
    let filter: CandidateFilter

    /// Prepares UTF-8 text; bytes that are not UTF-8 are matched unchanged.
    public init(_ text: [UInt8]) {
        var folder = FoldingStream()
        var folded: [UInt8] = []
        for byte in text { folder.take(byte) { folded.append($0) } }
        folder.finish { folded.append($0) }
        var borders = [Int](repeating: 0, count: folded.count)
        var length = 0
        for index in folded.indices.dropFirst() {
            while length > 0, folded[index] != folded[length] { length = borders[length - 1] }
            if folded[index] == folded[length] { length += 1 }
            borders[index] = length
        }
        pattern = folded
        self.borders = borders
        filter = CandidateFilter(folded)
    }

    /// Prepares a string.
    public init(_ text: String) { self.init(Array(text.utf8)) }

    /// Whether the query is empty, which is found everywhere.
    public var isEmpty: Bool { pattern.isEmpty }

    /// Whether `text`, in UTF-8, contains the query, ignoring case.
    public func isFound(in text: [UInt8]) -> Bool {
        var matcher = TextMatcher(self)
        matcher.take(text)
        return matcher.finish()
    }
}
