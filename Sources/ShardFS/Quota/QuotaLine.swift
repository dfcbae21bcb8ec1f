import CPosix

/// The content of `quota.ledger`: one line of fixed-width text.
///
///     quota 1 {bytes, 20 digits} {messages, 20 digits} {state, 7} {boot id, 36} {CRC-32C of all before, 8 hex}
///
/// Anything after the line in the file is ignored. A line that cannot be trusted reads as `unknown`: upper bounds of
/// everything, to be recounted.
struct QuotaLine: Equatable {
    enum State: Equatable {
        /// Unchanged since the line was last made durable: correct even after a power cut.
        case clean
        /// Correct until the next reboot.
        case open
        /// The numbers are upper bounds.
        case recount
    }

    var bytes: UInt64
    var messages: UInt64
    var state: State

    /// The value of a missing, damaged or outdated ledger.
    static let unknown = QuotaLine(bytes: .max, messages: .max, state: .recount)
    var isUnknown: Bool { bytes == .max }

    /// The length of a line in bytes, including its newline.
    static let count = 104
    private static let prefix: StaticString = "quota 1 "
    private static let bytesAt = 8, messagesAt = 29, stateAt = 50, bootAt = 58, sumAt = 95

    /// Parses the contents of the file; anything except one complete line of this boot, or a clean one of any boot, is
    /// `unknown`.
    @inline(__always)
    static func parse(_ raw: UnsafeRawBufferPointer, boot: QuotaBoot) -> QuotaLine {
        guard raw.count == count, raw[count - 1] == 0x0A, has(raw, 0, prefix),
            let bytes = number(raw, bytesAt), let messages = number(raw, messagesAt),
            checksum(raw) == hexadecimal(raw)
        else { return .unknown }
        let state: State
        if has(raw, stateAt, "clean   ") {
            state = .clean
        } else if has(raw, stateAt, "open    ") {
            state = .open
        } else if has(raw, stateAt, "recount ") {
            state = .recount
        } else {
            return .unknown
        }
        // Written before a reboot and not closed: it is unknown which changes reached the disk.
        if state != .clean, !boot.matches(raw, bootAt) { return .unknown }
        return QuotaLine(bytes: bytes, messages: messages, state: state)
    }

    /// Writes the line into `raw`, which has room for `count` bytes.
    @inline(__always)
    func write(_ raw: UnsafeMutableRawBufferPointer, boot: QuotaBoot) {
        Self.put(raw, 0, Self.prefix)
        Self.put(raw, Self.bytesAt, bytes)
        Self.put(raw, Self.messagesAt, messages)
        switch state {
        case .clean: Self.put(raw, Self.stateAt, "clean   ")
        case .open: Self.put(raw, Self.stateAt, "open    ")
        case .recount: Self.put(raw, Self.stateAt, "recount ")
        }
        boot.write(raw, Self.bootAt)
        raw[Self.sumAt - 1] = 0x20
        let sum = Self.checksum(UnsafeRawBufferPointer(raw))
        for i in 0..<8 {
            let digit = UInt8(truncatingIfNeeded: sum >> UInt32(28 - 4 * i)) & 15
            raw[Self.sumAt + i] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
        }
        raw[Self.count - 1] = 0x0A
    }

    // MARK: fields

    private static func has(_ raw: UnsafeRawBufferPointer, _ at: Int, _ text: StaticString) -> Bool {
        for i in 0..<text.utf8CodeUnitCount where raw[at + i] != text.utf8Start[i] { return false }
        return true
    }

    private static func put(_ raw: UnsafeMutableRawBufferPointer, _ at: Int, _ text: StaticString) {
        for i in 0..<text.utf8CodeUnitCount { raw[at + i] = text.utf8Start[i] }
    }

    /// Parses twenty digits and a space.
    private static func number(_ raw: UnsafeRawBufferPointer, _ at: Int) -> UInt64? {
        var n: UInt64 = 0
        for i in at..<at + 20 {
            let d = raw[i] &- 0x30
            guard d <= 9 else { return nil }
            let (product, overflow) = n.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(d))
            if overflow || carry { return nil }
            n = sum
        }
        return raw[at + 20] == 0x20 ? n : nil
    }

    private static func put(_ raw: UnsafeMutableRawBufferPointer, _ at: Int, _ value: UInt64) {
        var n = value
        for i in stride(from: at + 19, through: at, by: -1) {
            raw[i] = 0x30 + UInt8(n % 10)
            n /= 10
        }
        raw[at + 20] = 0x20
    }

    private static func checksum(_ raw: UnsafeRawBufferPointer) -> UInt32 {
        cposix_crc32c(0, raw.baseAddress, sumAt)
    }

    private static func hexadecimal(_ raw: UnsafeRawBufferPointer) -> UInt32? {
        var n: UInt32 = 0
        for i in sumAt..<sumAt + 8 {
            switch raw[i] {
            case 0x30...0x39: n = n << 4 | UInt32(raw[i] - 0x30)
            case 0x61...0x66: n = n << 4 | UInt32(raw[i] - 0x61 + 10)
            default: return nil
            }
        }
        return n
    }
}

/// A boot id in the 36 bytes reserved for it in a ledger.
struct QuotaBoot: Sendable {
    static let count = 36
    private let bytes: [UInt8]

    init(_ id: String) {
        var bytes = id.utf8.map { $0 > 0x20 && $0 < 0x7F ? $0 : 0x3F }
        if bytes.count > Self.count || !id.utf8.elementsEqual(bytes) {
            // Not an id from the kernel: made distinct by a checksum.
            let sum = Array(id.utf8).withUnsafeBytes { cposix_crc32c(0, $0.baseAddress, $0.count) }
            bytes = Array(bytes.prefix(Self.count - 11)) + Array("#\(sum)".utf8)
        }
        self.bytes = bytes + [UInt8](repeating: 0x20, count: Self.count - bytes.count)
    }

    @inline(__always)
    func matches(_ raw: UnsafeRawBufferPointer, _ at: Int) -> Bool {
        for i in 0..<Self.count where raw[at + i] != bytes[i] { return false }
        return true
    }

    @inline(__always)
    func write(_ raw: UnsafeMutableRawBufferPointer, _ at: Int) {
        for i in 0..<Self.count { raw[at + i] = bytes[i] }
    }
}
