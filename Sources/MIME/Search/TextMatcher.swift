/// Searches UTF-8 text for a query, piece by piece, split anywhere; memory does not grow with the text.
public struct TextMatcher: Sendable {
    private let query: TextQuery
    private var folder = FoldingStream()
    private var matched = 0
    /// Whether the query has been found; stays true until `reset`.
    public private(set) var isFound: Bool

    public init(_ query: TextQuery) {
        self.query = query
        isFound = query.isEmpty
    }

    /// Reads the next piece; does nothing once the query is found.
    public mutating func take(_ piece: [UInt8]) { take(piece.span) }

    /// Reads the next piece; does nothing once the query is found.
    public mutating func take(_ piece: Span<UInt8>) {
        guard !isFound else { return }
        // Most texts have no position where the query could begin.
        if matched == 0, folder.isIdle {
            let first = piece.withUnsafeBufferPointer { query.filter.firstCandidate(in: $0, from: 0) }
            if first == piece.count { return }
        }
        var folder = folder
        var matched = matched
        isFound = query.pattern.withUnsafeBufferPointer { pattern in
            piece.withUnsafeBufferPointer { bytes in
                var search = Search(pattern: pattern, query: query, matched: matched)
                var index = 0
                while index < bytes.count {
                    if search.matched == 0, folder.isIdle {
                        index = query.filter.firstCandidate(in: bytes, from: index)
                        if index == bytes.count { break }
                    }
                    folder.take(bytes[index]) { search.take($0) }
                    if search.isFound { break }
                    index += 1
                }
                matched = search.matched
                return search.isFound
            }
        }
        self.folder = folder
        self.matched = matched
    }

    /// Ends the text and returns whether the query was found in it.
    public mutating func finish() -> Bool {
        guard !isFound else { return true }
        isFound = query.pattern.withUnsafeBufferPointer { pattern in
            var search = Search(pattern: pattern, query: query, matched: matched)
            folder.finish { search.take($0) }
            return search.isFound
        }
        return isFound
    }

    /// Begins a new text: no match spans the two.
    public mutating func reset() {
        folder = FoldingStream()
        matched = 0
        isFound = query.isEmpty
    }

    private struct Search {
        let pattern: UnsafeBufferPointer<UInt8>
        let query: TextQuery
        var matched: Int
        var isFound = false

        @inline(__always)
        mutating func take(_ byte: UInt8) {
            guard !isFound else { return }
            while matched > 0, pattern[matched] != byte { matched = query.borders[matched - 1] }
            if pattern[matched] == byte { matched += 1 }
            isFound = matched == pattern.count
        }
    }
}
