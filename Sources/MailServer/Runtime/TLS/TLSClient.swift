import NIOCore
package import NIOSSL
import ServerConfiguration
import SwiftASN1
import X509

/// TLS on connections that this side opens: which certificates of other hosts are accepted.
package final class TLSClient: Sendable {
    package enum Verification: Sendable {
        /// Certificates that name the server and lead to an authority that the system trusts.
        case systemRoots
        /// Certificates that name the server and lead to one of these authorities.
        case roots([NIOSSLCertificate])
        /// Any certificate: safe from listeners alone (opportunistic security, RFC 7435).
        case none
    }

    private let context: NIOSSLContext
    private let verifiesNames: Bool

    /// Blocks while the system's authorities are read: never call it on an event loop, and keep the result.
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
            throw TLSError(.unreadable, "could not read the authorities to trust: \(error)")
        }
    }

    /// Makes the handlers of connections to one server.
    /// - Parameter serverName: the name that the certificate has to carry, which the server is told (SNI); without one,
    ///   or for an IP address, it has to carry the address that is connected to.
    package func handlers(serverName: String?) -> TLSHandlerProvider {
        let name = serverName.flatMap { HostName.isAddress($0) ? nil : $0 }
        guard let name, verifiesNames else {
            return { [context] in try NIOSSLClientHandler(context: context, serverHostname: name) }
        }
        // NIOSSL is content with a certificate for the address that is connected to, whatever the name: whoever leads the
        // name elsewhere can have one for the address there.
        return { [context] in
            try NIOSSLClientHandler._makeSSLClientHandler(context: context, serverHostname: name) { leaf, channel in
                channel.eventLoop.makeCompletedFuture {
                    guard try Certificate(derEncoded: leaf.toDERBytes()).names(name) else {
                        throw TLSError(.mismatch, "the certificate of the server does not name \(name)")
                    }
                }
            }
        }
    }
}
