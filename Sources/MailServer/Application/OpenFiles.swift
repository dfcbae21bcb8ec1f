import Glibc

/// The process limit on open files.
enum OpenFiles {
    /// Raises the soft limit to the hard limit, as connections and open mailboxes both need descriptors.
    /// - Returns: The limit in effect; 0 if it cannot be read.
    @discardableResult
    static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// The idle mailboxes that one account may keep open under a limit of `descriptors`: each has a few, up to 26.
    static func idleMailboxes(_ descriptors: Int) -> Int { descriptors > 0 ? max(8, descriptors / 64) : .max }
}
