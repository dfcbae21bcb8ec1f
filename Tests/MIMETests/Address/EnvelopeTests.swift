import Testing

@testable import MIME

@Suite struct EnvelopeTests {
    /// The example of RFC 3501 section 8.
    static let example = mail(
        """
        Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
        From: Terry Gray <gray@cac.washington.edu>
        Subject: IMAP4rev1 WG mtg summary and minutes
        To: imap@cac.washington.edu
        cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
        Message-Id: <B27397-0100000@cac.washington.edu>
        MIME-Version: 1.0
        Content-Type: TEXT/PLAIN; CHARSET=US-ASCII


        """)

    private func envelope(_ text: [UInt8], limits: ParseLimits = .standard) -> Envelope {
        Envelope(HeaderBlock(scanning: text.span), in: text.span, limits: limits)
    }

    @Test func answersTheExampleOfTheRFC() {
        let envelope = envelope(Self.example)
        #expect(string(envelope.date) == "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)")
        #expect(string(envelope.subject) == "IMAP4rev1 WG mtg summary and minutes")
        let terry = "(Terry Gray|NIL|gray|cac.washington.edu)"
        #expect(envelope.from.rendered == terry)
        #expect(envelope.sender.rendered == terry)
        #expect(envelope.replyTo.rendered == terry)
        #expect(envelope.to.rendered == "(NIL|NIL|imap|cac.washington.edu)")
        #expect(envelope.cc.rendered == "(NIL|NIL|minutes|CNRI.Reston.VA.US)(John Klensin|NIL|KLENSIN|MIT.EDU)")
        #expect(envelope.bcc.isEmpty)
        #expect(envelope.inReplyTo == nil)
        #expect(string(envelope.messageID) == "<B27397-0100000@cac.washington.edu>")
    }

    @Test func keepsOwnSenderAndReplyTo() {
        let envelope = envelope(
            mail("From: a@b\nSender: c@d\nReply-To: e@f\nIn-Reply-To: <1@x>\n <2@x>\nBcc: g@h\n\n"))
        #expect(envelope.sender.rendered == "(NIL|NIL|c|d)")
        #expect(envelope.replyTo.rendered == "(NIL|NIL|e|f)")
        #expect(envelope.bcc.rendered == "(NIL|NIL|g|h)")
        #expect(string(envelope.inReplyTo) == "<1@x> <2@x>")
    }

    @Test func emptySenderDefaultsToFrom() {
        #expect(envelope(mail("Sender:\nFrom: a@b\n\n")).sender.rendered == "(NIL|NIL|a|b)")
    }

    @Test func repeatedFields() {
        let envelope = envelope(
            mail(
                "Subject: 1\nTo: a@b\nDate: 1\nSubject: 2\nTo: c@d\nFrom: x@y\nFrom: z@z\nDate: 2\nMessage-ID: 1\n"
                    + "In-Reply-To: 1\nMessage-ID: 2\nIn-Reply-To: 2\n\n"))
        #expect(string(envelope.subject) == "2")
        #expect(string(envelope.date) == "2")
        #expect(string(envelope.messageID) == "2")
        #expect(string(envelope.inReplyTo) == "2")
        #expect(envelope.to.rendered == "(NIL|NIL|a|b)(NIL|NIL|c|d)")
        #expect(envelope.from.rendered == "(NIL|NIL|x|y)(NIL|NIL|z|z)")
    }

    @Test func missingAndEmptyDiffer() {
        #expect(envelope(mail("Subject:\n\n")).subject == [])
        #expect(envelope(mail("X: y\n\n")).subject == nil)
        #expect(envelope([]).from.isEmpty)
    }

    @Test func addressesAreBounded() {
        let envelope = envelope(mail("To: a@b, c@d\nTo: e@f, g@h\n\n"), limits: ParseLimits(addresses: 3))
        #expect(envelope.to.count == 3)
    }
}
