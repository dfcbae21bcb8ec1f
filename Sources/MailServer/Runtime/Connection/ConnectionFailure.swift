import NIOCore
import NIOSSL

/// Why a connection that this side opens came to nothing, or broke.
package enum ConnectionFailure: Error, Equatable, CustomStringConvertible {
    /// Nobody listens at the address, or no route leads to it.
    case unreachable(reason: String)
    /// No answer came within the connect timeout.
    case timedOut
    /// The TLS handshake failed, or the certificate was not accepted.
    case tls(reason: String)
    /// An open connection broke.
    case broken(reason: String)

    /// The failure behind an error that a connection ended with.
    package init(_ error: any Error) {
        switch error {
        case let error as ConnectionFailure: self = error
        case let error as NIOSSLError: self = .tls(reason: "\(error)")
        case let error as NIOSSLExtraError: self = .tls(reason: "\(error)")
        case let error as BoringSSLError: self = .tls(reason: "\(error)")
        case let error as TLSError: self = .tls(reason: "\(error)")
        default: self = .broken(reason: "\(error)")
        }
    }

    /// The failure behind an error that connecting ended with.
    package init(connecting error: any Error) {
        switch error {
        case ChannelError.connectTimeout: self = .timedOut
        case is IOError: self = .unreachable(reason: "\(error)")
        default: self.init(error)
        }
    }

    package var description: String {
        switch self {
        case .unreachable(let reason): "cannot be reached: \(reason)"
        case .timedOut: "does not answer"
        case .tls(let reason): "TLS: \(reason)"
        case .broken(let reason): "the connection broke: \(reason)"
        }
    }
}
