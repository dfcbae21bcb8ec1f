import Glibc

/// A child process of this program.
struct Child {
    let id: pid_t

    /// Starts this program again with `arguments`.
    static func spawn(_ arguments: [String]) -> Child {
        let words = ["shardfs-stress"] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        pointers.append(nil)
        defer { for p in pointers { free(p) } }
        var id = pid_t()
        // A fault in a child shows in its exit status; the crash reporter would take seconds.
        setenv("SWIFT_BACKTRACE", "enable=no", 1)
        let failed = posix_spawn(&id, "/proc/self/exe", nil, nil, pointers, environ)
        precondition(failed == 0, "cannot start a child: \(String(cString: strerror(failed)))")
        return Child(id: id)
    }

    func kill() { _ = Glibc.kill(id, SIGKILL) }

    enum End: Equatable { case exited(Int32), signalled(Int32) }

    /// How the child ended; nil while it runs and `waiting` is false.
    func end(waiting: Bool) -> End? {
        var status: Int32 = 0
        while true {
            let got = waitpid(id, &status, waiting ? 0 : WNOHANG)
            if got == 0 { return nil }
            if got == id { break }
            if errno != EINTR { return .exited(-1) }
        }
        return status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .signalled(status & 0x7F)
    }
}
