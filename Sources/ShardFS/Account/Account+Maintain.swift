import DurableFiles

extension Account {
    /// The account's upkeep, to be run now and then: finishes deletions that were cut off, and removes for good what is
    /// past its retention, deleted mailboxes and expunged messages, and what a killed creation left.
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
                    // Creations hold the account's lock, so nobody works on it.
                    context.removeTree("\(parent)/\(name)")
                }
            }
        }
    }

    /// Removes for good the expunged messages of every mailbox that are past the store's retention; how many.
    @discardableResult
    public func purgeExpunged() throws(StoreError) -> Int {
        try context.checkWritable()
        let end = ExpungedName.hour(context.now - context.retentionSeconds)
        var count = 0
        for path in try context.mailboxPaths() {
            let hours = try context.files.names(context.directory, "\(path)/\(ExpungedName.directory)")
            // Few mailboxes have any: the others are not opened for it.
            guard hours.contains(where: { ExpungedName.isHour($0) && $0 < end }) else { continue }
            do {
                count += try context.mailbox(path: path).purgeExpunged(before: end)
            } catch {
                // Renamed or deleted meanwhile: the next run.
                guard error.code == .notFound || error.code == .gone else { throw error }
            }
        }
        return count
    }
}
