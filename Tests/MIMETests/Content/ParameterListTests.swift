import Testing

@testable import MIME

@Suite struct ParameterListTests {
    private func parse(_ parameters: String, limit: Int = 256) -> ParameterList {
        ContentType(parsing: utf8("a/b;" + parameters), limits: ParseLimits(parameters: limit))?.parameters
            ?? ParameterList()
    }

    @Test(arguments: [
        // The examples of RFC 2231 sections 3 and 4.
        ("URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub\"", "(URL=ftp://cs.utk.edu/pub)"),
        (
            "title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "(title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A)"
        ),
        (
            "title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
            "(title*=us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it%21)"
        ),
        ("a*1=y; a*0=x; b=c; a*2=z", "(a=xyz b=c)"),
        ("a*0=x; a*2=z", "(a=x)"),
        ("a*0=x; a*0=y; a*1=z", "(a=xz)"),
        ("A*0=x; a*1=y", "(A=xy)"),
        ("a*0=x; a*1*=%20", "(a*=''x%20)"),
        ("a*x=1; *0=2; a**=3; a*99999=4", "(a*x=1 *0=2 a**=3 a*99999=4)"),
        ("a=1; a*=utf-8''%32", "(a=1 a*=utf-8''%32)"),
    ])
    func joinsContinuations(input: String, expected: String) {
        #expect(parse(input).rendered == expected)
    }

    @Test(arguments: [
        ("f=\"=?utf-8?q?=C3=A4?=.txt\"", "ä.txt"),
        ("f*=utf-8''%C3%A4.txt", "ä.txt"),
        ("f*=iso-8859-1'de'%E4.txt", "ä.txt"),
        ("f=plain.txt; f*=utf-8''%E2%82%AC.txt", "€.txt"),
        ("f*0*=utf-8''%E2%82; f*1*=%AC; f*2=.txt", "€.txt"),
        ("f*=no-charset%20here", "no-charset here"),
        ("f*=utf-8''100%", "100%"),
        ("f*=x-unknown''%41", "A"),
        ("f=a", "a"),
    ])
    func decodesText(input: String, expected: String) {
        #expect(string(parse(input).text(named: "F")) == expected)
    }

    @Test func isBounded() {
        let flood = (0..<500).map { "a*\($0)=x" }.joined(separator: ";")
        #expect(parse(flood, limit: 20).value(named: "a")?.count == 20)
        #expect(parse(flood, limit: 1000).value(named: "a")?.count == 500)
    }
}
