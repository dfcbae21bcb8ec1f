/// Builds the tree of parts from headers and boundary lines, with a stack of open parts.
struct TreeBuilder {
    private let limits: ParseLimits
    private var frames: [TreeFrame]
    private var boundaries = OpenBoundaries()
    private var partCount = 1
    private var entries: Int
    private var headerBytes: Int

    /// Whether the innermost part's header is open, and its fields so far.
    private(set) var isInHeader = true
    var header: HeaderScanner

    /// The start of the current line, the length of the line end before it, and the line feeds before it.
    private(set) var lineStart: Int
    private var breakBefore = 0
    var lines = 0

    init(start: Int, limits: ParseLimits) {
        self.limits = limits
        entries = limits.entries
        headerBytes = limits.allHeaderBytes
        lineStart = start
        frames = [TreeFrame(start: start, isMessageRoot: true, isInDigest: false)]
        header = HeaderScanner(limit: limits.headerBytes)
    }

    /// About the memory of the tree so far and of the open header's fields, in bytes.
    var memory: Int {
        let taken = limits.allHeaderBytes - headerBytes + header.fields.count * MemoryLayout<HeaderField>.stride
        return taken + partCount * Self.partMemory + (limits.entries - entries) * Self.entryMemory
    }

    /// What a part takes beside its texts, and an address or a parameter.
    private static let partMemory = 1_024
    private static let entryMemory = 160

    /// Bytes that the open header may have.
    var headerLimit: Int { header.limit }
    /// Whether boundary lines can still come; if not, the rest is body.
    var seesBoundaries: Bool { !boundaries.isEmpty }
    var longestBoundary: Int { boundaries.longest }

    /// The multipart for which "--" followed by `text` is a boundary line.
    func match(_ text: Span<UInt8>) -> (owner: Int, isClosing: Bool)? { boundaries.match(text) }

    /// Counts a line feed; the next line begins at `next`.
    mutating func endLine(at next: Int, breakLength: Int) {
        lineStart = next
        breakBefore = breakLength
        if breakLength > 0 { lines += 1 }
    }

    // MARK: - Headers

    private mutating func open(at start: Int, isMessageRoot: Bool, isInDigest: Bool) {
        partCount += 1
        frames.append(TreeFrame(start: start, isMessageRoot: isMessageRoot, isInDigest: isInDigest))
        header.reset(limit: min(limits.headerBytes, headerBytes))
        isInHeader = true
    }

    /// Ends the header of the innermost part and decides how its body is parsed.
    ///
    /// - Parameters:
    ///   - bytes: the bytes that the fields of `header` are offsets into.
    ///   - lines: the line feeds before the body.
    mutating func endHeader(_ bytes: Span<UInt8>, at end: Int, lines: Int, isBeyondLimit: Bool) {
        let top = frames.count - 1
        headerBytes -= end - frames[top].start
        let fields = ContentFields(
            header.fields, in: bytes, isInDigest: frames[top].isInDigest, limits: limits, entries: &entries)
        isInHeader = false
        frames[top].headerEnd = end
        frames[top].linesBeforeBody = lines
        frames[top].fields = fields
        if frames[top].isMessageRoot {
            frames[top].envelope = Envelope(header.fields, in: bytes, limits: limits, entries: &entries)
        }

        let isMultipart = fields.type.isType("multipart")
        guard isMultipart || fields.type.holdsMessage else { return }
        if isBeyondLimit || frames.count >= limits.depth || !isMultipart && partCount >= limits.parts {
            frames[top].isBeyondLimit = true
        } else if isMultipart {
            frames[top].isMultipart = true
            let boundary =
                fields.type.parameters.value(named: "boundary")
                ?? fields.type.parameters.text(named: "boundary") ?? []
            boundaries.open(boundary, of: top)
        } else {
            open(at: end, isMessageRoot: true, isInDigest: false)
        }
    }

    // MARK: - Boundaries

    /// Takes the current line as a boundary line of `owner`; no header is open.
    mutating func takeBoundary(_ line: (owner: Int, isClosing: Bool), next: Int) {
        if !line.isClosing, partCount >= limits.parts {
            // No more parts: from here on, boundary lines are content.
            boundaries.close(from: 0)
            return
        }
        closeParts(above: line.owner, end: lineStart - breakBefore, lines: breakBefore > 0 ? lines - 1 : lines)
        if line.isClosing {
            boundaries.close(from: line.owner)
        } else {
            let isInDigest = frames[line.owner].fields?.type.isType("multipart", "digest") ?? false
            open(at: next, isMessageRoot: false, isInDigest: isInDigest)
        }
    }

    // MARK: - Closing

    /// Closes the parts inside frame `index` at `end`; `lines` counts the line feeds in the message before it.
    private mutating func closeParts(above index: Int, end: Int, lines: Int) {
        var end = end
        var lines = lines
        boundaries.close(from: index + 1)
        while frames.count - 1 > index {
            let frame = frames.removeLast()
            guard let fields = frame.fields else { continue }
            // A part that begins at the boundary line has no line end to give up; the parts around it then include it
            // whole.
            if frame.headerEnd > end {
                end = frame.headerEnd
                lines = frame.linesBeforeBody
            }
            let part = frame.part(end: end, lines: lines, fields: fields)
            if let envelope = frame.envelope {
                frames[frames.count - 1].embedded = Message(envelope: envelope, root: part)
            } else {
                frames[frames.count - 1].children.append(part)
            }
        }
    }

    /// Returns the message, which ends at `end`; no header is open.
    mutating func finish(at end: Int) -> Message {
        closeParts(above: 0, end: end, lines: lines)
        let root = frames[0]
        // The header has ended, so both exist; the empty ones only satisfy the types.
        let none = [UInt8]()
        let fields =
            root.fields ?? ContentFields([], in: none.span, isInDigest: false, limits: limits, entries: &entries)
        let envelope = root.envelope ?? Envelope([], in: none.span, limits: limits, entries: &entries)
        return Message(envelope: envelope, root: root.part(end: end, lines: lines, fields: fields))
    }
}
