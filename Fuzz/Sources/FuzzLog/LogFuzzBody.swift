import CPosix

@testable import ShardFS

// The body of the fuzz target, run on each input. The store's tests run it too, on the seed corpus.

/// An input whose first byte selects the format of the rest: a log's header, records in a short form, raw records, or a
/// small text file. Checksums are corrected where the format says so, since little would get past them otherwise. With
/// 0x40 it is a `ViewFuzzInput`.
enum LogFuzzInput {
    /// Two slots of a header; `sealed` corrects the checksum, version and mark of each.
    case header([UInt8], sealed: Bool)
    case records(LogHeader, [[UInt8]])
    case status([UInt8])
    case quota([UInt8], sealed: Bool)

    init?(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return nil }
        let rest = Array(bytes.dropFirst())
        let sealed = choice & 0x80 == 0
        switch choice & 7 {
        case 0: self = .header(rest, sealed: sealed)
        case 1: self = .status(rest)
        case 2: self = .quota(rest, sealed: sealed)
        case 3: self = .records(Self.header(rest), Self.pieces(rest.dropFirst(32), 64))
        default:
            self = .records(Self.header(rest), Self.pieces(rest.dropFirst(32), 16).map { Self.record($0).bytes })
        }
    }

    /// Reads four numbers of a header, eight bytes each: base, next UID, oldest answerable, ceilings.
    static func header(_ bytes: [UInt8]) -> LogHeader {
        func number(_ i: Int) -> UInt64 {
            bytes.dropFirst(8 * i).prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        return LogHeader(
            epoch: 7, base: number(0), nextUID: number(1), oldestAnswerable: number(2), uidValidity: 9,
            mailboxID: String(repeating: "a", count: 32), keywords: KeywordTable(), uidCeiling: number(3),
            modSeqCeiling: number(3), recentUID: UInt32(truncatingIfNeeded: number(3)))
    }

    static func pieces(_ bytes: ArraySlice<UInt8>, _ size: Int) -> [[UInt8]] {
        stride(from: bytes.startIndex, to: bytes.endIndex, by: size).map { start in
            let piece = bytes[start..<min(start + size, bytes.endIndex)]
            return Array(piece) + [UInt8](repeating: 0, count: size - piece.count)
        }
    }

    /// Reads kind, token (few values, so that done records find their intents), UID, size, flags at both ends, and a
    /// mod-sequence that counts down from the highest if its top bit is set.
    static func record(_ b: [UInt8]) -> LogRecord {
        func number(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(b[at + $1]) << UInt32(8 * $1) } }
        let short = number(12)
        return LogRecord(
            LogRecord.Kind(rawValue: b[0] & 15) ?? .append, done: b[0] & LogRecord.doneBit != 0, uid: number(2),
            flags: MessageFlags(rawValue: UInt64(b[10]) | UInt64(b[11]) << 56), token: UInt64(b[1]),
            modSeq: short >> 31 == 0 ? UInt64(short) : .max - UInt64(short & 0x7FFF_FFFF), time: Int64(b[0]),
            size: number(6))
    }
}

extension LogRecord {
    /// The 64 bytes, checksum included.
    fileprivate var bytes: [UInt8] { LogFile.encode([self], seed: 0) }
}

/// Returns the record's bytes with the checksum for a log with this seed.
func sealed(_ record: [UInt8], seed: UInt32) -> [UInt8] {
    var record = record
    let sum = record.withUnsafeBytes { cposix_crc32c(seed, $0.baseAddress! + 4, LogRecord.size - 4) }
    for i in 0..<4 { record[i] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * i)) }
    return record
}

/// Reads an input the way the store does; a damaged file may contain anything, but the store goes on.
func fuzzLog(_ bytes: [UInt8]) {
    if let choice = bytes.first, choice & 0x40 != 0 { return fuzzViewImage(bytes) }
    switch LogFuzzInput(bytes) {
    case .header(let slots, let sealed): checkHeader(slots, sealed)
    case .records(let header, let records): checkRecords(header, records)
    case .status(let json): checkStatus(json)
    case .quota(let line, let sealed): checkQuota(line, sealed)
    case nil: break
    }
}

// MARK: the header

private func checkHeader(_ bytes: [UInt8], _ sealed: Bool) {
    _ = bytes.withUnsafeBytes { LogHeader($0) }
    var file: [UInt8] = []
    let half = min(bytes.count / 2, LogHeader.slotSize)
    for part in [bytes.prefix(half), bytes.dropFirst(half).prefix(LogHeader.slotSize)] {
        var slot = Array(part) + [UInt8](repeating: 0, count: LogHeader.slotSize - part.count)
        if sealed {
            slot.replaceSubrange(4..<8, with: [1, 0, 0, 0])
            slot.replaceSubrange(8..<16, with: "rmaillog".utf8)
            let sum = slot.withUnsafeBytes { cposix_crc32c(0, $0.baseAddress! + 4, LogHeader.slotSize - 4) }
            for i in 0..<4 { slot[i] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * i)) }
        }
        file += slot
    }
    guard let header = file.withUnsafeBytes({ LogHeader($0) }) else { return }
    checkBack(header)
    var view = MailboxView(header, uidFloor: header.uidCeiling)
    view.apply(LogRecord(.append, done: true, uid: .max), at: 0)
    precondition(view.nextModSeq > header.base, "a mod-sequence is given twice")
    _ = header.keywords.names(in: MessageFlags(rawValue: .max))
}

/// Checks that a header read can be written and read back unchanged, and that there is a next sequence number.
private func checkBack(_ header: LogHeader) {
    precondition(header.sequence + 1 > header.sequence)
    let slot = header.slot()
    precondition(slot.count == LogHeader.slotSize, "a slot has another size")
    let again = slot.withUnsafeBytes { LogHeader($0) }
    if header.mailboxID.utf8.count <= 64 { precondition(again == header, "a header changes when it is written") }
}

// MARK: records

private func checkRecords(_ wanted: LogHeader, _ records: [[UInt8]]) {
    // A header whose numbers no writer could produce is not parsed.
    guard let header = wanted.slot().withUnsafeBytes({ LogHeader($0) }) else { return }
    var file: [UInt8] = []
    for record in records { file += sealed(record, seed: header.seed) }
    var view = MailboxView(header, uidFloor: 1)
    var order = RecordOrder(base: header.base)
    file.withUnsafeBytes { file in
        let right = file.baseAddress.map { cposix_check_records($0, 0, records.count, header.seed) } ?? 0
        precondition(right == records.count, "a right checksum is found wrong")
        for place in 0..<right {
            guard let record = LogRecord(file.baseAddress! + place * LogRecord.size) else {
                view.skip(to: place + 1)
                continue
            }
            let again = LogFile.encode([record], seed: 0).withUnsafeBytes { LogRecord($0.baseAddress!) }
            precondition(again == record, "a record changes when it is written")
            order.take(record, at: place)
            let before = view.nextUID
            view.apply(record, at: place)
            precondition(view.applied == place + 1 && view.nextUID >= before, "the view goes back")
        }
    }
    order.finish()
    checkView(view)
    // The header that compaction writes.
    var next = header
    next.nextUID = view.nextUID
    next.oldestAnswerable = view.oldestAnswerable
    next.recentUID = view.recentUID
    checkBack(next)
}

/// Checks the invariants of any view.
func checkView(_ view: MailboxView) {
    let list = view.list
    var count = 0
    var last: UInt32 = 0
    list.forEach { entry in
        precondition(entry.uid.rawValue > last, "the list is out of order")
        precondition(entry.modSeq <= view.highestModSeq, "a message is newer than its mailbox")
        precondition(list.entry(of: entry.uid) == entry && list.index(of: entry.uid) == count, "a message is lost")
        precondition(list.count(below: entry.uid) == count && list[count] == entry, "another place")
        last = entry.uid.rawValue
        count += 1
    }
    precondition(list.count == count && list.last?.uid.rawValue ?? 0 == last, "the list counts wrong")
    precondition(view.nextUID > UInt64(last) && view.nextUID <= UID.end, "the next UID is taken")
    precondition(view.nextModSeq > 0)
    for uid in view.unconfirmed { _ = list.entry(of: UID(uid)) }
    for (token, intent) in view.pending { precondition(intent.record.token == token && !intent.record.isDone) }
}

// MARK: texts

private func checkStatus(_ bytes: [UInt8]) {
    _ = UIDValidityCounter.parse(bytes)
    guard var status = try? MailboxStatus(parsing: bytes) else { return }
    let header = LogHeader(
        epoch: status.epoch ?? 0, base: 0, nextUID: 1, oldestAnswerable: 0, uidValidity: status.uidValidity,
        mailboxID: status.mailboxID, keywords: status.keywords, uidCeiling: status.uidCeiling,
        modSeqCeiling: status.modSeqCeiling, recentUID: 1)
    checkBack(header)
    checkView(MailboxView(header, uidFloor: status.uidFloor))
    guard let text = try? status.serialized() else { return }
    guard let again = try? MailboxStatus(parsing: text) else {
        preconditionFailure("a status cannot be read when it is written")
    }
    status.document = again.document
    precondition(again == status, "a status changes when it is written")
}

private func checkQuota(_ bytes: [UInt8], _ sealed: Bool) {
    var bytes = bytes
    if sealed, bytes.count >= QuotaLine.count {
        bytes = Array(bytes.prefix(QuotaLine.count))
        let sum = bytes.withUnsafeBytes { cposix_crc32c(0, $0.baseAddress!, 95) }
        let digits = Array(String(sum, radix: 16).utf8)
        bytes.replaceSubrange(95..<103, with: [UInt8](repeating: 0x30, count: 8 - digits.count) + digits)
    }
    let boot = QuotaBoot("2c1f6a0e-91a7-4a2a-bd0e-8f2ad6f4a6c1")
    let line = bytes.withUnsafeBytes { QuotaLine.parse($0, boot: boot) }
    var room = [UInt8](repeating: 0, count: QuotaLine.count)
    room.withUnsafeMutableBytes { line.write($0, boot: boot) }
    let again = room.withUnsafeBytes { QuotaLine.parse($0, boot: boot) }
    precondition(again == line, "a quota changes when it is written")
}
