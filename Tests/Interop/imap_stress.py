#!/usr/bin/env python3
"""Random IMAP commands from many connections on a few mailboxes of one account, served by two processes on one store.

imap_stress.py PATH-OF-RMAIL [--seconds 60] [--connections 20] [--seed N] [--no-index]

Each connection follows the protocol as a mail program does and checks every answer: sequence numbers, EXPUNGE only
where it is allowed, EXISTS, UIDs, its own keyword. At the end the mailboxes must hold exactly the messages that the
answers account for. Exit status 1 if any check fails; prints the seed."""

import argparse
import collections
import random
import re
import sys
import tempfile
import threading
import time

from harness import Session
from usage_sessions import Server

MAILBOXES = ["INBOX", "Work", "Archive"]


class Account:
    """The recorded history of all connections."""

    def __init__(self):
        self.lock = threading.Lock()
        self.created = {}  # (mailbox, uid) -> token: acknowledged
        self.expunge_acknowledged = set()  # (mailbox, uid)
        self.expunge_asked = set()
        self.moved = set()  # (mailbox, uid) -> reported by COPYUID
        self.keywords = {}  # (mailbox, uid, keyword) -> set or not, by the one connection that owns the keyword
        self.commands = 0
        self.refused = collections.Counter()  # (command, code) -> answers of NO

    def add(self, mailbox, uid, token):
        with self.lock:
            assert (mailbox, uid) not in self.created, f"UID {uid} of {mailbox} was given twice"
            self.created[mailbox, uid] = token


class Violation(AssertionError):
    pass


def numbers(text):
    """The numbers of a set such as 1:3,7, in the order written."""
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Client(Session):
    """One connection, with its own model of the selected mailbox."""

    def __init__(self, server, account, index, seed):
        super().__init__(server)
        self.account, self.index, self.random = account, index, random.Random(seed)
        self.keyword = f"owned{index}"
        self.mailbox, self.uids, self.exists, self.validity = None, [], 0, {}
        self.serial = 0
        self.last = []

    def fail(self, text):
        raise Violation(f"connection {self.index}, {self.mailbox}: {text}\n" +
                        "".join(f"  {line[:200]!r}\n" for line in self.last[-30:]))

    def do(self, text, literal=None, expunges=True, may_fail=False):
        """Runs a command, follows its answers, and returns the tagged answer and the untagged ones."""
        self.last.append(b"> " + text.encode())
        answers = self.command(text, literal)
        self.last = (self.last + answers)[-60:]
        self.account.commands += 1
        for answer in answers[:-1]:
            self.follow(answer, expunges)
        status = answers[-1].split(b" ", 2)[1]
        if status != b"OK":
            if status != b"NO" or not may_fail:
                self.fail(f"{text}: {answers[-1]!r}")
            code = re.search(rb"\[(\S+?)[ \]]", answers[-1])
            with self.account.lock:
                self.account.refused[re.match(r"(UID )?\w+", text).group(), code and code.group(1).decode()] += 1
        return answers[-1], answers[:-1]

    def follow(self, answer, expunges):
        if answer.startswith((b"* BYE", b"* BAD", b"* NO")):
            self.fail(f"{answer!r}")
        told = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH|RECENT)", answer)
        if not told or self.mailbox is None:
            return
        number, kind = int(told.group(1)), told.group(2)
        if kind == b"EXISTS":
            if number < self.exists:
                self.fail(f"EXISTS went from {self.exists} to {number}")
            self.uids += [None] * (number - self.exists)
            self.exists = number
        elif kind == b"EXPUNGE":
            if not expunges:
                self.fail("EXPUNGE where it may not come")
            if not 1 <= number <= self.exists:
                self.fail(f"EXPUNGE of {number} of {self.exists}")
            del self.uids[number - 1]
            self.exists -= 1
        elif kind == b"FETCH":
            if not 1 <= number <= self.exists:
                self.fail(f"FETCH of {number} of {self.exists}")
            uid = re.search(rb"\bUID (\d+)", answer)
            if uid:
                self.know(number, int(uid.group(1)))

    def know(self, number, uid):
        known = self.uids[number - 1]
        if known is not None and known != uid:
            self.fail(f"number {number} was UID {known} and is {uid}")
        before = next((u for u in reversed(self.uids[:number - 1]) if u is not None), 0)
        after = next((u for u in self.uids[number:] if u is not None), 1 << 32)
        if not before < uid < after:
            self.fail(f"number {number} is UID {uid} between {before} and {after}")
        self.uids[number - 1] = uid

    # Actions

    def select(self, name=None):
        name = name or self.random.choice(MAILBOXES)
        if self.mailbox is not None and self.random.random() < 0.5:
            self.do("UNSELECT")
        self.mailbox, self.uids, self.exists = name, [], 0
        _, answers = self.do(f"SELECT {name}")
        validity = next(re.search(rb"UIDVALIDITY (\d+)", a) for a in answers if b"UIDVALIDITY" in a).group(1)
        if self.validity.setdefault(name, validity) != validity:
            self.fail("UIDVALIDITY changed")
        self.look()

    def look(self):
        self.do("UID FETCH 1:* (FLAGS)")
        if None in self.uids and not self.exists:
            self.fail("a message without a UID")

    def append(self):
        name = self.random.choice(MAILBOXES)
        self.serial += 1
        token = f"t{self.index}x{self.serial}"
        size = self.random.choice([10, 500, 5_000])
        message = f"Subject: {token}\r\nMessage-ID: <{token}@example.com>\r\n\r\n{'x' * size}\r\n".encode()
        flags = self.random.choice(["", "(\\Seen) ", "(\\Flagged $Forwarded) "])
        tagged, _ = self.do(f"APPEND {name} {flags}".rstrip(), message)
        told = re.search(rb"APPENDUID (\d+) (\d+)", tagged)
        self.account.add(name, int(told.group(2)), token)

    def some(self, most):
        known = [uid for uid in self.uids if uid is not None]
        return self.random.sample(known, min(len(known), self.random.randint(1, most)))

    def store(self):
        uids = self.some(10)
        if not uids:
            return
        if self.random.random() < 0.5:
            change = self.random.choice(["+FLAGS", "-FLAGS"]) + self.random.choice(["", ".SILENT"])
            flag = self.random.choice(["\\Seen", "\\Answered", "\\Flagged", "$Forwarded"])
            self.do(f"UID STORE {','.join(map(str, uids))} {change} ({flag})")
            return
        uid, is_set = uids[0], self.random.random() < 0.6
        mailbox = self.mailbox
        self.do(f"UID STORE {uid} {'+' if is_set else '-'}FLAGS ({self.keyword})")
        with self.account.lock:
            self.account.keywords[mailbox, uid, self.keyword] = is_set

    def store_by_number(self):
        if self.exists:
            first = self.random.randint(1, self.exists)
            last = min(self.exists, first + self.random.choice([0, 0, 3, 20]))
            # NO only when another connection has expunged all of them.
            tagged, _ = self.do(f"STORE {first}:{last} +FLAGS (\\Seen)", expunges=False, may_fail=True)
            if b" NO " in tagged and b"[EXPUNGEISSUED]" not in tagged:
                self.fail(f"STORE of {last - first + 1}: {tagged!r}")

    def fetch(self):
        if not self.exists:
            return
        first = self.random.randint(1, self.exists)
        last = min(self.exists, first + self.random.randint(0, 20))
        items = self.random.choice(["(UID FLAGS)", "(UID ENVELOPE)", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
                                    "(UID BODYSTRUCTURE RFC822.SIZE INTERNALDATE)", "(UID BODY.PEEK[])"])
        _, answers = self.do(f"FETCH {first}:{last} {items}", expunges=False, may_fail=True)
        if "BODY.PEEK" not in items:
            return
        for answer in answers:
            uid, token = re.search(rb"\bUID (\d+)", answer), re.search(rb"Subject: (t\d+x\d+)", answer)
            if uid and token:
                with self.account.lock:
                    expected = self.account.created.get((self.mailbox, int(uid.group(1))))
                # A message appended a moment ago may not be recorded yet.
                if expected and expected != token.group(1).decode():
                    self.fail(f"UID {uid.group(1)} is {token.group(1)}, not {expected}")

    def search(self):
        key = self.random.choice(["ALL", "UNSEEN", "FLAGGED", f"KEYWORD {self.keyword}", "SUBJECT t1", "LARGER 1000"])
        _, answers = self.do(f"SEARCH {key}", expunges=False)
        for answer in answers:
            if answer.startswith(b"* SEARCH"):
                found = [int(n) for n in answer.split()[2:] if n.isdigit()]
                if found and max(found) > self.exists:
                    self.fail(f"SEARCH found {max(found)} of {self.exists}")

    def remove(self):
        uids = self.some(5)
        if not uids:
            return
        mailbox, which = self.mailbox, ",".join(map(str, uids))
        with self.account.lock:
            self.account.expunge_asked.update((mailbox, uid) for uid in uids)
        self.do(f"UID STORE {which} +FLAGS.SILENT (\\Deleted)")
        self.do(f"UID EXPUNGE {which}")
        with self.account.lock:
            self.account.expunge_acknowledged.update((mailbox, uid) for uid in uids)

    def transfer(self):
        uids = self.some(5)
        if not uids:
            return
        target = self.random.choice([m for m in MAILBOXES if m != self.mailbox])
        command = self.random.choice(["COPY", "MOVE"])
        tagged, answers = self.do(f"UID {command} {','.join(map(str, uids))} {target}", may_fail=True)
        for answer in answers + [tagged]:
            told = re.search(rb"COPYUID \d+ (\S+) (\S+)\]", answer)
            if not told:
                continue
            sources, targets = (list(numbers(told.group(i).decode())) for i in (1, 2))
            if len(sources) != len(targets):
                self.fail(f"{answer!r}")
            for source, copy_ in zip(sources, targets):
                # Another connection may have appended the source without having recorded it yet.
                for _ in range(2_000):
                    with self.account.lock:
                        token = self.account.created.get((self.mailbox, source))
                    if token:
                        break
                    time.sleep(0.005)
                else:
                    self.fail(f"UID {source} was moved and nobody made it")
                self.account.add(target, copy_, token)
                if command == "MOVE":
                    with self.account.lock:
                        if (self.mailbox, source) in self.account.moved:
                            self.fail(f"UID {source} was moved twice")
                        self.account.moved.add((self.mailbox, source))

    def idle(self):
        self.count += 1
        tag = b"t%d " % self.count
        self.socket.sendall(tag + b"IDLE\r\n")
        while not (answer := self.line()).startswith(b"+ "):
            self.follow(answer, True)
        time.sleep(self.random.random() * 0.2)
        self.socket.sendall(b"DONE\r\n")
        while not (answer := self.line()).startswith(tag):
            self.last = (self.last + [answer])[-60:]
            self.follow(answer, True)
        if not answer.startswith(tag + b"OK"):
            self.fail(f"IDLE: {answer!r}")

    def status(self):
        self.do(f"STATUS {self.random.choice(MAILBOXES)} (MESSAGES UNSEEN UIDNEXT SIZE)")

    def act(self):
        choices = [(self.append, 6), (self.store, 8), (self.store_by_number, 3), (self.fetch, 6), (self.search, 3),
                   (self.remove, 3), (self.transfer, 4), (self.idle, 1), (self.status, 1), (self.look, 2),
                   (lambda: self.do("NOOP"), 2), (self.select, 1)]
        self.random.choices([c for c, _ in choices], [w for _, w in choices])[0]()


def judge(server, account):
    """Compares the mailboxes with the messages that the answers account for."""
    session = Session(server)
    faults, total = [], 0
    for mailbox in MAILBOXES:
        session.ok(f"SELECT {mailbox}")
        found = {}
        for answer in session.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"):
            uid, token = re.search(rb"\bUID (\d+)", answer), re.search(rb"Subject: (\S+)", answer)
            if uid and token:
                found[int(uid.group(1))] = (token.group(1).decode(), re.search(rb"FLAGS \(([^)]*)\)", answer).group(1))
        total += len(found)
        for uid, (token, flags) in found.items():
            if account.created.get((mailbox, uid)) != token:
                faults.append(f"{mailbox} {uid} is {token}, and should be {account.created.get((mailbox, uid))}")
            if (mailbox, uid) in account.expunge_acknowledged:
                faults.append(f"{mailbox} {uid} was expunged and is back")
            if (mailbox, uid) in account.moved:
                faults.append(f"{mailbox} {uid} was moved away and is back")
            for (box, number, keyword), is_set in account.keywords.items():
                if (box, number) == (mailbox, uid) and (keyword.encode() in flags.split()) != is_set:
                    faults.append(f"{mailbox} {uid}: {keyword} should be {'set' if is_set else 'clear'}")
        for (box, uid), token in account.created.items():
            gone = (box, uid) in account.moved or (box, uid) in account.expunge_asked
            if box == mailbox and not gone and uid not in found:
                faults.append(f"{mailbox} {uid} ({token}) is lost")
    session.close()
    return faults, total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rmail")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--no-index", action="store_true", help="without the read cache")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as root:
        first = Server(options.rmail, root, index=not options.no_index)
        second = first.second()
        account, failures, stop = Account(), [], threading.Event()
        setup = Session(first)
        for mailbox in MAILBOXES[1:]:
            setup.command(f"CREATE {mailbox}")
        setup.close()

        def work(index):
            try:
                client = Client((first, second)[index % 2], account, index, options.seed + index)
                client.select()
                while not stop.is_set():
                    client.act()
                client.close()
            except BaseException as e:
                failures.append(f"{type(e).__name__}: {e}")
                stop.set()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(options.connections)]
        for thread in threads:
            thread.start()
        stop.wait(options.seconds)
        stop.set()
        for thread in threads:
            thread.join(120)
        for server in (first, second):
            faults, total = judge(server, account)
            failures += faults
        for server in (first, second):
            server.stop()
            failures += [line for line in server.log if "error" in line.lower()]
        print(f"{account.commands} commands, {len(account.created)} messages made, {len(account.moved)} moved, "
              f"{len(account.expunge_acknowledged)} expunged, {total} left; {len(failures)} faults")
        for (command, code), count in sorted(account.refused.items()):
            print(f"NO [{code}] to {command}: {count}")
    for failure in failures[:20]:
        print(failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
