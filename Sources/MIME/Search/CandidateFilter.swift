/// Finds possible starts of a query by its first two bytes, many at a time: this skips most of a text.
struct CandidateFilter: Sendable, Equatable {
    private let first: UInt8
    private let second: UInt8
    /// The bit that distinguishes the cases of a letter; 0 for a non-letter.
    private let firstCase: UInt8
    private let secondCase: UInt8
    private let hasSecond: Bool

    /// - Parameter pattern: the folded text.
    init(_ pattern: [UInt8]) {
        first = pattern.first ?? 0
        firstCase = first.isLetter ? 0x20 : 0
        hasSecond = pattern.count > 1
        second = hasSecond ? pattern[1] : 0
        secondCase = second.isLetter ? 0x20 : 0
    }

    /// The first position from `start` on where the query could begin; the end of `bytes` if there is none.
    ///
    /// A byte above 127 is a candidate, and may be followed by any byte: it could be part of a character that folds to
    /// the wanted one.
    func firstCandidate(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        guard let base = bytes.baseAddress, start < bytes.count else { return bytes.count }
        // A text with one candidate often has many: this check needs no words.
        if isCandidate(at: start, in: bytes) { return start }
        let words = Words(self)
        var index = start + 1
        while index < bytes.count {
            if index + 16 < bytes.count {
                let place = UnsafeRawPointer(base + index)
                if words.hits(at: place) | words.hits(at: place + 8) == 0 {
                    index += 16
                    continue
                }
            }
            for index in index..<min(index + 16, bytes.count) where isCandidate(at: index, in: bytes) { return index }
            index += 16
        }
        return bytes.count
    }

    /// The two bytes, each repeated in all eight bytes of a word.
    private struct Words {
        let first: UInt64
        let second: UInt64
        let firstCase: UInt64
        let secondCase: UInt64
        let offset: Int
        static let ones: UInt64 = 0x0101_0101_0101_0101
        static let highs: UInt64 = 0x8080_8080_8080_8080

        init(_ filter: CandidateFilter) {
            first = UInt64(filter.first) &* Self.ones
            firstCase = UInt64(filter.firstCase) &* Self.ones
            second = UInt64(filter.hasSecond ? filter.second : filter.first) &* Self.ones
            secondCase = UInt64(filter.hasSecond ? filter.secondCase : filter.firstCase) &* Self.ones
            offset = filter.hasSecond ? 1 : 0
        }

        /// Not 0 if the query could begin at one of the eight bytes; may rarely be a false positive.
        @inline(__always)
        func hits(at place: UnsafeRawPointer) -> UInt64 {
            let here = place.loadUnaligned(as: UInt64.self)
            let next = (place + offset).loadUnaligned(as: UInt64.self)
            let differs = ((here | firstCase) ^ first) | ((next | secondCase) ^ second)
            // A zero byte borrows from its high bit.
            return (((differs &- Self.ones) & ~differs) | here | next) & Self.highs
        }
    }

    @inline(__always)
    private func isCandidate(at index: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if bytes[index] >= 0x80 { return true }
        guard bytes[index] | firstCase == first else { return false }
        guard hasSecond, index + 1 < bytes.count else { return true }
        return bytes[index + 1] >= 0x80 || bytes[index + 1] | secondCase == second
    }
}
