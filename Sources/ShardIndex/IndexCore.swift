import CPosix
import Glibc
import Primitives

/// The state shared by all account caches of one `ShardIndex`: the writer thread, the table of open caches, the bound
/// on their total size.
final class IndexCore: Sendable {
    let path: String
    let options: IndexOptions
    let boot: String
    let writer: IndexWriter
    let log: @Sendable (String) -> Void
    /// Address space of one account's cache, in whole pages.
    let mapBytes: Int

    private let openAccounts = Monitor<[AccountIndex]>([])
    private struct Size {
        /// Bytes written since the files were last measured.
        var written: UInt64 = 0
        var bytes: [ObjectIdentifier: UInt64] = [:]
        var isMeasured = false
    }
    private let size = Monitor(Size())

    init(path: String, options: IndexOptions, log: @escaping @Sendable (String) -> Void) {
        self.path = path
        self.options = options
        self.log = log
        boot = options.bootID ?? Self.kernelBootID()
        let most = min(options.maximumAccountBytes, options.maximumBytes, 1 << 40)
        mapBytes = Int(max(1 << 20, most) / 65_536 * 65_536)
        writer = IndexWriter(maximumBytes: options.maximumWaitingBytes, delay: options.writeDelay)
    }

    private static func kernelBootID() -> String {
        let fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        defer { if fd >= 0 { Glibc.close(fd) } }
        let bytes = [UInt8](unsafeUninitializedCapacity: 36) { out, count in
            count = fd < 0 ? 0 : max(0, read(fd, out.baseAddress!, 36))
        }
        if !bytes.isEmpty { return String(decoding: bytes, as: UTF8.self) }
        // Without a boot id, only caches that were closed cleanly are trusted.
        var random: UInt64 = 0
        _ = withUnsafeMutableBytes(of: &random) { cposix_random($0.baseAddress, $0.count) }
        return String(random, radix: 16)
    }

    // MARK: open caches

    /// Records an opened cache; if too many are open, those used least recently are closed.
    func opened(_ account: AccountIndex) {
        let victims = openAccounts.withLock { open -> [AccountIndex] in
            if !open.contains(where: { $0 === account }) { open.append(account) }
            let surplus = open.count - max(1, options.openAccounts)
            guard surplus > 0 else { return [] }
            let others = open.filter { $0 !== account }.map { ($0, $0.state.withLock { $0.lastUsed }) }
            return others.sorted { $0.1 < $1.1 }.prefix(surplus).map(\.0)
        }
        for victim in victims { victim.closeIdle() }
    }

    func closed(_ account: AccountIndex) {
        openAccounts.withLock { open in open.removeAll { $0 === account } }
    }

    /// Writes queued changes, closes every cache cleanly and ends the thread.
    func shutdown() {
        writer.wait {}
        for account in openAccounts.withLock({ $0 }) { account.retire(remove: false, clean: true) }
        writer.stop()
    }

    // MARK: total size

    /// Enforces the bound on the total size after a write of `account`. Runs on the writer thread.
    func written(_ account: AccountIndex) {
        guard let now = IndexFiles(directory: account.files.directory).look(IndexFiles.data)?.size else { return }
        let isDue = size.withLock { s in
            let before = s.bytes.updateValue(UInt64(now), forKey: ObjectIdentifier(account)) ?? 0
            s.written += UInt64(now) > before ? UInt64(now) - before : 0
            guard !s.isMeasured || s.written > options.maximumBytes / 16 else { return false }
            s.isMeasured = true
            s.written = 0
            return true
        }
        if isDue { evict(sparing: account) }
    }

    /// Removes the least recently used caches until the total is a tenth below the bound.
    private func evict(sparing spared: AccountIndex) {
        var found = IndexDirectory.accounts(in: path)
        var total = found.reduce(0) { $0 + $1.bytes }
        guard total > options.maximumBytes else { return }
        found.sort { $0.lastUsed < $1.lastUsed }
        for cache in found where total > options.maximumBytes / 10 * 9 {
            if cache.files.directory == spared.files.directory { continue }
            // Processes that have it open notice that it is gone.
            cache.files.remove()
            total -= cache.bytes
        }
    }
}

/// The caches in a directory: `{store id}/{domain}/{user}`.
enum IndexDirectory {
    struct Cache {
        var files: IndexFiles
        var bytes: UInt64
        var lastUsed: Int64
    }

    static func files(in path: String, _ owner: StateRecord.Owner) -> IndexFiles? {
        let parts = owner.account.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let names = [owner.storeID, String(parts[1]), String(parts[0])]
        for name in names {
            guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255,
                !name.utf8.contains(where: { $0 == 0x2f || $0 == 0 })
            else { return nil }
        }
        return IndexFiles(directory: path + "/" + names.joined(separator: "/"))
    }

    static func accounts(in path: String) -> [Cache] {
        var found: [Cache] = []
        for store in names(path) {
            for domain in names("\(path)/\(store)") {
                for user in names("\(path)/\(store)/\(domain)") {
                    let files = IndexFiles(directory: "\(path)/\(store)/\(domain)/\(user)")
                    guard let data = files.look(IndexFiles.data) else { continue }
                    found.append(
                        Cache(
                            files: files, bytes: UInt64(data.size),
                            lastUsed: files.look(IndexFiles.state)?.changed ?? 0))
                }
            }
        }
        return found
    }

    private static func names(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
