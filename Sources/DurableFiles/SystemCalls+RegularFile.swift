import Glibc

extension SystemCalls {
    /// Opens a regular file; nil if there is none.
    /// - Parameters:
    ///   - flags: `O_NONBLOCK` where another program may have put a pipe there; `O_NOFOLLOW` where no symbolic link is
    ///     allowed.
    ///   - name: the file's name in error messages.
    /// - Throws: `damaged` for anything but a regular file.
    package func openRegular(
        _ directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, _ name: @autoclosure () -> String
    ) throws(FileError) -> (descriptor: Int32, status: FileStatus)? {
        let fd: Int32
        do {
            fd = try open(directory, path, flags)
        } catch .notFound {
            return nil
        } catch {
            throw FileError(error, to: "open \(name())")
        }
        do throws(FileError) {
            let status = try doing("stat \(name())") { () throws(Errno) in try self.status(fd) }
            guard status.isRegularFile else { throw FileError(.damaged, "\(name()) is not a regular file") }
            return (fd, status)
        } catch {
            close(fd)
            throw error
        }
    }
}
