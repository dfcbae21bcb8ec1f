import DurableFiles
import Glibc
import Primitives

/// An open shard directory.
final class ShardDirectory: Sendable {
    let number: UInt32
    let descriptor: Int32
    private let system: SystemCalls
    /// Whether this process has made the shard's own name durable.
    let nameSynced = Locked(false)

    private let shared = SharedSync()

    /// Makes the names in it durable. Thread-safe: after a failure no caller sees success.
    func sync() throws(StoreError) {
        try doing("sync a shard directory") { () throws(Errno) in try shared.sync(system, descriptor) }
    }

    init(system: SystemCalls, number: UInt32, descriptor: Int32) {
        self.system = system
        self.number = number
        self.descriptor = descriptor
    }

    deinit { system.close(descriptor) }

    /// Lists the names of a UID in this directory, usually one.
    func names(of uid: UInt32) throws(StoreError) -> [(name: String, flags: MessageFlags)] {
        var found: [(name: String, flags: MessageFlags)] = []
        try system.files.forEach(descriptor, ".") { name, kind in
            guard kind == .file || kind == .unknown else { return }
            if let parsed = MessageFileName.parse(name), parsed.uid == uid {
                found.append((String(decoding: name, as: UTF8.self), parsed.flags))
            }
        }
        return found
    }

    /// Looks up the current name of a UID, trying its last known flags first; nil if it has none.
    func lookUp(_ uid: UInt32, lastKnown: MessageFlags?) throws(StoreError) -> (name: String, flags: MessageFlags)? {
        if let lastKnown {
            let name = MessageFileName.string(UID(uid), lastKnown)
            do {
                if try system.status(descriptor, name).isRegularFile { return (name, lastKnown) }
            } catch .notFound {
            } catch {
                throw StoreError.system(error, "stat \(name)")
            }
        }
        return try names(of: uid).first
    }
}

/// One message of an exact listing of a shard.
struct ListedMessage: Sendable {
    var uid: UInt32
    var flags: MessageFlags
    /// Nil for a canonical name.
    var nonCanonicalName: String?

    var name: String { nonCanonicalName ?? MessageFileName.string(UID(uid), flags) }
}

/// An exact listing of one shard, indexed by UID, so that nothing needs sorting.
struct ShardListing {
    /// Flags by UID minus the shard's first UID; the top bit marks an existing message.
    private(set) var table = [UInt64](repeating: 0, count: Int(UID.perShard))
    private(set) var count = 0
    /// Non-canonical names, and second names of one UID.
    private(set) var nonCanonical: [ListedMessage] = []
    /// Names of no message, or of one of another shard; ignored.
    private(set) var foreign: [String] = []

    static let present: UInt64 = 1 << 63

    /// Lists a shard; nothing may change it meanwhile.
    init(_ system: SystemCalls, _ shard: ShardDirectory) throws(StoreError) {
        try self.init(system, directory: shard.descriptor, number: shard.number)
    }

    init(_ system: SystemCalls, directory: Int32, number: UInt32) throws(StoreError) {
        let first = number * UID.perShard
        // Local copies: a capture of `self` would cost a uniqueness check for each name.
        var table = self.table
        var count = 0
        var nonCanonical: [ListedMessage] = []
        var foreign: [String] = []
        let result: Result<Void, StoreError> = table.withUnsafeMutableBufferPointer { slots in
            do throws(StoreError) {
                try system.files.forEach(directory, ".") { name, kind in
                    guard let parsed = MessageFileName.parse(name), parsed.uid >= first,
                        parsed.uid - first < UID.perShard, kind == .file || kind == .unknown
                    else {
                        foreign.append(String(decoding: name, as: UTF8.self))
                        return
                    }
                    let slot = Int(parsed.uid - first)
                    if parsed.isCanonical, slots[slot] == 0 {
                        slots[slot] = parsed.flags.rawValue | Self.present
                        count += 1
                    } else {
                        nonCanonical.append(
                            ListedMessage(
                                uid: parsed.uid, flags: parsed.flags,
                                nonCanonicalName: String(decoding: name, as: UTF8.self)))
                    }
                }
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
        self.table = table
        self.count = count
        self.nonCanonical = nonCanonical
        self.foreign = foreign
    }

    /// Whether the listing has exactly the messages and flags of `shard`.
    func agrees(with shard: ShardTable?) -> Bool {
        guard nonCanonical.isEmpty, count == shard?.count ?? 0 else { return false }
        guard let shard = shard?.columns else { return true }
        return table.withUnsafeBufferPointer { slots in
            for i in shard.offsets.indices where slots[Int(shard.offsets[i])] != shard.flags[i] | Self.present {
                return false
            }
            return true
        }
    }

    /// Of two canonical names of one UID, prefers the one known to the log; the other becomes a stray.
    mutating func prefer(_ known: ShardTable?) {
        guard let known = known?.columns else { return }
        for i in nonCanonical.indices {
            let (index, found) = known.find(nonCanonical[i].uid)
            guard found, nonCanonical[i].flags.rawValue == known.flags[index],
                nonCanonical[i].name == MessageFileName.string(UID(nonCanonical[i].uid), nonCanonical[i].flags)
            else { continue }
            let slot = Int(nonCanonical[i].uid - known.firstUID)
            guard let other = flags(slot) else { continue }
            table[slot] = nonCanonical[i].flags.rawValue | Self.present
            nonCanonical[i] = ListedMessage(
                uid: nonCanonical[i].uid, flags: other,
                nonCanonicalName: MessageFileName.string(UID(nonCanonical[i].uid), other))
        }
    }

    func flags(_ offset: Int) -> MessageFlags? {
        let slot = table[offset]
        return slot & Self.present == 0 ? nil : MessageFlags(rawValue: slot & ~Self.present)
    }
}
