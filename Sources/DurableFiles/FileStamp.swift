/// The identity and state of a file: equal stamps mean equal content.
package struct FileStamp: Sendable, Hashable {
    private let inode: UInt64
    private let size: Int64
    /// Nanoseconds since 1970 UTC.
    private let modified: Int64

    package init(inode: UInt64, size: Int64, modified: Int64) {
        self.inode = inode
        self.size = size
        self.modified = modified
    }

    init(_ status: FileStatus) { self.init(inode: status.inode, size: status.size, modified: status.modified) }
}
