import Testing

@testable import MIME

/// Input designed to exhaust time, memory or stack. At these sizes anything quadratic takes minutes.
@Suite struct HostileInputTests {
    private func ends(_ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) -> Message {
        let message = Message(parsing: bytes)
        #expect(brokenRule(message, in: bytes) == nil, sourceLocation: sourceLocation)
        return message
    }

    @Test func thousandsOfParts() {
        let part = "--b\nContent-Type: text/html\n\nx\n"
        let message = ends(
            mail("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: part, count: 20_000)))
        guard case .multipart(let parts) = message.root.structure else {
            Issue.record("not a multipart")
            return
        }
        #expect(parts.count == 9999)
        #expect(parts[5000].lines == 0)
    }

    @Test func hundredThousandNestedBoundaries() {
        var text = "Content-Type: multipart/mixed; boundary=b0\n\n"
        for level in 0..<100_000 { text += "--b\(level)\nContent-Type: multipart/mixed; boundary=b\(level + 1)\n\n" }
        _ = ends(utf8(text))
    }

    @Test func nestedMessages() {
        let message = ends(utf8(String(repeating: "Content-Type: message/rfc822\n\n", count: 20_000)))
        var depth = 1
        var part = message.root
        while case .message(let inner) = part.structure {
            depth += 1
            part = inner.root
        }
        #expect(depth == 100)
        #expect(part.fields.type == .opaque)
    }

    @Test func boundariesThatAreLongPrefixesOfEachOther() {
        var text = "Content-Type: multipart/mixed; boundary=" + String(repeating: "x", count: 1) + "\n\n"
        for level in 1..<99 {
            text +=
                "--" + String(repeating: "x", count: level) + "\nContent-Type: multipart/mixed; boundary="
                + String(repeating: "x", count: level + 1) + "\n\n"
        }
        text += String(repeating: "--" + String(repeating: "x", count: 98) + "y\n", count: 20_000)
        _ = ends(utf8(text))
    }

    @Test func endlessHeaderLine() {
        let bytes = utf8("Subject: x\r\nX: ") + [UInt8](repeating: 0x61, count: 4 << 20)
        let message = ends(bytes)
        #expect(message.root.header == 0..<12)
        #expect(string(message.envelope.subject) == "x")
    }

    @Test func endlessFolding() {
        let message = ends(utf8("Subject: x\n" + String(repeating: " y\n", count: 1 << 20)))
        #expect(message.root.header.count <= 1 << 20)
    }

    @Test func tinyHeaderFields() {
        let bytes = utf8(String(repeating: "a:\n", count: 300_000) + "\nbody")
        #expect(ends(bytes).root.body.count == 4)
        let header = HeaderBlock(scanning: bytes.span)
        #expect(header.raw(.except([utf8("b")]), in: bytes.span, hasBody: true).count == 900_002)
    }

    @Test func addressFloods() {
        for unit in [",", "<", "@", "a@b,", "(", "\"", "a:", ";", "a ", "<@", "[", "\\", "a@b <", ".", "a@(x)"] {
            let list = AddressList.parse(utf8(String(repeating: unit, count: 100_000)))
            #expect(list.count <= 10_001)
        }
    }

    @Test func entriesOfAllPartsAreBounded() {
        let field =
            "To: " + String(repeating: "a,", count: 100) + "\nContent-Type: a/b" + String(repeating: ";c=d", count: 100)
        let part = "--b\nContent-Type: message/rfc822\n\n" + field + "\n\n"
        let bytes = utf8("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: part, count: 50))
        let message = Message(parsing: bytes.span, limits: ParseLimits(entries: 1000))
        guard case .multipart(let parts) = message.root.structure else {
            Issue.record("not a multipart")
            return
        }
        var entries = 0
        for part in parts {
            guard case .message(let inner) = part.structure else { continue }
            entries += inner.envelope.to.count + inner.root.fields.type.parameters.parameters.count
        }
        #expect(parts.count == 50)
        #expect(entries == 999)
    }

    @Test func parameterFloods() {
        for unit in [";a*0=b", ";a*0*=b", ";a", ";=", ";a=\"", ";a*", "(", ";a=(", "; b\u{0}=c"] {
            let value = utf8("a/b" + String(repeating: unit, count: 100_000))
            #expect((ContentType(parsing: value)?.parameters.parameters.count ?? 0) <= 256)
        }
        let numbered = (0..<9999).reversed().map { ";a*\($0)=\($0)" }.joined()
        let limits = ParseLimits(parameters: 20_000)
        #expect(ContentType(parsing: utf8("a/b" + numbered), limits: limits)?.parameters.parameters.count == 1)
    }

    @Test func encodedWordFloods() {
        for unit in ["=?", "=?a?q?", "=?utf-8?q?a?= ", "=?utf-8?b?", "=", "?", "=?utf-8?q?=?= "] {
            let value = utf8(String(repeating: unit, count: 30_000))
            #expect(EncodedWord.decode(value).count <= value.count * 3)
        }
    }

    @Test func searchThatAlmostMatches() {
        let query = TextQuery(String(repeating: "a", count: 20_000) + "b")
        #expect(!query.isFound(in: [UInt8](repeating: 0x61, count: 400_000)))
    }

    @Test func contentFieldFlood() {
        _ = ends(utf8(String(repeating: "Content-Language: \nContent-Type: \nTo: ,\n", count: 20_000)))
    }
}
