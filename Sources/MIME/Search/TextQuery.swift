/// Text to search for, prepared once and used for any number of messages.
public struct TextQuery: Sendable, Equatable {
    /// The folded text.
    let pattern: [UInt8]
    /// For each prefix of the pattern, the length of its longest border: where to go on after a mismatch.
    let borders: [Int]

    /// Prepares UTF-8 text; bytes that are no UTF-8 are matched as they are.
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
    }

    /// Prepares a string.
    public init(_ text: String) { self.init(Array(text.utf8)) }

    /// Whether nothing is searched for, which is found everywhere.
    public var isEmpty: Bool { pattern.isEmpty }

    /// Whether `text`, in UTF-8, contains this whatever the case.
    public func isFound(in text: [UInt8]) -> Bool {
        var matcher = TextMatcher(self)
        matcher.take(text)
        return matcher.finish()
    }
}

/// Looks for a query in UTF-8 text that comes piece by piece, cut anywhere; memory does not grow with the text.
public struct TextMatcher: Sendable {
    private let query: TextQuery
    private var folder = FoldingStream()
    private var matched = 0
    /// Whether the query has been found; it stays so until `reset`.
    public private(set) var isFound: Bool

    public init(_ query: TextQuery) {
        self.query = query
        isFound = query.isEmpty
    }

    /// Reads the next piece; does nothing once the query is found.
    public mutating func take(_ piece: [UInt8]) {
        guard !isFound else { return }
        var search = Search(query: query, matched: matched)
        for byte in piece {
            folder.take(byte) { search.take($0) }
            if search.isFound { break }
        }
        matched = search.matched
        isFound = search.isFound
    }

    /// Ends the text and tells whether the query was found in it.
    public mutating func finish() -> Bool {
        guard !isFound else { return true }
        var search = Search(query: query, matched: matched)
        folder.finish { search.take($0) }
        matched = search.matched
        isFound = search.isFound
        return isFound
    }

    /// Begins a new text: nothing matches across it.
    public mutating func reset() {
        folder = FoldingStream()
        matched = 0
        isFound = query.isEmpty
    }

    private struct Search {
        let query: TextQuery
        var matched: Int
        var isFound = false

        mutating func take(_ byte: UInt8) {
            guard !isFound else { return }
            while matched > 0, query.pattern[matched] != byte { matched = query.borders[matched - 1] }
            if query.pattern[matched] == byte { matched += 1 }
            isFound = matched == query.pattern.count
        }
    }
}
