/// A message's number in its mailbox: 1 to 4,294,967,294 if assigned by the engine (RFC 9051, 2.3.1.1).
public struct UID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible,
    ExpressibleByIntegerLiteral
{
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable public init(_ value: UInt32) { rawValue = value }
    @inlinable public init(integerLiteral value: UInt32) { rawValue = value }

    /// The lowest and the highest UID that a message can have.
    @inlinable public static var min: UID { 1 }
    @inlinable public static var max: UID { UID(.max) }

    /// The last UID that the engine assigns; 4,294,967,295 is accepted if another program assigned it.
    @inlinable public static var lastGiven: UID { 4_294_967_294 }

    @inlinable public static func < (a: UID, b: UID) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }

    /// The number of the shard directory: UID / 1000.
    @usableFromInline var shard: UInt32 { rawValue / UID.perShard }
    static let perShard: UInt32 = 1000

    /// The exclusive end of all UIDs.
    static let end = UInt64(UInt32.max) + 1

    /// The UIDs of a shard directory; the last shard has fewer, and the 0 of the first is not a UID.
    static func inShard(_ number: UInt32) -> ClosedRange<UInt32> {
        let first = number * perShard
        return first...first + Swift.min(perShard - 1, .max - first)
    }
}

extension ClosedRange<UID> {
    /// The UIDs of a range of numbers.
    @inlinable public init(_ numbers: ClosedRange<UInt32>) { self = UID(numbers.lowerBound)...UID(numbers.upperBound) }
}

/// A mod-sequence (RFC 7162): grows with each change of a mailbox, never assigned twice, 63 bits.
public typealias ModSeq = UInt64
