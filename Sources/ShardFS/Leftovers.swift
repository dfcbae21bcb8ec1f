import DurableFiles
import Primitives

/// Temporary names left by killed writers.
enum Leftovers {
    /// The age in seconds at which a temporary name belongs to no live writer: no operation takes a day and a half.
    private static let age: Int64 = 36 * 3600

    /// Removes the old files with temporary names from a directory.
    /// - Returns: the number of removed files.
    static func sweep(
        _ system: SystemCalls, _ root: Int32, _ directory: String, now: Int64, _ isTemporary: (String) -> Bool
    ) throws(StoreError) -> Int {
        var count = 0
        for name in try system.files.names(root, directory) where isTemporary(name) {
            let path = "\(directory)/\(name)"
            // A file that is already gone does not matter.
            guard let status = try? system.status(root, path), status.isRegularFile,
                status.modified / 1_000_000_000 < now - age
            else { continue }
            if (try? system.unlink(root, path)) != nil { count += 1 }
        }
        return count
    }
}

extension Store {
    /// Periodic upkeep of the store outside its accounts: removes temporary names left by killed writers in the store's
    /// root and its staging directory.
    public func maintain() throws(StoreError) {
        try checkWritable()
        if room.isBelowFloor { purgeForRoom() }
        room.keepReserve()
        let now = options.clock?() ?? Clocks.wall()
        _ = try Leftovers.sweep(system, directory, ".", now: now) { StoreCheck.isTemporary($0) }
        _ = try Leftovers.sweep(system, directory, StagingArea.directoryName, now: now) { _ in true }
    }
}
