import Glibc

/// An error number of the operating system (errno(3)).
public struct Errno: Error, RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    package static var last: Errno { Errno(rawValue: errno) }

    public static let notFound = Errno(rawValue: ENOENT)
    public static let exists = Errno(rawValue: EEXIST)
    public static let noSpace = Errno(rawValue: ENOSPC)
    public static let quota = Errno(rawValue: EDQUOT)
    public static let io = Errno(rawValue: EIO)
    public static let tooManyFiles = Errno(rawValue: EMFILE)
    public static let tooManyFilesInSystem = Errno(rawValue: ENFILE)
    public static let readOnly = Errno(rawValue: EROFS)
    public static let crossDevice = Errno(rawValue: EXDEV)
    public static let tooManyLinks = Errno(rawValue: EMLINK)
    public static let notDirectory = Errno(rawValue: ENOTDIR)
    public static let isDirectory = Errno(rawValue: EISDIR)
    public static let notEmpty = Errno(rawValue: ENOTEMPTY)
    public static let wouldBlock = Errno(rawValue: EWOULDBLOCK)
    public static let interrupted = Errno(rawValue: EINTR)
    public static let invalid = Errno(rawValue: EINVAL)
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    public static let notPermitted = Errno(rawValue: EPERM)
    public static let noSystemCall = Errno(rawValue: ENOSYS)
    public static let loop = Errno(rawValue: ELOOP)
    public static let stale = Errno(rawValue: ESTALE)

    public var description: String { String(cString: strerror(rawValue)) }
}
