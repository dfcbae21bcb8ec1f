import DurableFiles
import Primitives
import Testing

@testable import ShardFS

/// Each system call of an operation fails in turn: the caller gets an error, no descriptor or temporary file is left,
/// and the disk has the old state or the new one.
@Suite struct AccountFaultTests {
    private static let errors: [Errno] = [.io, .noSpace, .readOnly, .tooManyFiles]

    private func failEachCall(
        _ error: Errno, prepare: (AccountScratch) throws -> Void, run: (AccountScratch, SystemCalls) throws -> Void,
        check: (AccountScratch, _ failed: Bool) throws -> Void
    ) throws {
        for index in 0..<100 {
            let scratch = try AccountScratch()
            try prepare(scratch)
            let hook = FailingHook(at: index, error)
            do {
                try run(scratch, SystemCalls(hook: hook))
                try check(scratch, false)
                // Failures of unlocking and closing are not reported; otherwise the operation ended before this call.
                if !hook.didFail { return }
            } catch let failure as StoreError {
                #expect(hook.didFail && failure.errno == error, "call \(index): \(failure)")
                try check(scratch, true)
            }
            // The hook fails at most one close, which leaves at most one descriptor.
            #expect(scratch.openDescriptors().count <= (hook.didFailClose ? 1 : 0), "call \(index)")
            let left = try scratch.names().filter { $0.hasSuffix(".tmp") }
            #expect(left.isEmpty, "call \(index)")
        }
        Issue.record("the operation never ended")
    }

    @Test(arguments: errors) func uidValidity(_ error: Errno) throws {
        try failEachCall(error) {
            try $0.write("7\n", to: "uidvalidity")
        } run: { scratch, system in
            let counter = UIDValidityCounter(system: system, directory: scratch.directory, clock: { 1 })
            _ = try counter.next(until: 0) { 0 }
        } check: { scratch, failed in
            let stored = try scratch.read("uidvalidity")
            #expect(stored == "8\n" || (failed && stored == "7\n"))
        }
    }

    @Test(arguments: errors) func subscriptions(_ error: Errno) throws {
        try failEachCall(error) {
            try $0.write(#"["A"]"#, to: "subscriptions.json")
        } run: { scratch, system in
            try Subscriptions(system: system, directory: scratch.directory).add(.inbox, until: 0)
        } check: { scratch, failed in
            let names = try Subscriptions(system: scratch.system, directory: scratch.directory).list().count
            #expect(names == 2 || (failed && names == 1))
        }
    }

    @Test(arguments: errors) func annotations(_ error: Errno) throws {
        try failEachCall(error) {
            try $0.write(#"{"account": {"/a": "1"}}"#, to: "metadata.json")
        } run: { scratch, system in
            try Annotations(system: system, directory: scratch.directory).change(.account, [("/b", [])], until: 0)
        } check: { scratch, failed in
            let count = try Annotations(system: scratch.system, directory: scratch.directory).list(.account).count
            #expect(count == 2 || (failed && count == 1))
        }
    }

    @Test(arguments: errors) func ledger(_ error: Errno) throws {
        func make(_ scratch: AccountScratch, _ system: SystemCalls, _ boot: String) -> QuotaLedger {
            QuotaLedger(system: system, directory: scratch.directory, bootID: boot)
        }
        try failEachCall(error) { scratch in
            let quota = make(scratch, scratch.system, "boot-1")
            try quota.set(bytes: 10, messages: 1)
            try quota.close()
        } run: { scratch, system in
            let quota = make(scratch, system, "boot-2")
            let outcome = try quota.reserve(bytes: 5, messages: 1, limits: QuotaLimits(bytes: 100, messages: 0))
            #expect(outcome == .granted)
            try quota.close()
        } check: { scratch, failed in
            // Refused with nothing counted, or counted; never clean with an intermediate number.
            let usage = try make(scratch, scratch.system, "boot-2").usage()
            #expect(usage.isExact && (usage.bytes == 15 || (failed && usage.bytes == 10)))
        }
    }

    @Test(arguments: errors) func limit(_ error: Errno) throws {
        try failEachCall(error) {
            try $0.write(#"{"quota_mb": 1}"#, to: "user.json")
        } run: { scratch, system in
            let bytes = try QuotaLimit(system: system, directory: scratch.directory).current.bytes
            #expect(bytes == 1 << 20)
        } check: { _, _ in
        }
    }
}

/// Fails the call number `index`.
private final class FailingHook: SystemHook {
    private let index: Int
    private let error: Errno
    private let state = Locked((calls: 0, failed: false, failedClose: false))

    init(at index: Int, _ error: Errno) {
        self.index = index
        self.error = error
    }

    var didFail: Bool { state.withLock { $0.failed } }
    var didFailClose: Bool { state.withLock { $0.failedClose } }

    func before(_ call: SystemCall) -> Errno? {
        state.withLock {
            $0.calls += 1
            guard $0.calls == index + 1 else { return nil }
            $0.failed = true
            if case .close = call { $0.failedClose = true }
            return error
        }
    }
}
