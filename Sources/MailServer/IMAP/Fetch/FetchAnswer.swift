import Glibc
import IMAPCodec
import MIME
import NIOCore
import ShardFS

/// The answer of FETCH for one message, written in pieces of bounded size. Blocks.
struct FetchAnswer: Sendable {
    private(set) var writer: IMAPFetchWriter
    private var reader: MessageReader
    private let view: SelectedMailbox
    private let entry: MessageEntry
    /// INTERNALDATE, when it is asked for.
    private let date: Int64
    /// The items to come.
    private var items: ArraySlice<IMAPFetchItem>
    private var pending = Pending.none

    /// What of an item is still to be written.
    private enum Pending: Sendable {
        case none
        /// Bytes of the file, for the literal whose header is written.
        case bytes(Range<Int>)
        /// A part whose decoded size is being found out, and the item that waits for it.
        case counting(DecodedBody, IMAPFetchItem)
        /// The decoded octets of a part, for the literal whose header is written.
        case decoded(DecodedBody)
    }

    /// Octets of a part that are decoded in one turn while they are only counted.
    private static let countingTurn = 4 << 20

    init(
        writer: IMAPFetchWriter, reader: MessageReader, view: SelectedMailbox, entry: MessageEntry,
        date: Int64, items: ArraySlice<IMAPFetchItem>
    ) {
        self.writer = writer
        self.reader = reader
        self.view = view
        self.entry = entry
        self.date = date
        self.items = items
    }

    /// The summary for the read cache; nil when it cannot be kept.
    mutating func makeSummary(with sections: Set<MessageSummary.Section>) throws(StoreError) -> [UInt8]? {
        try reader.summary(with: sections)
    }

    /// - Parameter summary: what the read cache knows of the message.
    /// - Returns: False when the piece is full and the answer is not complete.
    mutating func write(
        into buffer: inout ByteBuffer, limit: Int, summary: MessageSummary? = nil
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
            guard let item = items.popFirst() else { return true }
            if let section = item.section, let known = summary?[section] {
                write(item, known, into: &buffer)
            } else {
                try write(item, into: &buffer)
            }
        }
    }

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

    /// No literal but a literal8 may hold NUL (RFC 9051 section 4.3), and every octet must stay in its place: one that
    /// no charset has as a letter stands for it.
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
        case .flags:
            let isRecent = view.isRecent(entry.uid.rawValue)
            writer.write(.flags(entry.flags.imapFlags(view.snapshot.keywords, isRecent: isRecent)), into: &buffer)
        case .uid: writer.write(.uid(entry.uid.rawValue), into: &buffer)
        case .size: writer.write(.size(UInt64(entry.size)), into: &buffer)
        case .modSeq: writer.write(.modSeq(entry.modSeq), into: &buffer)
        case .threadID: writer.write(.threadID(nil), into: &buffer)
        case .internalDate: writer.write(.internalDate(IMAPDateTime(secondsSince1970: date)), into: &buffer)
        case .emailID:
            let digest = try? view.mailbox.details(entry).digest
            writer.write(.emailID((digest ?? .unknown).description), into: &buffer)
        case .saveDate:
            let saved = (try? view.mailbox.details(entry))?.saved
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
            // Refused sections never come here.
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

    /// Writes what a summary has.
    private mutating func write(
        _ item: IMAPFetchItem, _ known: UnsafeRawBufferPointer, into buffer: inout ByteBuffer
    ) {
        switch item {
        case .envelope: writer.write("ENVELOPE", rendered: known, into: &buffer)
        case .bodyStructure(let extensible):
            writer.write(extensible ? "BODYSTRUCTURE" : "BODY", rendered: known, into: &buffer)
        case .preview: writer.write(.preview(String(decoding: known, as: UTF8.self)), into: &buffer)
        case .body(let section, let partial, _):
            guard case .headerFields(let names) = section.specifier else { return }
            let bytes = known.bindMemory(to: UInt8.self).span
            let fields = HeaderBlock(scanning: bytes).raw(.only(names.map { Array($0.utf8) }), in: bytes)
            write(fields, .body(section, offset: partial?.offset), partial, into: &buffer)
        default: return
        }
    }

    /// Writes what waited for the size of a decoded part.
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
        write(bytes, name, partial, into: &buffer)
    }

    private mutating func write(
        _ fields: [UInt8], _ name: IMAPFetchLiteral, _ partial: IMAPPartial?, into buffer: inout ByteBuffer
    ) {
        var bytes = fields
        bytes.withUnsafeMutableBytes(Self.hideNULs)
        let range = IMAPPartial.range(of: partial, in: 0..<bytes.count)
        writer.beginLiteral(name, size: range.count, into: &buffer)
        buffer.writeBytes(bytes[range])
    }

    /// Writes a literal's header; the octets follow in the pieces to come.
    private mutating func begin(
        _ name: IMAPFetchLiteral, _ range: Range<Int>, partial: IMAPPartial?, into buffer: inout ByteBuffer
    ) {
        let range = IMAPPartial.range(of: partial, in: range)
        writer.beginLiteral(name, size: range.count, into: &buffer)
        if !range.isEmpty { pending = .bytes(range) }
    }
}

extension IMAPPartial {
    /// What a partial leaves of a range; one that begins beyond the end gives nothing (RFC 9051 section 6.4.5).
    static func range(of partial: IMAPPartial?, in range: Range<Int>) -> Range<Int> {
        guard let partial else { return range }
        let start = range.lowerBound + Int(min(partial.offset, UInt64(range.count)))
        return start..<start + Int(min(partial.count, UInt64(range.upperBound - start)))
    }
}

extension StoreError {
    /// Messages never change; a file that a foreign hand cut short leaves a literal that cannot be filled.
    static let shortMessage = StoreError(.damaged, "a message's file is shorter than it was")
}
