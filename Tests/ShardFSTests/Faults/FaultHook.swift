import DurableFiles
import Glibc
import Primitives

@testable import ShardFS

/// Fails calls by number. Unlocking and closing never fail: the kernel does both even for a dead process.
final class FaultHook: SystemHook {
    enum Mode: Sendable {
        case count
        /// Only call number `at`, counted from 0.
        case once(at: Int, Errno)
        /// Every call that takes disk space, from call number `at` on.
        case full(from: Int, Errno)
        /// Every call from number `at` on: a process that died there.
        case death(at: Int)
        /// From call number `at` on, every call that makes a descriptor, or as many as `times`.
        case noDescriptors(from: Int, times: Int)
        /// Each write takes only a few bytes.
        case shortWrites(Int)
    }

    private struct State {
        var mode: Mode?
        var calls = 0
        var failures = 0
        var failed: String?
        var failedRemoval = false
    }

    private let state = Locked(State())

    func arm(_ mode: Mode) { state.withLock { $0 = State(mode: mode) } }

    /// Stops failing calls; returns the number of calls, and the first that failed.
    @discardableResult
    func disarm() -> (calls: Int, failed: String?, failedRemoval: Bool) {
        state.withLock { s in
            s.mode = nil
            return (s.calls, s.failed, s.failedRemoval)
        }
    }

    func before(_ call: SystemCall) -> Errno? {
        state.withLock { s in
            guard let mode = s.mode, Self.canFail(call) else { return nil }
            let number = s.calls
            s.calls += 1
            let error: Errno?
            switch mode {
            case .count, .shortWrites: error = nil
            case .once(let at, let e): error = number == at && Self.canFail(call, e) ? e : nil
            case .noDescriptors(let from, let times):
                error = number >= from && s.failures < times && Self.canFail(call, .tooManyFiles) ? .tooManyFiles : nil
            case .full(let from, let e): error = number >= from && Self.takesRoom(call) ? e : nil
            case .death(let at): error = number >= at ? .io : nil
            }
            if error != nil {
                s.failures += 1
                if s.failed == nil { s.failed = "\(number): \(Self.name(call))" }
                if case .unlink = call { s.failedRemoval = true }
            }
            return error
        }
    }

    func writeLimit() -> Int? {
        state.withLock { s in
            if case .shortWrites(let limit)? = s.mode { return limit }
            return nil
        }
    }

    private static func canFail(_ call: SystemCall) -> Bool {
        switch call {
        case .close: false
        case .lock(_, let operation): operation != LOCK_UN
        default: true
        }
    }

    /// Whether the kernel fails such a call with that error.
    private static func canFail(_ call: SystemCall, _ error: Errno) -> Bool {
        guard error == .tooManyFiles else { return true }
        return switch call {
        case .open, .openUnnamed: true
        default: false
        }
    }

    private static func takesRoom(_ call: SystemCall) -> Bool {
        switch call {
        case .open(_, _, let flags): flags & O_CREAT != 0
        case .openUnnamed, .write, .writeAt, .makeDirectory, .rename, .link, .linkUnnamed, .sync, .syncData: true
        default: false
        }
    }

    private static func name(_ call: SystemCall) -> String {
        switch call {
        case .write(let fd, let bytes): "write(\(fd), \(bytes.count))"
        case .writeAt(let fd, let bytes, let offset): "writeAt(\(fd), \(bytes.count), \(offset))"
        default: "\(call)"
        }
    }
}
