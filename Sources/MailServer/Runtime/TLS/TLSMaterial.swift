package import DurableFiles
import FoundationEssentials
package import Logging
import NIOCore
package import NIOSSL
import Primitives
import SwiftASN1
import X509

/// The server's certificate and key, read from their files.
package struct TLSMaterial: Sendable {
    /// The location of the certificate and key.
    package struct Settings: Sendable, Equatable {
        /// The server's full name, which the certificate should contain.
        package var hostname: String
        /// PEM files; unless both are set, the self-signed certificate in `directory` is used.
        package var certificateFile: String?
        package var keyFile: String?
        /// The directory of the self-signed certificate, absolute.
        package var directory: String

        package init(hostname: String, certificateFile: String?, keyFile: String?, directory: String) {
            self.hostname = hostname
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.directory = directory
        }

        /// The two files to read.
        package var paths: Paths {
            if let certificateFile, let keyFile { return Paths(certificate: certificateFile, key: keyFile) }
            return Paths(certificate: directory + "/cert.pem", key: directory + "/key.pem")
        }
    }

    /// The absolute paths of the two files.
    package struct Paths: Sendable, Equatable {
        package let certificate: String
        package let key: String
    }

    package let paths: Paths
    /// The certificate chain in PEM form, the server's certificate first.
    package let certificates: [UInt8]
    package let key: [UInt8]

    /// Reads the files, generating a self-signed certificate first if none is configured and none exists.
    ///
    /// Blocks, for many seconds if it generates a key: never call it on an event loop.
    /// - Parameters:
    ///   - now: seconds since 1970 UTC.
    ///   - makeKey: returns a new RSA key in PEM form.
    package static func load(
        _ settings: Settings, _ files: PathFiles, logger: Logger, now: Int64,
        makeKey: () throws(TLSError) -> String = SelfSignedCertificate.makeKey
    ) throws(TLSError) -> TLSMaterial {
        let paths = settings.paths
        if settings.certificateFile == nil {
            try makeSelfSigned(paths, settings.hostname, files, logger, now, makeKey)
        }
        return TLSMaterial(
            paths: paths, certificates: try read(paths.certificate, "certificate", files),
            key: try read(paths.key, "key", files))
    }

    /// The TLS 1.2 suites with forward secrecy and authenticated encryption, as in Mozilla's intermediate set: no static
    /// RSA, no CBC. All TLS 1.3 suites are of that kind and are not selected here.
    private static let cipherSuites = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")

    /// Makes a server context for TLS 1.2 or later.
    /// - Throws: `malformed`, `mismatch`.
    package func makeContext() throws(TLSError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(certificates)
        } catch {
            throw TLSError(.malformed, "\(paths.certificate) is not a certificate in PEM form")
        }
        guard !chain.isEmpty else {
            throw TLSError(.malformed, "\(paths.certificate) contains no certificate in PEM form")
        }
        let privateKey: NIOSSLPrivateKey
        do {
            privateKey = try NIOSSLPrivateKey(bytes: key, format: .pem)
        } catch {
            throw TLSError(.malformed, "\(paths.key) is not an unencrypted private key in PEM form")
        }
        var settings = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        settings.minimumTLSVersion = .tlsv12
        settings.cipherSuites = Self.cipherSuites
        // A client that stops reading would otherwise delay the close of its connection and the shutdown of the server.
        settings.shutdownTimeout = .seconds(2)
        do {
            return try NIOSSLContext(configuration: settings)
        } catch {
            throw TLSError(
                .mismatch, "the key in \(paths.key) does not match the certificate in \(paths.certificate)")
        }
    }

    /// Returns warnings about a certificate that has expired, expires within 14 days, is not yet valid, or does not
    /// name the host.
    package func warnings(hostname: String, now: Int64) -> [String] {
        guard let certificate = try? Certificate(pemEncoded: firstCertificate()) else { return [] }
        let now = Date(timeIntervalSince1970: TimeInterval(now))
        var found: [String] = []
        if certificate.notValidAfter < now {
            found.append("the certificate in \(paths.certificate) has expired; clients will refuse it")
        } else if certificate.notValidAfter < now + 14 * 86_400 {
            found.append("the certificate in \(paths.certificate) expires within 14 days; renew it")
        }
        if certificate.notValidBefore > now {
            found.append("the certificate in \(paths.certificate) is not valid yet; check this machine's clock")
        }
        if !certificate.names(hostname) {
            found.append("the certificate in \(paths.certificate) does not name \(hostname); clients will refuse it")
        }
        return found
    }

    private func firstCertificate() -> String {
        let text = String(decoding: certificates, as: UTF8.self)
        let end = "-----END CERTIFICATE-----"
        let parts = text.split(separator: "-----BEGIN CERTIFICATE-----", omittingEmptySubsequences: false)
        guard parts.count > 1, let body = parts[1].split(separator: end, omittingEmptySubsequences: false).first else {
            return text
        }
        return "-----BEGIN CERTIFICATE-----" + body + end
    }

    private static func read(
        _ path: String, _ what: String, _ files: PathFiles
    ) throws(TLSError) -> [UInt8] {
        let bytes: [UInt8]?
        do {
            bytes = try files.read(path)
        } catch {
            throw TLSError(.unreadable, "\(error)")
        }
        guard let bytes else { throw TLSError(.unreadable, "there is no \(what) at \(path)") }
        return bytes
    }

    private static func makeSelfSigned(
        _ paths: Paths, _ hostname: String, _ files: PathFiles, _ logger: Logger, _ now: Int64,
        _ makeKey: () throws(TLSError) -> String
    ) throws(TLSError) {
        guard !files.exists(paths.certificate) else { return }
        let directory = PathText.parent(paths.certificate)
        do throws(FileError) {
            try files.makeDirectory(directory)
        } catch {
            throw unwritable(error)
        }
        try files.withLock(in: directory, failure: unwritable) { () throws(TLSError) in
            // Another process may have created it in the meantime.
            guard !files.exists(paths.certificate) else { return }
            logger.info("generating a self-signed certificate for \(hostname); this can take half a minute")
            // An existing key is from an interrupted start, or was placed here by hand.
            let old: [UInt8]?
            do throws(FileError) { old = try files.read(paths.key) } catch { throw unwritable(error) }
            let key = if let old { String(decoding: old, as: UTF8.self) } else { try makeKey() }
            let made = try SelfSignedCertificate(hostname: hostname, key: key, now: now)
            do throws(FileError) {
                try files.publish(Array(made.key.utf8), at: paths.key, replacing: true)
                try files.publish(Array(made.certificate.utf8), at: paths.certificate, replacing: false)
            } catch {
                throw unwritable(error)
            }
            logger.info("created \(paths.certificate); install it in clients as a trusted authority")
        }
    }

    private static func unwritable(_ error: FileError) -> TLSError {
        TLSError(.unwritable, "could not save the self-signed certificate: \(error)")
    }
}
