public import NIOCore

/// A fault that makes the content of a message unfit for storage or relaying.
///
/// Only CRLF ends a line (RFC 5321 section 2.3.8): software that also accepts a bare LF or CR would see different
/// messages in the same bytes (SMTP smuggling).
public enum SMTPContentFault: Hashable, Sendable {
    case bareLF
    case bareCR
    case nul
}

/// Finds bare CR, bare LF and NUL in content that arrives in pieces.
///
/// ``SMTPFrameDecoder`` checks DATA itself. BDAT content must be checked with this type by the caller, who knows where
/// the message begins and ends.
public struct SMTPContentCheck: Sendable {
    private var endsInCR = false
    /// The first fault found so far.
    public private(set) var fault: SMTPContentFault?

    public init() {}

    /// Checks the readable bytes of `piece`. The result does not depend on the split into pieces.
    public mutating func inspect(_ piece: ByteBuffer) {
        guard fault == nil else { return }
        piece.withUnsafeReadableBytes { bytes in
            var position = 0
            while position < bytes.count, fault == nil {
                if endsInCR {
                    endsInCR = false
                    if bytes[position] == UInt8(ascii: "\n") {
                        position += 1
                    } else {
                        fault = .bareCR
                    }
                    continue
                }
                position = bytes.nextSpecial(from: position)
                guard position < bytes.count else { return }
                switch bytes[position] {
                case UInt8(ascii: "\r"): endsInCR = true
                case UInt8(ascii: "\n"): fault = .bareLF
                default: fault = .nul
                }
                position += 1
            }
        }
    }

    /// Returns the fault of the whole message, after its last byte.
    public func finish() -> SMTPContentFault? {
        fault ?? (endsInCR ? .bareCR : nil)
    }
}

extension UnsafeRawBufferPointer {
    /// Returns the position of the next CR, LF or NUL at or after `start`, or else the count. Scans eight bytes at a
    /// time.
    func nextSpecial(from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highBits: UInt64 = 0x8080_8080_8080_8080
        let carriageReturns = ones &* UInt64(UInt8(ascii: "\r"))
        let lineFeeds = ones &* UInt64(UInt8(ascii: "\n"))
        // Nonzero exactly when a byte of the word is zero.
        func zeroBytes(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highBits }

        var position = start
        while count - position >= 8 {
            let word = loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let found = zeroBytes(word) | zeroBytes(word ^ carriageReturns) | zeroBytes(word ^ lineFeeds)
            if found != 0 { break }
            position += 8
        }
        while position < count {
            switch self[position] {
            case UInt8(ascii: "\r"), UInt8(ascii: "\n"), 0: return position
            default: position += 1
            }
        }
        return count
    }
}
