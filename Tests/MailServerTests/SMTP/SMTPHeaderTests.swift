import NIOCore
import SMTPCodec
import Testing

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

@Suite struct SMTPHeaderTests {
    private static let additions = SMTPHeaderInspector.Additions(date: "D", messageID: "<m>")

    private func run(_ text: String, step: Int, adds: Bool = true) throws -> String {
        var inspector = SMTPHeaderInspector(maxSize: 10000, maxReceived: 100, additions: adds ? Self.additions : nil)
        var output = ByteBuffer()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            output.writeImmutableBuffer(try inspector.process(ByteBuffer(bytes: rest.prefix(step))))
            rest = rest.dropFirst(step)
        }
        output.writeImmutableBuffer(inspector.finish())
        return String(buffer: output)
    }

    private static let added = "Date: D\r\nMessage-ID: <m>\r\n"

    @Test(arguments: [
        ("a: b\r\n\r\nbody\r\n", "a: b\r\n\(added)\r\nbody\r\n"),
        ("Date: x\r\n\r\n", "Date: x\r\nMessage-ID: <m>\r\n\r\n"),
        ("DATE : x\r\nmessage-id\t: y\r\n\r\n", "DATE : x\r\nmessage-id\t: y\r\n\r\n"),
        ("X: y\r\n Date: z\r\n\r\n", "X: y\r\n Date: z\r\n\(added)\r\n"),
        ("", added),
        ("a: b\r\n", "a: b\r\n\(added)"),
        ("a: b", "a: b\r\n\(added)"),
        ("Date: x\r\nMessage-ID: y", "Date: x\r\nMessage-ID: y"),
        ("\r\nbody", "\(added)\r\nbody"),
        ("a: b\r\n\r", "a: b\r\n\(added)\r"),
        // Only an empty line ends a header: lines that are not a field stay in place, and fields after them are fields.
        ("no header at all\r\n", "no header at all\r\n\(added)"),
        ("word", "word\r\n\(added)"),
        ("word ", "word \r\n\(added)"),
        (" folded\r\n", " folded\r\n\(added)"),
        (": x\r\n", ": x\r\n\(added)"),
        ("From a@b Mon\r\nDate: z\r\n\r\nx", "From a@b Mon\r\nDate: z\r\nMessage-ID: <m>\r\n\r\nx"),
        ("a: b\r\n>From x\r\nDate: z\r\n\r\n", "a: b\r\n>From x\r\nDate: z\r\nMessage-ID: <m>\r\n\r\n"),
        ("\u{E4}: b\r\n\r\n", "\u{E4}: b\r\n\(added)\r\n"),
        ("\rx\r\nDate: z\r\n\r\n", "\rx\r\nDate: z\r\nMessage-ID: <m>\r\n\r\n"),
        (
            String(repeating: "n", count: 300) + ": x\r\n\r\n",
            String(repeating: "n", count: 300) + ": x\r\n\(added)\r\n"
        ),
    ]) func headers(text: String, expected: String) throws {
        for step in [1, 2, 3, Int.max] {
            #expect(try run(text, step: step) == expected, "step \(step)")
        }
    }

    @Test func nothingIsAddedWithoutAdditions() throws {
        for text in ["a: b\r\n\r\nx", "a: b", "word", "From x\r\na: b\r\n\r", "\r\n", ""] {
            #expect(try run(text, step: 1, adds: false) == text)
        }
    }

    @Test(arguments: [
        ("From: a@x\r\n b\r\n\r\n", ["a@x b"]),
        ("odd line\r\n c\r\nFrom: a@x\r\n\r\n", ["a@x"]),
        ("From: a@x\r\nodd line\r\n c\r\nfrom\t : b@x\r\n\r\nFrom: c@x\r\n", ["a@x", "b@x"]),
        ("From" + String(repeating: " ", count: 400) + ": a@x\r\n\r\n", ["a@x"]),
        ("From a@b Mon 10:00:00\r\nX: y\r\n\r\n", []),
    ]) func fromFieldsAreKept(text: String, expected: [String]) throws {
        var inspector = SMTPHeaderInspector(maxSize: 10000, maxReceived: 100, additions: nil)
        for byte in text.utf8 { _ = try inspector.process(ByteBuffer(bytes: [byte])) }
        let values = inspector.fromValues.map { value in
            String(decoding: value, as: UTF8.self).replacing("\r\n", with: "").trimmingPrefix(" ")
        }
        #expect(values.map(String.init) == expected)
    }

    @Test(arguments: [
        ("alice@x", ["alice@x"]),
        (" Alice <alice@x>\r\n", ["alice@x"]),
        ("\"A, B\" <alice@x>, Bob <bob@y>", ["alice@x", "bob@y"]),
        ("(comment (nested \\)) <no@z>) alice@x (more)", ["alice@x"]),
        ("Group: alice@x, Bob <bob@y>;", ["alice@x", "bob@y"]),
        ("\"alice@x\" <bob@y>", ["bob@y"]),
        ("alice@x <bob@y>", ["bob@y", "alice@x"]),
        ("\"a b\"@x", ["\"a b\"@x"]),
        ("alice\r\n @ x", ["alice@x"]),
        ("<\"q>\"@x>", ["\"q>\"@x"]),
        ("a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        ("alice@x,,", ["alice@x"]),
    ]) func fromFields(value: String, expected: [String]) {
        #expect(SMTPFromField.addresses(in: Array(value.utf8))?.map(\.description) == expected)
    }

    @Test(arguments: [
        "", " \r\n", "nobody", "<alice@x", "alice@x>", "<a@x> <b@y>", "<<a@x>>", "(a@x", "a@x)", "\"a@x", "a@x b@y",
        "<a@x(c)>",
        "a@x (\\", "Group:;", "a@x b <c@y>", String(repeating: "(", count: 5000),
    ]) func unreadableFromFields(value: String) {
        #expect(SMTPFromField.addresses(in: Array(value.utf8)) == nil)
    }

    @Test(arguments: [
        (true, false, false, false, "ESMTP"), (true, true, false, false, "ESMTPS"),
        (true, true, true, false, "ESMTPSA"),
        (true, false, true, false, "ESMTPA"), (false, true, false, false, "SMTP"),
        (true, true, true, true, "UTF8SMTPSA"),
        (true, false, false, true, "UTF8SMTP"),
    ]) func transmissionTypes(isExtended: Bool, isTLS: Bool, isUser: Bool, isUTF8: Bool, expected: String) {
        var parameters = SMTPMailParameters()
        parameters.smtpUTF8 = isUTF8
        let envelope = SMTPEnvelope(
            sender: .null, parameters: parameters, user: isUser ? SMTPUser(addresses: []) : nil,
            remoteAddress: "2001:db8::1", clientName: "evil)\u{E4}\"name")
        let trace = SMTPTrace(
            envelope: envelope, hostname: "h", isExtended: isExtended, isTLS: isTLS, stamp: .init(id: "i", date: "D"))
        #expect(
            String(buffer: trace.fields())
                == "Return-Path: <>\r\nReceived: from evil????name ([IPv6:2001:db8::1])\r\n"
                + "\tby h with \(expected) id i;\r\n\tD\r\n"
        )
    }
}
