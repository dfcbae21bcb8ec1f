import CPosix

@testable import ShardFS

// The body of the fuzz target for cached views: their images, and modifications of them.

/// An input whose first byte selects the format of the rest; 0x80 leaves checksums and counts uncorrected.
enum ViewFuzzInput {
    /// A header; `sealed` corrects its magic number, count and checksum.
    case viewHeader([UInt8], sealed: Bool)
    case part([UInt8], sealed: Bool)
    /// The view of a log, and the modifications of its image before it is read back.
    case view(LogHeader, [LogRecord], [Change])

    struct Change {
        var part: Int
        var offset: Int
        var bits: UInt8
    }

    init?(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return nil }
        let rest = Array(bytes.dropFirst())
        switch choice & 3 {
        case 0: self = .viewHeader(rest, sealed: choice & 0x80 == 0)
        case 1: self = .part(rest, sealed: choice & 0x80 == 0)
        default:
            let header = LogFuzzInput.header(rest)
            let changes = rest.dropFirst(32)
            let count = min(Int(changes.first ?? 0) % 8, max(0, changes.count - 1) / 4)
            let start = changes.startIndex + 1
            let made = (0..<count).map { i in
                let b = Array(changes[(start + 4 * i)..<(start + 4 * i + 4)])
                return Change(part: Int(b[0]), offset: Int(b[1]) | Int(b[2]) << 8, bits: b[3])
            }
            let records = LogFuzzInput.pieces(changes.dropFirst(1 + 4 * count), 16).map { LogFuzzInput.record($0) }
            self = .view(header, records, made)
        }
    }
}

func fuzzViewImage(_ bytes: [UInt8]) {
    switch ViewFuzzInput(bytes) {
    case .viewHeader(let bytes, let sealed): checkHeader(bytes, sealed)
    case .part(let bytes, let sealed): checkPart(bytes, sealed)
    case .view(let header, let records, let changes): checkImage(header, records, changes)
    case nil: break
    }
}

private func little(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// Returns the bytes followed by their checksum.
private func sealed(_ bytes: [UInt8]) -> [UInt8] {
    bytes + little(bytes.withUnsafeBytes { cposix_crc32c(0, $0.baseAddress, $0.count) })
}

private func padded(_ bytes: some Collection<UInt8>, to count: Int) -> [UInt8] {
    Array(bytes.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - bytes.count))
}

private func readHeader(_ bytes: [UInt8]) -> ViewHeader? { bytes.withUnsafeBytes { ViewHeader($0) } }

private func checkHeader(_ bytes: [UInt8], _ isSealed: Bool) {
    // Magic number and version; 100 bytes of numbers; the count of the shards and 41 bytes for each.
    let shards = Array(bytes.dropFirst(100))
    let count = shards.count / 41
    let right =
        little(UInt32(0x7677_656d)) + little(UInt32(1)) + padded(bytes, to: 100) + little(UInt32(count))
        + shards.prefix(count * 41)
    _ = readHeader(bytes)
    guard let viewHeader = readHeader(sealed(isSealed ? right : bytes)) else { return }
    precondition(readHeader(viewHeader.encoded()) == viewHeader, "a head changes when it is written")
    _ = viewHeader.joined(with: [:])
}

private func checkPart(_ bytes: [UInt8], _ isSealed: Bool) {
    // Magic number; number and serial; count; whether there are dates; the highest mod-sequence and the columns.
    let columns = Array(bytes.dropFirst(21))
    let hasDates = bytes.count > 12 && bytes[12] & 1 == 1
    let count = columns.count / (hasDates ? 30 : 26)
    let right =
        little(UInt32(0x6873_656d)) + padded(bytes, to: 12) + little(UInt32(count))
        + little(UInt32(hasDates ? 1 : 0)) + padded(bytes.dropFirst(13), to: 8)
        + columns.prefix(count * (hasDates ? 30 : 26))
    _ = bytes.withUnsafeBytes { ShardPart.decode($0) }
    guard let (table, serial) = sealed(isSealed ? right : bytes).withUnsafeBytes({ ShardPart.decode($0) }) else {
        return
    }
    let again = ShardPart.encode(table, serial: serial).withUnsafeBytes { ShardPart.decode($0) }
    precondition(again?.serial == serial && again?.table.number == table.number, "a part changes when it is written")
    precondition((0..<table.count).allSatisfy { again?.table.entry($0) == table.entry($0) }, "a message changes")
    for i in 0..<table.count {
        precondition(table.find(table.uid(i)) == (i, true), "a message is not found")
        precondition(UID(table.uid(i)).shard == table.number, "a message of another shard")
    }
}

/// Checks that a written view is read back unchanged, and that a modified one, with corrected checksums, is refused or
/// is a usable view.
private func checkImage(_ wanted: LogHeader, _ records: [LogRecord], _ changes: [ViewFuzzInput.Change]) {
    guard let header = wanted.slot().withUnsafeBytes({ LogHeader($0) }) else { return }
    var view = MailboxView(header, uidFloor: 1)
    // An image is made only while nothing is under way, and no writer sets flags beyond the last letter.
    let records = records.filter { $0.isDone && $0.flags.rawValue >> 62 == 0 }.compactMap { record in
        LogFile.encode([record], seed: 0).withUnsafeBytes { LogRecord($0.baseAddress!) }
    }
    for (place, record) in records.enumerated() { view.apply(record, at: place) }
    guard view.applied > 0, view.pending.isEmpty, view.highestModSeq < LogRecord.modSeqLimit else { return }
    var image = image(of: view, header)
    let list = read(image)?.list
    precondition(list?.count == view.list.count, "a view that was kept cannot be read")
    view.list.forEach { precondition(list?.entry(of: $0.uid) == $0, "a message changes when it is kept") }
    for change in changes {
        let part = change.part % image.count
        let size = image[part].bytes.count - 4
        image[part].bytes[change.offset % size] ^= change.bits
        image[part].bytes = sealed(Array(image[part].bytes.prefix(size)))
    }
    guard let (viewHeader, list) = read(image), viewHeader.base == header.base else { return }
    var changed = MailboxView(viewHeader, list, header: header, uidFloor: 1)
    checkView(changed)
    for record in records { changed.apply(record, at: changed.applied) }
    checkView(changed)
}

private func image(of view: MailboxView, _ header: LogHeader) -> [(part: UInt32, bytes: [UInt8])] {
    var parts: [(part: UInt32, bytes: [UInt8])] = []
    var shards: [ViewHeader.Shard] = []
    for table in view.list.shards {
        let serial = UInt64(table.number) &* 0x9E37_79B9_7F4A_7C15
        parts.append((table.number, ShardPart.encode(table, serial: serial)))
        shards.append(ViewHeader.Shard(number: table.number, count: UInt32(table.count), serial: serial, look: nil))
    }
    let viewHeader = ViewHeader(
        epoch: header.epoch, base: header.base, uidValidity: header.uidValidity, logInode: 1, logChanged: 2,
        applied: UInt64(view.applied), lastChecksum: 3, lastToken: 4, highestModSeq: view.highestModSeq,
        oldestAnswerable: view.oldestAnswerable, nextUID: view.nextUID, recentUID: view.recentUID,
        cleanMark: view.cleanMark ?? 0, usedFlags: view.usedFlags.rawValue, shards: shards)
    return [(ViewHeader.part, viewHeader.encoded())] + parts
}

private func read(_ image: [(part: UInt32, bytes: [UInt8])]) -> (viewHeader: ViewHeader, list: MessageList)? {
    var viewHeader: ViewHeader?
    var tables: [UInt32: (table: ShardTable, serial: UInt64)] = [:]
    for (part, bytes) in image {
        if part == ViewHeader.part {
            viewHeader = readHeader(bytes)
        } else if let shard = bytes.withUnsafeBytes({ ShardPart.decode($0) }), shard.table.number == part {
            tables[part] = shard
        }
    }
    guard let viewHeader, let joined = viewHeader.joined(with: tables) else { return nil }
    return (viewHeader, joined.list)
}
