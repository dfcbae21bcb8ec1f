import Glibc

/// The room of a file system.
public struct DiskSpace: Hashable, Sendable {
    /// Bytes that this process may still write, and all there are.
    public var freeBytes: UInt64
    public var totalBytes: UInt64
    /// Files that can still be created, and all there are; 0 in all where the file system does not count them.
    public var freeFiles: UInt64
    public var totalFiles: UInt64

    public init(freeBytes: UInt64, totalBytes: UInt64, freeFiles: UInt64, totalFiles: UInt64) {
        self.freeBytes = freeBytes
        self.totalBytes = totalBytes
        self.freeFiles = freeFiles
        self.totalFiles = totalFiles
    }
}
