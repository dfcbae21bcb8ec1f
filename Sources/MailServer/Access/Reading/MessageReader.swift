package import MIME
import ServerRuntime
package import ShardFS

/// Reads the needed pieces of one message, each once: its file, the header alone, or the structure. Blocks.
package struct MessageReader {
    package let mailbox: Mailbox
    package let uid: UID
    package let limits: ParseLimits
    private var opened: MessageFile?
    private var topHeader: (bytes: [UInt8], block: HeaderBlock)?
    /// The fields of a summary, if there is one.
    private var known: (bytes: [UInt8], block: HeaderBlock)?
    private var parsed: Message?
    /// Memory of the structure, in bytes.
    private var parsedMemory = 0
    /// All bytes of a message that was parsed in one piece, the common case.
    private var whole: [UInt8]?

    /// Bytes read first in search of the header's end.
    private static let firstRead = 8_192
    /// Bytes of a message in memory at a time.
    private static let pieceSize = 65_536

    /// - Parameter fields: those of ``SummaryFields`` as written in the message, if known.
    package init(mailbox: Mailbox, uid: UID, fields: [UInt8]? = nil, limits: ParseLimits) {
        known = fields.map { ($0, HeaderBlock(scanning: $0.span)) }
        self.mailbox = mailbox
        self.limits = limits
        self.uid = uid
    }

    /// - Throws: `notFound` if the message is permanently gone.
    package mutating func file() throws(StoreError) -> MessageFile {
        if let opened { return opened }
        let file = try mailbox.open(uid)
        opened = file
        return file
    }

    /// Returns the header, or a part of it with all fields of these names: its bytes, and the positions of the fields
    /// in them.
    package mutating func header(for names: [String]) throws(StoreError) -> (bytes: [UInt8], block: HeaderBlock) {
        if let known, SummaryFields.cover(names) {
            try Turn.use(known.bytes.count)
            return known
        }
        return try header()
    }

    /// Whether the message's own header has been read.
    package var hasReadHeader: Bool { topHeader != nil }

    /// Returns the header's bytes, possibly with some of the body after them, and its fields.
    package mutating func header() throws(StoreError) -> (bytes: [UInt8], block: HeaderBlock) {
        if let topHeader { return topHeader }
        let file = try file()
        let size = Int(file.size)
        var count = min(size, Self.firstRead)
        while true {
            try Turn.use(count)
            var bytes = try file.read(at: 0, count: count)
            let isWhole = bytes.count >= size || bytes.count < count
            // A truncated line could be taken for the end of the header.
            if !isWhole { bytes.removeLast(bytes.count - ((bytes.lastIndex(of: 10) ?? -1) + 1)) }
            let block = HeaderBlock(scanning: bytes.span, limits: limits)
            if isWhole || block.isTruncated || block.range.upperBound < bytes.count {
                topHeader = (bytes, block)
                return (bytes, block)
            }
            count = min(size, count * 4)
        }
    }

    /// Returns the structure, for which the message is read piece by piece.
    package mutating func structure() throws(StoreError) -> Message {
        if let parsed { return parsed }
        let file = try file()
        var scanner = MessageScanner(limits: limits)
        var offset = 0
        while offset < Int(file.size) {
            let piece = try file.read(at: Int64(offset), count: Self.pieceSize)
            if piece.isEmpty { break }
            try Turn.use(piece.count)
            scanner.feed(piece.span)
            offset += piece.count
            if offset == piece.count, offset == Int(file.size) { whole = piece }
        }
        parsedMemory = scanner.memory
        let message = scanner.finish()
        if topHeader == nil, let bytes = scanner.topHeader {
            topHeader = (bytes, HeaderBlock(scanning: bytes.span, limits: limits))
        }
        parsed = message
        return message
    }

    /// Forgets what takes too much memory to be kept while a client reads; it is read again when it is needed.
    package mutating func shed(beyond memory: Int) {
        if parsedMemory > memory { (parsed, parsedMemory) = (nil, 0) }
        if headerMemory > memory { topHeader = nil }
    }

    private var headerMemory: Int {
        guard let topHeader else { return 0 }
        return topHeader.bytes.count + topHeader.block.fields.count * MemoryLayout<HeaderField>.stride
    }

    /// About the memory of what is kept of the message, in bytes.
    package var memory: Int { max(parsedMemory, headerMemory) }

    /// Whether the body, or the header or the body, contains the query.
    ///
    /// A message of one piece is read once, for its structure and for the search.
    package mutating func contains(_ query: TextQuery, inHeader: Bool) throws(StoreError) -> Bool {
        let message = try structure()
        let file = try file()
        let whole = whole
        let read: Message.Reading<StoreError> = { (range, take) throws(StoreError) in
            if let whole {
                try Turn.use(range.count)
                _ = take(whole.span.extracting(range))
                return
            }
            var offset = range.lowerBound
            while offset < range.upperBound {
                let piece = try file.read(at: Int64(offset), count: min(Self.pieceSize, range.upperBound - offset))
                try Turn.use(piece.count)
                guard !piece.isEmpty, take(piece.span) else { return }
                offset += piece.count
            }
        }
        return inHeader
            ? try message.contains(query, limits: limits, reading: read)
            : try message.bodyContains(query, limits: limits, reading: read)
    }

    package mutating func envelope() throws(StoreError) -> Envelope {
        if let parsed { return parsed.envelope }
        let (bytes, block) = try header()
        try Turn.use(block.range.count)
        return Envelope(block, in: bytes.span, limits: limits)
    }

    /// The range of the file for a section without field names; nil if there is no such part.
    package mutating func range(of text: SectionText, at path: [UInt32]) throws(StoreError) -> Range<Int>? {
        guard path.isEmpty else { return try structure().range(of: text, at: path.map { Int($0) }) }
        let size = Int(try file().size)
        switch text {
        case .body: return 0..<size
        case .header: return 0..<min(size, try header().block.range.upperBound)
        case .text: return min(size, try header().block.range.upperBound)..<size
        case .mime: return nil
        }
    }

    /// The chosen fields of the message's header, or of an embedded message's header; nil if there is none.
    package mutating func fields(_ selection: HeaderSelection, at path: [UInt32]) throws(StoreError) -> [UInt8]? {
        if path.isEmpty {
            let (bytes, block) = try header()
            try Turn.use(block.range.count)
            return try block.raw(selection, in: bytes.span, hasBody: hasBody(behind: block))
        }
        guard let range = try range(of: .header, at: path) else { return nil }
        let hasBody = try self.range(of: .text, at: path).map { !$0.isEmpty } ?? false
        try Turn.use(range.count)
        let bytes = try file().read(at: Int64(range.lowerBound), count: range.count)
        let block = HeaderBlock(scanning: bytes.span, limits: limits)
        return block.raw(selection, in: bytes.span, hasBody: hasBody)
    }

    /// Whether anything follows the message's own header.
    package mutating func hasBody(behind block: HeaderBlock) throws(StoreError) -> Bool {
        try Int(file().size) > block.range.upperBound
    }
}

extension StoreError {
    /// A file shorter than its recorded size: messages never change, so another program cut it, and a literal cannot be
    /// filled.
    package static let shortMessage = StoreError(.damaged, "a message file is shorter than expected")
}
