/// How every value that the read cache keeps of a message begins, little-endian: the version of its form 1, three octets
/// of zero, a fingerprint of the limits that the message was parsed under 4.
package struct CacheRecordHeader {
    package static let size = 8

    package let version: UInt8
    /// `ParseLimits.fingerprint`.
    package let limits: UInt32

    package var bytes: [UInt8] { [version, 0, 0, 0] + withUnsafeBytes(of: limits.littleEndian) { Array($0) } }

    /// Whether a value begins so.
    package func begins(_ value: UnsafeRawBufferPointer) -> Bool {
        value.count >= Self.size && value[0] == version
            && UInt32(littleEndian: value.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) == limits
    }
}
