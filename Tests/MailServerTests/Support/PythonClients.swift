import FoundationEssentials
import NIOPosix
import TestSupport
import Testing

/// Python programs as clients of servers on loopback.
///
/// Each program gets `HOST`, the ports under their names, `CAFILE` and `CONTEXT` for TLS, `connect` and `read_all`.
struct PythonClients: Sendable {
    private let directory: TemporaryDirectory
    private let prelude: String

    /// - Parameters:
    ///   - ports: `connect()` connects to the first.
    ///   - prelude: further definitions.
    init(ports: KeyValuePairs<String, Int>, _ prelude: String = "") throws {
        directory = TemporaryDirectory()
        let certificate = "\(directory.path)/cert.pem"
        try Data(TestCertificate.certificatePEM.utf8).write(to: URL(filePath: certificate))
        self.prelude = """
            import socket, ssl, sys, time
            HOST, CAFILE = "127.0.0.1", "\(certificate)"
            CONTEXT = ssl.create_default_context(cafile=CAFILE)
            \(ports.map { "\($0.key) = \($0.value)" }.joined(separator: "\n"))
            def connect(port=\(ports.first?.value ?? 0)):
                s = socket.create_connection((HOST, port), timeout=120)
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
            \(prelude)

            """
    }

    /// Runs `script` and returns its output. A failing script is recorded as an issue with its traceback.
    @discardableResult
    func run(_ script: String) async throws -> String {
        let path = "\(directory.path)/\(UInt64.random(in: 0...UInt64.max)).py"
        try Data((prelude + script).utf8).write(to: URL(filePath: path))
        let (output, status) = try await NIOThreadPool.singleton.runIfActive {
            Program.run(["python3", path], withErrors: true)
        }
        if status != 0 { Issue.record("python: \(output)") }
        return output
    }
}
