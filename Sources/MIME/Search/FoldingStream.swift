/// Folds UTF-8 byte by byte; bytes that are not UTF-8 pass unchanged.
struct FoldingStream: Sendable {
    /// The bytes of an incomplete character, the first one highest.
    private var held: UInt32 = 0
    private var count = 0
    private var expected = 0

    /// Whether the stream is between two characters.
    var isIdle: Bool { expected == 0 }

    @inline(__always)
    mutating func take(_ byte: UInt8, _ emit: (UInt8) -> Void) {
        if byte < 0x80 {
            if expected > 0 { finish(emit) }
            emit(byte.asciiLowered)
        } else {
            takeHigh(byte, emit)
        }
    }

    @inline(__always)
    private mutating func takeHigh(_ byte: UInt8, _ emit: (UInt8) -> Void) {
        if expected > 0, byte & 0xC0 == 0x80 {
            held = held << 8 | UInt32(byte)
            count += 1
            if count == expected { emitCharacter(emit) }
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
        held = UInt32(byte)
        count = 1
    }

    /// Emits the bytes of a truncated character.
    mutating func finish(_ emit: (UInt8) -> Void) {
        while count > 0 {
            count -= 1
            emit(UInt8(truncatingIfNeeded: held >> (8 * UInt32(count))))
        }
        expected = 0
    }

    @inline(__always)
    private mutating func emitCharacter(_ emit: (UInt8) -> Void) {
        if expected == 2 {
            CaseFolding.foldSmall((held >> 8 & 0x1F) << 6 | held & 0x3F, emit)
            count = 0
            expected = 0
        } else {
            emitLarge(emit)
        }
    }

    private mutating func emitLarge(_ emit: (UInt8) -> Void) {
        let low = held & 0x3F | (held >> 8 & 0x3F) << 6
        let value =
            expected == 3
            ? (held >> 16 & 0x0F) << 12 | low : (held >> 24 & 0x07) << 18 | (held >> 16 & 0x3F) << 12 | low
        // Overlong forms, surrogates and values beyond Unicode pass unchanged, like characters without case.
        let isOverlong = value < (expected == 3 ? 0x800 : 0x1_0000)
        guard !isOverlong, !CaseFolding.isCaseless(value), let scalar = Unicode.Scalar(value) else {
            finish(emit)
            return
        }
        count = 0
        expected = 0
        for byte in CaseFolding.mapped(scalar) { emit(byte) }
    }
}
