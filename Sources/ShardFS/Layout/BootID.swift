import DurableFiles
import Glibc
import Primitives

/// What tells that unsynced data may have been lost since: a restart of the machine, or a new mount of the store's file
/// system (its disk was lost, or unmounted by force).
///
/// The kernel's boot id, and behind a space the file system's identity in sysfs, which is new with each mount and the
/// same in every mount namespace; without it where the kernel shows none.
enum BootID {
    private static let length = 36
    /// File systems whose mounts have a directory in sysfs under the name of their device.
    private static let shown = ["ext4", "xfs", "f2fs"]

    static func now(_ system: SystemCalls, _ directory: Int32) -> String {
        let boot = kernel(system)
        return mount(system, directory).map { "\(boot) \($0)" } ?? boot
    }

    /// Whether nothing can have been lost between the two; one without a mount says nothing about mounts.
    static func isSame(_ a: String?, _ b: String) -> Bool {
        guard let a else { return false }
        let (first, second) = (a.split(separator: " "), b.split(separator: " "))
        return a == b || first.first == second.first && (first.count < 2 || second.count < 2)
    }

    /// The boot alone, for the quota ledger, whose line has no room for more.
    static func boot(_ id: String) -> String { id.split(separator: " ").first.map(String.init) ?? id }

    private static func kernel(_ system: SystemCalls) -> String {
        // Without one every open looks like a restart: slower, never wrong.
        read(system, "/proc/sys/kernel/random/boot_id", length) ?? Hex.encode(SystemCalls.random(UInt64.self))
    }

    private static func mount(_ system: SystemCalls, _ directory: Int32) -> UInt64? {
        guard let device = try? system.status(directory).device else { return nil }
        // As gnu_dev_major(3) and gnu_dev_minor(3), which Swift does not import.
        let major = (device >> 8) & 0xFFF | (device >> 32) & 0xFFFF_F000
        let minor = device & 0xFF | (device >> 12) & 0xFFFF_FF00
        guard let event = read(system, "/sys/dev/block/\(major):\(minor)/uevent", 4096),
            let line = event.split(separator: "\n").first(where: { $0.hasPrefix("DEVNAME=") })
        else { return nil }
        let name = line.dropFirst("DEVNAME=".count).map { $0 == "/" ? "!" : String($0) }.joined()
        for kind in shown {
            if let status = try? system.status(SystemCalls.currentDirectory, "/sys/fs/\(kind)/\(name)") {
                return status.inode
            }
        }
        return nil
    }

    private static func read(_ system: SystemCalls, _ path: String, _ limit: Int) -> String? {
        guard let fd = try? system.open(SystemCalls.currentDirectory, path, O_RDONLY) else { return nil }
        defer { system.close(fd) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = bytes.withUnsafeMutableBytes { (try? system.read(fd, $0, at: 0)) ?? 0 }
        return count == 0 ? nil : String(decoding: bytes[0..<count], as: UTF8.self)
    }
}
