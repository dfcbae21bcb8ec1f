import DurableFiles
import Glibc
import Primitives

/// The optional features of a store's file system, beyond what POSIX guarantees; probed once per store.
public enum Capability: String, Hashable, Sendable, CaseIterable {
    /// Unnamed files (O_TMPFILE); else a name in `.tmp/`.
    case unnamedFiles
    /// renameat2(RENAME_NOREPLACE); else a lookup, then a plain rename under the lock.
    case renameNoReplace
    /// Hard links; without them, bytes are copied.
    case hardLinks
    /// Working flock(2); without it, a store is opened read-only.
    case locks
}

extension Capability {
    /// Tries each capability in `directory`, leaving nothing behind. Those in `without` are reported as missing.
    static func probe(
        _ system: SystemCalls, _ directory: Int32, without: Set<Capability>
    ) throws(StoreError) -> Set<Capability> {
        var found: Set<Capability> = []
        do {
            system.close(try system.openUnnamed(directory))
            found.insert(.unnamedFiles)
        } catch .notSupported {} catch .isDirectory {} catch .invalid {} catch {
            throw StoreError.system(error, "create a file in the store")
        }
        let name = ".probe.\(Hex.encode(SystemCalls.random(UInt64.self)))"
        let other = name + ".2"
        let fd = try doing("create a file in the store") { () throws(Errno) in
            try system.open(directory, name, O_RDWR | O_CREAT | O_EXCL)
        }
        defer {
            system.close(fd)
            try? system.unlink(directory, name)
            try? system.unlink(directory, other)
        }
        do {
            try system.link(directory, name, directory, other)
            found.insert(.hardLinks)
            try system.unlink(directory, other)
        } catch .notSupported {} catch .tooManyLinks {} catch .notPermitted {} catch {
            throw StoreError.system(error, "link a file in the store")
        }
        do {
            try system.rename(directory, name, directory, other, replacing: false)
            found.insert(.renameNoReplace)
        } catch .invalid {} catch .notSupported {} catch .noSystemCall {} catch {
            throw StoreError.system(error, "rename a file in the store")
        }
        if try locksExclude(system, directory, found.contains(.renameNoReplace) ? other : name, O_RDWR) {
            found.insert(.locks)
        }
        return found.subtracting(without)
    }

    /// The capabilities of a file system on which no file can be created now: what can be told without one, and else
    /// what is never wrong. A link that fails is replaced by a copy.
    static func assumed(_ system: SystemCalls, _ directory: Int32) throws(StoreError) -> Set<Capability> {
        var found: Set<Capability> = [.hardLinks]
        do {
            system.close(try system.openUnnamed(directory))
            found.insert(.unnamedFiles)
        } catch .noSpace { found.insert(.unnamedFiles) } catch .quota { found.insert(.unnamedFiles) } catch {}
        // Directories can be locked as well.
        if try locksExclude(system, directory, ".", O_RDONLY | O_DIRECTORY) { found.insert(.locks) }
        return found
    }

    /// Whether two open file descriptions exclude each other.
    private static func locksExclude(
        _ system: SystemCalls, _ directory: Int32, _ name: String, _ flags: Int32
    ) throws(StoreError) -> Bool {
        do throws(Errno) {
            let a = try system.open(directory, name, flags)
            defer { system.close(a) }
            let b = try system.open(directory, name, flags)
            defer { system.close(b) }
            guard try system.tryLock(a, exclusive: true) else { return false }
            return try !system.tryLock(b, exclusive: true)
        } catch .notSupported { return false } catch .invalid { return false } catch .noSystemCall {
            return false
        } catch {
            // Other errors are inconclusive and thrown: a store opened read-only for lack of descriptors would surprise
            // its users.
            if error.rawValue == ENOLCK { return false }
            throw StoreError.system(error, "lock a file in the store")
        }
    }
}
