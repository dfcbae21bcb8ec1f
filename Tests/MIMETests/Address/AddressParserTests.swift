import Testing

@testable import MIME

@Suite struct AddressParserTests {
    @Test(arguments: [
        ("", ""),
        ("joe@example.org", "(NIL|NIL|joe|example.org)"),
        ("Joe Q. Public <joe@example.org>", "(Joe Q. Public|NIL|joe|example.org)"),
        (#""Public, Joe \"Q\"" <joe@example.org>"#, #"(Public, Joe "Q"|NIL|joe|example.org)"#),
        ("joe@example.org (Joe Public)", "(Joe Public|NIL|joe|example.org)"),
        ("joe@example.org (Joe (the one) \\) Public)", "(Joe (the one) ) Public|NIL|joe|example.org)"),
        ("a@b, c@d", "(NIL|NIL|a|b)(NIL|NIL|c|d)"),
        ("a@b,, ,c@d,", "(NIL|NIL|a|b)(NIL|NIL|c|d)"),
        ("<a@b>, A <c@d>", "(NIL|NIL|a|b)(A|NIL|c|d)"),
        ("Team: a@b, C <c@d>;, e@f", "{Team(NIL|NIL|a|b)(C|NIL|c|d)}(NIL|NIL|e|f)"),
        ("undisclosed-recipients:;", "{undisclosed-recipients}"),
        ("undisclosed recipients: ;", "{undisclosed recipients}"),
        ("Open: a@b", "{Open(NIL|NIL|a|b)}"),
        (#""john doe"@example.org"#, "(NIL|NIL|john doe|example.org)"),
        (#"<"john doe"@example.org>"#, "(NIL|NIL|john doe|example.org)"),
        ("<@a.example,@b.example:joe@c.example>", "(NIL|@a.example,@b.example|joe|c.example)"),
        ("X <@a , @b : joe@c>", "(X|@a,@b|joe|c)"),
        ("<@a (x) .example , (c) @b.example (d) : joe@c>", "(NIL|@a.example,@b.example|joe|c)"),
        ("X <,@a,,@[b]:joe@c>", "(X|@a,@[b]|joe|c)"), ("X <@a,@b", "(X|NIL||a)(NIL|NIL||b)"), ("X <,>", "(X|NIL||)"),
        ("<user-x (c)@ (c) example.org>", "(NIL|NIL|user-x|example.org)"),
        ("(a) <(b)joe (c) . (d) q@x (e) . y (f)> (g)", "(g|NIL|joe.q|x.y)"), ("(a) joe@x", "(NIL|NIL|joe|x)"),
        ("(a) joe@x (b)", "(b|NIL|joe|x)"), ("Joe (nick) Public <joe@x>", "(Joe Public|NIL|joe|x)"),
        ("joe(a).(b)q(c)@(d)x(e).(f)y", "(f|NIL|joe.q|x.y)"),
        (#"<"joe" . "q r" @ x>"#, "(NIL|NIL|joe.q r|x)"), ("A (b): c@d;", "{A(NIL|NIL|c|d)}"),
        ("joe@[127.0.0.1]", "(NIL|NIL|joe|[127.0.0.1])"),
        ("joe . q . public @ example . org", "(NIL|NIL|joe.q.public|example.org)"),
        ("joe(home)@(at)example(dot).org", "(dot|NIL|joe|example.org)"),
        ("=?utf-8?q?J=C3=B6?= =?utf-8?q?rg?= <j@x>", "(=?utf-8?q?J=C3=B6?= =?utf-8?q?rg?=|NIL|j|x)"),
        ("Jörg <jörg@exämple.org>", "(Jörg|NIL|jörg|exämple.org)"),
        ("joe", "(NIL|NIL|joe|)"),
        ("joe, a@b", "(NIL|NIL|joe|)(NIL|NIL|a|b)"),
        ("Joe Public", "(Joe Public|NIL||)"),
        (#"Joe a"b c"@x"#, "(Joe|NIL|ab c|x)"),
        ("Joe <>", "(Joe|NIL||)"),
        ("<>", "(NIL|NIL||)"),
        ("Joe <joe>", "(Joe|NIL|joe|)"),
        ("Joe <@example.org>", "(Joe|NIL||example.org)"),
        ("Joe Public joe@example.org", "(Joe Public|NIL|joe|example.org)"),
        ("joe@example.org <joe@example.org>", "(joe@example.org|NIL|joe|example.org)"),
        ("joe@example.org Joe", "(NIL|NIL|joe|example.org)"),
        ("Joe <joe@example.org, b@c", "(Joe|NIL|joe|example.org)(NIL|NIL|b|c)"),
        ("<a@b> <c@d>", "(NIL|NIL|a|b)(NIL|NIL|c|d)"),
        (#""open <a@b>, c@d"#, "(NIL|NIL|open <a@b>, c@d|)"),
        ("(open comment", ""),
        ("a@b@c, d@e", "(NIL|NIL|a|b)(NIL|NIL|d|e)"),
        ("@", "(NIL|NIL||)"),
        ("@example.org", "(NIL|NIL||example.org)"),
        ("a@", "(NIL|NIL|a|)"),
        (":;:;", ""),
        ("A: B: c@d;;", "{A(B|NIL|c|d)}"),
        (")>]\\", ""),
        ("Joe <mailto:joe@example.org>", "(Joe|NIL|mailto:joe|example.org)"),
        ("a@b;c@d", "(NIL|NIL|a|b)(NIL|NIL|c|d)"),
    ])
    func parses(input: String, expected: String) {
        #expect(AddressList.parse(utf8(input)).rendered == expected)
    }

    @Test func stopsAtTheLimit() {
        let many = utf8((0..<50).map { "u\($0)@x" }.joined(separator: ","))
        #expect(AddressList.parse(many, limit: 10).count == 10)
        #expect(AddressList.parse(many, limit: 1000).count == 50)
        let group = AddressList.parse(utf8("G: ") + many, limit: 5)
        #expect(group.count == 6)
        #expect(group.last == .groupEnd)
    }
}
