/// Parses a message piece by piece, split anywhere; the tree does not depend on the split.
///
/// Time is linear in the bytes. Memory is bounded by `ParseLimits`: the one open header (`headerBytes`), the data taken
/// from all headers (`allHeaderBytes`, `parts`, `entries`), and about 1000 bytes of an unfinished body line, the most
/// that a boundary line can have. Bodies are never kept.
public struct MessageScanner: Sendable {
    private let limits: ParseLimits
    private var tree: TreeBuilder

    /// The offset of the next byte in the message.
    private var position: Int
    /// Whether the last piece ended in CR.
    private var endsInCR = false

    /// The bytes of the open header from its beginning, with the current line.
    private var header: [UInt8] = []
    /// The offset of the current line in `header`.
    private var headerLine = 0
    /// The current line if it is split and not in `header`.
    private var unfinished = UnfinishedLine()

    /// The message's own header as received, with the blank line that ends it; nil until it is complete.
    ///
    /// At most `ParseLimits.headerBytes`; sufficient for `HeaderBlock`, and equal to the bytes of `root.header`.
    public private(set) var topHeader: [UInt8]?

    /// The size of a typical header.
    private static let typicalHeaderBytes = 2048

    /// Bytes of the open header and of the unfinished line held in memory.
    var heldBytes: Int { header.count + unfinished.heldBytes }

    /// About the memory of all that is kept of the message, in bytes: what is open, and the tree so far.
    public var memory: Int { heldBytes + (topHeader?.count ?? 0) + tree.memory }

    /// - Parameter offset: the position of the first byte; all offsets in the tree count from there.
    public init(at offset: Int = 0, limits: ParseLimits = .standard) {
        self.limits = limits
        position = offset
        tree = TreeBuilder(start: offset, limits: limits)
        header.reserveCapacity(min(limits.headerBytes, Self.typicalHeaderBytes))
    }

    /// Takes the next piece.
    public mutating func feed(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty else { return }
        var next = 0
        while next < bytes.count {
            if tree.isInHeader {
                next = feedHeader(bytes, from: next)
            } else if tree.seesBoundaries {
                next = feedBody(bytes, from: next)
            } else {
                tree.lines += bytes.count(of: ASCII.lf, from: next)
                next = bytes.count
            }
        }
        position += bytes.count
        endsInCR = bytes[bytes.count - 1] == ASCII.cr
    }

    /// Ends the message and returns its tree; to be called once, at the end.
    public mutating func finish() -> Message {
        if !unfinished.isEmpty {
            takeCutLine(isEnded: false, breakLength: 0, next: position)
        } else if tree.isInHeader, headerLine < header.count {
            takeHeaderLine(Line(start: headerLine, end: header.count, next: header.count, isEnded: false))
        }
        while tree.isInHeader { endHeader(at: position, length: header.count, lines: tree.lines) }
        return tree.finish(at: position)
    }

    // MARK: - Headers

    /// Takes bytes up to the next line end and returns where it ends.
    private mutating func feedHeader(_ bytes: Span<UInt8>, from start: Int) -> Int {
        let feed = bytes.firstIndex(of: ASCII.lf, from: start, to: bytes.count)
        let end = feed.map { $0 + 1 } ?? bytes.count
        if unfinished.isEmpty, end - start <= tree.headerLimit - header.count {
            header.append(bytes, start..<end)
            guard let feed else { return end }
            let hasCR = feed > start ? bytes[feed - 1] == ASCII.cr : header.count > headerLine + 1 && endsInCR
            takeHeaderLine(
                Line(
                    start: headerLine, end: header.count - (hasCR ? 2 : 1), next: header.count, isEnded: true))
            return end
        }
        // The line is too long for a header, but may still be a boundary line with many blanks.
        let held = header
        unfinished.take(held.span, headerLine..<held.count, longest: tree.longestBoundary)
        header.removeLast(header.count - headerLine)
        return feedCutLine(bytes, start, feed)
    }

    /// Takes the line just appended to `header`.
    private mutating func takeHeaderLine(_ line: Line) {
        let start = tree.lineStart
        let next = start + line.next - line.start
        if line.end > line.start + 2, header[line.start] == ASCII.hyphen, header[line.start + 1] == ASCII.hyphen,
            let hit = tree.match(header.span.extracting(line.start + 2..<line.end))
        {
            takeBoundary(hit, next: next, headerLength: line.start)
        } else {
            switch take(line) {
            case .inside: headerLine = header.count
            case .blankLine: endHeader(at: next, length: line.next, lines: tree.lines + (line.isEnded ? 1 : 0))
            case .limit: endHeader(at: start, length: line.start, lines: tree.lines, isBeyondLimit: true)
            }
        }
        tree.endLine(at: next, breakLength: line.next - line.end)
    }

    private mutating func take(_ line: Line) -> HeaderScanner.Decision {
        let bytes = header
        return tree.header.take(line, in: bytes.span)
    }

    /// Ends the open header with the first `length` bytes of `header`; the rest belongs to what follows.
    private mutating func endHeader(at end: Int, length: Int, lines: Int, isBeyondLimit: Bool = false) {
        endHeader(of: header, at: end, lines: lines, isBeyondLimit: isBeyondLimit)
        if topHeader == nil {
            let rest = Array(header[length...])
            header.removeLast(header.count - length)
            topHeader = header
            header = rest
        } else {
            header.removeSubrange(..<length)
        }
        headerLine = 0
    }

    private mutating func endHeader(of bytes: [UInt8], at end: Int, lines: Int, isBeyondLimit: Bool) {
        tree.endHeader(bytes.span, at: end, lines: lines, isBeyondLimit: isBeyondLimit)
    }

    // MARK: - Bodies

    /// Takes lines until a header begins or the piece ends, and returns that position.
    private mutating func feedBody(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var start = start
        if !unfinished.isEmpty {
            return feedCutLine(bytes, start, bytes.firstIndex(of: ASCII.lf, from: start, to: bytes.count))
        }
        while let feed = bytes.firstIndex(of: ASCII.lf, from: start, to: bytes.count) {
            let hasCR = feed > start && bytes[feed - 1] == ASCII.cr
            let end = hasCR ? feed - 1 : feed
            if bytes[start] == ASCII.hyphen, end > start + 2, bytes[start + 1] == ASCII.hyphen,
                let hit = tree.match(bytes.extracting(start + 2..<end))
            {
                takeBoundary(hit, next: position + feed + 1, headerLength: 0)
                tree.endLine(at: position + feed + 1, breakLength: hasCR ? 2 : 1)
                return feed + 1
            }
            tree.endLine(at: position + feed + 1, breakLength: hasCR ? 2 : 1)
            start = feed + 1
        }
        unfinished.take(bytes, start..<bytes.count, longest: tree.longestBoundary)
        return bytes.count
    }

    /// Takes more of the split line; `feed` is the position of its end, if it is in this piece.
    private mutating func feedCutLine(_ bytes: Span<UInt8>, _ start: Int, _ feed: Int?) -> Int {
        unfinished.take(bytes, start..<(feed ?? bytes.count), longest: tree.longestBoundary)
        guard let feed else { return bytes.count }
        let hasCR = feed > 0 ? bytes[feed - 1] == ASCII.cr : endsInCR
        takeCutLine(isEnded: true, breakLength: hasCR ? 2 : 1, next: position + feed + 1)
        return feed + 1
    }

    private mutating func takeCutLine(isEnded: Bool, breakLength: Int, next: Int) {
        let text = unfinished.end(isEnded: isEnded)
        if let text, let hit = tree.match(text.span) {
            takeBoundary(hit, next: next, headerLength: header.count)
        } else if tree.isInHeader {
            endHeader(at: tree.lineStart, length: header.count, lines: tree.lines, isBeyondLimit: true)
        }
        if isEnded { tree.endLine(at: next, breakLength: breakLength) }
    }

    /// - Parameter headerLength: the bytes of the open header, if there is one.
    private mutating func takeBoundary(_ hit: (owner: Int, isClosing: Bool), next: Int, headerLength: Int) {
        // First, since an embedded message that begins here is a part too.
        if tree.isInHeader { endHeader(at: tree.lineStart, length: headerLength, lines: tree.lines) }
        while tree.isInHeader { endHeader(at: tree.lineStart, length: 0, lines: tree.lines) }
        tree.takeBoundary(hit, next: next)
        header.removeAll(keepingCapacity: true)
        headerLine = 0
    }
}

extension Message {
    /// Parses a message; the result covers all of the bytes, whatever they are.
    ///
    /// - Parameter range: offsets into `bytes`, clamped to them; nil means all of `bytes`.
    /// - SeeAlso: `MessageScanner`, for a message that is not in memory.
    public init(parsing bytes: Span<UInt8>, in range: Range<Int>? = nil, limits: ParseLimits = .standard) {
        let range = (range ?? 0..<bytes.count).clamped(to: 0..<bytes.count)
        var scanner = MessageScanner(at: range.lowerBound, limits: limits)
        scanner.feed(bytes.extracting(range))
        self = scanner.finish()
    }

    /// Parses a message held in an array.
    public init(parsing bytes: [UInt8], limits: ParseLimits = .standard) {
        self.init(parsing: bytes.span, limits: limits)
    }
}
