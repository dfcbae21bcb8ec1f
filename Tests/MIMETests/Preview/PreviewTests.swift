import Testing

@testable import MIME

@Suite struct PreviewTests {
    @Test(arguments: [
        ("Hello there\r\n", "Hello there"),
        ("  Hello\r\n\r\n\tthere  ,\r\nyou \r\n", "Hello there , you"),
        ("", ""),
        (" \r\n\u{FEFF}\u{200B}\r\n", ""),
        ("> quoted\r\n>> deeper\r\nmy answer\r\n> more\r\n", "my answer"),
        ("> only\r\n> > quoted\r\n", "only quoted"),
        ("a > b\r\n", "a > b"),
        ("bell\u{7}and\u{0}nul", "bell and nul"),
        ("soft\u{AD}hyphen \u{200C}\u{200C} right\u{202E}left", "softhyphen rightleft"),
        ("👩\u{200D}🚀 lifts", "👩\u{200D}🚀 lifts"),
        ("-----BEGIN PGP MESSAGE-----\r\nhQEMA\r\n", ""),
    ]) func plain(text: String, preview: String) {
        #expect(Preview.plain(text) == preview)
    }

    @Test(arguments: [
        ("<html><body><p>Hello <b>you</b></p><p>there</p></body></html>", "Hello you there"),
        ("a<br>b<br/>c<BR />d", "a b c d"),
        ("in<i>line</i>d", "inlined"),
        ("<head><title>no</title><style>p { color: red }</style></head><p>yes", "yes"),
        ("<SCRIPT>if (a < b) { '</p>' }</SCRIPT>text", "text"),
        ("x<!-- a > b --><!---->y<!DOCTYPE html><?xml version='1.0'?>z", "xyz"),
        ("Tom &amp; Jerry &lt;3 &quot;x&quot; &apos;", "Tom & Jerry <3 \"x\" '"),
        ("&eacute;&Eacute;&nbsp;&euro;&szlig;&yuml;", "éÉ €ßÿ"),
        ("&#65;&#x42;&#X43 &#8364;&#128512;", "ABC €😀"),
        ("&#150;&#x80;", "–€"),
        ("&#0;&#xD800;&#x110000;&#99999999999;", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("&unknown; & &; &#; &#x; &amp", "&unknown; & &; &#; &#x; &"),
        ("&ampere &lt5", "&ampere &lt5"),
        ("1 < 2 <3 a<b>c</b>", "1 < 2 <3 ac"),
        (#"<a href="x>y" title='a"b>c' data-x=a"b>link</a>"#, "link"),
        ("<p><blockquote>old</blockquote>new", "new"),
        ("<blockquote>only <blockquote>old</blockquote></blockquote>", "only old"),
        ("</blockquote></blockquote>text<blockquote>q", "text"),
        ("<div>pre&zwnj;&nbsp;&zwnj;&nbsp;header</div>", "pre\u{200C} header"),
        ("<td>1</td><td>2</td>", "1 2"),
        ("<", "<"), ("a<", "a<"), ("</", ""), ("<!", ""), ("<!-", ""), ("<!--", ""), ("<!-->", ""), ("<a", ""),
        ("<a href='", ""), ("<style>", ""), ("<style></style", ""), ("<script><", ""), ("&", "&"), ("</ >x", "x"),
    ]) func html(text: String, preview: String) {
        #expect(Preview.html(text) == preview)
    }

    @Test func atMostTwoHundredScalars() {
        let words = String(repeating: "word ", count: 100)
        #expect(Preview.plain(words).unicodeScalars.count == 199)
        #expect(Preview.plain(String(repeating: "é", count: 300)) == String(repeating: "é", count: 200))
        #expect(Preview.html("<p>" + String(repeating: "&euro;", count: 300)).unicodeScalars.count == 200)
    }

    /// Time is linear: otherwise these would take minutes.
    @Test(arguments: ["<", "<!--", "<a ", "<a b='", "</", "&", "&#", "&am", "<script", "<style></styl", "<blockquote>"])
    func hostile(piece: String) {
        let text = String(repeating: piece, count: 65_536 / piece.utf8.count)
        #expect(Preview.html(text).unicodeScalars.count <= Preview.maximumLength)
        #expect(Preview.html("x<p>" + text).hasPrefix("x"))
    }

    private func preview(_ text: String) -> [String] {
        let bytes = Array(text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n").utf8)
        return Message(parsing: bytes).previewParts.map { Preview.text(of: $0, Array(bytes[$0.body])) }
    }

    @Test func decoding() {
        #expect(
            preview(
                "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nf=FCr=\n dich"
            )
                == ["für dich"])
        #expect(
            preview(
                "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPHA+R3LDvMOfZTwvcD4=\n")
                == ["Grüße"])
        #expect(preview("Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n") == [""])
        #expect(preview("\n\nno header at all\n") == ["no header at all"])
    }

    @Test func partsInTheirOrder() {
        func multipart(_ type: String, _ parts: [String]) -> String {
            "Content-Type: multipart/\(type); boundary=b\n\n--b\n" + parts.joined(separator: "\n--b\n") + "\n--b--\n"
        }
        let html = "Content-Type: text/html\n\n<p>web"
        let plain = "Content-Type: text/plain\n\nplain"
        #expect(preview(multipart("alternative", [html, plain])) == ["plain", "web"])
        #expect(preview(multipart("mixed", [html, plain])) == ["web", "plain"])
        #expect(
            preview(multipart("mixed", ["Content-Type: text/plain\nContent-Disposition: attachment\n\nno", plain]))
                == ["plain"])
        #expect(preview(multipart("signed", [plain, "Content-Type: text/plain\n\nsignature"])) == ["plain"])
        #expect(preview(multipart("encrypted", [plain, plain])) == [])
        #expect(
            preview(multipart("mixed", ["Content-Type: message/rfc822\n\nSubject: x\n\ninner", plain])) == ["plain"])
        #expect(preview("Content-Type: application/pkcs7-mime\n\nMIIB") == [])
        #expect(preview("Content-Type: text/calendar\n\nBEGIN:VCALENDAR") == [])
    }
}
