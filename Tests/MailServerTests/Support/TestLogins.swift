import ShardFS

@testable import MailAccounts

/// Logins without files: alice@example.com with a password, RFC 7677's `user`, who is also alice, and names for error
/// cases.
struct TestLogins: LoginChecker {
    let password: String

    func decide(_ attempt: LoginAttempt, from remoteAddress: String) async -> LoginOutcome { outcome(of: attempt) }

    func scramCredentials(of user: String, from remoteAddress: String) async -> SCRAMLookup {
        SCRAMTestUsers.credentials(of: user, password: password)
    }

    func outcome(of attempt: LoginAttempt) -> LoginOutcome {
        switch attempt {
        case .password("busy", _): return .unavailable(reason: "busy")
        case .password("disabled", _), .proof("disabled", isRight: true): return .disabled
        case .password("alice@example.com", Array(password.utf8)), .proof("alice@example.com", isRight: true),
            .proof("user", isRight: true):
            return .accepted(Self.alice)
        case .password, .proof: return .refused
        }
    }

    private static let alice = UserAccount(
        address: try! AccountAddress(parsing: "alice@example.com"),
        password: PasswordHash(hash: [], salt: [], iterations: 1), createdAt: "")
}
