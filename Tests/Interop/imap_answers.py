"""A client that parses IMAP answers into values, so that the answers of two servers can be compared."""

import datetime
import re
import socket

ITEM = re.compile(rb"[A-Z0-9.]+\[[^\]]*\](?:<\d+>)?", re.I)
ATOM = re.compile(rb'[^\s()"{]+')


class Atom(str):
    """A bare word; strings, quoted or literal, are bytes."""


class Parser:
    def __init__(self, data):
        self.data, self.at = data, 0

    def values(self, end=None):
        found = []
        while True:
            while self.data[self.at:self.at + 1] == b" ":
                self.at += 1
            c = self.data[self.at:self.at + 1]
            if c == b"" or c == b")":
                assert (c == b")") == (end is not None), ("parentheses", self.data)
                self.at += 1
                return found
            found.append(self.value(c))

    def value(self, c):
        if c == b"(":
            self.at += 1
            return self.values(end=b")")
        if c == b'"':
            m = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(self.data, self.at)
            assert m, ("quoted string", self.data[self.at:self.at + 80])
            self.at = m.end()
            return re.sub(rb"\\(.)", rb"\1", m.group(1))
        if c in b"{~" and (m := re.compile(rb"~?\{(\d+)\}\r\n").match(self.data, self.at)):
            self.at = m.end() + int(m.group(1))
            return self.data[m.end():self.at]
        m = ITEM.match(self.data, self.at) or ATOM.match(self.data, self.at)
        assert m, ("atom", self.data[self.at:self.at + 80])
        self.at = m.end()
        text = m.group().decode()
        return None if text.upper() == "NIL" else Atom(text)


class Connection:
    """One session. `run` returns the untagged answers, as bytes, and the tagged one."""

    def __init__(self, host, port, context=None, timeout=120):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.file, self.count = self.socket.makefile("rb"), 0
        self.greeting = self.line()

    def line(self):
        answer = b""
        while True:
            line = self.file.readline()
            assert line.endswith(b"\r\n"), ("the connection ended", answer + line)
            answer += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if not literal:
                return answer[:-2]
            answer += self.file.read(int(literal.group(1)))

    def run(self, text, *literals):
        """Runs a command; each {} in `text` is replaced by the next of `literals`."""
        self.count += 1
        tag = b"t%d " % self.count
        pieces = text.encode().split(b"{}") if literals else [text.encode()]
        assert len(pieces) == len(literals) + 1, text
        data = tag + pieces[0]
        for literal, piece in zip(literals, pieces[1:]):
            data += b"{%d+}\r\n%s%s" % (len(literal), literal, piece)
        self.socket.sendall(data + b"\r\n")
        untagged = []
        while True:
            answer = self.line()
            if answer.startswith(tag):
                return untagged, answer[len(tag):]
            if answer.startswith(b"+"):
                self.socket.sendall(b"*\r\n")  # cancels the rest of that command
            else:
                untagged.append(answer)

    def close(self):
        self.file.close()
        self.socket.close()


def numbers(text):
    """The numbers of a set such as 1:3,7, in the order of the set."""
    found = []
    for piece in filter(None, str(text).split(",")):
        first, _, last = piece.partition(":")
        first, last = int(first), int(last or first)
        found += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return found


def moment(text):
    """An INTERNALDATE in seconds, in any zone."""
    return int(datetime.datetime.strptime(text.decode().strip(), "%d-%b-%Y %H:%M:%S %z").timestamp())


def status(text):
    """(OK, code or None) of a tagged or untagged status answer, without the human-readable text."""
    m = re.match(rb"(OK|NO|BAD|BYE|PREAUTH)(?: \[([^\]]*(?:\[[^\]]*\][^\]]*)*)\])?", text, re.I)
    assert m, text
    return m.group(1).decode().upper(), None if m.group(2) is None else m.group(2)
