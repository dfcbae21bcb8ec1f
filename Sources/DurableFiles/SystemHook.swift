/// What one system call is about to do. Byte pointers are valid only during the hook's call.
public enum SystemCall {
    case open(directory: Int32, path: String, flags: Int32)
    case openUnnamed(directory: Int32)
    case close(Int32)
    case read(Int32, count: Int, offset: Int64)
    case write(Int32, bytes: UnsafeRawBufferPointer)
    case writeAt(Int32, bytes: UnsafeRawBufferPointer, offset: Int64)
    case truncate(Int32, size: Int64)
    case setTime(Int32)
    case status(Int32)
    case statusAt(directory: Int32, path: String)
    case makeDirectory(directory: Int32, path: String)
    case unlink(directory: Int32, path: String, isDirectory: Bool)
    case rename(fromDirectory: Int32, from: String, toDirectory: Int32, to: String)
    case link(fromDirectory: Int32, from: String, toDirectory: Int32, to: String)
    case linkUnnamed(Int32, toDirectory: Int32, to: String)
    case sync(Int32)
    case syncData(Int32)
    case syncFileSystem(Int32)
    case lock(Int32, operation: Int32)
    case list(Int32)
    case watch(Int32)
}

/// The seam for fault injection and recording. Both methods run on the thread that makes the call.
public protocol SystemHook: Sendable {
    /// Asked before each call; an errno that is returned fails the call with nothing done.
    func before(_ call: SystemCall) -> Errno?
    /// Told after a call that succeeded. `result` is a descriptor, a byte count or zero.
    func after(_ call: SystemCall, result: Int)
    /// The most bytes that one write may take now; nil for no limit (short writes).
    func writeLimit() -> Int?
}

extension SystemHook {
    public func after(_ call: SystemCall, result: Int) {}
    public func writeLimit() -> Int? { nil }
}
