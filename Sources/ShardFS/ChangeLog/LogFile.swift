import CPosix
import DurableFiles
import Glibc

/// An open change log. Complete records are appended under the mailbox's lock; reading needs no lock.
final class LogFile: Sendable {
    static let fileName = "changes.log"

    private let system: SystemCalls
    /// Opened with O_APPEND, for appending records and for reading.
    let descriptor: Int32
    let identity: FileIdentity
    /// The header at the time of opening; `epoch` and `base` never change in one file.
    let openedHeader: LogHeader

    /// Why it can only be read, though it was to be written.
    let obstacle: StoreError?

    var epoch: UInt64 { openedHeader.epoch }
    var seed: UInt32 { openedHeader.seed }
    var base: UInt64 { openedHeader.base }

    /// Opens the log; nil if there is none, or neither slot of its header is valid.
    static func open(_ system: SystemCalls, in directory: Int32, readOnly: Bool = false) throws(StoreError) -> LogFile?
    {
        func file(_ flags: Int32) throws(StoreError) -> (descriptor: Int32, status: FileStatus)? {
            try system.files.openRegular(directory, fileName, flags | O_NOFOLLOW, fileName)
        }
        let found: (descriptor: Int32, status: FileStatus)?
        var obstacle: StoreError?
        do throws(StoreError) {
            found = try file(readOnly ? O_RDONLY : O_RDWR | O_APPEND)
        } catch {
            // To be read all the same.
            guard error.code == .readOnly else { throw error }
            obstacle = error
            found = try file(O_RDONLY)
        }
        guard let (fd, status) = found else { return nil }
        do throws(StoreError) {
            guard let header = try readHeader(system, fd) else {
                system.close(fd)
                return nil
            }
            return LogFile(system, fd, status.identity, header, obstacle)
        } catch {
            system.close(fd)
            throw error
        }
    }

    private init(
        _ system: SystemCalls, _ descriptor: Int32, _ identity: FileIdentity, _ header: LogHeader,
        _ obstacle: StoreError?
    ) {
        self.obstacle = obstacle
        self.system = system
        self.descriptor = descriptor
        self.identity = identity
        openedHeader = header
    }

    deinit { system.close(descriptor) }

    private static func readHeader(_ system: SystemCalls, _ fd: Int32) throws(StoreError) -> LogHeader? {
        var bytes = [UInt8](repeating: 0, count: LogHeader.size)
        let result: Result<Int, Errno> = bytes.withUnsafeMutableBytes { raw in
            do throws(Errno) { return .success(try system.read(fd, raw, at: 0)) } catch { return .failure(error) }
        }
        let count = try doing("read \(fileName)") { () throws(Errno) in try result.get() }
        return bytes.withUnsafeBytes { LogHeader(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }

    /// Reads the current header.
    func header() throws(StoreError) -> LogHeader {
        guard let header = try Self.readHeader(system, descriptor) else {
            throw StoreError(.damaged, "the header of \(Self.fileName) is damaged")
        }
        return header
    }

    /// Writes a new header into the slot of the older one. Exclusive lock.
    func write(_ header: LogHeader, in directory: Int32) throws(StoreError) {
        // On Linux pwrite(2) on an O_APPEND descriptor appends, so the header needs a separate descriptor.
        let fd = try doing("open \(Self.fileName)") { () throws(Errno) in
            try system.open(directory, Self.fileName, O_RDWR | O_NOFOLLOW)
        }
        defer { system.close(fd) }
        var next = header
        next.sequence = try self.header().sequence + 1
        let slot = next.slot()
        let offset = Int64(next.sequence % 2 == 0 ? LogHeader.slotSize : 0)
        let result: Result<Void, Errno> = slot.withUnsafeBytes { raw in
            do throws(Errno) { return .success(try system.write(fd, raw, at: offset)) } catch { return .failure(error) }
        }
        try doing("write the header of \(Self.fileName)") { () throws(Errno) in try result.get() }
    }

    /// The number of complete records in a log of `size` bytes.
    static func records(in size: Int64) -> Int {
        size <= Int64(LogHeader.size) ? 0 : Int(size - Int64(LogHeader.size)) / LogRecord.size
    }
    /// Whether a log of `size` bytes ends in a partial record.
    static func isTorn(_ size: Int64) -> Bool {
        size < Int64(LogHeader.size) || (size - Int64(LogHeader.size)) % Int64(LogRecord.size) != 0
    }
    static func offset(of record: Int) -> Int64 { Int64(LogHeader.size + record * LogRecord.size) }

    func size() throws(StoreError) -> Int64 {
        try doing("stat \(Self.fileName)") { () throws(Errno) in try system.status(descriptor).size }
    }

    func syncData() throws(StoreError) {
        try doing("sync \(Self.fileName)") { () throws(Errno) in try system.syncData(descriptor) }
    }

    /// Truncates the log to `records` records. Exclusive lock.
    func truncate(records: Int) throws(StoreError) {
        try doing("truncate the torn end of \(Self.fileName)") { () throws(Errno) in
            try system.truncate(descriptor, to: Self.offset(of: records))
        }
    }

    // MARK: writing

    /// Appends one record. The mailbox's lock is held.
    @inline(__always)
    @discardableResult
    func append(_ record: LogRecord) throws(StoreError) -> UInt32 {
        var room: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
        let result: Result<Void, Errno> = withUnsafeMutableBytes(of: &room) { raw in
            record.write(raw.baseAddress!, seed: seed)
            do throws(Errno) {
                return .success(try system.write(descriptor, UnsafeRawBufferPointer(raw)))
            } catch { return .failure(error) }
        }
        try doing("write to \(Self.fileName)") { () throws(Errno) in try result.get() }
        return UInt32(truncatingIfNeeded: UInt64(littleEndian: room.0))
    }

    /// Appends several records in one write.
    @discardableResult
    func append(_ records: [LogRecord]) throws(StoreError) -> UInt32? {
        guard !records.isEmpty else { return nil }
        let bytes = Self.encode(records, seed: seed)
        let result: Result<Void, Errno> = bytes.withUnsafeBytes { raw in
            do throws(Errno) { return .success(try system.write(descriptor, raw)) } catch { return .failure(error) }
        }
        try doing("write to \(Self.fileName)") { () throws(Errno) in try result.get() }
        return bytes.withUnsafeBytes {
            UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: bytes.count - LogRecord.size, as: UInt32.self))
        }
    }

    static func encode(_ records: [LogRecord], seed: UInt32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: records.count * LogRecord.size) { out, count in
            for (i, record) in records.enumerated() {
                record.write(UnsafeMutableRawPointer(out.baseAddress! + i * LogRecord.size), seed: seed)
            }
            count = records.count * LogRecord.size
        }
    }

    // MARK: reading

    /// The end of a scan.
    enum ScanEnd: Equatable {
        /// All complete records were valid.
        case end
        /// The record at this place is invalid: being written, torn, or damaged.
        case bad(Int)
        /// The last record that was read before is not there any more: the log was cut, and may have grown again.
        case cut
    }

    static let readPiece = 1 << 20

    /// Calls `body` for each valid record from place `from` up to, not including, `to` (`Int.max`: the end of the log),
    /// with its place.
    func scan(
        from: Int, to: Int, _ body: (LogRecord, Int) throws(StoreError) -> Void
    ) throws(StoreError) -> ScanEnd {
        try scan(from: from, to: to) { (record, place, _) throws(StoreError) in
            // A kind of a later version is skipped: its place keeps its mod-sequence.
            if let record { try body(record, place) }
        }
    }

    /// As the above, with the checksum of each right record; nil for a record of a later version.
    func scan(
        from: Int, to: Int, _ body: (LogRecord?, Int, UInt32) throws(StoreError) -> Void
    ) throws(StoreError) -> ScanEnd {
        guard from < to else { return .end }
        // An open-ended scan reads in small pieces: a writer looks for its own few records.
        let open = to == .max
        let piece = open ? 64 : min(to - from, Self.readPiece / LogRecord.size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece * LogRecord.size, alignment: 16)
        defer { buffer.deallocate() }
        var at = from
        while at < to {
            let wanted = min(piece, to - at)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<wanted * LogRecord.size])
            let bytes = try doing("read \(Self.fileName)") { () throws(Errno) in
                try system.read(descriptor, part, at: Self.offset(of: at))
            }
            let whole = bytes / LogRecord.size
            let right = cposix_check_records(part.baseAddress!, 0, whole, seed)
            for i in 0..<right {
                let bytes = UnsafeRawPointer(part.baseAddress! + i * LogRecord.size)
                try body(LogRecord(bytes), at + i, UInt32(littleEndian: bytes.load(as: UInt32.self)))
            }
            if right < whole { return .bad(at + right) }
            if whole < wanted { return open ? .end : .bad(at + whole) }
            at += whole
        }
        return .end
    }

    /// The digests in the records at the entries' places; unknown if a record is invalid or belongs to another message.
    func digests(of entries: [MessageEntry]) throws(StoreError) -> [ContentDigest] {
        guard let lowest = entries.lazy.map(\.record).min(), let highest = entries.lazy.map(\.record).max() else {
            return []
        }
        var digests = [ContentDigest](repeating: .unknown, count: entries.count)
        if Int(highest - lowest) < 4 * entries.count + 64 {
            // Close together: one read covers all.
            var places: [UInt32: Int] = [:]
            places.reserveCapacity(entries.count)
            for (i, entry) in entries.enumerated() { places[entry.record] = i }
            _ = try scan(from: Int(lowest), to: Int(highest) + 1) { record, place in
                guard let i = places[UInt32(place)], record.uid == entries[i].uid.rawValue else { return }
                digests[i] = record.digest
            }
        } else {
            for (i, entry) in entries.enumerated() {
                if let record = try record(at: Int(entry.record)), record.uid == entry.uid.rawValue {
                    digests[i] = record.digest
                }
            }
        }
        return digests
    }

    /// Whether the first `count` records are valid.
    func isRight(upTo count: Int) throws(StoreError) -> Bool {
        let piece = max(1, min(count, Self.readPiece / LogRecord.size))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece * LogRecord.size, alignment: 16)
        defer { buffer.deallocate() }
        var at = 0
        while at < count {
            let wanted = min(piece, count - at)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<wanted * LogRecord.size])
            let bytes = try doing("read \(Self.fileName)") { () throws(Errno) in
                try system.read(descriptor, part, at: Self.offset(of: at))
            }
            guard bytes == part.count, cposix_check_records(part.baseAddress!, 0, wanted, seed) == wanted else {
                return false
            }
            at += wanted
        }
        return true
    }

    /// The checksum and token of the record at a place, which together identify it; nil if the record is invalid.
    func checksumAndToken(at index: Int) throws(StoreError) -> (checksum: UInt32, token: UInt64)? {
        guard let record = try record(at: index) else { return nil }
        let bytes = Self.encode([record], seed: seed)
        let checksum = bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
        return (checksum, record.token)
    }

    /// The record at a place; nil if it is invalid.
    func record(at index: Int) throws(StoreError) -> LogRecord? {
        var found: LogRecord?
        _ = try scan(from: index, to: index + 1) { record, _ in found = record }
        return found
    }
}
