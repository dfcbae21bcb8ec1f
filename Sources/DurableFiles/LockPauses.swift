import Primitives

/// The pauses of a polling lock taker: from 20 µs doubling to 1 ms, each shortened at random by up to half, so that
/// takers that collide once do not keep colliding.
package struct LockPauses {
    private static let shortest: Int64 = 20_000
    private static let longest: Int64 = 1_000_000

    private let deadline: Int64
    private var next = shortest

    /// - Parameter deadline: monotonic nanoseconds.
    package init(until deadline: Int64) { self.deadline = deadline }

    /// Pauses, but not past the deadline; returns false immediately if the deadline has passed.
    package mutating func pause() -> Bool {
        let now = Clocks.monotonic()
        guard now < deadline else { return false }
        // The clock's low bits differ enough between takers; better random bits would cost a system call.
        let jitter = Int64((UInt64(now) &* 0x9E37_79B9_7F4A_7C15) >> 32 % UInt64(next / 2))
        SystemCalls.pause(nanoseconds: UInt64(min(next - jitter, deadline - now)))
        next = min(next * 2, Self.longest)
        return true
    }
}
