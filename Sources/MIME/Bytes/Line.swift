import Glibc

/// One line of a message, as offsets: its text is `start..<end`, its line end (CRLF, LF or nothing) `end..<next`.
struct Line {
    let start: Int
    let end: Int
    let next: Int
    /// Whether a line feed ends it; only the last line of a range can lack one.
    let isEnded: Bool

    init(start: Int, end: Int, next: Int, isEnded: Bool) {
        self.start = start
        self.end = end
        self.next = next
        self.isEnded = isEnded
    }

    /// Reads the line at `start`; `start < limit <= bytes.count`.
    init(in bytes: Span<UInt8>, at start: Int, limit: Int) {
        self.start = start
        guard let feed = bytes.firstIndex(of: ASCII.lf, from: start, to: limit) else {
            end = limit
            next = limit
            isEnded = false
            return
        }
        end = feed > start && bytes[feed - 1] == ASCII.cr ? feed - 1 : feed
        next = feed + 1
        isEnded = true
    }
}

extension Span<UInt8> {
    /// The first position of `byte` in `from..<to`; nil if it is not there or the range is outside the span.
    func firstIndex(of byte: UInt8, from: Int, to: Int) -> Int? {
        guard from >= 0, from < to, to <= count else { return nil }
        return withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress, let hit = memchr(base + from, Int32(byte), to - from) else {
                return nil
            }
            return UnsafeRawPointer(hit) - UnsafeRawPointer(base)
        }
    }

    /// The number of occurrences of `byte` from `from` on.
    func count(of byte: UInt8, from: Int) -> Int {
        guard from < count else { return 0 }
        return withUnsafeBufferPointer { buffer in
            var found = 0
            for index in max(from, 0)..<buffer.count where buffer[index] == byte { found += 1 }
            return found
        }
    }

    /// Whether all bytes are below 128.
    var isASCII: Bool {
        withUnsafeBufferPointer { buffer in
            var all: UInt8 = 0
            for byte in buffer { all |= byte }
            return all < 0x80
        }
    }

    /// The bytes of `range` as an array; any part of the range outside the span is left out.
    func array(_ range: Range<Int>) -> [UInt8] {
        let clamped = range.clamped(to: 0..<count)
        return withUnsafeBufferPointer { Array(UnsafeBufferPointer(rebasing: $0[clamped])) }
    }

    /// Whether `range`, which is inside the span, holds `text`, ignoring the case of ASCII letters; `text` is in lower
    /// case.
    func equals(_ text: StaticString, ignoringCaseAt range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let other = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for index in other.indices where self[range.lowerBound + index].asciiLowered != other[index] { return false }
        return true
    }

    /// Whether `range` holds exactly `other`.
    func holds(_ other: [UInt8], at range: Range<Int>) -> Bool {
        guard range.count == other.count, range.lowerBound >= 0, range.upperBound <= count else { return false }
        if other.isEmpty { return true }
        return withUnsafeBufferPointer { buffer in
            other.withUnsafeBufferPointer { wanted in
                guard let base = buffer.baseAddress, let start = wanted.baseAddress else { return false }
                return memcmp(base + range.lowerBound, start, wanted.count) == 0
            }
        }
    }
}

extension [UInt8] {
    /// Makes room for `count` more bytes; repeated calls still take linear time.
    mutating func reserve(_ count: Int) {
        if capacity - self.count < count { reserveCapacity(Swift.max(self.count + count, 2 * capacity)) }
    }

    /// Appends the bytes of `range`; any part of the range outside the span is left out.
    mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let clamped = range.clamped(to: 0..<bytes.count)
        bytes.withUnsafeBufferPointer { append(contentsOf: UnsafeBufferPointer(rebasing: $0[clamped])) }
    }
}
