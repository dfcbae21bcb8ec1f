"""Valid mail of every shape, reproducible by seed: messages that two servers must parse alike."""

import base64
import datetime
import email.utils
import quopri
import random

PEOPLE = [
    "alice@example.com", "Bob Builder <bob@example.com>", '"Quoted, Name" <q.n@example.org>', "<bare@example.net>",
    "=?utf-8?B?SsO8cmdlbiBNw7xsbGVy?= <juergen@example.de>", "=?iso-8859-1?Q?Andr=E9?= <andre@example.fr>",
    "carol@example.com (Carol in a comment)", '"with \\"quotes\\" and \\\\" <esc@example.com>',
    "Dot Name Jr <dot.name@mail.example.com>", "=?utf-8?q?=E6=97=A5=E6=9C=AC?= <nihon@example.jp>",
]
GROUPS = ["Friends: bob@example.com, Carol <carol@example.com>;", "undisclosed-recipients:;",
          "A Team: alice@example.com;, outsider@example.net"]
SUBJECTS = [
    "plain words", "Re: plain words", "Fwd: plain words", "Re: [list] plain words", "AW: Angebot", "zebra", "Alpha",
    "alpha", "=?utf-8?B?R3LDvMOfZSBhdXMgS8O2bG4=?=", "=?iso-8859-1?Q?Caf=E9_au_lait?=",
    "=?utf-8?q?split_=C3=A9?= =?utf-8?q?ncoded_word?=", "(fwd) needle in hay", "a subject that goes on and on " * 6,
    "Re: Re: zebra", "zebra (fwd)", "[fwd: Alpha]", "", "   spaces   around   ", 'quote " and \\ backslash',
    "100%_wild*",
]
WORDS = ("needle hay stack lorem ipsum dolor sit amet report invoice meeting tomorrow yesterday budget house garden "
         "window water quick brown fox jumps over lazy dog").split()


class Generator:
    def __init__(self, seed, count):
        self.random, self.count, self.ids, self.subjects = random.Random(seed), count, [], {}

    def messages(self):
        """Returns (raw message, flags, internal date) for each message, oldest first."""
        shapes = [self.plain, self.alternative, self.mixed, self.forwarded, self.eight_bit, self.signed, self.nested,
                  self.bare, self.digest, self.binary_only, self.related, self.untyped, self.report, self.continued,
                  self.empty, self.deep]
        moment = datetime.datetime(2023, 11, 20, 3, 4, 5, tzinfo=datetime.timezone.utc)
        for i in range(self.count):
            moment += datetime.timedelta(hours=self.random.randrange(1, 90), seconds=self.random.randrange(3000))
            header, body = shapes[i % len(shapes)]()
            flags = [f for f in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded", "work")
                     if self.random.random() < 0.25]
            lines = self.header(i, moment, sparse=shapes[i % len(shapes)] == self.bare) + header
            yield "\r\n".join(lines).encode() + b"\r\n\r\n" + body, flags, moment

    def header(self, i, moment, sparse):
        pick, chance = self.random.choice, self.random.random
        if sparse:
            return [f"From: {pick(PEOPLE)}"]
        subject = pick(SUBJECTS)
        lines = ["Return-Path: <bounce@example.com>",
                 "Received: from mx.example.com (mx.example.com [192.0.2.1])\r\n\tby mail.example.com with ESMTP id "
                 f"abc{i};\r\n\t{email.utils.format_datetime(moment)}",
                 f"From: {pick(PEOPLE)}"]
        zone = datetime.timezone(datetime.timedelta(minutes=pick([0, 60, -300, 330, -720])))
        sent = moment - datetime.timedelta(minutes=self.random.randrange(3000))
        if chance() < 0.75:
            lines.append(f"Date: {email.utils.format_datetime(sent.astimezone(zone))}")
        elif chance() < 0.6:
            # Obsolete forms that RFC 5322 section 4.3 still accepts, and a comment.
            form = pick(["%d %b %Y %H:%M:%S GMT", "%a, %d %b %y %H:%M:%S -0000", "%a, %d %b %Y %H:%M EST",
                         "%a, %d %b %Y %H:%M:%S +0100 (MET)"])
            lines.append(f"Date: {sent.strftime(form)}")
        to = [pick(PEOPLE) for _ in range(self.random.randrange(1, 4))]
        if chance() < 0.15:
            to = [pick(GROUPS)]
        if chance() < 0.9:
            lines.append("To: " + ",\r\n ".join(to))
        for name, often in (("Cc", 0.3), ("Bcc", 0.1), ("Reply-To", 0.2), ("Sender", 0.2)):
            if chance() < often:
                lines.append(f"{name}: {pick(PEOPLE)}")
        if chance() < 0.9:
            name = pick(["Subject: "] * 5 + ["SUBJECT:", "subject:   "])
            lines.append(f"{name}{subject}".rstrip(" ") if chance() < 0.8 else name + fold(subject))
        identity = f"<m{i}.{self.random.randrange(10 ** 6)}@example.com>"
        if chance() < 0.9:
            lines.append(f"Message-ID: {identity}")
            if self.ids and chance() < 0.5:
                parents = self.random.sample(self.ids, min(len(self.ids), self.random.randrange(1, 4)))
                if chance() < 0.7:
                    lines.append("References: " + "\r\n ".join(parents))
                if chance() < 0.7:
                    lines.append(f"In-Reply-To: {parents[-1]}")
            self.ids.append(identity)
        if chance() < 0.3:
            lines.append("X-Long: " + "word" * 30 + "\r\n " + "more" * 40 + "\r\n\tand a tab")
        if chance() < 0.3:
            lines += ["X-Twice: first", "X-Twice: second"]
        if chance() < 0.2:
            lines.append("X-Empty:")
        return lines

    def text(self, lines=None, words=WORDS):
        return "\r\n".join(" ".join(self.random.choices(words, k=self.random.randrange(1, 12)))
                           for _ in range(lines or self.random.randrange(1, 12))) + "\r\n"

    def boundary(self):
        return f"=_b{self.random.randrange(10 ** 9)}"

    # Shapes: (header lines, body)

    def plain(self):
        kind = self.random.choice(["text/plain; charset=us-ascii", "text/plain",
                                   'text/plain; charset="utf-8"; format=flowed',
                                   "TEXT/Plain; CHARSET=US-ASCII; name=note.txt"])
        return ["MIME-Version: 1.0", f"Content-Type: {kind}"], self.text().encode()

    def bare(self):
        return [], self.text(3).encode()

    def untyped(self):
        return ["MIME-Version: 1.0", "Content-Transfer-Encoding: 7bit"], self.text(2).encode().rstrip(b"\r\n")

    def eight_bit(self):
        charset, words = self.random.choice([("utf-8", "größe straße naïve Überraschung 日本 needle".split()),
                                             ("iso-8859-1", "größe straße naïve Überraschung needle".split())])
        text, way = self.text(words=words).encode(charset), self.random.choice(["8bit", "base64", "quoted-printable"])
        encoded = {"8bit": lambda b: b, "base64": in_base64, "quoted-printable": in_quoted_printable}[way](text)
        return ["MIME-Version: 1.0", f"Content-Type: text/plain; charset={charset}",
                f"Content-Transfer-Encoding: {way}", "Content-Language: de, en"], encoded

    def html(self):
        return part(["Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: quoted-printable"],
                    in_quoted_printable(f"<html><body><p>größe {self.text(2)}</p></body></html>\r\n".encode()))

    def plain_part(self):
        header, body = self.plain()
        return part(header[1:], body)

    def attachment(self):
        data = self.random.randbytes(self.random.randrange(1, 700))
        name = self.random.choice(["photo.png", "a name with spaces.pdf", "x.bin"])
        header = [f'Content-Type: application/octet-stream; name="{name}"', "Content-Transfer-Encoding: base64",
                  f'Content-Disposition: attachment; filename="{name}"; size={len(data)}']
        if self.random.random() < 0.5:
            header += ["Content-Description: a description", "Content-ID: <part1@example.com>",
                       "Content-Location: http://example.com/x", "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ=="]
        return part(header, in_base64(data))

    def container(self, kind, parts, more="", prologue=b"", epilogue=b""):
        boundary = self.boundary()
        body = prologue + b"".join(b"--" + boundary.encode() + b"\r\n" + p + b"\r\n" for p in parts)
        return ["MIME-Version: 1.0", f'Content-Type: multipart/{kind}; boundary="{boundary}"{more}'], \
            body + b"--" + boundary.encode() + b"--\r\n" + epilogue

    def alternative(self):
        return self.container("alternative", [self.plain_part(), self.html()])

    def alternative_part(self):
        header, body = self.alternative()
        return part(header[1:], body)

    def mixed(self):
        parts = [self.random.choice([self.plain_part, self.alternative_part])()]
        parts += [self.attachment() for _ in range(self.random.randrange(1, 4))]
        return self.container("mixed", parts, prologue=b"This is a message in several parts.\r\n",
                              epilogue=self.random.choice([b"", b"epilogue\r\n"]))

    def related(self):
        return self.container("related", [self.html(), self.attachment()], more='; type="text/html"')

    def signed(self):
        signature = part(["Content-Type: application/pgp-signature; name=signature.asc",
                          "Content-Description: OpenPGP digital signature"],
                         b"-----BEGIN PGP SIGNATURE-----\r\nabc=\r\n")
        return self.container("signed", [self.plain_part(), signature],
                              more=";\r\n micalg=pgp-sha256;\r\n protocol=\"application/pgp-signature\"")

    def report(self):
        status = part(["Content-Type: message/delivery-status"],
                      b"Reporting-MTA: dns; mail.example.com\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n")
        original = part(["Content-Type: text/rfc822-headers"], b"From: needle@example.com\r\nSubject: lost\r\n")
        return self.container("report", [self.plain_part(), status, original], more="; report-type=delivery-status")

    def continued(self):
        """A part with RFC 2231 parameters, comments, names in capitals."""
        data = in_base64(self.random.randbytes(90))
        one = part(["CONTENT-TYPE: Application/PDF (a comment); name*0=part; name*1=\"s of a name.pdf\"",
                    "Content-Transfer-Encoding: BASE64",
                    "Content-Disposition: attachment; filename*=utf-8''gr%C3%BC%C3%9Fe.pdf"], data)
        two = part(['Content-Type: image/jpeg;\r\n\tname="=?utf-8?B?Z3LDvMOfZS5qcGc=?="',
                    "Content-Transfer-Encoding: base64", 'Content-Disposition: INLINE; filename="a;b.jpg"'], data)
        return self.container("mixed", [self.plain_part(), one, two])

    def empty(self):
        return ["MIME-Version: 1.0 (by hand)", "Content-Type: text/plain"], b""

    def deep(self):
        """A multipart of four levels, with an empty part."""
        level = part(*self.container("related", [self.html(), part(["Content-Type: text/plain"], b"")]))
        level = part(*self.container("alternative", [self.plain_part(), level]))
        level = part(*self.container("mixed", [level, self.attachment()]))
        return self.container("mixed", [level, self.plain_part()])

    def inner(self):
        """A whole message, to be embedded in another."""
        header, body = self.random.choice([self.plain, self.alternative, self.eight_bit, self.mixed, self.bare])()
        lines = [f"From: {self.random.choice(PEOPLE)}", f"To: {self.random.choice(PEOPLE)}",
                 f"Subject: inner {self.random.choice(SUBJECTS[:8])}", "Date: Mon, 2 Jan 2023 03:04:05 +0100",
                 "Message-ID: <inner@example.com>"]
        return "\r\n".join(lines + header).encode() + b"\r\n\r\n" + body

    def forwarded(self):
        message = part(["Content-Type: message/rfc822", "Content-Disposition: inline"], self.inner())
        return self.container("mixed", [self.plain_part(), message])

    def nested(self):
        deep = self.container("mixed", [self.plain_part(), part(["Content-Type: message/rfc822"], self.inner())])
        message = b"From: middle@example.com\r\nSubject: middle\r\n" + part(*deep)
        return ["MIME-Version: 1.0", "Content-Type: message/rfc822"], message

    def digest(self):
        return self.container("digest", [part([], self.inner()), part([], self.inner())])

    def binary_only(self):
        return ["MIME-Version: 1.0", "Content-Type: image/png; name=only.png", "Content-Transfer-Encoding: base64",
                "Content-Disposition: attachment; filename=only.png"], in_base64(self.random.randbytes(300))


def part(header, body):
    return "".join(f"{line}\r\n" for line in header).encode() + b"\r\n" + body


def fold(subject):
    """Folds a subject into two lines, if it has a space to fold at."""
    first, space, rest = subject.partition(" ")
    return f"{first}\r\n {rest}" if space and first and rest.strip() else subject


def in_base64(data):
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def in_quoted_printable(data):
    return quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
