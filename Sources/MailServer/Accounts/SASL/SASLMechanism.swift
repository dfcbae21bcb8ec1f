/// The SASL mechanisms that the server offers.
package enum SASLMechanism: String, Sendable, CaseIterable {
    /// RFC 4616.
    case plain = "PLAIN"
    /// draft-murchison-sasl-login: never a standard, but the only one of many old programs.
    case login = "LOGIN"
    /// RFC 7677; without channel binding.
    case scramSHA256 = "SCRAM-SHA-256"

    /// The order of preference: a password that is not sent cannot be stolen on the way.
    package static let preferred: [SASLMechanism] = [.scramSHA256, .plain, .login]
}

/// Why a client's message is refused. Texts hold nothing of the client's.
package struct SASLFailure: Error, Sendable, Equatable {
    package enum Kind: Sendable {
        /// The message is not of the mechanism's form.
        case malformed
        /// The client wants what is not offered.
        case unsupported
        /// The client wants another's identity.
        case authorization
        /// The name or the proof is wrong.
        case refused
    }

    package var kind: Kind
    package var text: String
}
