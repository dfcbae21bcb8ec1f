import Primitives

@testable import MailAccounts

/// The accounts of the SCRAM tests: RFC 7677's `user`, names for error cases, and an ordinary password.
enum SCRAMTestUsers {
    /// The server's half of the nonce in RFC 7677's example.
    static let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    static let first = base64("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    static let challenge = base64(
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    static let last = base64(
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    static let wrongLast = base64(
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    static let proof = base64("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")

    static func base64(_ text: String) -> String { Base64.text(text.utf8) }

    /// The decoded message of a `base64` text.
    static func message(_ base64: String) -> [UInt8] { Base64.decode(base64.utf8) ?? [] }

    /// - Parameter password: of every account except `user`, whose password is `pencil`.
    static func credentials(of user: String, password: String) -> SCRAMLookup {
        switch user {
        case "busy": return .unavailable(reason: user)
        case "locked": return .lockedOut
        case "user", "alice@example.com", "disabled":
            let salt = Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==".utf8) ?? []
            guard
                let hash = try? PasswordHash(
                    password: Array((user == "user" ? "pencil" : password).utf8), salt: salt, iterations: 4096),
                let credentials = SCRAMCredentials(hash)
            else { return .unavailable(reason: user) }
            return .credentials(credentials)
        default: return .credentials(SCRAMCredentials(unknown: user, secret: [1], iterations: 4096))
        }
    }
}
