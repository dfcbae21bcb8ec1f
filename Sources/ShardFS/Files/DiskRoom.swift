import DurableFiles
import Glibc
import Primitives

/// The room left for mail on a store's file system. Below a floor new mail is refused, what is kept for restoring is
/// purged, oldest first, and a reserve is there for removal alone: taking a message away needs room too.
final class DiskRoom: Sendable {
    /// In the root: `data`, and empty files for the inodes. Removed when a removal finds no room, made again when there
    /// is some.
    static let reserveName = ".reserve"
    static let reserveBytes = 1 << 20
    static let reserveFiles = 64
    /// A floor is at most this part of the file system.
    private static let largestPart: UInt64 = 50
    /// How long a look at the file system is good for, and how long a purge is not repeated, in nanoseconds.
    private static let lookLasts: Int64 = 500_000_000
    private static let purgeRests: Int64 = 10_000_000_000

    private struct State {
        var look: (at: Int64, isLow: Bool)?
        var purgedAt: Int64?
        var purge: (@Sendable () -> Void)?
    }

    private let system: SystemCalls
    private let root: RootDirectory
    private let options: StoreOptions
    private let state = Locked(State())

    init(system: SystemCalls, root: RootDirectory, options: StoreOptions) {
        self.system = system
        self.root = root
        self.options = options
    }

    /// Whether new mail is to be refused.
    var isLow: Bool {
        if options.minimumFreeBytes == 0, options.minimumFreeFiles == 0 { return false }
        let now = Clocks.monotonic()
        if let look = state.withLock({ $0.look }), now < look.at + Self.lookLasts { return look.isLow }
        let isLow = isBelowFloor
        state.withLock { $0.look = (now, isLow) }
        return isLow
    }

    /// A fresh look.
    var isBelowFloor: Bool {
        let found: DiskSpace?
        if let space = options.space { found = space() } else { found = try? system.space(root.descriptor) }
        guard let space = found else { return false }
        if space.freeBytes < min(options.minimumFreeBytes, space.totalBytes / Self.largestPart) { return true }
        return space.totalFiles > 0
            && space.freeFiles < min(options.minimumFreeFiles, space.totalFiles / Self.largestPart)
    }

    /// Refuses new mail below the floor.
    /// - Throws: `noSpace`.
    func check() throws(StoreError) {
        if isLow { throw StoreError(.noSpace, "the file system is nearly full: no new mail is taken", errno: .noSpace) }
    }

    /// Like ``check()``, after a purge if one may help. No lock may be held.
    func makeRoom() throws(StoreError) {
        guard isLow else { return }
        let now = Clocks.monotonic()
        let purge = state.withLock { s -> (@Sendable () -> Void)? in
            if let at = s.purgedAt, now < at + Self.purgeRests { return nil }
            s.purgedAt = now
            return s.purge
        }
        purge?()
        if purge != nil { state.withLock { $0.look = nil } }
        try check()
    }

    func onLowRoom(_ purge: @escaping @Sendable () -> Void) { state.withLock { $0.purge = purge } }

    // MARK: the reserve

    /// Makes the reserve if it is missing and there is room. Best effort.
    func keepReserve() {
        if isBelowFloor { return }
        do { try system.makeDirectory(root.descriptor, Self.reserveName) } catch .exists {} catch { return }
        guard let fd = try? system.openDirectory(root.descriptor, Self.reserveName) else { return }
        defer { system.close(fd) }
        if ((try? system.status(fd, "data"))?.size ?? 0) < Int64(Self.reserveBytes) {
            guard let file = try? system.open(fd, "data", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW) else { return }
            defer { system.close(file) }
            let zeros = [UInt8](repeating: 0, count: Self.reserveBytes)
            let isWritten = zeros.withUnsafeBytes { bytes in
                do throws(Errno) {
                    try system.write(file, bytes)
                    return true
                } catch { return false }
            }
            if !isWritten { return giveUpReserve() ? () : () }
        }
        for n in 0..<Self.reserveFiles where (try? system.status(fd, "\(n)")) == nil {
            guard let file = try? system.open(fd, "\(n)", O_WRONLY | O_CREAT | O_NOFOLLOW) else { return }
            system.close(file)
        }
    }

    /// Gives the reserve up for a removal that found no room; false if there was none.
    @discardableResult
    func giveUpReserve() -> Bool {
        var count = 0
        for name in (try? system.files.names(root.descriptor, Self.reserveName)) ?? [] {
            if (try? system.unlink(root.descriptor, "\(Self.reserveName)/\(name)")) != nil { count += 1 }
        }
        if count > 0 { options.notice?("the file system is full: the reserve is used for a removal") }
        return count > 0
    }

    /// Whether a removal that failed is worth another try: it found no room, and there was a reserve.
    func canRetry(_ error: StoreError) -> Bool { error.code == .noSpace && giveUpReserve() }
}

extension Store {
    /// Removes for good, oldest first, what is kept for restoring, until the file system is above the floor.
    func purgeForRoom() {
        var hours: [String: [String]] = [:]
        for address in (try? accounts()) ?? [] {
            let account = Self.path(address)
            for path in mailboxDirectories(account) {
                let bin = "\(path)/\(ExpungedName.directory)"
                for hour in (try? system.files.names(directory, bin)) ?? [] where ExpungedName.isHour(hour) {
                    hours[hour, default: []].append("\(bin)/\(hour)")
                }
            }
            let deleted = "\(account)/\(AccountContext.deletedDirectory)"
            for name in (try? system.files.names(directory, deleted)) ?? [] where !name.hasPrefix(".") {
                guard let status = try? system.status(directory, "\(deleted)/\(name)"), status.isDirectory else {
                    continue
                }
                let hour = ExpungedName.hour(status.deletedAt)
                hours[hour, default: []].append("\(deleted)/\(name)")
            }
        }
        for (hour, paths) in hours.sorted(by: { $0.key < $1.key }) {
            guard room.isBelowFloor else { return }
            for path in paths { system.files.removeTree(directory, path) }
            options.notice?(
                "the file system is nearly full: what was expunged or deleted in the hour \(hour) is purged early")
        }
    }

    private func mailboxDirectories(_ account: String) -> [String] {
        var found: [String] = []
        var open = ["\(account)/\(AccountContext.below)"]
        while let parent = open.popLast() {
            for name in (try? system.files.names(directory, parent)) ?? [] where !name.hasPrefix(".") {
                found.append("\(parent)/\(name)")
                open.append("\(parent)/\(name)/\(AccountContext.below)")
            }
        }
        return found
    }
}
