/// One element of a sequence set: a number or an inclusive range, in the order the client wrote it.
///
/// A bound of 0 stands for `*` (0 is not a legal number), so a range costs eight bytes. RFC 9051, `seq-range`.
public struct IMAPSequenceRange: Sendable, Hashable {
    /// The bound that means `*`, the largest number in the mailbox.
    public static let star: UInt32 = 0

    public var first: UInt32
    public var last: UInt32

    /// A range as written; `last` may be smaller than `first`, both ends are included either way.
    public init(_ first: UInt32, _ last: UInt32) {
        self.first = first
        self.last = last
    }

    /// A single number, or `*` when `number` is `IMAPSequenceRange.star`.
    public init(_ number: UInt32) {
        self.init(number, number)
    }

    /// Returns the range in ascending order, with `largest` for `*`; nil when `*` stands for nothing.
    ///
    /// The upper bound is not cut to `largest`: the caller intersects with the existing messages.
    public func resolved(largest: UInt32) -> ClosedRange<UInt32>? {
        let low = first == Self.star ? largest : first
        let high = last == Self.star ? largest : last
        guard low != 0, high != 0 else { return nil }
        return min(low, high)...max(low, high)
    }
}

/// Message numbers or UIDs as a client names them: ranges, or `$`, the saved search result (RFC 5182).
public enum IMAPSequenceSet: Sendable, Hashable {
    /// `$`: the result saved by the last SEARCH RETURN (SAVE).
    case savedResult
    /// At least one range, in the client's order, not merged.
    case ranges([IMAPSequenceRange])

    /// Returns the ranges, ascending, merged and disjoint; nil for `$`, which only the session can resolve.
    ///
    /// - Parameter largest: The largest sequence number or UID in the mailbox, 0 when it is empty.
    public func resolved(largest: UInt32) -> [ClosedRange<UInt32>]? {
        guard case .ranges(let ranges) = self else { return nil }
        return Self.merged(ranges.compactMap { $0.resolved(largest: largest) })
    }

    /// Sorts ranges and joins those that touch or overlap.
    public static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        guard ranges.count > 1 else { return ranges }
        var result: [ClosedRange<UInt32>] = []
        result.reserveCapacity(ranges.count)
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let last = result.last else {
                result.append(range)
                continue
            }
            if last.upperBound == .max || range.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}

/// A window into an ordered result, `1:100` from the start or `-1:-100` from the end. RFC 9394 section 3.1.
public struct IMAPPartialRange: Sendable, Hashable {
    /// Positions from 1, ascending; counted from the last element backwards when `fromEnd`.
    public var positions: ClosedRange<UInt32>
    public var fromEnd: Bool

    public init(_ positions: ClosedRange<UInt32>, fromEnd: Bool = false) {
        self.positions = positions
        self.fromEnd = fromEnd
    }
}
