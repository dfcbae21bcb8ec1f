import Primitives

/// The room of an account taken by messages that this process is receiving: they are on disk before the quota counts
/// them.
struct StagedRoom: Sendable {
    var bytes: UInt64 = 0
    var messages: UInt64 = 0
}

/// A message's share of its account's room while it is received.
final class StagingShare: Sendable {
    /// Bytes reserved at once for a message whose size is not announced.
    private static let step: UInt64 = 1 << 18

    private let context: AccountContext
    /// Reserved bytes; nil once the share has ended.
    private let bytes: Locked<UInt64?>

    /// - Parameter size: bytes of the message, as far as they are announced.
    /// - Throws: `overQuota` if it does not fit beside all that is stored and being received.
    init(_ context: AccountContext, size: UInt64) throws(StoreError) {
        self.context = context
        try context.beginStaging(bytes: size, messages: 1)
        bytes = Locked(size)
    }

    /// Makes the share cover `size` bytes.
    /// - Throws: `overQuota`.
    func cover(_ size: UInt64) throws(StoreError) {
        guard let reserved = bytes.withLock({ $0 }), size > reserved else { return }
        var target = max(size, reserved + Self.step)
        do {
            try context.beginStaging(bytes: target - reserved, messages: 0)
        } catch {
            guard error.code == .overQuota, target > size else { throw error }
            target = size
            try context.beginStaging(bytes: target - reserved, messages: 0)
        }
        bytes.withLock { $0 = target }
    }

    /// Gives back whatever a message of `size` bytes, which will not grow any more, does not need.
    func shrink(to size: UInt64) {
        let excess = bytes.withLock { reserved -> UInt64 in
            guard let now = reserved, now > size else { return 0 }
            reserved = size
            return now - size
        }
        context.endStaging(bytes: excess, messages: 0)
    }

    /// Ends the share: the message is stored, and the quota counts it.
    func end() {
        let reserved = bytes.withLock { bytes in
            defer { bytes = nil }
            return bytes
        }
        if let reserved { context.endStaging(bytes: reserved, messages: 1) }
    }

    deinit { end() }
}

extension AccountContext {
    /// Counts bytes and messages about to be received, if they fit.
    /// - Throws: `overQuota`.
    fileprivate func beginStaging(bytes: UInt64, messages: UInt64) throws(StoreError) {
        let limits = try quotaLimit.current
        var usage = (bytes: UInt64(0), messages: UInt64(0), isExact: true)
        if limits != .none {
            let known = try ledger.usage()
            usage = (known.bytes, known.messages, known.isExact)
        }
        func begin() -> Bool {
            staged.withLock { staged in
                let all = Self.sum(usage.bytes, staged.bytes, bytes)
                guard limits.allow(bytes: all, messages: Self.sum(usage.messages, staged.messages, messages)) else {
                    return false
                }
                staged.bytes = Self.sum(staged.bytes, bytes)
                staged.messages += messages
                return true
            }
        }
        if begin() { return }
        if !usage.isExact {
            try recountQuota()
            let known = try ledger.usage()
            usage = (known.bytes, known.messages, true)
            if begin() { return }
        }
        throw StoreError(.overQuota, "the quota of \(name) is used up by what is stored and being received")
    }

    fileprivate func endStaging(bytes: UInt64, messages: UInt64) {
        staged.withLock { staged in
            staged.bytes -= min(bytes, staged.bytes)
            staged.messages -= min(messages, staged.messages)
        }
    }

    private static func sum(_ numbers: UInt64...) -> UInt64 {
        numbers.reduce(0) { sum, number in
            let (next, overflow) = sum.addingReportingOverflow(number)
            return overflow ? .max : next
        }
    }
}
