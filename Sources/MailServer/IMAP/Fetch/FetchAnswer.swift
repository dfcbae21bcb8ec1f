import Glibc
import IMAPCodec
import MIME
import MailAccess
import NIOCore
import ServerRuntime
import ShardFS

/// The FETCH response for one message, written in pieces of bounded size. Blocks.
struct FetchAnswer: Sendable {
    private(set) var writer: IMAPFetchWriter
    private var reader: MessageReader
    private let keywords: KeywordTable
    private let extra: [String]
    let entry: MessageEntry
    /// The message's numbers, flags and date.
    private let row: IMAPFetchRows.Row
    /// The items still to be written.
    private var steps: ArraySlice<FetchStep>
    private var pending = Pending.none

    /// The part of an item still to be written.
    private enum Pending: Sendable {
        case none
        /// Bytes of the file, for the literal whose header is written.
        case bytes(Range<Int>)
        /// What was rendered and did not fit into the piece.
        case rendered(ByteBuffer)
        /// A part whose decoded size is being counted, and the item that waits for it.
        case counting(DecodedBody, IMAPFetchItem)
        /// The decoded octets of a part, for the literal whose header is written.
        case decoded(DecodedBody)
    }

    /// Octets of a part decoded in one turn when they are only counted.
    private static let countingTurn = 1 << 20

    init(
        writer: IMAPFetchWriter, reader: MessageReader, keywords: KeywordTable, extra: [String],
        entry: MessageEntry, row: IMAPFetchRows.Row, steps: ArraySlice<FetchStep>
    ) {
        self.writer = writer
        self.reader = reader
        self.keywords = keywords
        self.extra = extra
        self.entry = entry
        self.row = row
        self.steps = steps
    }

    /// Returns the summary for the read cache; nil when it cannot be kept.
    mutating func makeSummary(with sections: Set<MessageSummary.Section>) throws(StoreError) -> [UInt8]? {
        try reader.summary(with: sections)
    }

    /// Writes until `buffer` holds about `limit` octets.
    ///
    /// - Parameter summary: the message's entry in the read cache.
    /// - Returns: False when the piece is full and the response is not complete.
    mutating func write(
        into buffer: inout ByteBuffer, limit: Int, summary: MessageSummary?, rows: inout IMAPFetchRows
    ) throws(StoreError) -> Bool {
        while true {
            switch pending {
            case .none: break
            case .bytes(let range):
                let count = min(limit - buffer.readableBytes, range.count)
                guard count > 0 else { return false }
                try Self.copy(reader.file(), range.lowerBound, count, into: &buffer)
                let rest = range.lowerBound + count..<range.upperBound
                pending = rest.isEmpty ? .none : .bytes(rest)
                continue
            case .rendered(var bytes):
                let count = min(limit - buffer.readableBytes, bytes.readableBytes)
                guard count > 0, var piece = bytes.readSlice(length: count) else { return false }
                buffer.writeBuffer(&piece)
                pending = bytes.readableBytes == 0 ? .none : .rendered(bytes)
                continue
            case .counting(var body, let item):
                guard try body.count(in: reader.file(), turn: Self.countingTurn) else {
                    pending = .counting(body, item)
                    return false
                }
                pending = .none
                begin(item, body, into: &buffer)
                continue
            case .decoded(var body):
                guard buffer.readableBytes < limit else { return false }
                let isDone = try body.write(from: reader.file(), into: &buffer)
                pending = isDone ? .none : .decoded(body)
                continue
            }
            guard buffer.readableBytes < limit, !Turn.isOver else { return steps.isEmpty }
            guard let step = steps.popFirst() else { return true }
            if let column = step.column {
                writer.write(column, of: row, using: &rows, into: &buffer) { keywords.flags(ofKey: $0, extra: extra) }
            } else if let section = step.section, let known = summary?[section] {
                try Turn.use(known.count)
                write(step, known, into: &buffer)
            } else {
                // Apart, as only the message bounds it.
                var rendered = ByteBuffer()
                try write(step.item, into: &rendered)
                try Turn.use(rendered.readableBytes)
                keep(rendered, for: &buffer, limit: limit)
            }
        }
    }

    /// Writes what was rendered, or leaves it to the pieces to come.
    private mutating func keep(_ rendered: ByteBuffer, for buffer: inout ByteBuffer, limit: Int) {
        // What announces more has a name alone in front of it, which the line's length bounds.
        let isWhole = if case .none = pending { true } else { false }
        if isWhole, rendered.readableBytes > limit - buffer.readableBytes {
            pending = .rendered(rendered)
        } else {
            buffer.writeImmutableBuffer(rendered)
        }
    }

    /// Lets go of what takes too much memory while the client reads.
    mutating func shed(beyond memory: Int) { reader.shed(beyond: memory) }

    private static func copy(
        _ file: MessageFile, _ offset: Int, _ count: Int, into buffer: inout ByteBuffer
    ) throws(StoreError) {
        var failure: StoreError?
        let written = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
            do throws(StoreError) {
                let piece = UnsafeMutableRawBufferPointer(rebasing: space[..<count])
                let written = try file.read(into: piece, at: Int64(offset))
                hideNULs(in: UnsafeMutableRawBufferPointer(rebasing: piece[..<written]))
                return written
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        guard written == count else { throw .shortMessage }
    }

    /// Replaces each NUL, which only a literal8 may hold (RFC 9051 section 4.3), with an octet that is a letter in no
    /// charset, so that all other octets stay in place.
    private static func hideNULs(in bytes: UnsafeMutableRawBufferPointer) {
        var rest = bytes
        while let start = rest.baseAddress, let found = memchr(start, 0, rest.count) {
            found.storeBytes(of: 0x80, as: UInt8.self)
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[(start.distance(to: found) + 1)...])
        }
    }

    // MARK: Items

    private mutating func write(_ item: IMAPFetchItem, into buffer: inout ByteBuffer) throws(StoreError) {
        switch item {
        case .flags, .uid, .size, .internalDate, .modSeq: break  // Columns.
        case .threadID: writer.write(.threadID(nil), into: &buffer)
        case .emailID:
            let digest = try? reader.mailbox.details(entry).digest
            writer.write(.emailID((digest ?? .unknown).description), into: &buffer)
        case .saveDate:
            let saved = (try? reader.mailbox.details(entry))?.saved
            writer.write(.saveDate(saved.map { IMAPDateTime(secondsSince1970: $0) }), into: &buffer)
        case .envelope:
            writer.write(.envelope(IMAPEnvelope(try reader.envelope())), into: &buffer)
        case .bodyStructure(let extensible):
            let structure = IMAPBodyStructure(try reader.structure().root)
            writer.write(.bodyStructure(structure, extensible: extensible), into: &buffer)
        case .preview: writer.write(.preview(try reader.preview()), into: &buffer)
        case .body(let section, let partial, _): try writeBody(section, partial, into: &buffer)
        case .rfc822:
            begin(.rfc822, 0..<Int(try reader.file().size), partial: nil, into: &buffer)
        case .rfc822Header:
            begin(.rfc822Header, try reader.range(of: .header, at: []) ?? 0..<0, partial: nil, into: &buffer)
        case .rfc822Text:
            begin(.rfc822Text, try reader.range(of: .text, at: []) ?? 0..<0, partial: nil, into: &buffer)
        case .binary(let part, let partial, _):
            // Refused sections never get here.
            if case .body(let range, let encoding) = try reader.binarySection(part) {
                pending = .counting(DecodedBody(range, encoding, partial: partial), item)
            } else {
                writer.write(.noBody(.binary(part: part, offset: partial?.offset, containsNUL: false)), into: &buffer)
            }
        case .binarySize(let part):
            if case .body(let range, let encoding) = try reader.binarySection(part) {
                pending = .counting(DecodedBody(range, encoding, partial: nil), item)
            } else {
                writer.write(.binarySize(part: part, 0), into: &buffer)
            }
        }
    }

    /// Writes an item from the summary.
    private mutating func write(
        _ step: FetchStep, _ known: UnsafeRawBufferPointer, into buffer: inout ByteBuffer
    ) {
        switch step.item {
        case .envelope: writer.write("ENVELOPE", rendered: known, into: &buffer)
        case .bodyStructure(let extensible):
            writer.write(extensible ? "BODYSTRUCTURE" : "BODY", rendered: known, into: &buffer)
        case .preview: writer.write(.preview(String(decoding: known, as: UTF8.self)), into: &buffer)
        default: if let fields = step.fields { write(fields, known, into: &buffer) }
        }
    }

    /// Writes the requested header fields from the summary.
    private mutating func write(
        _ asked: FetchStep.Fields, _ known: UnsafeRawBufferPointer, into buffer: inout ByteBuffer
    ) {
        let fields = PlainFields(known)
        var chosen: [Range<Int>] = []
        let blankLine: [UInt8] = fields.endInBlankLine ? [13, 10] : []
        var size = blankLine.count
        fields.forEach { field in
            guard asked.wanted.contains(where: { fields.isName($0, field) }) else { return true }
            size += field.whole.count
            if let last = chosen.last, last.upperBound == field.whole.lowerBound {
                chosen[chosen.count - 1] = last.lowerBound..<field.whole.upperBound
            } else {
                chosen.append(field.whole)
            }
            return true
        }
        let isPlain = known.baseAddress.map { memchr($0, 0, known.count) == nil } ?? true
        if asked.partial == nil, isPlain {
            writer.beginLiteral(renderedName: asked.name, size: size, into: &buffer)
            for range in chosen { buffer.writeBytes(UnsafeRawBufferPointer(rebasing: known[range])) }
            buffer.writeBytes(blankLine)
        } else {
            var bytes: [UInt8] = []
            for range in chosen { bytes += known[range] }
            bytes += blankLine
            write(bytes, asked.name, asked.partial, into: &buffer)
        }
    }

    /// Writes the item that waited for the size of a decoded part.
    private mutating func begin(_ item: IMAPFetchItem, _ body: DecodedBody, into buffer: inout ByteBuffer) {
        switch item {
        case .binarySize(let part): writer.write(.binarySize(part: part, UInt64(body.size)), into: &buffer)
        case .binary(let part, let partial, _):
            let name = IMAPFetchLiteral.binary(part: part, offset: partial?.offset, containsNUL: body.containsNUL)
            writer.beginLiteral(name, size: body.size, into: &buffer)
            pending = .decoded(body)
        default: break
        }
    }

    private mutating func writeBody(
        _ section: IMAPSection, _ partial: IMAPPartial?, into buffer: inout ByteBuffer
    ) throws(StoreError) {
        let name = IMAPFetchLiteral.body(section, offset: partial?.offset)
        let range: Range<Int>?
        switch section.specifier {
        case .all: range = try reader.range(of: .body, at: section.part)
        case .header: range = try reader.range(of: .header, at: section.part)
        case .text: range = try reader.range(of: .text, at: section.part)
        case .mime: range = try reader.range(of: .mime, at: section.part)
        case .headerFields(let names):
            return try writeFields(.only(names.map { Array($0.utf8) }), section.part, partial, name, &buffer)
        case .headerFieldsNot(let names):
            return try writeFields(.except(names.map { Array($0.utf8) }), section.part, partial, name, &buffer)
        }
        guard let range else { return writer.write(.noBody(name), into: &buffer) }
        begin(name, range, partial: partial, into: &buffer)
    }

    private mutating func writeFields(
        _ selection: HeaderSelection, _ path: [UInt32], _ partial: IMAPPartial?, _ name: IMAPFetchLiteral,
        _ buffer: inout ByteBuffer
    ) throws(StoreError) {
        guard let bytes = try reader.fields(selection, at: path) else {
            return writer.write(.noBody(name), into: &buffer)
        }
        write(bytes, name.rendered(), partial, into: &buffer)
    }

    private mutating func write(
        _ fields: [UInt8], _ name: [UInt8], _ partial: IMAPPartial?, into buffer: inout ByteBuffer
    ) {
        var bytes = fields
        bytes.withUnsafeMutableBytes(Self.hideNULs)
        let range = IMAPPartial.range(of: partial, in: 0..<bytes.count)
        writer.beginLiteral(renderedName: name, size: range.count, into: &buffer)
        buffer.writeBytes(bytes[range])
    }

    /// Writes a literal's header; the octets follow in later pieces.
    private mutating func begin(
        _ name: IMAPFetchLiteral, _ range: Range<Int>, partial: IMAPPartial?, into buffer: inout ByteBuffer
    ) {
        let range = IMAPPartial.range(of: partial, in: range)
        writer.beginLiteral(name, size: range.count, into: &buffer)
        if !range.isEmpty { pending = .bytes(range) }
    }
}
