/// Folds UTF-8 byte by byte; bytes that are no UTF-8 pass as they are.
struct FoldingStream: Sendable {
    private var held: [UInt8] = []
    private var expected = 0

    mutating func take(_ byte: UInt8, _ emit: (UInt8) -> Void) {
        if byte < 0x80 {
            if expected > 0 { finish(emit) }
            emit(byte.asciiLowered)
            return
        }
        if expected > 0, byte & 0xC0 == 0x80 {
            held.append(byte)
            if held.count == expected { emitScalar(emit) }
            return
        }
        if expected > 0 { finish(emit) }
        switch byte {
        case 0xC2...0xDF: expected = 2
        case 0xE0...0xEF: expected = 3
        case 0xF0...0xF4: expected = 4
        default:
            emit(byte)
            return
        }
        held.append(byte)
    }

    /// Emits the beginning of a character that was cut off.
    mutating func finish(_ emit: (UInt8) -> Void) {
        for byte in held { emit(byte) }
        held.removeAll(keepingCapacity: true)
        expected = 0
    }

    private mutating func emitScalar(_ emit: (UInt8) -> Void) {
        if let scalar {
            held.removeAll(keepingCapacity: true)
            expected = 0
            for byte in CaseFolding.folded(scalar) { emit(byte) }
        } else {
            finish(emit)
        }
    }

    /// The held bytes as a character; nil if they are an overlong form, a surrogate or beyond Unicode.
    private var scalar: Unicode.Scalar? {
        guard held.count == 2 else { return String(validating: held, as: UTF8.self)?.unicodeScalars.first }
        return Unicode.Scalar(UInt32(held[0] & 0x1F) << 6 | UInt32(held[1] & 0x3F))
    }
}
