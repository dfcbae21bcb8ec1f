import CPosix

/// A value as stored in the database: a checksum over key and payload, then the payload.
enum CachedValue {
    static let headerBytes = 4

    static func checksum(_ key: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) -> UInt32 {
        let seed = cposix_crc32c(0, key.baseAddress, key.count)
        return cposix_crc32c(seed, payload.baseAddress, payload.count)
    }

    static func write(
        _ payload: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, to place: UnsafeMutableRawBufferPointer
    ) {
        place.storeBytes(of: checksum(key, payload).littleEndian, as: UInt32.self)
        UnsafeMutableRawBufferPointer(rebasing: place[headerBytes...]).copyMemory(from: payload)
    }

    /// The payload, or nil if the bytes are not what was written under that key.
    static func payload(_ stored: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard stored.count >= headerBytes else { return nil }
        let payload = UnsafeRawBufferPointer(rebasing: stored[headerBytes...])
        let right = UInt32(littleEndian: stored.loadUnaligned(as: UInt32.self)) == checksum(key, payload)
        return right ? payload : nil
    }
}
