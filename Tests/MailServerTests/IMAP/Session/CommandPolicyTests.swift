import NIOCore
import Testing

@testable import IMAPCodec
@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// The policy of every command, and the session's enforcement of it.
@Suite struct CommandPolicyTests {
    /// A command as sent, and its policy.
    struct Row: CustomTestStringConvertible, Sendable {
        let text: String
        let policy: CommandPolicy

        var testDescription: String { text }

        init(_ text: String, _ policy: CommandPolicy) { (self.text, self.policy) = (text, policy) }
    }

    static let rows = [
        Row("CAPABILITY", .init(.any)),
        Row("NOOP", .init(.any)),
        Row("LOGOUT", .init(.any)),
        Row("ID NIL", .init(.any)),
        Row("STARTTLS", .init(.any)),
        Row("AUTHENTICATE PLAIN", .init(.notAuthenticated)),
        Row("LOGIN alice secret", .init(.notAuthenticated)),
        Row("ENABLE CONDSTORE", .init(.authenticated)),
        Row("SELECT Sent", .init(.authenticated)),
        Row("EXAMINE Sent", .init(.authenticated)),
        Row("CREATE a/b/", .init(.authenticated, changedNames: ["a/b/"])),
        Row("DELETE a", .init(.authenticated, changedNames: ["a"])),
        Row("RENAME a b/c", .init(.authenticated, changedNames: ["a", "b/c"])),
        Row("SUBSCRIBE a", .init(.authenticated, changedNames: ["a"])),
        Row("UNSUBSCRIBE a", .init(.authenticated, changedNames: ["a"])),
        Row("LIST \"\" *", .init(.authenticated)),
        Row("LSUB \"\" *", .init(.authenticated)),
        Row("NAMESPACE", .init(.authenticated)),
        Row("STATUS Sent (MESSAGES)", .init(.authenticated)),
        Row("IDLE", .init(.authenticated)),
        Row("GETQUOTA \"\"", .init(.authenticated)),
        Row("GETQUOTAROOT INBOX", .init(.authenticated)),
        Row("SETQUOTA \"\" (STORAGE 1)", .init(.authenticated)),
        Row("GETMETADATA INBOX /private/comment", .init(.authenticated)),
        Row("SETMETADATA INBOX (/private/comment NIL)", .init(.authenticated)),
        Row("NOTIFY NONE", .init(.authenticated)),
        Row("COMPRESS DEFLATE", .init(.authenticated)),
        Row("CHECK", .init(.selected)),
        Row("CLOSE", .init(.selected)),
        Row("UNSELECT", .init(.selected)),
        Row("EXPUNGE", .init(.writable, changesSelected: true)),
        Row("UID EXPUNGE 1", .init(.writable, changesSelected: true)),
        Row("SEARCH ALL", .init(.selected, allowsExpunge: false)),
        Row("UID SEARCH UID 1", .init(.selected)),
        Row("UID SEARCH NOT 1", .init(.selected, allowsExpunge: false)),
        Row("UID SEARCH OR SEEN (ANSWERED 1)", .init(.selected, allowsExpunge: false)),
        Row("SORT (DATE) UTF-8 ALL", .init(.selected, allowsExpunge: false)),
        Row("UID SORT (DATE) UTF-8 ALL", .init(.selected)),
        Row("UID SORT (DATE) UTF-8 1", .init(.selected, allowsExpunge: false)),
        Row("THREAD REFERENCES UTF-8 ALL", .init(.selected, allowsExpunge: false)),
        Row("UID THREAD REFERENCES UTF-8 ALL", .init(.selected)),
        Row("UID THREAD REFERENCES UTF-8 1", .init(.selected, allowsExpunge: false)),
        Row("FETCH 1 FLAGS", .init(.selected, allowsExpunge: false, changesSelected: true)),
        Row("UID FETCH 1 FLAGS", .init(.selected, changesSelected: true)),
        Row("STORE 1 FLAGS \\Seen", .init(.writable, allowsExpunge: false, changesSelected: true)),
        Row("UID STORE 1 FLAGS \\Seen", .init(.writable, changesSelected: true)),
        Row("COPY 1 Sent", .init(.selected)),
        Row("UID COPY 1 Sent", .init(.selected)),
        Row("MOVE 1 Sent", .init(.writable, changesSelected: true)),
        Row("UID MOVE 1 Sent", .init(.writable, changesSelected: true)),
        Row("APPEND INBOX {1+}\r\nx", .init(.authenticated)),
        Row("REPLACE 1 INBOX {1+}\r\nx", .init(.writable, changesSelected: true)),
        Row("UID REPLACE 1 INBOX {1+}\r\nx", .init(.writable, changesSelected: true)),
    ]

    @Test(arguments: rows) func policy(row: Row) {
        #expect(Self.parsedPolicy(of: row.text) == row.policy)
    }

    /// A new command needs a new row.
    @Test func noCommandIsMissing() {
        let named = Set(
            Self.rows.compactMap { row in
                row.text.split(separator: " ").first { $0 != "UID" }.flatMap { IMAPCommandName(rawValue: String($0)) }
            })
        #expect(named == Set(IMAPCommandName.allCases))
    }

    /// Names above a changed mailbox change with it: whether they have children.
    @Test func changedNamesAreReportedWithThoseAbove() {
        let policy = CommandPolicy(.authenticated, changedNames: ["a/b/", "inbox/c", "/"])
        #expect(policy.changedTree == ["a", "a/b", "INBOX", "INBOX/c"])
    }

    // MARK: In the session

    @Test(arguments: rows) func isHeldToItsStateBeforeALogin(row: Row) async throws {
        let dialogue = await IMAPDialogue(try IMAPTestMail())
        _ = dialogue.take()
        switch row.policy.state {
        case .any, .notAuthenticated: #expect(await !Self.isRefused(row, in: dialogue))
        case .authenticated, .selected, .writable:
            // A message is too large before login, whatever the command.
            guard !row.text.contains("{") else { return }
            #expect(await dialogue.fails(row.text) == "BAD Log in first")
        }
    }

    @Test(arguments: rows) func isHeldToItsStateWithoutAMailbox(row: Row) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        switch row.policy.state {
        case .any, .authenticated: #expect(await !Self.isRefused(row, in: dialogue))
        case .notAuthenticated: #expect(await dialogue.fails(row.text) == "BAD Already logged in")
        case .selected, .writable: #expect(await dialogue.fails(row.text) == "BAD Select a mailbox first")
        }
    }

    @Test(arguments: rows) func isHeldToItsStateInAMailboxForReading(row: Row) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("APPEND INBOX {1+}\r\nx")
        await dialogue.ok("EXAMINE INBOX")
        switch row.policy.state {
        case .any, .authenticated, .selected: #expect(await !Self.isRefused(row, in: dialogue))
        case .notAuthenticated: #expect(await dialogue.fails(row.text) == "BAD Already logged in")
        case .writable:
            #expect(await dialogue.fails(row.text) == "NO [READ-ONLY] The mailbox is read-only")
        }
    }

    /// A login refused because of the state leaves the client's enabled extensions unchanged.
    @Test func aSecondLoginChangesNothing() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("ENABLE UTF8=ACCEPT")
        #expect(await dialogue.fails("LOGIN alice@example.com secret") == "BAD Already logged in")
        await dialogue.ok("CREATE \"Entwürfe\"")
        #expect(await dialogue.ok("LIST \"\" E*")[line: 0].hasSuffix("\"Entwürfe\""))
    }

    private static func isRefused(_ row: Row, in dialogue: IMAPDialogue) async -> Bool {
        let (_, result) = await dialogue.command(row.text)
        return ["BAD Log in first", "BAD Already logged in", "BAD Select a mailbox first", "NO [READ-ONLY]"]
            .contains { result.hasPrefix($0) }
    }

    private static func parsedPolicy(of text: String) -> CommandPolicy? {
        var decoder = IMAPFrameDecoder(options: .init())
        decoder.append(ByteBuffer(string: "a \(text)\r\n"))
        return switch decoder.next() {
        case .command(let command): command.command.policy
        case .appendBegin(let message): message.policy
        default: nil
        }
    }
}
