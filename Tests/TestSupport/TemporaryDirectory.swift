import Glibc

/// A temporary directory, removed with its contents when the last reference is released.
public final class TemporaryDirectory: Sendable {
    public let path: String

    /// - Parameter inMemory: uses memory where possible, for tests that make many files and do not depend on the disk.
    public init(inMemory: Bool = false) {
        let memory = "/dev/shm"
        let usual = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        let base = inMemory && access(memory, W_OK) == 0 ? memory : usual
        var template = Array("\(base)/rmail-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            fatalError("no directory can be made in \(base)")
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { removeTree(path) }

    /// Paths below the directory for which this process has open descriptors.
    public func openDescriptors() -> [String] {
        (0..<1024).compactMap { descriptor in
            var target = [CChar](repeating: 0, count: 4096)
            guard readlink("/proc/self/fd/\(descriptor)", &target, 4095) > 0 else { return nil }
            let name = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return name.hasPrefix(path + "/") ? name : nil
        }
    }
}

/// Removes a file, or a directory with everything in it; links are not followed.
public func removeTree(_ path: String) { removeTree(Array(path.utf8CString)) }

private func removeTree(_ path: [CChar]) {
    if unlink(path) == 0 { return }
    guard let directory = opendir(path) else { return }
    // Names are bytes: some tests make names that are not valid text.
    var names: [[CChar]] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
            Array($0.bindMemory(to: CChar.self).prefix { $0 != 0 })
        }
        if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
    }
    closedir(directory)
    for name in names { removeTree(path.dropLast() + [0x2F] + name + [0]) }
    rmdir(path)
}
