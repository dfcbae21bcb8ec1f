import Glibc
import IMAPCodec
import MIME
import NIOCore
import ShardFS

/// Writes the answers of one FETCH, in pieces of bounded size: a body goes through in as many as it needs.
///
/// It is handed to the pool and back for every piece, so it keeps its place as a value. Blocks.
struct FetchProducer: Sendable {
    private let view: SelectedMailbox
    private let plan: FetchPlan
    private let ranges: [ClosedRange<UInt32>]
    private let utf8: Bool
    private let changedSince: ModSeq
    private let limits: ParseLimits

    /// The first UID that no page has had yet.
    private var next: UInt32 = 1
    private var page: ArraySlice<(number: UInt32, entry: MessageEntry)> = []
    private var isLastPage = false
    private var current: Answer?

    /// Messages whose \Seen was set on the way.
    private(set) var changed: [UInt32: MessageEntry] = [:]
    /// Messages were asked for that are nowhere any more.
    private(set) var isIncomplete = false

    /// Messages that get \Seen under one hold of the mailbox's lock.
    private static let pageSize = 256

    /// An answer that is not complete.
    private struct Answer: Sendable {
        var writer: IMAPFetchWriter
        var reader: MessageReader
        var number: UInt32
        var entry: MessageEntry
        /// INTERNALDATE, when it is asked for.
        var date: Int64
        /// The items to come.
        var items: ArraySlice<IMAPFetchItem>
        /// The bytes of the literal whose header is written.
        var literal: Range<Int> = 0..<0
    }

    /// - Parameter changedSince: passes over messages without later changes (RFC 7162 section 3.1.4); 0 for none.
    init(
        _ plan: FetchPlan, of ranges: [ClosedRange<UInt32>], in view: SelectedMailbox, utf8: Bool,
        changedSince: ModSeq = 0, limits: ParseLimits
    ) {
        self.limits = limits
        self.plan = plan
        self.ranges = ranges
        self.view = view
        self.utf8 = utf8
        self.changedSince = changedSince
    }

    /// Writes about `limit` octets.
    ///
    /// - Returns: True when all is written.
    /// - Throws: what makes the rest of an answer impossible: the byte stream is broken then.
    mutating func produce(into buffer: inout ByteBuffer, limit: Int) throws(StoreError) -> Bool {
        while buffer.readableBytes < limit {
            if var answer = current {
                current = nil
                if try write(&answer, into: &buffer, limit: limit) {
                    answer.writer.end(into: &buffer)
                } else {
                    current = answer
                    return false
                }
            } else if let (number, entry) = page.popFirst() {
                try begin(number, entry, into: &buffer)
            } else if isLastPage {
                return true
            } else {
                try turnPage()
                // Setting flags took its time; let others have the thread.
                if plan.marksSeen { return false }
            }
        }
        return false
    }

    private mutating func turnPage() throws(StoreError) {
        let found = view.page(of: ranges, from: next, limit: Self.pageSize)
        isLastPage = found.count < Self.pageSize
        if let last = found.last?.entry.uid.rawValue {
            if last == .max { isLastPage = true } else { next = last + 1 }
        }
        page = found[...]
        if changedSince > 0 { page = page.filter { $0.entry.modSeq > changedSince }[...] }
        guard plan.marksSeen else { return }
        let unseen = page.filter { !$0.entry.flags.contains(.seen) }.map(\.entry.uid)
        guard !unseen.isEmpty else { return }
        // A store without room for a flag still gives its mail out.
        guard let result = try? view.mailbox.changeFlags(unseen, .add(.seen)) else { return }
        for entry in result.changed { changed[entry.uid.rawValue] = entry }
    }

    private mutating func begin(
        _ number: UInt32, _ entry: MessageEntry, into buffer: inout ByteBuffer
    ) throws(StoreError) {
        var reader = MessageReader(mailbox: view.mailbox, uid: entry.uid, limits: limits)
        var date: Int64 = 0
        do throws(StoreError) {
            if plan.needsFile { _ = try reader.file() }
            if plan.needsDate { date = try view.mailbox.internalDate(of: entry) }
        } catch {
            guard error.code == .notFound else { throw error }
            isIncomplete = true
            return
        }
        var items = plan.items
        let now = changed[entry.uid.rawValue]
        if now != nil, !items.contains(.flags) { items.append(.flags) }
        current = Answer(
            writer: IMAPFetchWriter(sequenceNumber: number, utf8: utf8, into: &buffer), reader: reader,
            number: number, entry: now ?? entry, date: date, items: items[...])
    }

    /// False when the piece is full and the answer is not complete.
    private func write(
        _ answer: inout Answer, into buffer: inout ByteBuffer, limit: Int
    ) throws(StoreError) -> Bool {
        while true {
            while !answer.literal.isEmpty {
                let room = limit - buffer.readableBytes
                guard room > 0 else { return false }
                let count = min(room, answer.literal.count)
                try Self.copy(answer.reader.file(), answer.literal.lowerBound, count, into: &buffer)
                answer.literal = answer.literal.lowerBound + count..<answer.literal.upperBound
            }
            guard let item = answer.items.popFirst() else { return true }
            try write(item, of: &answer, into: &buffer)
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
        // Messages never change; a file that a foreign hand cut short leaves a literal that cannot be filled.
        guard written == count else { throw StoreError(.damaged, "a message's file is shorter than it was") }
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

    private func write(
        _ item: IMAPFetchItem, of answer: inout Answer, into buffer: inout ByteBuffer
    ) throws(StoreError) {
        let entry = answer.entry
        switch item {
        case .flags:
            let isRecent = view.isRecent(entry.uid.rawValue)
            answer.writer.write(
                .flags(entry.flags.imapFlags(view.snapshot.keywords, isRecent: isRecent)), into: &buffer)
        case .uid: answer.writer.write(.uid(entry.uid.rawValue), into: &buffer)
        case .size: answer.writer.write(.size(UInt64(entry.size)), into: &buffer)
        case .modSeq: answer.writer.write(.modSeq(entry.modSeq), into: &buffer)
        case .threadID: answer.writer.write(.threadID(nil), into: &buffer)
        case .internalDate:
            answer.writer.write(.internalDate(IMAPDateTime(secondsSince1970: answer.date)), into: &buffer)
        case .emailID:
            let digest = try? view.mailbox.details(entry).digest
            answer.writer.write(.emailID((digest ?? .unknown).description), into: &buffer)
        case .saveDate:
            let saved = (try? view.mailbox.details(entry))?.saved
            answer.writer.write(.saveDate(saved.map { IMAPDateTime(secondsSince1970: $0) }), into: &buffer)
        case .envelope:
            answer.writer.write(.envelope(IMAPEnvelope(try answer.reader.envelope())), into: &buffer)
        case .bodyStructure(let extensible):
            let structure = IMAPBodyStructure(try answer.reader.structure().root)
            answer.writer.write(.bodyStructure(structure, extensible: extensible), into: &buffer)
        case .preview: answer.writer.write(.preview(nil), into: &buffer)
        case .body(let section, let partial, _): try writeBody(section, partial, of: &answer, into: &buffer)
        case .rfc822:
            begin(.rfc822, 0..<Int(try answer.reader.file().size), partial: nil, of: &answer, into: &buffer)
        case .rfc822Header:
            let range = try answer.reader.range(of: .header, at: []) ?? 0..<0
            begin(.rfc822Header, range, partial: nil, of: &answer, into: &buffer)
        case .rfc822Text:
            let range = try answer.reader.range(of: .text, at: []) ?? 0..<0
            begin(.rfc822Text, range, partial: nil, of: &answer, into: &buffer)
        case .binary, .binarySize:
            // The session refuses them: BINARY is not offered.
            break
        }
    }

    private func writeBody(
        _ section: IMAPSection, _ partial: IMAPPartial?, of answer: inout Answer, into buffer: inout ByteBuffer
    ) throws(StoreError) {
        let name = IMAPFetchLiteral.body(section, offset: partial?.offset)
        let range: Range<Int>?
        switch section.specifier {
        case .all: range = try answer.reader.range(of: .body, at: section.part)
        case .header: range = try answer.reader.range(of: .header, at: section.part)
        case .text: range = try answer.reader.range(of: .text, at: section.part)
        case .mime: range = try answer.reader.range(of: .mime, at: section.part)
        case .headerFields(let names):
            return try writeFields(.only(names.map { Array($0.utf8) }), section.part, partial, name, &answer, &buffer)
        case .headerFieldsNot(let names):
            return try writeFields(.except(names.map { Array($0.utf8) }), section.part, partial, name, &answer, &buffer)
        }
        guard let range else { return answer.writer.write(.noBody(name), into: &buffer) }
        begin(name, range, partial: partial, of: &answer, into: &buffer)
    }

    private func writeFields(
        _ selection: HeaderSelection, _ path: [UInt32], _ partial: IMAPPartial?, _ name: IMAPFetchLiteral,
        _ answer: inout Answer, _ buffer: inout ByteBuffer
    ) throws(StoreError) {
        guard var bytes = try answer.reader.fields(selection, at: path) else {
            return answer.writer.write(.noBody(name), into: &buffer)
        }
        bytes.withUnsafeMutableBytes(Self.hideNULs)
        let range = Self.range(0..<bytes.count, partial)
        answer.writer.beginLiteral(name, size: range.count, into: &buffer)
        buffer.writeBytes(bytes[range])
    }

    /// Writes a literal's header; the octets follow in the pieces to come.
    private func begin(
        _ name: IMAPFetchLiteral, _ range: Range<Int>, partial: IMAPPartial?, of answer: inout Answer,
        into buffer: inout ByteBuffer
    ) {
        let range = Self.range(range, partial)
        answer.writer.beginLiteral(name, size: range.count, into: &buffer)
        answer.literal = range
    }

    /// A partial that begins beyond the end gives nothing (RFC 9051 section 6.4.5).
    private static func range(_ range: Range<Int>, _ partial: IMAPPartial?) -> Range<Int> {
        guard let partial else { return range }
        let start = range.lowerBound + Int(min(partial.offset, UInt64(range.count)))
        return start..<start + Int(min(partial.count, UInt64(range.upperBound - start)))
    }
}
