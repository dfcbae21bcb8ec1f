import Primitives

/// The pauses of a taker that polls: from 20 µs doubling to 1 ms, each shortened at random by up to a half, so that
/// takers that met once do not meet again and again.
package struct LockPauses {
    private static let shortest: Int64 = 20_000
    private static let longest: Int64 = 1_000_000

    private let deadline: Int64
    private var next = shortest

    /// - Parameter deadline: monotonic nanoseconds.
    package init(until deadline: Int64) { self.deadline = deadline }

    /// Pauses, never past the deadline; false, at once, when the deadline has passed.
    package mutating func pause() -> Bool {
        let now = Clocks.monotonic()
        guard now < deadline else { return false }
        // The clock's low bits differ enough between takers; no system call for better ones.
        let jitter = Int64((UInt64(now) &* 0x9E37_79B9_7F4A_7C15) >> 32 % UInt64(next / 2))
        SystemCalls.pause(nanoseconds: UInt64(min(next - jitter, deadline - now)))
        next = min(next * 2, Self.longest)
        return true
    }
}
