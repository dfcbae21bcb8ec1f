/// The connections that have logged in, by account: counted, and told when the account may no longer be used.
package struct AccountSessions: Sendable {
    package struct Session: Sendable {
        let id: ObjectIdentifier
        let service: LimitedService
        /// False for clients that no limit applies to.
        let isCounted: Bool
        let revoke: @Sendable () -> Void
    }

    private var sessions: [String: [ObjectIdentifier: Session]] = [:]

    package var accounts: [String] { Array(sessions.keys) }

    /// - Returns: False when the account has `maximum` counted connections to the service already.
    mutating func enter(_ account: String, _ session: Session, maximum: Int) -> Bool {
        if session.isCounted {
            let open = sessions[account]?.values.count { $0.isCounted && $0.service == session.service } ?? 0
            if open >= maximum { return false }
        }
        sessions[account, default: [:]][session.id] = session
        return true
    }

    mutating func leave(_ account: String, _ id: ObjectIdentifier) {
        sessions[account]?[id] = nil
        if sessions[account]?.isEmpty == true { sessions[account] = nil }
    }

    /// The account's connections, which are told once.
    mutating func revoke(_ account: String) -> [Session] {
        sessions.removeValue(forKey: account).map { Array($0.values) } ?? []
    }
}
