import MailAccounts
import Primitives
import ShardFS

/// The accounts that receive a domain's role mail when no account has the address: the administrators of the domain,
/// else its first account, else those of another domain.
///
/// A search reads every account of the domain, so a result is kept for a minute; removed accounts are noticed at once.
final class Administrators: Sendable {
    private static let lifetime: Int64 = 60_000_000_000

    private struct Answer {
        var accounts: [AccountAddress]
        var expires: Int64
    }

    private let accounts: AccountStore
    private let now: @Sendable () -> Int64
    /// By domain.
    private let answers = Locked<[String: Answer]>([:])

    init(accounts: AccountStore, now: @escaping @Sendable () -> Int64) {
        self.accounts = accounts
        self.now = now
    }

    /// At least one account, unless this host has none. Blocks.
    /// - Parameter domain: one that exists.
    func of(_ domain: String) throws(AccountError) -> [AccountAddress] {
        if let known = known(domain), !known.isEmpty, known.allSatisfy(accounts.exists) { return known }
        var found = try search(domain)
        if found.isEmpty {
            for other in try accounts.domains() where other != domain && found.isEmpty { found = try search(other) }
        }
        let answer = Answer(accounts: found, expires: now() &+ Self.lifetime)
        answers.withLock { $0[domain] = answer }
        return found
    }

    private func known(_ domain: String) -> [AccountAddress]? {
        let now = now()
        return answers.withLock { answers in
            guard let answer = answers[domain] else { return nil }
            if answer.expires > now { return answer.accounts }
            // This caller searches again; others use the old result meanwhile.
            answers[domain]?.expires = now &+ Self.lifetime
            return nil
        }
    }

    private func search(_ domain: String) throws(AccountError) -> [AccountAddress] {
        var administrators: [UserAccount] = []
        var first: UserAccount?
        for address in try accounts.list(domain: domain) {
            // A damaged user.json must not keep mail from the others.
            guard let account = try? accounts.find(address)?.account else { continue }
            if account.admin { administrators.append(account) }
            if first.map({ Self.precedes(account, $0) }) ?? true { first = account }
        }
        let enabled = administrators.filter(\.enabled)
        if !enabled.isEmpty { return enabled.map(\.address) }
        if !administrators.isEmpty { return administrators.map(\.address) }
        return first.map { [$0.address] } ?? []
    }

    /// The order of creation, accounts that may log in first; by name where it is not known.
    private static func precedes(_ a: UserAccount, _ b: UserAccount) -> Bool {
        if a.enabled != b.enabled { return a.enabled }
        return (a.createdAt, a.address) < (b.createdAt, b.address)
    }
}
