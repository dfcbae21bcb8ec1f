import CLMDB
import Glibc
import Primitives
import ShardFS
import TestSupport
import Testing

@testable import ShardIndex

/// A temporary directory for caches, removed at the end.
final class CacheScratch {
    private let place = TemporaryDirectory()
    let address: AccountAddress
    let log = Monitor<[String]>([])
    /// Keeps caches open: one is closed when its `ShardIndex` is released.
    private var kept: [ShardIndex] = []

    static let storeID = "00112233445566778899aabbccddeeff"
    static let mailbox = MailboxKey(id: "0123456789abcdef0123456789abcdef", uidValidity: 7)

    init() throws { address = try AccountAddress(parsing: "alice@example.com") }

    var path: String { place.path }

    func index(_ change: (inout IndexOptions) -> Void = { _ in }) -> ShardIndex {
        var options = IndexOptions()
        options.writeDelay = 0
        change(&options)
        let log = log
        let made = ShardIndex(path: path, options: options) { line in log.change { $0.append(line) } }
        kept.append(made)
        return made
    }

    func account(_ index: ShardIndex, storeID: String = CacheScratch.storeID) throws -> AccountIndex {
        try #require(index.account(storeID: storeID, address))
    }

    /// The store whose files the test examines.
    var storeID = CacheScratch.storeID

    var directory: String { "\(path)/\(storeID)/example.com/alice" }
    func file(_ name: String) -> String { "\(directory)/\(name)" }
    var messages: [String] { log.withLock { $0 } }
}

extension AccountIndex {
    static func text(_ uid: UInt32) -> [UInt8] { Array("summary \(uid) ".utf8) + [UInt8](repeating: 0x2e, count: 500) }

    func fill(_ uids: some Sequence<UInt32>, in mailbox: MailboxKey = CacheScratch.mailbox) {
        for uid in uids { put(mailbox, uid: uid, Self.text(uid)) }
        flush()
    }

    /// Returns the UIDs found; records an issue for each value that belongs to another UID.
    func found(_ range: ClosedRange<UInt32>, in mailbox: MailboxKey = CacheScratch.mailbox) -> [UInt32] {
        var uids: [UInt32] = []
        forEach(mailbox, in: range) { uid, value in
            if !value.elementsEqual(Self.text(uid)) { Issue.record("the value of \(uid) is another's") }
            uids.append(uid)
            return true
        }
        return uids
    }
}

/// Overwrites a part of a file in place.
func overwrite(_ path: String, at offset: Int, _ bytes: [UInt8]) {
    let fd = open(path, O_WRONLY)
    precondition(fd >= 0)
    precondition(pwrite(fd, bytes, bytes.count, off_t(offset)) == bytes.count)
    close(fd)
}

func size(of path: String) -> Int {
    var s = stat()
    return stat(path, &s) == 0 ? Int(s.st_size) : 0
}

/// A thread that can be waited for.
final class Thread: Sendable {
    private let writer = IndexWriter(maximumBytes: 0, delay: 0)

    init(_ body: @escaping @Sendable () -> Void) { writer.run(body) }

    func join() { writer.stop() }
}

extension WriteTransaction {
    /// Copies the bytes of one entry, with its checksum, to another key.
    func copy(_ from: [UInt8], to: [UInt8]) -> Int32 {
        var from = from
        var to = to
        return from.withUnsafeMutableBytes { from in
            to.withUnsafeMutableBytes { to in
                var key = MDB_val(mv_size: from.count, mv_data: from.baseAddress)
                var value = MDB_val()
                let code = mdb_get(transaction, database, &key, &value)
                guard code == 0 else { return code }
                let bytes = [UInt8](UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
                var other = MDB_val(mv_size: to.count, mv_data: to.baseAddress)
                return bytes.withUnsafeBytes { bytes in
                    var copy = MDB_val(
                        mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
                    return mdb_put(transaction, database, &other, &copy, 0)
                }
            }
        }
    }
}
