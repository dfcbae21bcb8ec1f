/// Builds the tree of parts in one pass over the lines, with a stack of the parts that are open.
struct TreeBuilder {
    private let range: Range<Int>
    private let limits: ParseLimits
    private var frames: [TreeFrame]
    private var boundaries = OpenBoundaries()
    private var partCount = 1
    private var entries: Int
    /// Set when no more parts are allowed: from there on boundary lines are content.
    private var ignoresBoundaries = false
    /// Line feeds before the current line.
    private var lines = 0

    init(range: Range<Int>, limits: ParseLimits) {
        self.range = range
        self.limits = limits
        entries = limits.entries
        frames = [TreeFrame(start: range.lowerBound, isMessageRoot: true, isInDigest: false, limits: limits)]
    }

    mutating func build(_ bytes: Span<UInt8>) -> Message {
        var position = range.lowerBound
        while position < range.upperBound {
            let line = Line(in: bytes, at: position, limit: range.upperBound)
            take(line, bytes)
            if line.isEnded { lines += 1 }
            position = line.next
        }
        finishHeaders(at: range.upperBound, bytes)
        closeParts(above: 0, end: range.upperBound, lines: lines)
        let root = frames[0]
        // The headers are finished, so both are there; the empty ones only satisfy the types.
        let fields = root.fields ?? ContentFields([], in: bytes, isInDigest: false, limits: limits, entries: &entries)
        let envelope = root.envelope ?? Envelope([], in: bytes, limits: limits, entries: &entries)
        return Message(envelope: envelope, root: root.part(end: range.upperBound, lines: lines, fields: fields))
    }

    private mutating func take(_ line: Line, _ bytes: Span<UInt8>) {
        let isDashed =
            line.end - line.start > 2 && bytes[line.start] == ASCII.hyphen
            && bytes[line.start + 1] == ASCII.hyphen
        if isDashed, !ignoresBoundaries, takeBoundary(line, bytes) { return }
        // More than one round only if an embedded message begins with this very line.
        while frames[frames.count - 1].isInHeader {
            switch frames[frames.count - 1].scanner.take(line, in: bytes) {
            case .inside:
                return
            case .blankLine:
                finishHeader(at: line.next, linesBefore: lines + (line.isEnded ? 1 : 0), bytes)
                return
            case .body:
                finishHeader(at: line.start, linesBefore: lines, bytes)
            case .limit:
                frames[frames.count - 1].isBeyondLimit = true
                finishHeader(at: line.start, linesBefore: lines, bytes)
            }
        }
    }

    // MARK: - Headers

    private mutating func finishHeaders(at end: Int, _ bytes: Span<UInt8>) {
        while frames[frames.count - 1].isInHeader { finishHeader(at: end, linesBefore: lines, bytes) }
    }

    /// Ends the header of the top part and decides what its body is.
    private mutating func finishHeader(at end: Int, linesBefore: Int, _ bytes: Span<UInt8>) {
        let top = frames.count - 1
        let found = frames[top].scanner.fields
        // Frees the list of fields, which can be large, while the body is read.
        frames[top].scanner = HeaderScanner(start: end, limit: 0)
        let fields = ContentFields(
            found, in: bytes, isInDigest: frames[top].isInDigest, limits: limits, entries: &entries)
        frames[top].isInHeader = false
        frames[top].headerEnd = end
        frames[top].linesBeforeBody = linesBefore
        frames[top].fields = fields
        if frames[top].isMessageRoot {
            frames[top].envelope = Envelope(found, in: bytes, limits: limits, entries: &entries)
        }

        let isMultipart = fields.type.isType("multipart")
        let holdsMessage = fields.type.holdsMessage
        guard isMultipart || holdsMessage else {
            frames[top].isBeyondLimit = false
            return
        }
        if frames.count >= limits.depth { frames[top].isBeyondLimit = true }
        if frames[top].isBeyondLimit { return }
        if isMultipart {
            frames[top].isMultipart = true
            let boundary =
                fields.type.parameters.value(named: "boundary")
                ?? fields.type.parameters.text(named: "boundary") ?? []
            frames[top].boundary = boundaries.open(boundary, of: top)
        } else if partCount >= limits.parts {
            frames[top].isBeyondLimit = true
        } else {
            partCount += 1
            frames.append(TreeFrame(start: end, isMessageRoot: true, isInDigest: false, limits: limits))
        }
    }

    // MARK: - Boundaries

    /// Handles a line that begins with "--"; false if it is no boundary line of an open multipart.
    private mutating func takeBoundary(_ line: Line, _ bytes: Span<UInt8>) -> Bool {
        guard let (index, isClosing) = boundaries.match(line, in: bytes) else { return false }
        // First, since an embedded message that begins here is a part too.
        finishHeaders(at: line.start, bytes)
        if !isClosing, partCount >= limits.parts {
            ignoresBoundaries = true
            return false
        }
        var bodyEnd = line.start
        if bodyEnd > range.lowerBound, bytes[bodyEnd - 1] == ASCII.lf {
            bodyEnd -= 1
            if bodyEnd > range.lowerBound, bytes[bodyEnd - 1] == ASCII.cr { bodyEnd -= 1 }
        }
        closeParts(above: index, end: bodyEnd, lines: bodyEnd < line.start ? lines - 1 : lines)
        if isClosing {
            if let boundary = frames[index].boundary { boundaries.close(boundary) }
            frames[index].boundary = nil
        } else {
            partCount += 1
            let isInDigest = frames[index].fields?.type.isType("multipart", "digest") ?? false
            frames.append(
                TreeFrame(start: line.next, isMessageRoot: false, isInDigest: isInDigest, limits: limits))
        }
        return true
    }

    // MARK: - Closing

    /// Closes the parts inside of frame `index` at `end`; `lines` are the line feeds in the message before it.
    private mutating func closeParts(above index: Int, end: Int, lines: Int) {
        var end = end
        var lines = lines
        while frames.count - 1 > index {
            let frame = frames.removeLast()
            if let boundary = frame.boundary { boundaries.close(boundary) }
            guard let fields = frame.fields else { continue }
            // A part that begins at the boundary line has nothing to give up; then those around it have it whole.
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
}
