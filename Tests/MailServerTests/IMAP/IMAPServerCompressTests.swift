import NIOCore
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// COMPRESS=DEFLATE, run by Python's imaplib and zlib. RFC 4978.
@Suite struct IMAPServerCompressTests {
    /// Wraps imaplib's socket.
    private static let wrapper = """
        import zlib
        class Deflated:
            def __init__(self, sock, bits=-15):
                self.sock, self.out, self.into = sock, zlib.compressobj(9, zlib.DEFLATED, bits), zlib.decompressobj(-15)
                self.plain = b""
            def sendall(self, data):
                self.sock.sendall(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))
            def recv(self, n):
                while not self.plain:
                    piece = self.sock.recv(65536)
                    if not piece: return b""
                    self.plain += self.into.decompress(piece)
                result, self.plain = self.plain[:n], self.plain[n:]
                return result
            def readline(self):
                line = b""
                while not line.endswith(b"\\n"):
                    piece = self.recv(1)
                    if not piece: return line
                    line += piece
                return line
            def read(self, n):
                data = b""
                while len(data) < n: data += self.recv(n - len(data))
                return data
            def close(self): pass
            def __getattr__(self, name): return getattr(self.sock, name)
        imaplib.Commands["COMPRESS"] = imaplib.Commands["STARTTLS"] = ("AUTH", "SELECTED", "NONAUTH")
        def compress(imap, bits=-15):
            assert imap._simple_command("COMPRESS", "DEFLATE")[0] == "OK"
            imap.sock = imap.file = imap._file = Deflated(imap.sock, bits)
            imap.read, imap.readline, imap.send = imap.sock.read, imap.sock.readline, imap.sock.sendall
            return imap

        """

    @Test(arguments: IMAPServerClientTests.Transport.allCases)
    func aSession(transport: IMAPServerClientTests.Transport) async throws {
        let harness = try await IMAPServerHarness(usesTLS: transport != .clear)
        try await harness.python(
            Self.wrapper + """
                import random
                r = random.Random(7)
                message = b"Subject: large\\r\\n\\r\\n" + b"".join(r.randbytes(100).hex().encode() + b"\\r\\n" for _ in range(20000))
                \(IMAPServerClientTests.connect(transport))
                assert "COMPRESS=DEFLATE" not in imap.capabilities
                login(imap)
                assert b"COMPRESS=DEFLATE" in imap.capability()[1][0]
                compress(imap, -9)
                assert b"COMPRESS=DEFLATE" not in imap.capability()[1][0]
                status, data = imap._simple_command("COMPRESS", "DEFLATE")
                assert status == "NO" and b"[COMPRESSIONACTIVE]" in data[0], data
                try:
                    imap._simple_command("COMPRESS", "LZMA"); assert False
                except imaplib.IMAP4.error as e: assert "BAD" in str(e)
                try:
                    imap._simple_command("STARTTLS"); assert False
                except imaplib.IMAP4.error as e: assert "BAD" in str(e)
                assert imap.append("INBOX", None, None, message)[0] == "OK"
                imap.select("INBOX")
                assert imap.fetch("1", "(BODY.PEEK[])")[1][0][1] == message
                imap.send(b"i IDLE\\r\\n")
                assert imap.readline().startswith(b"+ idling")
                other = login(\(Self.again(transport)))
                other.append("INBOX", None, None, b"Subject: New\\r\\n\\r\\nThree\\r\\n")
                assert imap.readline() == b"* 2 EXISTS\\r\\n"
                assert imap.readline() == b"* 2 RECENT\\r\\n"
                imap.send(b"DONE\\r\\n")
                assert imap.readline().startswith(b"i OK")
                assert imap.logout()[0] == "BYE"
                """)
        await harness.finish()
    }

    private static func again(_ transport: IMAPServerClientTests.Transport) -> String {
        transport == .clear ? "imaplib.IMAP4(HOST, PORT)" : "imaplib.IMAP4_SSL(HOST, IMAPS, ssl_context=CONTEXT)"
    }

    /// All at once, in one segment, in pieces of one byte, and without waiting for the command.
    @Test func pipelines() async throws {
        let harness = try await IMAPServerHarness(usesTLS: false)
        try await harness.python(
            Self.wrapper + """
                def begin(early=b""):
                    s, f = connect()
                    f.readline()
                    s.sendall(b"a LOGIN alice@example.com \(IMAPTestMail.password)\\r\\n")
                    assert f.readline().startswith(b"a OK")
                    s.sendall(b"b COMPRESS DEFLATE\\r\\n" + early)
                    # Byte by byte: what follows the OK is compressed.
                    line = b""
                    while not line.endswith(b"\\n"): line += s.recv(1)
                    assert line.startswith(b"b OK"), line
                    return s
                commands = b"c SELECT INBOX\\r\\nd IDLE\\r\\nDONE\\r\\ne APPEND INBOX {9+}\\r\\nX: y\\r\\n\\r\\nz\\r\\nf NOOP\\r\\ng LOGOUT\\r\\n"
                def check(s, d):
                    data = b""
                    while True:
                        piece = s.recv(65536)
                        if not piece: break
                        data += d.into.decompress(piece)
                    tagged = [l[:4] for l in data.split(b"\\r\\n") if l[1:2] == b" " and l[:1] != b"*" and l[:1] != b"+"]
                    assert tagged == [b"c OK", b"d OK", b"e OK", b"f OK", b"g OK"], data
                s = begin(); d = Deflated(s); d.sendall(commands); check(s, d)
                s = begin(); d = Deflated(s)
                for byte in d.out.compress(commands) + d.out.flush(zlib.Z_SYNC_FLUSH): s.sendall(bytes([byte]))
                check(s, d)
                d = Deflated(None)
                s = begin(d.out.compress(commands) + d.out.flush(zlib.Z_SYNC_FLUSH)); check(s, d)
                # The stream's end and the socket's, behind the last command.
                s = begin(); d = Deflated(s)
                s.sendall(d.out.compress(commands) + d.out.flush(zlib.Z_FINISH)); s.shutdown(socket.SHUT_WR); check(s, d)
                """)
        await harness.finish()
    }

    @Test func bombsAndNoise() async throws {
        // 17 MB of a refused command are skipped.
        let harness = try await IMAPServerHarness(usesTLS: false) { $0.session.maxLiteralSize = 1 << 20 }
        try await harness.python(
            Self.wrapper + """
                def begin():
                    imap = login(imaplib.IMAP4(HOST, PORT))
                    compress(imap)
                    return imap.sock
                # Too long by far, in a line: read over, answered once; the session goes on.
                s = begin()
                s.sendall(b"x " + b" " * 4000000 + b"\\r\\ny NOOP\\r\\n")
                assert b"x BAD [LIMIT]" in s.readline()
                assert s.readline().startswith(b"y OK")
                # More of it, in a few KB: given up.
                s.sendall(b"z ")
                piece = b" " * (1 << 20)
                data = b"".join(s.out.compress(piece) for _ in range(100)) + s.out.flush(zlib.Z_SYNC_FLUSH)
                assert len(data) < 200000
                try: s.sock.sendall(data)
                except OSError: pass
                rest = read_all(s)
                assert b"too long" in rest or rest == b"", rest
                # No DEFLATE at all.
                s = begin()
                s.sock.sendall(b"\\xff" * 1000)
                assert read_all(s.sock) == b""
                # The server is well.
                begin().sendall(b"x LOGOUT\\r\\n")
                """)
        await harness.finish()
    }
}
