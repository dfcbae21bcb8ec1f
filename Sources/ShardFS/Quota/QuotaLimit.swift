/// The account's limit in bytes: `quota_mb` of user.json, kept until the file is seen to have changed.
///
/// A missing key, or 0, is no limit. A file that was edited into something unreadable leaves the last limit in force.
final class QuotaLimit: Sendable {
    static let fileName = "user.json"
    static let bytesPerUnit: UInt64 = 1 << 20

    /// What tells one state of the file from another.
    private struct Stamp: Equatable {
        var identity: FileIdentity
        var size: Int64
        var modified: Int64
        var changed: Int64
    }

    private struct Known {
        /// Nil: the file could change again without a new stamp, so it is to be read again.
        var stamp: Stamp?
        var bytes: UInt64
    }

    private let system: System
    private let directory: Int32
    private let clock: @Sendable () -> Int64
    private let known = Locked<Known?>(nil)

    /// - Parameters:
    ///   - directory: the account's, which must stay open for as long as this object lives.
    ///   - clock: seconds since 1970 UTC, of the machine that stamps the files.
    init(system: System, directory: Int32, clock: @escaping @Sendable () -> Int64 = { System.wallSeconds() }) {
        self.system = system
        self.directory = directory
        self.clock = clock
    }

    /// The limit in bytes now; 0 for none.
    /// - Throws: `damaged` when the file cannot be understood and no earlier limit is known.
    var bytes: UInt64 {
        get throws(StoreError) {
            let status: FileStatus
            do {
                status = try system.status(directory, Self.fileName)
            } catch .notFound {
                // An account without the file has no limit; one that had it is being edited.
                return known.withLock { $0?.bytes } ?? 0
            } catch {
                throw StoreError.system(error, "look at \(Self.fileName)")
            }
            let stamp = Stamp(
                identity: status.identity, size: status.size, modified: status.modified, changed: status.changed)
            if let bytes = known.withLock({ $0.flatMap { $0.stamp == stamp ? $0.bytes : nil } }) { return bytes }
            return try read(stamp)
        }
    }

    private func read(_ stamp: Stamp) throws(StoreError) -> UInt64 {
        // Stamps have the grain of a clock tick: one as young as this may be shared by a later edit.
        let isOld = stamp.changed / 1_000_000_000 &+ 1 < clock()
        let kept = isOld ? stamp : nil
        do {
            let bytes = try parse()
            known.withLock { $0 = Known(stamp: kept, bytes: bytes) }
            return bytes
        } catch {
            guard error.code == .damaged else { throw error }
            let last = known.withLock { known -> UInt64? in
                known?.stamp = kept
                return known?.bytes
            }
            guard let last else { throw error }
            return last
        }
    }

    private func parse() throws(StoreError) -> UInt64 {
        guard let raw = try FilePublisher(system: system).read(Self.fileName, in: directory, limit: 1 << 20) else {
            return 0
        }
        let document = try JSONValue.parse(raw, name: Self.fileName)
        guard document.object != nil else { throw StoreError(.damaged, "\(Self.fileName) is not an object") }
        switch document["quota_mb"] {
        case nil, .null: return 0
        case .number(let units) where units >= 0:
            // Part of a unit is what somebody meant by 0.5.
            return UInt64(exactly: (units * Double(Self.bytesPerUnit)).rounded(.down)) ?? .max
        case .some(let value):
            guard let units = value.unsignedInteger else {
                throw StoreError(.damaged, "quota_mb in \(Self.fileName) is not a number from 0")
            }
            let (bytes, overflow) = units.multipliedReportingOverflow(by: Self.bytesPerUnit)
            return overflow ? .max : bytes
        }
    }
}
