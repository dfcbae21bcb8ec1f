import Testing

@testable import MIME

@Suite struct ContentTypeTests {
    @Test(arguments: [
        ("text/plain; charset=utf-8", "text/plain", "(charset=utf-8)"),
        ("TEXT/Html; Charset=\"UTF-8\" ; x=y", "TEXT/Html", "(Charset=UTF-8 x=y)"),
        ("text/plain", "text/plain", "(charset=us-ascii)"),
        ("text", "text/plain", "(charset=us-ascii)"),
        ("text/", "text/plain", "(charset=us-ascii)"),
        ("multipart; boundary=x", "multipart/mixed", "(boundary=x)"),
        ("image/png", "image/png", "NIL"),
        ("image/png;", "image/png", "NIL"),
        ("image / png ; a = b", "image/png", "(a=b)"),
        ("image/png (a;b=c); d=e (f)", "image/png", "(d=e)"),
        ("multipart/mixed; boundary=----=_Part_1", "multipart/mixed", "(boundary=----=_Part_1)"),
        ("multipart/mixed; boundary=\"a\\\"b;c\"", "multipart/mixed", "(boundary=a\"b;c)"),
        ("application/x; name=my file.pdf; y=z", "application/x", "(name=my file.pdf y=z)"),
        ("application/x; =1; ;; flag; a=b", "application/x", "(a=b)"),
        ("application/x; a=\"open", "application/x", "(a=open)"),
        ("application/x; a=", "application/x", "(a=)"),
        ("image/png name=x; a=b", "image/png", "(a=b)"),
    ])
    func parses(input: String, type: String, parameters: String) throws {
        let parsed = try #require(ContentType(parsing: utf8(input)))
        #expect("\(string(parsed.type))/\(string(parsed.subtype))" == type)
        #expect(parsed.parameters.rendered == parameters)
    }

    @Test(arguments: ["", " ", "(comment)", "/plain", "image", ";a=b"])
    func refuses(input: String) {
        #expect(ContentType(parsing: utf8(input)) == nil)
    }

    @Test func comparesWithoutCase() {
        let type = ContentType(parsing: utf8("Message/RFC822"))
        #expect(type?.isType("message") == true)
        #expect(type?.isType("message", "rfc822") == true)
        #expect(type?.isType("message", "rfc82") == false)
    }

    @Test func disposition() throws {
        let parsed = try #require(ContentDisposition(parsing: utf8("Attachment; filename=\"a b.txt\"; size=10")))
        #expect(string(parsed.kind) == "Attachment")
        #expect(parsed.parameters.rendered == "(filename=a b.txt size=10)")
        #expect(ContentDisposition(parsing: utf8("; filename=x")) == nil)
    }
}
