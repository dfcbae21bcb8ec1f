import NIOCore
package import NIOSSL
import ServerConfiguration
import SwiftASN1
import X509

/// TLS for outgoing connections, with the policy for accepting certificates.
package final class TLSClient: Sendable {
    package enum Verification: Sendable {
        /// Certificates that name the server and chain to an authority trusted by the system.
        case systemRoots
        /// Certificates that name the server and chain to one of these authorities.
        case roots([NIOSSLCertificate])
        /// Any certificate: protects against passive listeners only (opportunistic security, RFC 7435).
        case none
    }

    private let context: NIOSSLContext
    private let verifiesNames: Bool

    /// Blocks while reading the system's authorities: never call it on an event loop, and reuse the result.
    package init(_ verification: Verification) throws(TLSError) {
        var settings = TLSConfiguration.makeClientConfiguration()
        settings.minimumTLSVersion = .tlsv12
        settings.shutdownTimeout = .seconds(2)
        verifiesNames = if case .none = verification { false } else { true }
        switch verification {
        case .systemRoots: settings.trustRoots = .default
        case .roots(let certificates): settings.trustRoots = .certificates(certificates)
        case .none: settings.certificateVerification = .none
        }
        do {
            context = try NIOSSLContext(configuration: settings)
        } catch {
            throw TLSError(.unreadable, "could not read the trusted authorities: \(error)")
        }
    }

    /// Returns a factory of handlers for connections to one server.
    /// - Parameter serverName: the name required in the certificate, also sent as SNI; if it is nil or an IP address,
    ///   the certificate must contain the address connected to.
    package func handlers(serverName: String?) -> TLSHandlerProvider {
        let name = serverName.flatMap { HostName.isAddress($0) ? nil : $0 }
        guard let name, verifiesNames else {
            return { [context] in try NIOSSLClientHandler(context: context, serverHostname: name) }
        }
        // NIOSSL also accepts a certificate for the IP address connected to, which an attacker who redirects the name
        // can get for an address of theirs.
        return { [context] in
            try NIOSSLClientHandler._makeSSLClientHandler(context: context, serverHostname: name) { leaf, channel in
                channel.eventLoop.makeCompletedFuture {
                    guard try Certificate(derEncoded: leaf.toDERBytes()).names(name) else {
                        throw TLSError(.mismatch, "the server's certificate does not name \(name)")
                    }
                }
            }
        }
    }
}
