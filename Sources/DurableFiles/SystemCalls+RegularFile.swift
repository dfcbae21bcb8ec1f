import Glibc

extension SystemCalls {
    /// Opens a file that must be a regular one; nil when there is none.
    /// - Parameters:
    ///   - flags: `O_NONBLOCK` where a foreign hand may have put a pipe there; `O_NOFOLLOW` where no symbolic link may be.
    ///   - name: what messages call it.
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
            let status = try doing("look at \(name())") { () throws(Errno) in try self.status(fd) }
            guard status.isRegularFile else { throw FileError(.damaged, "\(name()) is not a regular file") }
            return (fd, status)
        } catch {
            close(fd)
            throw error
        }
    }
}
