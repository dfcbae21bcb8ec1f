extension Account {
    /// Returns the mailboxes that the user has subscribed to. Names of missing mailboxes stay until unsubscribed (RFC
    /// 9051, 6.3.7).
    ///
    /// Without a subscriptions.json, as in a store whose user has never chosen, every mailbox counts as subscribed; the
    /// first change stores that list. A new account's default mailboxes are subscribed to on creation, others are not.
    /// - Throws: `damaged` if the file cannot be parsed.
    public func subscriptions() throws(StoreError) -> [MailboxName] {
        if let stored = try context.subscriptions.stored() { return stored }
        return try list().filter(\.isSelectable).map(\.name)
    }

    /// Subscribes to a mailbox, which need not exist. Durable on return.
    /// - Throws: `limit` at ``StoreOptions/maximumSubscriptions``, `damaged`, `busy`, `readOnly`, `system`.
    public func subscribe(_ name: MailboxName) throws(StoreError) {
        try context.checkWritable()
        if try context.subscriptions.add(name, until: context.deadline, initial: context.implicitSubscriptions) {
            treeChanged()
        }
    }

    /// Ends a subscription; does nothing if there is none.
    public func unsubscribe(_ name: MailboxName) throws(StoreError) {
        try context.checkWritable()
        if try context.subscriptions.remove(name, until: context.deadline, initial: context.implicitSubscriptions) {
            treeChanged()
        }
    }
}

extension AccountContext {
    var subscriptions: Subscriptions {
        Subscriptions(system: system, directory: directory, maximum: options.maximumSubscriptions)
    }

    fileprivate func implicitSubscriptions() throws(StoreError) -> [MailboxName] {
        try listTree().filter(\.isSelectable).map(\.name)
    }
}
