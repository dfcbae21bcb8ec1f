import Primitives

/// UIDs as ascending, disjoint ranges that do not touch; written as `1:5,9`.
struct UIDRanges: Hashable, Sendable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    var isEmpty: Bool { ranges.isEmpty }

    init() {}

    /// Parses numbers and ranges in ascending order; nil for anything else.
    init?(_ text: String) {
        var number: UInt64 = 0
        var digits = 0
        var first: UInt32?
        func end() -> UInt32? { digits > 0 && number > 0 ? UInt32(exactly: number) : nil }
        for byte in Array(text.utf8) + [UInt8(ascii: ",")] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number = number * 10 + UInt64(byte - UInt8(ascii: "0"))
                digits += 1
                if digits > 10 { return nil }
                continue
            case UInt8(ascii: ":"):
                guard first == nil, let low = end() else { return nil }
                first = low
            case UInt8(ascii: ","):
                guard let high = end(), first ?? high <= high, append((first ?? high)...high) else { return nil }
                first = nil
            default: return nil
            }
            (number, digits) = (0, 0)
        }
    }

    var text: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound):\($0.upperBound)" }.joined(separator: ",")
    }

    /// The length of the text, or a little more.
    var textLength: Int {
        ranges.reduce(0) { sum, range in
            var digits = 1
            var rest = range.upperBound
            while rest >= 10 { (digits, rest) = (digits + 1, rest / 10) }
            return sum + (range.count == 1 ? digits : 2 * digits + 1) + 1
        }
    }

    func contains(_ uid: UInt32) -> Bool {
        let at = index(of: uid)
        return at < ranges.count && ranges[at].contains(uid)
    }

    mutating func insert(_ uid: UInt32) {
        if append(uid...uid) { return }
        let at = index(of: uid)
        if at < ranges.count, ranges[at].contains(uid) { return }
        ranges.insert(uid...uid, at: at)
        if at + 1 < ranges.count, ranges[at + 1].lowerBound - 1 == uid {
            ranges[at] = uid...ranges.remove(at: at + 1).upperBound
        }
        if at > 0, ranges[at - 1].upperBound + 1 == uid {
            ranges[at - 1] = ranges[at - 1].lowerBound...ranges.remove(at: at).upperBound
        }
    }

    mutating func remove(_ uid: UInt32) {
        let at = index(of: uid)
        guard at < ranges.count, ranges[at].contains(uid) else { return }
        let range = ranges.remove(at: at)
        if uid < range.upperBound { ranges.insert(uid + 1...range.upperBound, at: at) }
        if uid > range.lowerBound { ranges.insert(range.lowerBound...uid - 1, at: at) }
    }

    /// Removes every UID from `end` on.
    mutating func clip(below end: UInt32) {
        while let last = ranges.last, last.upperBound >= end {
            ranges.removeLast()
            if last.lowerBound < end { ranges.append(last.lowerBound...end - 1) }
        }
    }

    /// Keeps only the UIDs that are in `uids`, which are ascending.
    mutating func keep(_ uids: [UInt32]) {
        var kept = UIDRanges()
        for range in ranges {
            var low = 0
            var high = uids.count
            while low < high {
                let middle = (low + high) / 2
                if uids[middle] < range.lowerBound { low = middle + 1 } else { high = middle }
            }
            while low < uids.count, uids[low] <= range.upperBound {
                kept.insert(uids[low])
                low += 1
            }
        }
        self = kept
    }

    /// Adds a range above all others; false if it is not.
    private mutating func append(_ range: ClosedRange<UInt32>) -> Bool {
        guard let last = ranges.last else {
            ranges.append(range)
            return true
        }
        guard last.upperBound < range.lowerBound else { return false }
        if last.upperBound + 1 == range.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound...range.upperBound
        } else {
            ranges.append(range)
        }
        return true
    }

    /// The index of the first range that does not end below a UID.
    private func index(of uid: UInt32) -> Int { ranges.partitioningIndex { $0.upperBound >= uid } }
}
