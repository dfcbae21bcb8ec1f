import Glibc

/// Reads a directory's entries. Not a snapshot: exact only while nothing in it can change.
package enum DirectoryListing {
    /// The kind of an entry, if the file system reports it.
    package enum Kind { case directory, file, other, unknown }

    @usableFromInline static let bufferSize = 1 << 16

    /// Calls `body` with the name of each entry except `.` and `..`; the bytes are valid only during the call.
    /// - Parameter failure: converts the error of a failed listing.
    @inlinable
    package static func forEach<E: Error>(
        _ system: SystemCalls, _ directory: Int32, _ path: UnsafePointer<CChar>, failure: (FileError) -> E,
        _ body: (UnsafeBufferPointer<UInt8>, Kind) throws(E) -> Void
    ) throws(E) {
        let fd: Int32
        do throws(Errno) { fd = try system.openDirectory(directory, path) } catch {
            throw failure(FileError(error, to: "open the directory \(String(cString: path))"))
        }
        defer { system.close(fd) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let count: Int
            do throws(Errno) { count = try system.list(fd, buffer) } catch .notFound {
                // Removed since it was opened, and so empty.
                return
            } catch {
                throw failure(FileError(error, to: "list \(String(cString: path))"))
            }
            if count == 0 { return }
            var at = 0
            while at < count {
                let entry = UnsafeRawPointer(buffer.baseAddress! + at)
                // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name.
                let length = Int(entry.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
                let type = entry.load(fromByteOffset: 18, as: UInt8.self)
                let name = (entry + 19).assumingMemoryBound(to: UInt8.self)
                at += length
                var n = strnlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self), length - 19)
                if name[0] == 0x2E, n == 1 || (n == 2 && name[1] == 0x2E) { continue }
                n = min(n, 255)
                try body(UnsafeBufferPointer(start: name, count: n), kind(type))
            }
        }
    }

    @usableFromInline
    static func kind(_ type: UInt8) -> Kind {
        switch Int(type) {
        case Int(DT_DIR): .directory
        case Int(DT_REG): .file
        case Int(DT_UNKNOWN): .unknown
        default: .other
        }
    }

    /// The names in a directory; empty if it does not exist.
    package static func names(_ system: SystemCalls, _ directory: Int32, _ path: String) throws(FileError) -> [String] {
        var names: [String] = []
        do throws(FileError) {
            try forEach(system, directory, path, failure: { $0 }) { name, _ throws(FileError) in
                names.append(String(decoding: name, as: UTF8.self))
            }
        } catch {
            if error.errno == .notFound { return [] }
            throw error
        }
        return names
    }
}
