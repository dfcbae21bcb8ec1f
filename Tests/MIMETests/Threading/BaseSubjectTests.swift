import Testing

@testable import MIME

@Suite struct BaseSubjectTests {
    @Test(arguments: [
        ("hello", "hello", false),
        ("", "", false),
        ("   ", "", false),
        ("a \t b", "a b", false),
        ("Re: hello", "hello", true),
        ("re:hello", "hello", true),
        ("RE : hello", "hello", true),
        ("Fw: hello", "hello", true),
        ("Fwd: hello", "hello", true),
        ("fwdd: hello", "fwdd: hello", false),
        ("Re: Re: FWD: hello", "hello", true),
        ("Re[2]: hello", "hello", true),
        ("Re [x] : hello", "hello", true),
        ("Re[2: hello", "Re[2: hello", false),
        ("[list] hello", "hello", false),
        ("[a] [b] hello", "hello", false),
        ("[list] Re: hello", "hello", true),
        ("Re: [list] Re: hello", "hello", true),
        ("[a]", "[a]", false),
        ("[a] [b]", "[b]", false),
        ("[a][b] [c] ", "[c]", false),
        ("Re: [a]", "[a]", true),
        ("[unclosed hello", "[unclosed hello", false),
        ("[a[b]] hello", "[a[b]] hello", false),
        ("hello (fwd)", "hello", true),
        ("hello(FWD) (fwd) ", "hello", true),
        ("(fwd)", "", true),
        ("[fwd: hello]", "hello", true),
        ("[Fwd: Re: hello (fwd)]", "hello", true),
        ("[fwd: [fwd: hello]]", "hello", true),
        ("[fwd:]", "", true),
        ("[fwd:", "[fwd:", false),
        ("Re: ", "", true),
        ("Re", "Re", false),
        ("Report: hello", "Report: hello", false),
        ("=?UTF-8?Q?Re=3A_Gr=C3=BC=C3=9Fe?=", "Grüße", true),
        ("=?UTF-8?B?UmU6?= =?UTF-8?Q?_x?=", "x", true),
        ("AW: hello", "AW: hello", false),
        ("] hello", "] hello", false),
        ("[x] [fwd: hello]", "hello", true),
        ("[fwd: hello] tail", "tail", false),
    ])
    func extraction(subject: String, base: String, isReplyOrForward: Bool) {
        let found = BaseSubject(utf8(subject))
        #expect(string(found.text) == base, "\(subject)")
        #expect(found.isReplyOrForward == isReplyOrForward, "\(subject)")
    }

    /// Each must finish at once: rereading a megabyte for each of its pieces would take hours.
    @Test(arguments: ["[a]", "[", "]", "re:", "(fwd)", "[fwd:", "re[", "[x] re ", " ", "fw[a]"])
    func hostile(piece: String) {
        let count = 1 << 20
        let subject = Array(repeatElement(utf8(piece), count: count / piece.utf8.count).joined())
        #expect(BaseSubject(subject).text.count <= subject.count)
        #expect(BaseSubject(subject + utf8("x]")).text.count <= subject.count + 2)
    }
}
