/// A system call that is about to be made. Byte pointers are valid only during the hook's call.
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

/// The hook for fault injection and recording. `before` and `after` run on the thread that makes the call.
public protocol SystemHook: Sendable {
    /// Called before each system call; a returned errno fails the call without making it.
    func before(_ call: SystemCall) -> Errno?
    /// Called after each successful system call. `result` is a descriptor, a byte count or zero.
    func after(_ call: SystemCall, result: Int)
    /// The most bytes that one write may take now, to force short writes; nil for no limit.
    func writeLimit() -> Int?
}

extension SystemHook {
    public func after(_ call: SystemCall, result: Int) {}
    public func writeLimit() -> Int? { nil }
}
