import IMAPCodec
import NIOCore
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// GETMETADATA and SETMETADATA, tested by the examples of RFC 5464.
@Suite struct IMAPSessionMetadataTests {
    @Test func theRFCsExamples() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        #expect(await dialogue.ok("CAPABILITY")[line: 0].contains(" METADATA"))
        #expect(await dialogue.send("a SETMETADATA INBOX (/private/comment {33}\r\n") == ["+ OK"])
        #expect(
            await dialogue.send("My new comment across\r\ntwo lines.)\r\n") == ["a OK SETMETADATA completed"])
        #expect(
            await dialogue.ok("GETMETADATA INBOX /private/comment") == [
                "* METADATA INBOX (/private/comment {33}", "My new comment across", "two lines.)",
            ])
        await dialogue.ok(#"SETMETADATA INBOX (/PRIVATE/Comment "My own" /shared/comment "This one is for you!")"#)
        for command in [
            #"GETMETADATA "INBOX" (/shared/comment /private/comment)"#,
            #"GETMETADATA "INBOX" /shared/comment /private/COMMENT"#,
        ] {
            #expect(
                await dialogue.ok(command) == [
                    #"* METADATA INBOX (/shared/comment "This one is for you!" /private/comment "My own")"#
                ])
        }
        for command in [
            #"GETMETADATA "INBOX" (MAXSIZE 10) (/shared/comment /private/comment)"#,
            #"GETMETADATA (MAXSIZE 10) INBOX (/shared/comment /private/comment)"#,
        ] {
            let (lines, result) = await dialogue.command(command)
            #expect(lines == [#"* METADATA INBOX (/private/comment "My own")"#])
            #expect(result == "OK [METADATA LONGENTRIES 20] GETMETADATA completed")
        }
        await dialogue.ok("SETMETADATA INBOX (/private/comment NIL)")
        #expect(await dialogue.ok("GETMETADATA INBOX /private/comment") == ["* METADATA INBOX (/private/comment NIL)"])
        await dialogue.ok(#"SETMETADATA "" (/shared/comment "My comment")"#)
        #expect(
            await dialogue.ok(#"GETMETADATA "" /shared/comment"#)
                == [#"* METADATA "" (/shared/comment "My comment")"#])
    }

    @Test(
        arguments: [
            ("1", "/private/filters/values", ["boss", "small"]), ("0", "/private/filters/values", nil),
            ("infinity", "/private/filters/values", ["boss", "boss/deep", "small"]),
            ("INFINITY", "/private/filters", ["boss", "boss/deep", "small"]), ("1", "/private/filters", []),
            ("1", "/private/filters/values/boss", ["boss", "boss/deep"]), ("infinity", "/private/fil", []),
            ("infinity", "/private", ["boss", "boss/deep", "small"]), ("1", "/private", []), ("0", "/PRIVATE", nil),
        ] as [(String, String, [String]?)]) func depths(depth: String, entry: String, found: [String]?) async throws
    {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        await dialogue.ok(
            """
            SETMETADATA INBOX (/private/filters/values/small "SMALLER 5000" /private/filters/values/boss \
            "FROM \\"boss@example.com\\"" /private/filters/values/boss/deep x /shared/filters/values/small y)
            """.replacing(" x ", with: " \"x\" ").replacing(" y)", with: " \"y\")"))
        let lines = await dialogue.ok("GETMETADATA INBOX (DEPTH \(depth)) (\(entry))")
        let values = ["small": #""SMALLER 5000""#, "boss": #""FROM \"boss@example.com\"""#, "boss/deep": #""x""#]
        let list = found?.map { "/private/filters/values/\($0) \(values[$0] ?? "")" }.joined(separator: " ")
        #expect(
            lines == (list == "" ? [] : ["* METADATA INBOX (\(list ?? "\(entry.lowercased()) NIL"))"]))
    }

    /// A root of all entries, which cannot be an entry's name.
    @Test(arguments: ["/private", "/Shared"]) func roots(entry: String) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.ok("GETMETADATA INBOX \(entry)") == ["* METADATA INBOX (\(entry.lowercased()) NIL)"])
        #expect(await dialogue.fails("SETMETADATA INBOX (\(entry) \"x\")").hasPrefix("BAD "))
    }

    @Test(arguments: [
        "comment", "/comment", "/private/", "/private//a", "/private/a/", "/other/a", "/private/a*",
        "/private/a%", "\"/private/caf\u{E9}\"", "\"\"",
    ]) func namesThatAreNone(entry: String) async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        #expect(await dialogue.fails("GETMETADATA INBOX \(entry)").hasPrefix("BAD "))
        #expect(await dialogue.fails("SETMETADATA INBOX (\(entry) \"x\")").hasPrefix("BAD "))
    }

    @Test func limits() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail())
        let long = String(repeating: "x", count: AnnotationLimits.valueSize)
        await dialogue.ok("SETMETADATA INBOX (/private/a {\(long.utf8.count)+}\r\n\(long))")
        #expect(
            await dialogue.fails(
                "SETMETADATA INBOX (/private/b \"b\" /private/a {\(long.utf8.count + 1)+}\r\n\(long)x)"
            ).hasPrefix("NO [METADATA MAXSIZE \(AnnotationLimits.valueSize)] "))
        #expect(await dialogue.ok("GETMETADATA INBOX /private/b") == ["* METADATA INBOX (/private/b NIL)"])
        let many = (1...AnnotationLimits.entries).map { "/private/\($0) \"\"" }.joined(separator: " ")
        #expect(await dialogue.fails("SETMETADATA INBOX (\(many))").hasPrefix("NO [METADATA TOOMANY] "))
        await dialogue.ok("SETMETADATA INBOX (/private/a NIL)")
        await dialogue.ok("SETMETADATA INBOX (\(many))")
        #expect(await dialogue.ok("GETMETADATA INBOX /private/7") == [#"* METADATA INBOX (/private/7 "")"#])
    }

    @Test func refusals() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        #expect(await dialogue.fails("GETMETADATA nowhere /private/a").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.fails("SETMETADATA nowhere (/private/a \"\")").hasPrefix("NO [NONEXISTENT]"))
        #expect(await dialogue.fails("SETMETADATA \"\" (/shared/admin \"x\")").hasPrefix("NO [NOPERM]"))
        #expect(await dialogue.fails("GETMETADATA INBOX (DEPTH 2) /private/a").hasPrefix("BAD "))
        #expect(await dialogue.fails("GETMETADATA INBOX ()").hasPrefix("BAD "))
        #expect(await dialogue.fails("SETMETADATA INBOX ()").hasPrefix("BAD "))
        #expect(await dialogue.fails("SETMETADATA INBOX (/private/a x)").hasPrefix("BAD "))
    }

    @Test func theyFollowTheMailbox() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("CREATE work")
        await dialogue.ok("SETMETADATA work (/shared/comment \"x\")")
        await dialogue.ok("RENAME work play")
        #expect(await dialogue.ok("GETMETADATA play /shared/comment") == [#"* METADATA play (/shared/comment "x")"#])
        await dialogue.ok("DELETE play")
        await dialogue.ok("CREATE play")
        #expect(await dialogue.ok("GETMETADATA play /shared/comment") == ["* METADATA play (/shared/comment NIL)"])
    }

    @Test func bytesOfAnyKind() async throws {
        let dialogue = await IMAPDialogue.alice(try IMAPTestMail(), select: nil)
        await dialogue.ok("SETMETADATA INBOX (/private/a ~{3+}\r\na\u{0}b)")
        #expect(
            await dialogue.ok("GETMETADATA INBOX /private/a")
                == ["* METADATA INBOX (/private/a ~{3}", "a\u{0}b)"])
    }
}
