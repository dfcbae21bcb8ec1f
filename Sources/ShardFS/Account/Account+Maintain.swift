import DurableFiles

extension Account {
    /// Periodic upkeep of the account: finishes interrupted deletions, and permanently removes deleted mailboxes and
    /// expunged messages past their retention as well as the leftovers of killed writers.
    public func maintain() throws(StoreError) {
        try purgeDeleted()
        try purgeExpunged()
        try purgeBeyondQuota()
        context.forgetLevelCount()
        try sweepLeftovers()
        try purgeAnnotations()
        keepViews()
        try context.shapeLocked { () throws(StoreError) in
            // A level that cannot be read has been named by now.
            let levels = try context.levels(unreadable: { _, _ in }).map { "\($0)/\(AccountContext.below)" }
            for parent in [AccountContext.below] + levels {
                for name in (try? context.files.names(context.directory, parent)) ?? []
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
        try context.forEachMailbox("purge expunged messages") { (path) throws(StoreError) in
            let hours = try context.files.names(context.directory, "\(path)/\(ExpungedName.directory)")
            // Few mailboxes have any, so the others are not opened.
            guard hours.contains(where: { ExpungedName.isHour($0) && $0 < end }) else { return }
            count += try context.mailbox(path: path).purgeExpunged(before: end)
        }
        return count
    }
}

extension AccountContext {
    /// Runs upkeep of every mailbox. A mailbox that fails is named in the log, with `what` was to be done, and keeps no
    /// other from its upkeep.
    func forEachMailbox(_ what: String, _ body: (String) throws(StoreError) -> Void) throws(StoreError) {
        let paths = try mailboxPaths { path, error in self.reportUpkeep(what, path, error) }
        for path in paths {
            do throws(StoreError) { try body(path) } catch { reportUpkeep(what, path, error) }
        }
    }

    func reportUpkeep(_ what: String, _ path: String, _ error: StoreError) {
        // Renamed or deleted meanwhile: left to the next run.
        if error.code == .notFound || error.code == .gone { return }
        options.notice?("could not \(what) of \(name) in \(path): \(error.message)")
    }
}
