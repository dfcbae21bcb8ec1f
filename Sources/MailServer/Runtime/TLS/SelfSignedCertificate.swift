import Crypto
import CryptoExtras
import FoundationEssentials
import Primitives
import SwiftASN1
import X509

/// The certificate that a server without a configured one generates at its first start.
///
/// A client trusts it by using the file itself as its only authority (`cafile`); it signs nothing else.
package struct SelfSignedCertificate: Sendable {
    /// The certificate in PEM form.
    package let certificate: String
    /// The private key in PEM form.
    package let key: String

    package static let keyBits = 4096
    private static let lifetime: TimeInterval = 3652 * 86_400
    /// Backdating for clients whose clock is behind.
    private static let clockTolerance: TimeInterval = 86_400

    /// Generates a new key. Takes seconds, occasionally tens of seconds: never call it on an event loop.
    package static func makeKey() throws(TLSError) -> String {
        do {
            return try _RSA.Signing.PrivateKey(keySize: _RSA.Signing.KeySize(bitCount: keyBits)).pemRepresentation
        } catch {
            throw TLSError(.malformed, "could not generate an RSA key: \(error)")
        }
    }

    /// - Parameters:
    ///   - hostname: the server's name; `localhost` and the loopback addresses are added.
    ///   - key: an RSA key in PEM form.
    ///   - now: seconds since 1970 UTC.
    package init(hostname: String, key: String, now: Int64) throws(TLSError) {
        do {
            let privateKey = Certificate.PrivateKey(try _RSA.Signing.PrivateKey(pemRepresentation: key))
            let name = try DistinguishedName { CommonName(String(hostname.prefix(64))) }
            let start = Date(timeIntervalSince1970: TimeInterval(now))
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: privateKey.publicKey,
                notValidBefore: start - Self.clockTolerance, notValidAfter: start + Self.lifetime, issuer: name,
                subject: name, signatureAlgorithm: .sha256WithRSAEncryption,
                extensions: Self.extensions(hostname, privateKey.publicKey), issuerPrivateKey: privateKey)
            self.certificate = try certificate.serializeAsPEM().pemString + "\n"
        } catch {
            throw TLSError(.malformed, "could not generate a certificate for \(hostname): \(error)")
        }
        self.key = key.hasSuffix("\n") ? key : key + "\n"
    }

    private static func extensions(
        _ hostname: String, _ publicKey: Certificate.PublicKey
    ) throws -> Certificate.Extensions {
        var names: [GeneralName] = []
        for name in [hostname, "localhost", "127.0.0.1", "::1"] {
            let entry: GeneralName =
                if let address = IPAddress(name) {
                    .ipAddress(ASN1OctetString(contentBytes: address.bytes[...]))
                } else {
                    .dnsName(name)
                }
            if !names.contains(entry) { names.append(entry) }
        }
        return try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(KeyUsage(digitalSignature: true, keyEncipherment: true))
            try ExtendedKeyUsage([.serverAuth])
            SubjectAlternativeNames(names)
            SubjectKeyIdentifier(hash: publicKey)
        }
    }
}
