package import ShardFS

extension AccountAddress: Comparable {
    /// Orders by domain, then by name.
    package static func < (a: Self, b: Self) -> Bool { (a.domain, a.local) < (b.domain, b.local) }

    /// Parses user input of the form `user@domain`.
    /// - Throws: `invalidAddress`.
    package init(login text: String) throws(AccountError) {
        do {
            try self.init(parsing: text)
        } catch {
            throw AccountError(.invalidAddress, "\"\(text)\" is not a valid account address: \(error)")
        }
    }
}
