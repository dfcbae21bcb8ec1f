"""Helpers for the tests with real mail programs: a session that keeps every answer, running programs, messages."""

import re
import smtplib
import socket
import subprocess

from usage_sessions import PASSWORD

ALICE, BOB = "alice@example.com", "bob@example.com"
LETTER = (b"From: Jane <jane@example.org>\r\nTo: alice@example.com\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?= %d\r\n"
          b"Message-ID: <letter%d@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
          b"gr\xc3\xbc\xc3\x9fe\r\n")


class Session:
    """IMAP line by line, over TLS; keeps every answer as received."""

    def __init__(self, s, user="alice"):
        plain = socket.create_connection(("localhost", s.ports["imaps"]), timeout=120)
        self.socket = s.context().wrap_socket(plain, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        self.count = 0
        self.line()
        self.ok(f'LOGIN {user}@example.com "{PASSWORD}"')

    def line(self):
        """One answer, with its literals."""
        answer = b""
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError(answer)
            answer += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if not literal:
                return answer
            answer += self.file.read(int(literal.group(1)))

    def command(self, text, literal=None):
        self.count += 1
        tag = b"t%d " % self.count
        data = b"" if literal is None else b" {%d+}\r\n%s" % (len(literal), literal)
        self.socket.sendall(tag + text.encode() + data + b"\r\n")
        answers = []
        while not answers or not answers[-1].startswith((tag, b"+ ")):
            answers.append(self.line())
        return answers

    def ok(self, text, literal=None):
        answers = self.command(text, literal)
        assert b" OK" in answers[-1][:12], (text, answers[-1])
        return answers

    def close(self):
        self.file.close()
        self.socket.close()


def run(*arguments, input=None, env=None, status=0, timeout=300):
    done = subprocess.run([str(a) for a in arguments], input=input, text=True, capture_output=True, env=env,
                          timeout=timeout)
    assert done.returncode == status, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def write(path, text):
    with open(path, "w", newline="") as f:
        f.write(text)
    return path


def deliver(s, to):
    with smtplib.SMTP("localhost", s.ports["smtp"], timeout=120) as smtp:
        smtp.sendmail("x@external.com", [to], "Subject: comes in\r\n\r\nx\r\n")
