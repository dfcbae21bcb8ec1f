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
}
