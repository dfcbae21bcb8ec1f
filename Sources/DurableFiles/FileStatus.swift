import Glibc

/// The status of a file from fstat(2). Times are in nanoseconds since 1970 UTC.
package struct FileStatus: Sendable {
    package var device: UInt64 = 0
    package var inode: UInt64 = 0
    package var size: Int64 = 0
    package var links: UInt64 = 0
    package var mode: UInt32 = 0
    package var modified: Int64 = 0
    /// The modification time in whole seconds, for times beyond the years that nanoseconds reach.
    package var modifiedSeconds: Int64 = 0
    package var changed: Int64 = 0

    package var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    package var isRegularFile: Bool { mode & S_IFMT == S_IFREG }
    package var identity: FileIdentity { FileIdentity(device: device, inode: inode) }

    init(_ s: stat) {
        device = UInt64(s.st_dev)
        inode = UInt64(s.st_ino)
        size = Int64(s.st_size)
        links = UInt64(s.st_nlink)
        mode = s.st_mode
        modified = Self.nanoseconds(s.st_mtim)
        modifiedSeconds = Int64(s.st_mtim.tv_sec)
        changed = Self.nanoseconds(s.st_ctim)
    }

    /// Nanoseconds since 1970, clamped: a file system can hold times beyond the 292 years that they reach.
    private static func nanoseconds(_ time: timespec) -> Int64 {
        let (product, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return time.tv_sec < 0 ? .min : .max }
        let (sum, beyond) = product.addingReportingOverflow(Int64(time.tv_nsec))
        return beyond ? .max : sum
    }
}

/// A file's identity on this machine for as long as it exists.
package struct FileIdentity: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}
