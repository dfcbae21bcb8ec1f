import DurableFiles
import Primitives

/// Temporary names left by killed writers.
enum Leftovers {
    /// Seconds after which a temporary name belongs to no writer: no operation takes a day and a half.
    private static let age: Int64 = 36 * 3600

    /// Removes the old files of a directory whose names are temporary.
    /// - Returns: how many.
    static func sweep(
        _ system: SystemCalls, _ root: Int32, _ directory: String, now: Int64, _ isTemporary: (String) -> Bool
    ) throws(StoreError) -> Int {
        var count = 0
        for name in try system.files.names(root, directory) where isTemporary(name) {
            let path = "\(directory)/\(name)"
            // A file that is gone by now is no loss.
            guard let status = try? system.status(root, path), status.isRegularFile,
                status.modified / 1_000_000_000 < now - age
            else { continue }
            if (try? system.unlink(root, path)) != nil { count += 1 }
        }
        return count
    }
}

extension Store {
    /// The upkeep of what belongs to no account, to be run now and then: removes the temporary names that killed
    /// writers left in the store's root and its staging directory.
    public func maintain() throws(StoreError) {
        try checkWritable()
        let now = options.clock?() ?? Clocks.wall()
        _ = try Leftovers.sweep(system, directory, ".", now: now) { StoreCheck.isTemporary($0) }
        _ = try Leftovers.sweep(system, directory, StagingArea.directoryName, now: now) { _ in true }
    }
}
