import Testing

@testable import IMAPCodec

@Suite struct CommandTests {
    static let plain: [CommandRow] = [
        CommandRow("CAPABILITY", .capability), CommandRow("noop", .noop), CommandRow("LogOut ", .logout),
        CommandRow("STARTTLS", .startTLS), CommandRow("NAMESPACE", .namespace), CommandRow("IDLE", .idle),
        CommandRow("CHECK", .check), CommandRow("CLOSE", .close), CommandRow("UNSELECT", .unselect),
        CommandRow("EXPUNGE", .expunge(uids: nil)),
        CommandRow("UID EXPUNGE 3000:3002", .expunge(uids: set(r(3000, 3002)))),
        CommandRow("ID NIL", .id([])), CommandRow("ID ()", .id([])), CommandRow("ID ( )", .id([])),
        CommandRow("ID ( \"name\" \"x\" )", .id([IMAPIDField(name: "name", value: bytes("x"))])),
        CommandRow(
            "ID (\"name\" \"x\" \"os\" NIL)",
            .id([IMAPIDField(name: "name", value: bytes("x")), IMAPIDField(name: "os", value: nil)])),
        CommandRow("ENABLE CONDSTORE x-good", .enable(["CONDSTORE", "X-GOOD"])),
        CommandRow("COMPRESS deflate", .compress(algorithm: "DEFLATE")),
        CommandRow("AUTHENTICATE plain", .authenticate(mechanism: "PLAIN", initialResponse: nil)),
        CommandRow("AUTHENTICATE PLAIN =", .authenticate(mechanism: "PLAIN", initialResponse: [])),
        CommandRow("AUTHENTICATE PLAIN AGEAYg==", .authenticate(mechanism: "PLAIN", initialResponse: bytes("\0a\0b"))),
        CommandRow("LOGIN smith sesame]", .login(user: bytes("smith"), password: bytes("sesame]"))),
        CommandRow("LOGIN \"a b\" \"q\\\"\\\\\"", .login(user: bytes("a b"), password: bytes("q\"\\"))),
        CommandRow("LOGIN {3}\r\na\r\n {0+}\r\n", .login(user: bytes("a\r\n"), password: [])),
        CommandRow("LOGIN {1}\na \"\"", .login(user: bytes("a"), password: [])),
    ]

    static let mailbox: [CommandRow] = [
        CommandRow("SELECT inBOX", .select(mailbox: "INBOX", readOnly: false, parameters: .init())),
        CommandRow("EXAMINE blurdybloop", .select(mailbox: "blurdybloop", readOnly: true, parameters: .init())),
        CommandRow(
            "SELECT INBOX (CONDSTORE)", .select(mailbox: "INBOX", readOnly: false, parameters: .init(condstore: true))),
        CommandRow(
            "SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211 (1,3:5 10,12:14)))",
            .select(
                mailbox: "INBOX", readOnly: false,
                parameters: .init(
                    qresync: IMAPQResync(
                        uidValidity: 67_890_007, modSeq: 20_050_715_194_045_000,
                        knownUIDs: set(r(41), r(43, 211)),
                        matchData: .init(sequenceNumbers: set(r(1), r(3, 5)), uids: set(r(10), r(12, 14))))))),
        CommandRow(
            "SELECT x (QRESYNC (1 0))",
            .select(mailbox: "x", readOnly: false, parameters: .init(qresync: .init(uidValidity: 1, modSeq: 0)))),
        CommandRow("CREATE owatagusiam/", .create(mailbox: "owatagusiam/", specialUse: [])),
        CommandRow("CREATE S (USE (\\Sent \\Drafts))", .create(mailbox: "S", specialUse: ["\\Sent", "\\Drafts"])),
        CommandRow("DELETE foo/bar", .delete(mailbox: "foo/bar")),
        CommandRow("RENAME a \"b c\"", .rename(from: "a", to: "b c")),
        CommandRow("SUBSCRIBE &AOQ-", .subscribe(mailbox: "ä")),
        CommandRow("UNSUBSCRIBE a&-b", .unsubscribe(mailbox: "a&b")),
        CommandRow("LSUB \"#news.\" \"comp.mail.*\"", .lsub(reference: "#news.", pattern: "comp.mail.*")),
        CommandRow(
            "STATUS b (UIDNEXT messages SIZE DELETED)",
            .status(mailbox: "b", items: [.uidNext, .messages, .size, .deleted])),
        CommandRow("LIST \"\" %", .list(.init(reference: "", patterns: ["%"]))),
        CommandRow(
            "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a \"b/*\") RETURN (CHILDREN STATUS (UNSEEN) SPECIAL-USE)",
            .list(
                .init(
                    selection: [.subscribed, .recursiveMatch], reference: "", patterns: ["a", "b/*"],
                    returnOptions: .init(children: true, specialUse: true, status: [.unseen]), isExtended: true))),
        CommandRow(
            "LIST () \"\" * RETURN ()",
            .list(.init(reference: "", patterns: ["*"], returnOptions: .init(), isExtended: true))),
        CommandRow("GETQUOTA \"\"", .getQuota(root: "")),
        CommandRow("GETQUOTAROOT INBOX", .getQuotaRoot(mailbox: "INBOX")),
        CommandRow(
            "SETQUOTA \"\" (STORAGE 512)",
            .setQuota(root: "", limits: [IMAPQuotaLimit(resource: "STORAGE", limit: 512)])),
        CommandRow(
            "GETMETADATA (MAXSIZE 1024 DEPTH infinity) \"\" (/Shared/comment)",
            .getMetadata(mailbox: "", entries: ["/shared/comment"], options: .init(maxSize: 1024, depth: .infinity))),
        CommandRow(
            "GETMETADATA INBOX (DEPTH 1) /private/a/b",
            .getMetadata(mailbox: "INBOX", entries: ["/private/a/b"], options: .init(depth: .one))),
        CommandRow(
            "SETMETADATA INBOX (/private/a ~{2}\r\nx\0 /shared/b NIL)",
            .setMetadata(
                mailbox: "INBOX",
                entries: [.init(name: "/private/a", value: bytes("x\0")), .init(name: "/shared/b", value: nil)])),
        CommandRow("NOTIFY NONE", .notify(.none)),
        CommandRow(
            "NOTIFY SET (selected MessageNew (uid) MessageExpunge) (personal (Foo))",
            .notify(
                .set(
                    status: false,
                    groups: [
                        .init(mailboxes: .selected, events: [.messageNew([.uid]), .messageExpunge]),
                        .init(mailboxes: .personal, events: [.other("FOO")]),
                    ]))),
        CommandRow(
            "NOTIFY SET STATUS (selected-delayed (MessageNew (UID FLAGS) MessageExpunge)) (subtree L (MailboxName))",
            .notify(
                .set(
                    status: true,
                    groups: [
                        .init(mailboxes: .selectedDelayed, events: [.messageNew([.uid, .flags]), .messageExpunge]),
                        .init(mailboxes: .subtree(["L"]), events: [.mailboxName]),
                    ]))),
        CommandRow(
            "NOTIFY SET (mailboxes (a b) NONE)",
            .notify(.set(status: false, groups: [.init(mailboxes: .mailboxes(["a", "b"]), events: [])]))),
    ]

    static let message: [CommandRow] = [
        CommandRow("COPY 2:4 MEETING", .copy(set: set(r(2, 4)), byUID: false, mailbox: "MEETING")),
        CommandRow("UID MOVE $ foo", .move(set: .savedResult, byUID: true, mailbox: "foo")),
        CommandRow("UID COPY *,7:* foo", .copy(set: set(r(star), r(7, star)), byUID: true, mailbox: "foo")),
        CommandRow(
            "STORE 2:4 +FLAGS (\\Deleted)",
            .store(.init(set: set(r(2, 4)), byUID: false, operation: .add, flags: [.deleted]))),
        CommandRow(
            "UID STORE 7 (UNCHANGEDSINCE 0) -flags.silent \\SEEN $Work \\Foo",
            .store(
                .init(
                    set: set(r(7)), byUID: true, unchangedSince: 0, operation: .remove, silent: true,
                    flags: [.seen, .keyword("$Work"), .unknownSystem("Foo")]))),
        CommandRow("STORE 1 FLAGS ()", .store(.init(set: set(r(1)), byUID: false, operation: .replace, flags: []))),
        CommandRow(
            "STORE 1 FLAGS (\\Recent)",
            .store(.init(set: set(r(1)), byUID: false, operation: .replace, flags: [.recent]))),
    ]

    /// Runs of spaces, none behind a list or a string, a comma at the end of a set: as Dovecot 2.3 accepts them.
    static let loose: [CommandRow] = [
        CommandRow("  NOOP  ", .noop),
        CommandRow("ID  ( \"name\"  \"x\" )", .id([IMAPIDField(name: "name", value: bytes("x"))])),
        CommandRow(
            "ID (\"a\" \"x\"\"b\" \"y\")",
            .id([IMAPIDField(name: "a", value: bytes("x")), IMAPIDField(name: "b", value: bytes("y"))])),
        CommandRow("ENABLE  CONDSTORE  X ", .enable(["CONDSTORE", "X"])),
        CommandRow("AUTHENTICATE  PLAIN  =", .authenticate(mechanism: "PLAIN", initialResponse: [])),
        CommandRow("LOGIN  a  b ", .login(user: bytes("a"), password: bytes("b"))),
        CommandRow("LOGIN \"a\"\"b\"", .login(user: bytes("a"), password: bytes("b"))),
        CommandRow("LOGIN {1}\r\na{1}\r\nb", .login(user: bytes("a"), password: bytes("b"))),
        CommandRow("UID  EXPUNGE  1", .expunge(uids: set(r(1)))),
        CommandRow("COPY  1,  x ", .copy(set: set(r(1)), byUID: false, mailbox: "x")),
        CommandRow("UID  MOVE  1:2,  x", .move(set: set(r(1, 2)), byUID: true, mailbox: "x")),
        CommandRow("RENAME  a  \"b\" ", .rename(from: "a", to: "b")),
        CommandRow(
            "SELECT  x  ( CONDSTORE )", .select(mailbox: "x", readOnly: false, parameters: .init(condstore: true))),
        CommandRow("SELECT x ()", .select(mailbox: "x", readOnly: false, parameters: .init())),
        CommandRow(
            "SELECT \"x\"( QRESYNC  ( 1  2  3  ( 4  5 ) ) )",
            .select(
                mailbox: "x", readOnly: false,
                parameters: .init(
                    qresync: IMAPQResync(
                        uidValidity: 1, modSeq: 2, knownUIDs: set(r(3)),
                        matchData: .init(sequenceNumbers: set(r(4)), uids: set(r(5))))))),
        CommandRow("CREATE  S  ( USE  ( \\Sent ) )", .create(mailbox: "S", specialUse: ["\\Sent"])),
        CommandRow("STATUS  b  ( UIDNEXT  SIZE )", .status(mailbox: "b", items: [.uidNext, .size])),
        CommandRow("LIST \"\"*", .list(.init(reference: "", patterns: ["*"]))),
        CommandRow(
            "LIST  ( SUBSCRIBED )\"\"( a  b )RETURN  ( CHILDREN  STATUS  ( UNSEEN ) ) ",
            .list(
                .init(
                    selection: [.subscribed], reference: "", patterns: ["a", "b"],
                    returnOptions: .init(children: true, status: [.unseen]), isExtended: true))),
        CommandRow(
            "GETMETADATA  INBOX  ( DEPTH  1 )  ( /private/a ) ",
            .getMetadata(mailbox: "INBOX", entries: ["/private/a"], options: .init(depth: .one))),
        CommandRow(
            "GETMETADATA INBOX ( /private/a )",
            .getMetadata(mailbox: "INBOX", entries: ["/private/a"], options: .init())),
        CommandRow(
            "NOTIFY  SET  ( selected  ( MessageNew  ( uid )  MessageExpunge ) )( personal  ( Foo ) ) ",
            .notify(
                .set(
                    status: false,
                    groups: [
                        .init(mailboxes: .selected, events: [.messageNew([.uid]), .messageExpunge]),
                        .init(mailboxes: .personal, events: [.other("FOO")]),
                    ]))),
        CommandRow(
            "STORE  2:4,  +FLAGS  ( \\Deleted )",
            .store(.init(set: set(r(2, 4)), byUID: false, operation: .add, flags: [.deleted]))),
        CommandRow(
            "STORE 1 ( UNCHANGEDSINCE  5 )+FLAGS  \\Seen  x ",
            .store(
                .init(
                    set: set(r(1)), byUID: false, unchangedSince: 5, operation: .add, flags: [.seen, .keyword("x")]))),
        CommandRow(
            "SEARCH  RETURN  ( COUNT )CHARSET  utf-8  ALL ",
            .search(
                .init(
                    byUID: false, returnOptions: .init(count: true), charset: "UTF-8", program: .init([.key(.all)])))),
        CommandRow(
            "SEARCH  OR  ( ALL  NEW )NOT  1,  ",
            .search(
                .init(
                    byUID: false,
                    program: .init([.or, .and(2), .key(.all), .key(.new), .not, .key(.sequence(set(r(1))))])))),
        CommandRow(
            "SORT  ( REVERSE  DATE )UTF-8  ALL",
            .sort(
                .init(
                    byUID: false, criteria: [.init(.date, reverse: true)], charset: "UTF-8",
                    program: .init([.key(.all)])))),
    ]

    @Test("typed values", arguments: plain + mailbox + message + loose)
    func parses(_ row: CommandRow) {
        #expect(parse(row.text) == .success(row.command))
    }

    @Test(
        "refused",
        arguments: [
            "NOOP extra", "LOGIN a", "LOGIN a b c", "LOGIN \"a b", "LOGIN \"a\\n\" b", "LOGIN {5}\r\nab b",
            "LOGIN {2}\r\n\0a b", "LOGIN é b", "SELECT", "SELECT (a)", "SELECT a (FOO)", "SELECT a (QRESYNC (0 1))",
            "SELECT a (QRESYNC (1 1 1:*))", "STATUS a ()", "STATUS a (FOO)", "LIST (RECURSIVEMATCH) \"\" *",
            "LIST (RECURSIVEMATCH REMOTE) \"\" *", "LIST \"\" * RETURN (FOO)", "STORE 1 FLAGS (\\Seen",
            "STORE 1 BODY x", "STORE 0 FLAGS x", "COPY 1:0 x", "COPY , x", "COPY 1,, x", "COPY 4294967296 x",
            "AUTHENTICATE PLAIN a", "AUTHENTICATE PLAIN ====", "GETMETADATA a /other/x", "GETMETADATA a /private/",
            "GETMETADATA a /private/x//y", "GETMETADATA a /private/*", "NOTIFY SET", "NOTIFY SET (selected ())",
            "NOTIFY SET (selected)", "NOTIFY SET (other NONE)",
            "SETQUOTA \"\" (STORAGE 9223372036854775808)", "APPEND INBOX", "REPLACE 1 x", "ID (\"a\")", "ID ( \"a\" )",
            "ENABLE", "SEARCH NOT(ALL)", "SEARCH 1(ALL)", "SEARCH ALL(ALL)", "STATUS a(MESSAGES)",
            "SELECT a(CONDSTORE)",
            "STORE 1 +FLAGS", "STORE 1 FLAGS ", "STORE 1 +FLAGS(\\Seen)", "NOOP\r", "SELECT a\rb", "LOGIN a\rb c",
            "SEARCH\tALL", "FETCH 1\tFLAGS",
        ])
    func refuses(_ text: String) {
        guard case .failure(.syntax) = parse(text) else {
            Issue.record("not refused: \(parse(text))")
            return
        }
    }

    @Test func unknownCommandsAndTags() {
        #expect(parse("XYZZY 1") == .failure(.unknownCommand("XYZZY")))
        #expect(parse("UID NOOP") == .failure(.unknownCommand("UID NOOP")))
        let tagless = IMAPCommandParser.parse(bytes("+a NOOP"), acceptsUTF8: false)
        #expect(tagless == .failure(IMAPRejection(tag: nil, reason: .badTag)))
        let tagged = IMAPCommandParser.parse(bytes("t.1 FOO"), acceptsUTF8: false)
        #expect(tagged == .failure(IMAPRejection(tag: "t.1", reason: .unknownCommand("FOO"))))
    }

    @Test func namesInUTF8OnceEnabled() {
        #expect(parse("DELETE \"Тест & a\"", acceptsUTF8: true) == .success(.delete(mailbox: "Тест & a")))
        #expect(parse("DELETE &AOQ-", acceptsUTF8: true) == .success(.delete(mailbox: "&AOQ-")))
        #expect(parse("DELETE \"Тест\"") == .success(.delete(mailbox: "Тест")), "eight bits are no modified UTF-7")
        let broken: [UInt8] = [0xC3, 0x28]
        #expect(
            parse(bytes("DELETE \"") + broken + bytes("\""), acceptsUTF8: true)
                == .failure(.syntax("Invalid UTF-8 in quoted string")))
        for acceptsUTF8 in [true, false] {
            #expect(
                parse(bytes("DELETE {2}\r\n") + broken, acceptsUTF8: acceptsUTF8) == .failure(.badMailboxName))
            // C1 controls, line separators and paragraph separators.
            for name in ["a\u{85}b", "a\u{2028}", "\u{2029}"] {
                #expect(parse("DELETE \"\(name)\"", acceptsUTF8: acceptsUTF8) == .failure(.badMailboxName))
            }
        }
        #expect(parse("DELETE {3}\r\na\nb", acceptsUTF8: true) == .failure(.badMailboxName))
    }
}
