import FoundationEssentials
import Glibc
import MailServer
import NIOCore
import NIOPosix
import NIOSSL
import ShardFS
import Testing

/// A server on loopback, and Python programs as its clients.
final class IMAPServerHarness: Sendable {
    let mail: IMAPTestMail
    let server: IMAPServer
    private let port: Int
    private let imapsPort: Int

    init(usesTLS: Bool, _ change: (inout IMAPServerConfiguration) -> Void = { _ in }) async throws {
        mail = try IMAPTestMail()
        var configuration = IMAPServerConfiguration(
            session: IMAPSessionConfiguration(hostname: "mail.example.com", offersTLS: usesTLS))
        change(&configuration)
        try Data(TestCertificate.certificatePEM.utf8).write(to: URL(filePath: "\(mail.path)/cert.pem"))
        let provider: ConnectionServer.TLSProvider = {
            let certificates = try NIOSSLCertificate.fromPEMBytes(Array(TestCertificate.certificatePEM.utf8))
            let key = try NIOSSLPrivateKey(bytes: Array(TestCertificate.privateKeyPEM.utf8), format: .pem)
            return try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key)))
        }
        server = IMAPServer(
            configuration: configuration, backend: mail.backend, pool: IMAPTestMail.pool,
            tls: usesTLS ? provider : nil, group: MultiThreadedEventLoopGroup.singleton)
        port = try await server.listen(host: "127.0.0.1", port: 0, implicitTLS: false).port ?? 0
        imapsPort = usesTLS ? try await server.listen(host: "127.0.0.1", port: 0, implicitTLS: true).port ?? 0 : 0
    }

    /// Runs `script` with `PORT`, `IMAPS` and `CAFILE` set, and returns what it printed.
    /// A script that fails is an issue that shows its traceback.
    @discardableResult
    func python(_ script: String) async throws -> String {
        let prelude = """
            import imaplib, socket, ssl, sys, time
            PORT, IMAPS = \(port), \(imapsPort)
            CAFILE = "\(mail.path)/cert.pem"
            HOST = "127.0.0.1"
            CONTEXT = ssl.create_default_context(cafile=CAFILE)
            def login(imap):
                imap.login("alice@example.com", "\(IMAPTestMail.password)")
                return imap
            def connect(port=PORT):
                s = socket.create_connection((HOST, port), timeout=20)
                return s, s.makefile("rb")
            def read_all(s):
                data = b""
                while True:
                    try:
                        piece = s.recv(65536)
                    except (ConnectionResetError, ssl.SSLError):
                        return data
                    if not piece:
                        return data
                    data += piece

            """
        let path = "\(mail.path)/\(UInt64.random(in: 0...UInt64.max)).py"
        try Data((prelude + script).utf8).write(to: URL(filePath: path))
        let (status, output) = try await NIOThreadPool.singleton.runIfActive { Self.run("python3 '\(path)' 2>&1") }
        if status != 0 { Issue.record("python: \(output)") }
        return output
    }

    static func run(_ command: String) -> (Int32, String) {
        guard let pipe = popen(command, "r") else { return (-1, "popen failed") }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&piece, 1, piece.count, pipe)
            guard count > 0 else { break }
            bytes += piece.prefix(count)
        }
        return (pclose(pipe), String(decoding: bytes, as: UTF8.self))
    }

    /// Ends the server, and checks that nothing of any connection is left.
    func finish() async {
        await server.shutdown(grace: .seconds(10))
        #expect(server.connectionCount == 0)
        #expect(mail.backend.connections == 0)
    }
}
