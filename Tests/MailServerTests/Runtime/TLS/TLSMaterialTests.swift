import DurableFiles
import FoundationEssentials
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import TestSupport
import Testing
import X509

@testable import ServerConfiguration
@testable import ServerRuntime

private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
private let now: Int64 = 1_785_585_600

private struct Fixture {
    let directory: TemporaryDirectory
    let files = PathFiles()
    var settings: TLSMaterial.Settings

    init() throws {
        directory = TemporaryDirectory()
        settings = TLSMaterial.Settings(
            hostname: "mail.example.com", certificateFile: nil, keyFile: nil, directory: directory.path + "/tls")
    }

    func load(_ makeKey: () throws(TLSError) -> String = { TestKeys.rsa }) throws -> TLSMaterial {
        try TLSMaterial.load(settings, files, logger: quiet, now: now, makeKey: makeKey)
    }

    func write(_ text: String, _ name: String) throws -> String {
        let path = directory.path + "/" + name
        try files.publish(Array(text.utf8), at: path, replacing: true)
        return path
    }
}

private func error(_ body: () throws -> Void) -> TLSError? {
    do {
        try body()
        return nil
    } catch {
        return error as? TLSError
    }
}

@Suite struct TLSMaterialTests {
    @Test func theFirstStartMakesACertificateAndTheSecondKeepsIt() throws {
        let f = try Fixture()
        let first = try f.load()
        _ = try first.makeContext()
        #expect(try permissions(f.directory.path + "/tls/cert.pem") == 0o600)
        #expect(try permissions(f.directory.path + "/tls/key.pem") == 0o600)
        let second = try f.load { () throws(TLSError) in throw TLSError(.malformed, "a second key") }
        #expect(second.certificates == first.certificates)
        #expect(first.warnings(hostname: "mail.example.com", now: now) == [])
    }

    @Test func theCertificateNamesHostAndLoopback() throws {
        let made = try SelfSignedCertificate(hostname: "mail.example.com", key: TestKeys.rsa, now: now)
        let certificate = try Certificate(pemEncoded: made.certificate)
        let names = try #require(try certificate.extensions.subjectAlternativeNames)
        #expect(
            Array(names) == [
                .dnsName("mail.example.com"), .dnsName("localhost"),
                .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                .ipAddress(ASN1OctetString(contentBytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
            ])
        #expect(certificate.subject == certificate.issuer)
        #expect(try certificate.extensions.basicConstraints == .notCertificateAuthority)
        let years = certificate.notValidAfter.timeIntervalSince(certificate.notValidBefore) / (365.25 * 86_400)
        #expect(abs(years - 10) < 0.1)
        let local = try SelfSignedCertificate(hostname: "localhost", key: TestKeys.rsa, now: now)
        #expect(try Certificate(pemEncoded: local.certificate).extensions.subjectAlternativeNames?.count == 3)
    }

    @Test func aStartThatWasCutOffIsTakenUp() throws {
        let f = try Fixture()
        try f.files.makeDirectory(f.directory.path + "/tls")
        _ = try f.write(TestKeys.rsa, "tls/key.pem")
        let material = try f.load { () throws(TLSError) in throw TLSError(.malformed, "a second key") }
        _ = try material.makeContext()
    }

    @Test func configuredFilesAreTakenAndNothingIsMade() throws {
        var f = try Fixture()
        let made = try SelfSignedCertificate(hostname: "other.example", key: TestKeys.rsa, now: now)
        f.settings.certificateFile = try f.write(made.certificate, "c.pem")
        f.settings.keyFile = try f.write(made.key, "k.pem")
        let material = try f.load { () throws(TLSError) in throw TLSError(.malformed, "a key") }
        _ = try material.makeContext()
        #expect(!f.files.exists(f.directory.path + "/tls"))
        #expect(material.warnings(hostname: "mail.example.com", now: now).count == 1)
        #expect(material.warnings(hostname: "other.example", now: now) == [])
        #expect(material.warnings(hostname: "other.example", now: now + 3650 * 86_400).count == 1)
        #expect(material.warnings(hostname: "other.example", now: now + 4000 * 86_400).count == 1)
        #expect(material.warnings(hostname: "other.example", now: now - 2 * 86_400).count == 1)
    }

    @Test func wrongFilesAreNamed() throws {
        var f = try Fixture()
        let made = try SelfSignedCertificate(hostname: "other.example", key: TestKeys.rsa, now: now)
        let certificate = try f.write(made.certificate, "c.pem")
        let key = try f.write(made.key, "k.pem")
        let otherKey = try f.write(TestKeys.otherRSA, "o.pem")
        let junk = try f.write("junk", "junk.pem")
        let missing = f.directory.path + "/missing.pem"
        let cases: [(String, String, TLSError.Code, String)] = [
            (missing, key, .unreadable, "there is no certificate at \(missing)"),
            (certificate, missing, .unreadable, "there is no key at \(missing)"),
            (f.directory.path, key, .unreadable, "\(f.directory.path) is not a regular file"),
            (junk, key, .malformed, "\(junk) is not a certificate in PEM form"),
            (certificate, junk, .malformed, "\(junk) is not an unencrypted private key in PEM form"),
            (
                certificate, otherKey, .mismatch,
                "the key in \(otherKey) does not match the certificate in \(certificate)"
            ),
        ]
        for (certificate, key, code, text) in cases {
            f.settings.certificateFile = certificate
            f.settings.keyFile = key
            let found = error { _ = try f.load().makeContext() }
            #expect(found?.code == code, "\(text)")
            #expect(found?.description.hasPrefix(text) == true, "\(String(describing: found))")
        }
    }

    @Test func aStoreThatCannotKeepACertificateSaysSo() throws {
        var f = try Fixture()
        _ = try f.write("", "file")
        f.settings.directory = f.directory.path + "/file/tls"
        #expect(error { _ = try f.load() }?.code == .unwritable)
    }

    @Test func aReloadSwapsTheContext() async throws {
        let f = try Fixture()
        _ = try f.load()
        let certificates = try await TLSCertificates(f.settings, pool: IMAPTestMail.pool, logger: quiet, now: { now })
        let first = try certificates.provider()
        let apply = try await certificates.reload(f.settings)
        #expect(try certificates.provider() === first)
        await apply()
        #expect(try certificates.provider() !== first)
    }

    /// Each suite of TLS 1.2 is offered by a client alone: those without forward secrecy or with CBC find no answer.
    @Test func onlyForwardSecrecyAndAuthenticatedEncryption() async throws {
        let context = try Fixture().load().makeContext()
        let server = ConnectionServer(
            LineProtocol(), settings: LineSettings(),
            limits: ConnectionLimits(ConnectionLimits.Settings(), now: { 0 }), tls: { context },
            group: MultiThreadedEventLoopGroup.singleton)
        let port = try await server.listen(host: "127.0.0.1", port: 0, role: .tls).port ?? 0
        let output = try await PythonClients(ports: ["PORT": port]).run(
            """
            def suite(version, names):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.minimum_version = context.maximum_version = version
                if names: context.set_ciphers(names + ":@SECLEVEL=0")
                with socket.create_connection((HOST, PORT), timeout=60) as plain:
                    try:
                        with context.wrap_socket(plain) as s: return s.cipher()[0]
                    except (ssl.SSLError, ConnectionResetError):
                        return "none"
            v = ssl.TLSVersion
            for names in ["AES128-SHA", "AES256-SHA", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA",
                          "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA256", "DES-CBC3-SHA:kRSA:CBC:DHE"]:
                try: print(suite(v.TLSv1_2, names))
                except ssl.SSLError as e: assert "NO_CIPHER" in str(e), e
            for names in ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-SHA:ECDHE"]:
                print(suite(v.TLSv1_2, names))
            print(suite(v.TLSv1_3, None) != "none")
            """)
        let lines = output.split(separator: "\n")
        #expect(lines.filter { $0 != "none" }.count == 4 && lines.count >= 10, "\(output)")
        #expect(
            lines.suffix(4).first == "ECDHE-RSA-AES128-GCM-SHA256" && lines.last == "True"
                && lines.suffix(2).first?.contains("GCM") == true, "\(output)")
        await server.shutdown(grace: .seconds(60))
    }
}
