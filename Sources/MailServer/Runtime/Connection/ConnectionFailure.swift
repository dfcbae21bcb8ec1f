import NIOCore
import NIOSSL

/// The reason why an outgoing connection failed.
package enum ConnectionFailure: Error, Equatable, CustomStringConvertible {
    /// No server listens at the address, or there is no route to it.
    case unreachable(reason: String)
    /// No answer within the connect timeout.
    case timedOut
    /// A failed TLS handshake, or a rejected certificate.
    case tls(reason: String)
    /// A broken connection.
    case broken(reason: String)

    /// Classifies an error that ended a connection.
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

    /// Classifies an error from connecting.
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
