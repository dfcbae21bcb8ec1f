import FoundationEssentials
import MailServer
import NIOCore
import NIOPosix
import NIOSSL
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server on loopback with one listener per role, and Python programs as its clients.
final class SMTPServerHarness: Sendable {
    let backend = SMTPMemoryBackend()
    let server: SMTPServer
    private let directory: TemporaryDirectory
    private let ports: [SMTPRole: Int]

    init(usesTLS: Bool, _ change: (inout SMTPServerConfiguration) -> Void = { _ in }) async throws {
        var configuration = SMTPServerConfiguration(
            session: SMTPSessionConfiguration(hostname: "mail.example.com", offersTLS: usesTLS))
        change(&configuration)
        directory = try TemporaryDirectory()
        try Data(TestCertificate.certificatePEM.utf8).write(to: URL(filePath: "\(directory.path)/cert.pem"))
        let provider: ConnectionServer.TLSProvider = {
            let certificates = try NIOSSLCertificate.fromPEMBytes(Array(TestCertificate.certificatePEM.utf8))
            let key = try NIOSSLPrivateKey(bytes: Array(TestCertificate.privateKeyPEM.utf8), format: .pem)
            return try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key)))
        }
        server = SMTPServer(
            configuration: configuration, backend: backend, tls: usesTLS ? provider : nil,
            group: MultiThreadedEventLoopGroup.singleton)
        var ports: [SMTPRole: Int] = [:]
        for role in [SMTPRole.mx, .submission] + (usesTLS ? [.smtps] : []) {
            ports[role] = try await server.listen(host: "127.0.0.1", port: 0, role: role).port
        }
        self.ports = ports
    }

    /// Runs `script` with `PORT`, `SUBMISSION`, `SMTPS` and `CAFILE` set, and returns what it printed.
    /// A script that fails is an issue that shows its traceback.
    @discardableResult
    func python(_ script: String) async throws -> String {
        let prelude = """
            import smtplib, socket, ssl, sys
            PORT, SUBMISSION, SMTPS = \(ports[.mx] ?? 0), \(ports[.submission] ?? 0), \(ports[.smtps] ?? 0)
            CAFILE = "\(directory.path)/cert.pem"
            HOST = "127.0.0.1"
            def connect(port):
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
        let path = "\(directory.path)/\(UInt64.random(in: 0...UInt64.max)).py"
        try Data((prelude + script).utf8).write(to: URL(filePath: path))
        let (status, output) = try await NIOThreadPool.singleton.runIfActive { Self.run("python3 '\(path)' 2>&1") }
        if status != 0 { Issue.record("python: \(output)") }
        return output
    }

    private static func run(_ command: String) -> (Int32, String) {
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
        #expect(backend.connections == 0)
        #expect(backend.openMessages == 0)
    }
}
