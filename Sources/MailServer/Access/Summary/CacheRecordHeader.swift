/// The header of every per-message value in the read cache. Layout, in bytes, little-endian: the format version 1,
/// zeros 3, a fingerprint of the parse limits 4.
package struct CacheRecordHeader {
    package static let size = 8

    package let version: UInt8
    /// `ParseLimits.fingerprint`.
    package let limits: UInt32

    package var bytes: [UInt8] { [version, 0, 0, 0] + withUnsafeBytes(of: limits.littleEndian) { Array($0) } }

    /// Whether a value begins with this header.
    package func begins(_ value: UnsafeRawBufferPointer) -> Bool {
        value.count >= Self.size && value[0] == version
            && UInt32(littleEndian: value.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) == limits
    }
}
