package import ShardFS

extension AccountAddress: Comparable {
    /// By domain, then by name.
    package static func < (a: Self, b: Self) -> Bool { (a.domain, a.local) < (b.domain, b.local) }

    /// Reads what a person typed: `user@domain`.
    /// - Throws: `invalidAddress`.
    package init(login text: String) throws(AccountError) {
        do {
            try self.init(parsing: text)
        } catch {
            throw AccountError(.invalidAddress, "\"\(text)\" cannot be an account: \(error)")
        }
    }
}
