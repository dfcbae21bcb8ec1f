import Glibc

extension System {
    /// Opens a file that must be a regular one; nil when there is none.
    /// - Parameters:
    ///   - flags: with `O_NOFOLLOW`, and `O_NONBLOCK` where a foreign hand may have put a pipe there.
    ///   - name: what messages call it.
    func openRegular(
        _ directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, _ name: @autoclosure () -> String
    ) throws(StoreError) -> (descriptor: Int32, status: FileStatus)? {
        let fd: Int32
        do {
            fd = try open(directory, path, flags)
        } catch .notFound {
            return nil
        } catch {
            throw StoreError.system(error, "open \(name())")
        }
        do throws(StoreError) {
            let status = try doing("look at \(name())") { () throws(Errno) in try self.status(fd) }
            guard status.isRegularFile else { throw StoreError(.damaged, "\(name()) is not a regular file") }
            return (fd, status)
        } catch {
            close(fd)
            throw error
        }
    }
}
