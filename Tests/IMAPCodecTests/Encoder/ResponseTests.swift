import NIOCore
import Testing

@testable import IMAPCodec

/// Writes single FETCH values for comparison.
struct IMAPFetchText {
    func text(_ value: IMAPFetchValue, utf8: Bool = false) -> String {
        var buffer = ByteBuffer()
        var writer = IMAPFetchWriter(sequenceNumber: 1, utf8: utf8, into: &buffer)
        writer.write(value, into: &buffer)
        writer.end(into: &buffer)
        return String(String(buffer: buffer).dropFirst("* 1 FETCH (".count).dropLast(")\r\n".count))
    }
}

@Suite struct ResponseTests {
    @Test(arguments: [0, 9, 10, 99, 100, 1_000_000_000, UInt64(UInt32.max), UInt64.max])
    func numbers(_ number: UInt64) {
        var buffer = ByteBuffer()
        buffer.writeNumber(number)
        #expect(String(buffer: buffer) == "\(number)")
    }

    static let rows: [(IMAPResponse, String)] = [
        (.status(tag: "a1", .ok, text: "done"), "a1 OK done"), (.status(tag: nil, .bad, text: "no"), "* BAD no"),
        (.status(tag: "a", .no, code: .tryCreate, text: "x"), "a NO [TRYCREATE] x"),
        (.bye(code: .unavailable, text: "x"), "* BYE [UNAVAILABLE] x"), (.preauth(text: "hi"), "* PREAUTH hi"),
        (.continuation(text: "go"), "+ go"), (.challenge([]), "+ "), (.challenge(bytes("foo")), "+ Zm9v"),
        (.capability(["IMAP4rev1", "AUTH=PLAIN"]), "* CAPABILITY IMAP4rev1 AUTH=PLAIN"),
        (.enabled([]), "* ENABLED"), (.id(nil), "* ID NIL"),
        (
            .id([.init(name: "name", value: bytes("rmail")), .init(name: "os", value: nil)]),
            "* ID (\"name\" \"rmail\" \"os\" NIL)"
        ),
        (.flags([.answered, .keyword("$Work"), .keyword("b d"), .newKeywords]), "* FLAGS (\\Answered $Work \\*)"),
        (.exists(23), "* 23 EXISTS"), (.recent(5), "* 5 RECENT"), (.expunge(44), "* 44 EXPUNGE"),
        (.vanished(earlier: true, [41...41, 43...116]), "* VANISHED (EARLIER) 41,43:116"),
        (.vanished(earlier: false, [1...2]), "* VANISHED 1:2"),
        (.search([2, 3, 6]), "* SEARCH 2 3 6"), (.search([]), "* SEARCH"),
        (.search([2], modSeq: 9), "* SEARCH 2 (MODSEQ 9)"), (.sort([5, 3]), "* SORT 5 3"),
        (
            .esearch(.init(tag: "A2", byUID: true, min: 2, max: 47, all: [2...2, 10...15], count: 25, modSeq: 7)),
            "* ESEARCH (TAG \"A2\") UID MIN 2 MAX 47 ALL 2,10:15 COUNT 25 MODSEQ 7"
        ),
        (
            .esearch(.init(tag: "A", byUID: false, partial: (.init(1...100, fromEnd: true), []))),
            "* ESEARCH (TAG \"A\") PARTIAL (-1:-100 NIL)"
        ),
        (
            .thread([
                .open, .number(2), .close, .open, .number(3), .number(6), .open, .number(4), .number(23), .close, .open,
                .number(44), .number(7), .number(96), .close, .close,
            ]), "* THREAD (2)(3 6 (4 23)(44 7 96))"
        ), (.thread([]), "* THREAD"),
        (.thread([.open, .open, .number(3), .close, .open, .number(5), .close, .close]), "* THREAD ((3)(5))"),
        (
            .list(.init(attributes: ["\\HasChildren", "\\Sent"], mailbox: "ä b")),
            "* LIST (\\HasChildren \\Sent) \"/\" \"&AOQ- b\""
        ),
        (
            .list(.init(attributes: [], separator: nil, mailbox: "", childInfo: ["SUBSCRIBED"], oldName: "x")),
            "* LIST () NIL \"\" (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (x))"
        ),
        (.lsub(attributes: ["\\Noselect"], mailbox: "nil"), "* LSUB (\\Noselect) \"/\" \"nil\""),
        (
            .mailboxStatus(mailbox: "b", [.number(.messages, 231), .appendLimit(nil), .mailboxID("F1")]),
            "* STATUS b (MESSAGES 231 APPENDLIMIT NIL MAILBOXID (F1))"
        ),
        (
            .namespace(personal: [.init(prefix: "", separator: "/")], others: [], shared: []),
            "* NAMESPACE ((\"\" \"/\")) NIL NIL"
        ),
        (.quota(root: "", [.init(resource: "STORAGE", usage: 10, limit: 512)]), "* QUOTA \"\" (STORAGE 10 512)"),
        (.quotaRoot(mailbox: "INBOX", roots: [""]), "* QUOTAROOT INBOX \"\""),
        (
            .metadata(
                mailbox: "INBOX", [.init(name: "/private/a", value: bytes("x\r\ny")), .init(name: "/b", value: nil)]),
            "* METADATA INBOX (/private/a {4}\r\nx\r\ny /b NIL)"
        ),
        (.metadataChanged(mailbox: "", entries: ["/shared/a"]), "* METADATA \"\" /shared/a"),
    ]

    @Test("wire form", arguments: rows)
    func encodes(_ response: IMAPResponse, _ text: String) {
        #expect(encoded(response) == text + "\r\n")
    }

    static let codes: [(IMAPResponseCode, String)] = [
        (.alert, "ALERT"), (.badCharset(["UTF-8"]), "BADCHARSET (UTF-8)"), (.badCharset([]), "BADCHARSET"),
        (.permanentFlags([.deleted, .newKeywords]), "PERMANENTFLAGS (\\Deleted \\*)"), (.readOnly, "READ-ONLY"),
        (.uidNext(4392), "UIDNEXT 4392"), (.unseen(12), "UNSEEN 12"), (.overQuota, "OVERQUOTA"),
        (.appendUID(uidValidity: 3, uids: [5...5]), "APPENDUID 3 5"),
        (
            .copyUID(uidValidity: 3, source: [304...304, 319...320], destination: [3956...3958]),
            "COPYUID 3 304,319:320 3956:3958"
        ),
        (.highestModSeq(715), "HIGHESTMODSEQ 715"), (.modified([7...7, 9...9]), "MODIFIED 7,9"),
        (.metadataLongEntries(2199), "METADATA LONGENTRIES 2199"), (.mailboxID("F2"), "MAILBOXID (F2)"),
        (.inProgress(tag: "A1", done: 454, goal: nil), "INPROGRESS (\"A1\" 454 NIL)"),
        (.inProgress(tag: nil, done: nil, goal: nil), "INPROGRESS"), (.badEvent(["X"]), "BADEVENT (X)"),
        (.capability(["A", "B]\r\n"]), "CAPABILITY A B___"),
    ]

    @Test("codes", arguments: codes)
    func code(_ code: IMAPResponseCode, _ text: String) {
        #expect(encoded(.status(tag: "a", .ok, code: code, text: "t")) == "a OK [\(text)] t\r\n")
    }

    @Test func textCannotBreakOut() {
        #expect(encoded(.status(tag: "a", .ok, text: "x\r\n* 1 EXISTS\0é")) == "a OK x  * 1 EXISTS ?\r\n")
        #expect(encoded(.status(tag: "a", .ok, text: "[ALERT] x")) == "a OK (ALERT] x\r\n")
        #expect(encoded(.bye(text: "é\u{85}\u{7F}"), utf8: true) == "* BYE é  \r\n")
        #expect(encoded(.status(tag: "a\r\nb", .ok, text: "")) == "a__b OK \r\n")
        #expect(
            encoded(.list(.init(attributes: ["\\A\r\n"], mailbox: "a\r\nb"))) == "* LIST (\\A__) \"/\" a&AA0ACg-b\r\n")
    }

    @Test func utf8Names() {
        #expect(encoded(.quotaRoot(mailbox: "Ä&", roots: []), utf8: true) == "* QUOTAROOT \"Ä&\"\r\n")
        #expect(encoded(.quotaRoot(mailbox: "Ä&", roots: [])) == "* QUOTAROOT &AMQ-&-\r\n")
    }
}
