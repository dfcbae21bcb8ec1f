import SMTPCodec
import Testing

@Suite struct SMTPCommandParserTests {
    private static func parse(_ line: String) throws(SMTPSyntaxError) -> SMTPCommand {
        try SMTPCommandParser.parse(Array(line.utf8))
    }

    private static func mail(_ address: String?, _ change: (inout SMTPMailParameters) -> Void = { _ in }) -> SMTPCommand
    {
        var parameters = SMTPMailParameters()
        change(&parameters)
        return .mail(address.flatMap { SMTPAddress($0) }.map(SMTPReversePath.address) ?? .null, parameters)
    }

    private static func rcpt(_ address: String, _ change: (inout SMTPRcptParameters) -> Void = { _ in }) -> SMTPCommand
    {
        var parameters = SMTPRcptParameters()
        change(&parameters)
        return .rcpt(SMTPAddress(address).map(SMTPForwardPath.address) ?? .postmaster, parameters)
    }

    static let accepted: [(String, SMTPCommand)] = [
        ("EHLO client.example.com", .ehlo("client.example.com")),
        ("ehlo [127.0.0.1]", .ehlo("[127.0.0.1]")),
        ("HELO x  ", .helo("x")),
        ("EHLO my computer", .ehlo("my computer")),
        ("EHLO \(String(repeating: "a", count: 900))", .ehlo(String(repeating: "a", count: 900))),
        ("LHLO x", .lhlo("x")),
        ("MAIL FROM:<>", mail(nil)),
        ("mail from:<a@b> ", mail("a@b")),
        ("MAIL FROM: <a@b>", mail("a@b")),
        ("MAIL FROM:<@x,@y.example:a@b>", mail("a@b")),
        ("MAIL FROM:a@b", mail("a@b")), ("MAIL FROM: a@b SIZE=1", mail("a@b") { $0.size = 1 }),
        ("RCPT TO: \"a b\"@c", rcpt("\"a b\"@c")),
        ("RCPT TO:<\" \"@example.org>", rcpt("\" \"@example.org")),
        ("MAIL FROM:<a@b> AUTH=a+b@example.com", mail("a@b")),
        ("EHLO [IPv6:::1]", .ehlo("[IPv6:::1]")), ("HELO cabinet-.domain", .helo("cabinet-.domain")),
        (
            "MAIL FROM:<a@b> SIZE=1000 body=8bitmime SMTPUTF8",
            mail("a@b") {
                $0.size = 1000
                $0.body = .eightBitMIME
                $0.smtpUTF8 = true
            }
        ),
        ("MAIL FROM:<a@b> SIZE=99999999999999999999", mail("a@b") { $0.size = .max }),
        ("MAIL FROM:<a@b> SIZE=\(String(repeating: "9", count: 300))", mail("a@b") { $0.size = .max }),
        ("MAIL FROM:<a@b> SIZE=\(String(repeating: "0", count: 300))7", mail("a@b") { $0.size = 7 }),
        (
            "MAIL FROM:<a@b> SIZE=0 BODY=7BIT",
            mail("a@b") {
                $0.size = 0
                $0.body = .sevenBit
            }
        ),
        (
            "MAIL FROM:<a@b> BODY=BINARYMIME REQUIRETLS",
            mail("a@b") {
                $0.body = .binaryMIME
                $0.requireTLS = true
            }
        ),
        (
            "MAIL FROM:<a@b> RET=HDRS ENVID=QQ+2B1 AUTH=<>",
            mail("a@b") {
                $0.returnContent = .headers
                $0.envelopeID = "QQ+1"
                $0.auth = "<>"
            }
        ),
        (
            "MAIL FROM:<a@b> RET=full AUTH=e+3Dmc2@example.com",
            mail("a@b") {
                $0.returnContent = .full
                $0.auth = "e=mc2@example.com"
            }
        ),
        ("RCPT TO:<a@b>", rcpt("a@b")),
        ("RCPT TO:<Postmaster>", .rcpt(.postmaster, .init())),
        ("RCPT TO:<postmaster@b>", rcpt("postmaster@b")),
        (
            "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+20B@c",
            rcpt("a@b") {
                $0.notify = [.success, .delay]
                $0.originalRecipient = .init(addressType: "rfc822", address: "A B@c")
            }
        ),
        ("RCPT TO:<a@b> NOTIFY=NEVER", rcpt("a@b") { $0.notify = [] }),
        ("DATA", .data), ("data  ", .data),
        ("BDAT 0", .bdat(size: 0, last: false)), ("bdat 86 last", .bdat(size: 86, last: true)),
        ("BDAT 9223372036854775807", .bdat(size: .max, last: false)),
        ("RSET", .rset), ("NOOP", .noop), ("NOOP with words", .noop), ("QUIT", .quit),
        ("VRFY alice", .vrfy("alice")), ("EXPN list", .expn("list")), ("HELP", .help), ("HELP mail", .help),
        ("STARTTLS", .startTLS),
        ("AUTH PLAIN", .auth(mechanism: "PLAIN", initialResponse: nil)),
        ("AUTH plain AGEAYg==", .auth(mechanism: "PLAIN", initialResponse: .data([0, 0x61, 0, 0x62]))),
        ("AUTH PLAIN =", .auth(mechanism: "PLAIN", initialResponse: .data([]))),
        ("AUTH PLAIN *", .auth(mechanism: "PLAIN", initialResponse: .malformed)),
        ("AUTH PLAIN AGEAYg", .auth(mechanism: "PLAIN", initialResponse: .malformed)),
        ("AUTH SCRAM-SHA-256", .auth(mechanism: "SCRAM-SHA-256", initialResponse: nil)),
        ("XCLIENT a=b", .unknown("XCLIENT")),
        ("MAILFROM:<a@b>", .unknown("MAILFROM:<A@B>")),
        (String(repeating: "x", count: 100), .unknown(String(repeating: "X", count: 32))),
    ]

    @Test(arguments: accepted) func accepts(line: String, command: SMTPCommand) throws {
        #expect(try Self.parse(line) == command)
    }

    @Test(arguments: [
        ("", "501 5.5.2"), ("   ", "501 5.5.2"), (" NOOP", "501 5.5.2"),
        ("EHLO", "501 5.5.4"), ("EHLO  ", "501 5.5.4"),
        ("MAIL", "501 5.5.2"), ("MAIL TO:<a@b>", "501 5.5.2"), ("MAIL FROM:a@b>", "501 5.5.2"),
        ("MAIL FROM:a b@c", "501 5.5.2"), ("MAIL FROM:A <a@b>", "501 5.5.2"), ("MAIL FROM:<>>>>", "501 5.5.2"),
        ("MAIL FROM:", "501 5.5.2"), ("MAIL FROM <a@b>", "501 5.5.2"), ("MAIL FROM:<a@b>SIZE=1", "501 5.5.2"),
        ("MAIL FROM:<a>", "501 5.1.7"), ("MAIL FROM:<postmaster>", "501 5.1.7"), ("MAIL FROM:<a@b", "501 5.1.7"),
        ("MAIL FROM:<a@b@c>", "501 5.1.7"), ("MAIL FROM:< a@b >", "501 5.1.7"), ("MAIL FROM:<@x:>", "501 5.1.7"),
        ("MAIL FROM:<@x a@b>", "501 5.1.7"),
        ("MAIL FROM:<a@b> SIZE=x", "501 5.5.4"), ("MAIL FROM:<a@b> SIZE=", "501 5.5.4"),
        ("MAIL FROM:<a@b> SIZE", "501 5.5.4"), ("MAIL FROM:<a@b> SIZE=-1", "501 5.5.4"),
        ("MAIL FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4"), ("MAIL FROM:<a@b> SMTPUTF8=1", "501 5.5.4"),
        ("MAIL FROM:<a@b> BODY=9BIT", "501 5.5.4"), ("MAIL FROM:<a@b> =x", "501 5.5.4"),
        ("MAIL FROM:<a@b> ENVID=+0D+0A", "501 5.5.4"), ("MAIL FROM:<a@b> ENVID=+4", "501 5.5.4"),
        ("MAIL FROM:<a@b> ENVID=+FF", "501 5.5.4"), ("MAIL FROM:<a@b> ENVID=+aa", "501 5.5.4"),
        ("MAIL FROM:<a@b> FOO=1", "555 5.5.4"), ("MAIL FROM:<a@b> NOTIFY=NEVER", "555 5.5.4"),
        ("RCPT TO:<>", "501 5.1.3"), ("RCPT TO:<a>", "501 5.1.3"), ("RCPT TO:a", "501 5.5.2"),
        ("RCPT TO:<a@b> SIZE=1", "555 5.5.4"), ("RCPT TO:<a@b> NOTIFY=NEVER,DELAY", "501 5.5.4"),
        ("RCPT TO:<a@b> NOTIFY=", "501 5.5.4"), ("RCPT TO:<a@b> NOTIFY=FAILURE,", "501 5.5.4"),
        ("RCPT TO:<a@b> ORCPT=a@b", "501 5.5.4"), ("RCPT TO:<a@b> ORCPT=;a@b", "501 5.5.4"),
        ("DATA now", "501 5.5.4"), ("RSET x", "501 5.5.4"), ("QUIT x", "501 5.5.4"), ("STARTTLS x", "501 5.5.4"),
        ("VRFY", "501 5.5.4"), ("AUTH", "501 5.5.4"), ("AUTH PLA!N", "501 5.5.4"),
    ]) func refuses(line: String, reply: String) throws {
        let error = try #require(throws: SMTPSyntaxError.self) { try Self.parse(line) }
        #expect("\(error.reply.code) \(error.reply.status?.description ?? "")" == reply)
        #expect(!error.endsSession)
    }

    @Test(arguments: [
        "BDAT", "BDAT x", "BDAT -1", "BDAT 1LAST", "BDAT 99999999999999999999", "BDAT 1.0", "BDAT 0x10",
        "BDAT 9223372036854775808", "BDAT +1", "BDAT LAST 1", "GET / HTTP/1.1", "POST / HTTP/1.1",
        "CONNECT x:25 HTTP/1.1",
    ]) func endsTheSession(line: String) throws {
        let error = try #require(throws: SMTPSyntaxError.self) { try Self.parse(line) }
        #expect(error.endsSession)
    }

    /// The size can be read, so the chunk can be read over.
    @Test(arguments: [("BDAT 1 2", 1), ("BDAT 17 LAST x", 17), ("BDAT 0 FIRST", 0), ("bdat 5 LASTLY", 5)])
    func aMalformedChunkOfKnownSize(line: String, size: Int) throws {
        let error = try #require(throws: SMTPSyntaxError.self) { try Self.parse(line) }
        #expect(error.reply.code == 501)
        #expect(!error.endsSession)
        #expect(error.chunkSize == size)
    }

    @Test func everyLossOfFramingIsToldBy421() throws {
        let error = try #require(throws: SMTPSyntaxError.self) { try Self.parse("BDAT x") }
        #expect(error.reply.code == 421)
        #expect(error.reply.status?.description == "4.5.4")
    }

    /// As many as there are: no limit but the line's, and none is looked at twice.
    @Test func parametersBeyondNumber() throws {
        let many = (0..<10_000).map { " X\($0)=1" }.joined()
        let error = try #require(throws: SMTPSyntaxError.self) { try Self.parse("MAIL FROM:<a@b>\(many)") }
        #expect(error.reply.code == 555)
    }

    @Test func aHostMayNameItselfInItsOwnCharset() throws {
        let line = Array("EHLO b".utf8) + [0xFC] + Array("ro".utf8)
        #expect(try SMTPCommandParser.parse(line) == .ehlo("b\u{FFFD}ro"))
    }

    @Test func aLongerPathIsReadWhereItIsAllowed() throws {
        let path = "\(String(repeating: "l", count: 500))@example.com"
        let line = Array("RCPT TO:<@relay.example:\(path)>".utf8)
        let length = path.utf8.count + 2
        #expect(try SMTPCommandParser.parse(line, maxPathLength: length) == Self.rcpt(path))
        #expect(throws: SMTPSyntaxError.self) { try SMTPCommandParser.parse(line, maxPathLength: length - 1) }
    }

    @Test func pathsUpTo256OctetsAreRead() throws {
        let label = String(repeating: "d", count: 63)
        let domain = "\(label).\(label).\(label)"
        let fits = "\(String(repeating: "l", count: 254 - 1 - domain.utf8.count))@\(domain)"
        #expect(try Self.parse("RCPT TO:<\(fits)>") == Self.rcpt(fits))
        let error = try #require(throws: SMTPSyntaxError.self) { try Self.parse("RCPT TO:<l\(fits)>") }
        #expect(error.reply.lines == ["The address is too long"])
    }

    @Test func bytesThatAreNotUTF8AreRefused() throws {
        let line = Array("MAIL FROM:<".utf8) + [0xC3, 0x28] + Array("@x>".utf8)
        let error = try #require(throws: SMTPSyntaxError.self) { try SMTPCommandParser.parse(line) }
        #expect(error.kind == .forbiddenBytes)
    }
}
