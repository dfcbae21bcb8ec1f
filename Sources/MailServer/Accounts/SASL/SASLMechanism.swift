/// The SASL mechanisms offered by the server.
package enum SASLMechanism: String, Sendable, CaseIterable {
    /// RFC 4616.
    case plain = "PLAIN"
    /// draft-murchison-sasl-login: never standardized, but the only mechanism of many old clients.
    case login = "LOGIN"
    /// RFC 7677, without channel binding.
    case scramSHA256 = "SCRAM-SHA-256"

    /// The order of preference: SCRAM first, because it never sends the password.
    package static let preferred: [SASLMechanism] = [.scramSHA256, .plain, .login]
}

/// The reason for refusing a client's message. Its text never quotes the client's input.
package struct SASLFailure: Error, Sendable, Equatable {
    package enum Kind: Sendable {
        /// A message that violates the mechanism's syntax.
        case malformed
        /// A request for an unsupported feature.
        case unsupported
        /// A request to act as another user.
        case authorization
        /// A wrong name or proof.
        case refused
    }

    package var kind: Kind
    package var text: String
}
