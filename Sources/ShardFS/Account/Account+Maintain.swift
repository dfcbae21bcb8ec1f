import DurableFiles

extension Account {
    /// Periodic upkeep of the account: finishes interrupted deletions, and permanently removes deleted mailboxes and
    /// expunged messages past their retention as well as the leftovers of killed writers.
    public func maintain() throws(StoreError) {
        try purgeDeleted()
        try purgeExpunged()
        try purgeBeyondQuota()
        try sweepLeftovers()
        try purgeAnnotations()
        keepViews()
        try context.shapeLocked { () throws(StoreError) in
            for parent in try [AccountContext.below] + context.levels().map({ "\($0)/\(AccountContext.below)" }) {
                for name in try context.files.names(context.directory, parent)
                where name.hasPrefix(AccountContext.newPrefix) {
                    // Creations hold the account's lock, so nobody is using it.
                    context.removeTree("\(parent)/\(name)")
                }
            }
        }
    }

    /// Permanently removes expunged messages past the store's retention from every mailbox; returns their number.
    @discardableResult
    public func purgeExpunged() throws(StoreError) -> Int {
        try context.checkWritable()
        let end = ExpungedName.hour(context.now - context.retentionSeconds)
        var count = 0
        for path in try context.mailboxPaths() {
            let hours = try context.files.names(context.directory, "\(path)/\(ExpungedName.directory)")
            // Few mailboxes have any, so the others are not opened.
            guard hours.contains(where: { ExpungedName.isHour($0) && $0 < end }) else { continue }
            do {
                count += try context.mailbox(path: path).purgeExpunged(before: end)
            } catch {
                // Renamed or deleted meanwhile: left to the next run.
                guard error.code == .notFound || error.code == .gone else { throw error }
            }
        }
        return count
    }
}
