import DurableFiles
import Glibc

extension Account {
    /// Removes temporary names left by killed writers; returns their number.
    @discardableResult
    func sweepLeftovers() throws(StoreError) -> Int {
        var count = try sweep(".") { $0.hasPrefix(".") && $0.hasSuffix(".tmp") }
        try context.forEachMailbox("remove leftovers") { (path) throws(StoreError) in
            count += try sweep(path) { $0.hasPrefix(".") && $0.hasSuffix(".tmp") && $0 != StagingArea.directoryName }
            count += try sweep("\(path)/\(StagingArea.directoryName)") { _ in true }
        }
        return count
    }

    private func sweep(_ directory: String, _ isTemporary: (String) -> Bool) throws(StoreError) -> Int {
        try Leftovers.sweep(context.system, context.directory, directory, now: context.now, isTemporary)
    }

    /// Permanently removes the oldest expunged messages while all expunged ones together exceed the quota; returns
    /// their number.
    @discardableResult
    func purgeBeyondQuota() throws(StoreError) -> Int {
        let limit = try context.quotaLimit.current.bytes
        guard limit > 0 else { return 0 }
        var hours: [(hour: String, path: String, bytes: UInt64)] = []
        try context.forEachMailbox("list expunged messages") { (path) throws(StoreError) in
            let bin = "\(path)/\(ExpungedName.directory)"
            for hour in try context.files.names(context.directory, bin)
            where ExpungedName.isHour(hour) {
                var bytes: UInt64 = 0
                for name in try context.files.names(context.directory, "\(bin)/\(hour)") {
                    let status = try? context.system.status(context.directory, "\(bin)/\(hour)/\(name)")
                    bytes += UInt64(clamping: status?.size ?? 0)
                }
                hours.append((hour, path, bytes))
            }
        }
        var waiting = hours.reduce(UInt64(0)) { $0 + $1.bytes }
        var count = 0
        for oldest in hours.sorted(by: { $0.hour < $1.hour }) {
            if waiting <= limit { break }
            do {
                // A name that sorts right after this hour.
                count += try context.mailbox(path: oldest.path).purgeExpunged(before: oldest.hour + "0")
            } catch {
                context.reportUpkeep("purge expunged messages", oldest.path, error)
            }
            waiting -= min(waiting, oldest.bytes)
        }
        return count
    }
}
