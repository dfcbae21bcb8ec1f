import CPosix
import Glibc
import Primitives

/// The record that vouches for a database file: 1,024 bytes in `state` beside it, overwritten in place.
///
/// LMDB has no page checksums, and a bad page can crash the process. So every commit records the file's stamp, and a
/// file with any other stamp was changed by another program and is not read.
struct StateRecord: Equatable {
    static let size = 1024
    private static let magic: [UInt8] = Array("RMINDEX1".utf8)

    /// The store and account that a cache belongs to.
    struct Owner: Hashable, Sendable {
        var storeID: String
        var account: String
    }

    enum Condition: UInt8 {
        /// No database yet.
        case fresh = 1
        /// Closed cleanly: all of it is on stable storage.
        case clean = 2
        /// Written to since `boot`: after a reboot, parts of it may be missing.
        case open = 3
    }

    /// A file's identity and state from fstat(2). No program can set its change time back.
    struct Stamp: Equatable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var size: Int64 = 0
        var changed: Int64 = 0
    }

    var owner: Owner
    var boot: String
    var condition: Condition
    var data: Stamp

    var bytes: [UInt8]? {
        var body: [UInt8] = [condition.rawValue]
        for number in [data.device, data.inode, UInt64(bitPattern: data.size), UInt64(bitPattern: data.changed)] {
            withUnsafeBytes(of: number.littleEndian) { body += $0 }
        }
        for text in [owner.storeID, owner.account, boot] {
            let text = text.utf8
            guard text.count <= 320 else { return nil }
            withUnsafeBytes(of: UInt16(text.count).littleEndian) { body += $0 }
            body += text
        }
        let head = Self.magic.count + 4
        guard head + body.count <= Self.size else { return nil }
        body += [UInt8](repeating: 0, count: Self.size - head - body.count)
        var all = Self.magic
        withUnsafeBytes(of: Self.checksum(body[...]).littleEndian) { all += $0 }
        return all + body
    }

    private static func checksum(_ body: ArraySlice<UInt8>) -> UInt32 {
        body.withUnsafeBytes { cposix_crc32c(0, $0.baseAddress, $0.count) }
    }

    init(owner: Owner, boot: String, condition: Condition, data: Stamp) {
        self.owner = owner
        self.boot = boot
        self.condition = condition
        self.data = data
    }

    /// Returns nil if the bytes are no valid record.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.size, bytes.starts(with: Self.magic) else { return nil }
        let at = Self.magic.count
        let sum = bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
        var rest = bytes[(at + 4)...]
        guard sum == Self.checksum(rest), let kind = rest.popFirst(), let condition = Condition(rawValue: kind) else {
            return nil
        }
        func number<T: FixedWidthInteger>(_ type: T.Type) -> T? {
            let size = MemoryLayout<T>.size
            guard rest.count >= size else { return nil }
            let value = rest.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(as: T.self)) }
            rest = rest.dropFirst(size)
            return value
        }
        func text() -> String? {
            guard let count = number(UInt16.self), rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return String(decoding: rest.prefix(Int(count)), as: UTF8.self)
        }
        guard let device = number(UInt64.self), let inode = number(UInt64.self), let size = number(Int64.self),
            let changed = number(Int64.self), let storeID = text(), let account = text(), let boot = text()
        else { return nil }
        self.init(
            owner: Owner(storeID: storeID, account: account), boot: boot, condition: condition,
            data: Stamp(device: device, inode: inode, size: size, changed: changed))
    }
}
