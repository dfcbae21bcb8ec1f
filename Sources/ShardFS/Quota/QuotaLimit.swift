import DurableFiles
package import Primitives

/// The limits of an account; 0 means no limit.
public struct QuotaLimits: Hashable, Sendable {
    /// The sum of the messages' sizes.
    public var bytes: UInt64
    public var messages: UInt64

    public static let none = QuotaLimits(bytes: 0, messages: 0)

    public init(bytes: UInt64, messages: UInt64) {
        self.bytes = bytes
        self.messages = messages
    }

    /// Whether the usage is within both limits.
    public func allow(bytes used: UInt64, messages count: UInt64) -> Bool {
        (bytes == 0 || used <= bytes) && (messages == 0 || count <= messages)
    }
}

/// The account's limits: `quota_mb` and `quota_messages` of user.json, cached until the file changes.
///
/// A missing key, or 0, means no limit. If the file becomes unreadable by an edit, the last limits stay in force.
final class QuotaLimit: Sendable {
    static let fileName = "user.json"
    static let bytesPerUnit: UInt64 = 1 << 20

    /// Identifies a state of the file.
    private struct Stamp: Equatable {
        var identity: FileIdentity
        var size: Int64
        var modified: Int64
        var changed: Int64
    }

    private struct Known {
        /// Nil if the file could change again with the same stamp, so that it must be read again.
        var stamp: Stamp?
        var limits: QuotaLimits
    }

    private let system: SystemCalls
    private let directory: Int32
    private let clock: @Sendable () -> Int64
    private let known = Locked<Known?>(nil)

    /// - Parameters:
    ///   - directory: the account's directory, which must stay open for the lifetime of this object.
    ///   - clock: seconds since 1970 UTC, on the machine that stamps the files.
    init(system: SystemCalls, directory: Int32, clock: @escaping @Sendable () -> Int64 = { Clocks.wall() }) {
        self.system = system
        self.directory = directory
        self.clock = clock
    }

    /// The current limits.
    /// - Throws: `damaged` if the file cannot be parsed and no earlier limits are known.
    var current: QuotaLimits {
        get throws(StoreError) {
            let status: FileStatus
            do {
                status = try system.status(directory, Self.fileName)
            } catch .notFound {
                // An account without the file has no limit; one that had it is being edited.
                return known.withLock { $0?.limits } ?? .none
            } catch {
                throw StoreError.system(error, "stat \(Self.fileName)")
            }
            let stamp = Stamp(
                identity: status.identity, size: status.size, modified: status.modified, changed: status.changed)
            if let limits = known.withLock({ $0.flatMap { $0.stamp == stamp ? $0.limits : nil } }) { return limits }
            return try read(stamp)
        }
    }

    private func read(_ stamp: Stamp) throws(StoreError) -> QuotaLimits {
        // Stamps have the resolution of a clock tick: a recent one may be shared by a later edit.
        let isOld = stamp.changed / 1_000_000_000 &+ 1 < clock()
        let kept = isOld ? stamp : nil
        do {
            let limits = try parse()
            known.withLock { $0 = Known(stamp: kept, limits: limits) }
            return limits
        } catch {
            guard error.code == .damaged else { throw error }
            let last = known.withLock { known -> QuotaLimits? in
                known?.stamp = kept
                return known?.limits
            }
            guard let last else { throw error }
            return last
        }
    }

    private func parse() throws(StoreError) -> QuotaLimits {
        guard let raw = try system.files.read(Self.fileName, in: directory, limit: 1 << 20) else {
            return .none
        }
        let document = try JSONValue.stored(raw, name: Self.fileName)
        guard document.object != nil else { throw StoreError(.damaged, "\(Self.fileName) is not an object") }
        return try QuotaLimits(userDocument: document)
    }
}

extension QuotaLimits {
    /// Reads the limits of a user.json, the only reader of `quota_mb` and `quota_messages`. A missing key, null, or 0
    /// is no limit.
    /// - Throws: `damaged`, naming the key.
    package init(userDocument document: JSONValue) throws(StoreError) {
        bytes = try Self.number("quota_mb", document, unit: QuotaLimit.bytesPerUnit)
        messages = try Self.number("quota_messages", document, unit: 1)
    }

    /// Reads a non-negative number of units, in bytes or messages. Fractions such as 0.5 are allowed and rounded up.
    private static func number(_ key: String, _ document: JSONValue, unit: UInt64) throws(StoreError) -> UInt64 {
        switch document[key] {
        case nil, .null: return 0
        case .number(let units) where units >= 0: return UInt64(exactly: (units * Double(unit)).rounded(.up)) ?? .max
        case .some(let value):
            guard let units = value.unsignedInteger else {
                throw StoreError(.damaged, "\(key) in \(QuotaLimit.fileName) is not a number from 0")
            }
            let (product, overflow) = units.multipliedReportingOverflow(by: unit)
            return overflow ? .max : product
        }
    }
}
