"""The answers of one IMAP server as values: answers that differ only in form have equal values."""

import re

from imap_answers import Atom, Parser, moment, numbers, status
from usage_sessions import PASSWORD


class Marks:
    """Maps a server's mod-sequences to positions among the named marks. Each server chooses the numbers, and
    whether the messages of one command share one mod-sequence (RFC 7162 section 3.1)."""

    def __init__(self):
        self.marks = {}

    def place(self, value):
        return "modseq", tuple(sorted(name for name, mark in self.marks.items() if mark < value))


class Side:
    """One of the two servers, with its sessions."""

    def __init__(self, connect, user):
        self.connect, self.user, self.sessions, self.marks = connect, user, {}, Marks()
        self.saved, self.names, self.validity = {}, {}, {}

    def session(self, name):
        if name not in self.sessions:
            self.sessions[name] = self.connect()
            answer = self.sessions[name].run(f'LOGIN {self.user} "{PASSWORD}"')[1]
            assert answer.startswith(b"OK"), answer
        return self.sessions[name]

    def close(self):
        for session in self.sessions.values():
            session.close()

    def run(self, session, text, literals):
        """Runs the command and returns its answers as values: (status, code) and a list of answers."""
        text = re.sub(r"<(\w+)>", lambda m: str(self.saved.get(m.group(1), m.group(0))), text)
        untagged, tagged = self.session(session).run(text, *literals)
        self.last = untagged + [tagged]
        return self.values(text, untagged, tagged)

    def values(self, text, untagged, tagged):
        found, gone = [], []
        for answer in untagged:
            assert answer.startswith(b"* "), answer
            answer = answer[2:]
            if re.match(rb"(OK|NO|BAD|BYE) ", answer):
                name, code = status(answer)
                if code is not None:
                    found.append((f"{name} [{code.split()[0].decode().upper()}]", self.code(code)))
                elif name != "OK":
                    found.append((name,))
                continue
            words = Parser(answer).values()
            if len(words) > 1 and words[0].isdigit() and words[1].upper() in ("EXPUNGE", "FETCH"):
                # With the numbers before the command: servers may expunge from either end, and before or after FETCH.
                number = int(words[0])
                for earlier in sorted(gone):
                    number += earlier <= number
                words[0] = Atom(number)
                if words[1].upper() == "EXPUNGE":
                    gone.append(number)
                    continue
            found.append(self.untagged(words))
        if gone:
            found.append(("EXPUNGE", tuple(sorted(gone))))
        name, code = status(tagged)
        return (name, self.code(code) if code is not None else None), sorted(merged(found), key=repr)

    def code(self, code):
        words = Parser(code).values()
        name = words[0].upper()
        if name in ("HIGHESTMODSEQ",):
            return name, self.marks.place(int(words[1]))
        if name in ("UIDVALIDITY",):
            return (name,)
        if name == "APPENDUID":
            return name, tuple(numbers(words[2]))
        if name == "COPYUID":
            return name, tuple(numbers(words[2])), tuple(numbers(words[3]))
        if name == "MODIFIED":
            return name, tuple(sorted(numbers(words[1])))
        if name == "PERMANENTFLAGS":
            return name, frozenset(f.lower() for f in words[1])
        return (name,) + tuple(frozen(w) for w in words[1:])

    def untagged(self, words):
        if len(words) > 1 and isinstance(words[1], Atom) and words[1].upper() == "FETCH":
            return "FETCH", int(words[0]), self.items(words[2])
        if len(words) == 2 and words[0].isdigit():
            return words[1].upper(), int(words[0])
        name = words[0].upper()
        if name == "FLAGS":
            return name, frozenset(f.lower() for f in words[1])
        if name in ("LIST", "LSUB"):
            return (name, as_text(words[3]), frozenset(a.lower() for a in words[1]), as_text(words[2])) + \
                tuple(plain(w) for w in words[4:])
        if name == "STATUS":
            return name, as_text(words[1]), self.attributes(words[2])
        if name in ("SEARCH", "SORT"):
            last = words[-1] if isinstance(words[-1], list) else None
            found = [int(w) for w in words[1:] if w is not last]
            return name, tuple(found if name == "SORT" else sorted(found)), \
                None if last is None else self.marks.place(int(last[1]))
        if name == "ESEARCH":
            return self.esearch(words[1:])
        if name == "VANISHED":
            earlier = isinstance(words[1], list)
            return "VANISHED EARLIER" if earlier else "VANISHED", tuple(sorted(numbers(words[-1])))
        if name == "THREAD":
            return name, tuple(frozen(w) for w in words[1:])
        return (name,) + tuple(frozen(w) for w in words[1:])

    def esearch(self, words):
        found = []
        while words:
            word = words.pop(0)
            if isinstance(word, list):
                continue  # the tag
            key = word.upper()
            if key == "UID":
                found.append((key,))
                continue
            value = words.pop(0)
            if key == "ALL":
                value = tuple(sorted(numbers(value)))
            elif key == "MODSEQ":
                value = self.marks.place(int(value))
            found.append((key, frozen(value)))
        return ("ESEARCH",) + tuple(sorted(found, key=repr))

    def attributes(self, words):
        found = {}
        for key, value in zip(words[::2], words[1::2]):
            key, value = key.upper(), int(value)
            found[key] = None if key == "UIDVALIDITY" else self.marks.place(value) if key == "HIGHESTMODSEQ" else value
        return frozen(found)

    def items(self, words):
        found = {}
        for key, value in zip(words[::2], words[1::2]):
            key = re.sub(r"HEADER\.FIELDS(\.NOT)? \((.*)\)", fields, key.upper())
            if key == "FLAGS":
                value = frozenset(f.lower() for f in value)
            elif key in ("INTERNALDATE",):
                value = moment(value)
            elif key == "MODSEQ":
                value = self.marks.place(int(value[0]))
            elif key == "SAVEDATE":
                value = value is not None
            elif key == "ENVELOPE":
                value = frozen(value)
            elif key in ("BODY", "BODYSTRUCTURE"):
                value = structure(value)
            found[key] = frozen(value)
        return frozen(found)


def fields(m):
    return f"HEADER.FIELDS{m.group(1) or ''} ({' '.join(sorted(f.strip(chr(34)) for f in m.group(2).split()))})"


def plain(value):
    """Makes an astring equal whether bare or quoted."""
    return tuple(plain(v) for v in value) if isinstance(value, list) else as_text(value)


def as_text(value):
    return value if isinstance(value, str) else value.decode()


def merged(found):
    """Merges the items of one message from several answers into one."""
    fetches, rest = {}, []
    for answer in found:
        if answer[0] == "FETCH":
            fetches.setdefault(answer[1], {}).update(dict(answer[2]))
        else:
            rest.append(answer)
    return rest + [("FETCH", number, frozen(items)) for number, items in fetches.items()]


def frozen(value):
    if isinstance(value, dict):
        return tuple(sorted((k, frozen(v)) for k, v in value.items()))
    if isinstance(value, list):
        return tuple(frozen(v) for v in value)
    return value


def structure(value):
    """Lowers the case of types, encodings and parameter names, which is insignificant."""
    if isinstance(value, list):
        if value and isinstance(value[0], list):
            parts = 0
            while parts < len(value) and isinstance(value[parts], list):
                parts += 1
            rest = value[parts:]
            return (tuple(structure(v) for v in value[:parts]), lower(rest[0])) + extension(rest[1:])
        kind, subtype = lower(value[0]), lower(value[1])
        head = (kind, subtype, parameters(value[2]), frozen(value[3]), frozen(value[4]), lower(value[5]), value[6])
        rest = value[7:]
        if (kind, subtype) == (b"message", b"rfc822"):
            return head + (frozen(rest[0]), structure(rest[1]), rest[2]) + (frozen(rest[3:4]),) + extension(rest[4:])
        if kind == b"text":
            return head + (rest[0], frozen(rest[1:2])) + extension(rest[2:])
        return head + (frozen(rest[0:1]),) + extension(rest[1:])
    return value


def extension(rest):
    """The extension data of a part, after its MD5, or of a multipart, parameters first; recognized by content."""
    found = []
    for value in rest:
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], bytes) and \
                (value[1] is None or isinstance(value[1], list)):
            found.append((lower(value[0]), parameters(value[1])))
        elif isinstance(value, list) and all(isinstance(v, bytes) for v in value) and len(value) % 2 == 0:
            found.append(parameters(value))
        else:
            found.append(frozen(value))
    return tuple(found)


def parameters(value):
    return None if value is None else tuple(sorted((lower(k), v) for k, v in zip(value[::2], value[1::2])))


def lower(value):
    return value.lower() if isinstance(value, bytes) else value
