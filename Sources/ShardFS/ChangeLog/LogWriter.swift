import DurableFiles
import Glibc

/// Writes a complete new log and puts it in place of the old one.
struct LogWriter {
    let system: SystemCalls
    let directory: Int32

    /// Unique to each writer: two may copy at once.
    private let temporaryName: String
    private static let piece = 4096

    init(system: SystemCalls, directory: Int32) {
        self.system = system
        self.directory = directory
        temporaryName = ".\(LogFile.fileName).\(SystemCalls.random(UInt64.self)).tmp"
    }

    /// Writes a header and records, all with mod-sequence `floor`, and renames them into place. Exclusive lock.
    ///
    /// The name need not be durable: until it is, the log before it, of another epoch or none, tells as much.
    /// - Parameters:
    ///   - durable: whether the bytes are; they need not be where they tell nothing that status.json does not.
    ///   - atEnd: runs the rename.
    func publish(
        _ header: LogHeader, _ records: [LogRecord], floor: ModSeq, durable: Bool = true,
        atEnd: (() throws(StoreError) -> Void) throws(StoreError) -> Void = { (replace) throws(StoreError) in
            try replace()
        }
    ) throws(StoreError) {
        let fd = try begin(header)
        defer { system.close(fd) }
        do throws(StoreError) {
            try fill(fd, header, records, floor, durable)
            try atEnd(replace)
        } catch {
            discard()
            throw error
        }
    }

    private func fill(
        _ fd: Int32, _ header: LogHeader, _ records: [LogRecord], _ floor: ModSeq, _ durable: Bool
    ) throws(StoreError) {
        var at = 0
        while at < records.count {
            let part = records[at..<min(at + Self.piece, records.count)].map { record in
                var record = record
                record.modSeq = floor
                return record
            }
            try append(part, to: fd, seed: header.seed)
            at += part.count
        }
        if durable { try doing("sync the new log") { () throws(Errno) in try system.sync(fd) } }
    }

    /// Removes the temporary file.
    func discard() { try? system.unlink(directory, temporaryName) }

    /// Rewrites the header once all records have been written.
    func finish(_ header: LogHeader, _ fd: Int32) throws(StoreError) {
        let result: Result<Void, Errno> = header.slot().withUnsafeBytes { raw in
            do throws(Errno) { return .success(try system.write(fd, raw, at: 0)) } catch { return .failure(error) }
        }
        try doing("write the new log") { () throws(Errno) in try result.get() }
    }

    /// Creates a new log with a header under the temporary name and returns its descriptor.
    func begin(_ header: LogHeader) throws(StoreError) -> Int32 {
        let fd = try doing("create the new log") { () throws(Errno) in
            try system.open(directory, temporaryName, O_RDWR | O_CREAT | O_EXCL)
        }
        do {
            try write(header.slot() + [UInt8](repeating: 0, count: LogHeader.slotSize), to: fd)
        } catch {
            system.close(fd)
            discard()
            throw error
        }
        return fd
    }

    func append(_ records: [LogRecord], to fd: Int32, seed: UInt32) throws(StoreError) {
        guard !records.isEmpty else { return }
        try write(LogFile.encode(records, seed: seed), to: fd)
    }

    private func write(_ bytes: [UInt8], to fd: Int32) throws(StoreError) {
        let result: Result<Void, Errno> = bytes.withUnsafeBytes { raw in
            do throws(Errno) { return .success(try system.write(fd, raw)) } catch { return .failure(error) }
        }
        try doing("write the new log") { () throws(Errno) in try result.get() }
    }

    func replace() throws(StoreError) {
        try doing("put the new log in place") { () throws(Errno) in
            try system.rename(directory, temporaryName, directory, LogFile.fileName, replacing: true)
        }
    }
}
