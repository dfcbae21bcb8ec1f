#!/usr/bin/env python3
"""Sends the same messages and commands to rmail and to a private Dovecot, and compares the answers as values.

differential.py PATH-OF-RMAIL [--seed N] [--messages N] [--no-index] [--may-skip] [--only NAME] [--verbose]

Differences of form do not count (quoted or literal, the order of items and flags, human-readable texts, the numbers
chosen for UIDVALIDITY and mod-sequences). Other permitted differences are in allowed_differences.py, with reasons.
Exit status 1 if anything else differs, or if Dovecot cannot run and `--may-skip` is not given."""

import argparse
import os
import random
import re
import sys
import tempfile
import time

from allowed_differences import ALLOWED
from changing_commands import binary, common, fill, mailboxes, move, resync, store
from compared_answers import Side
from dovecot import Dovecot
from generated_mail import Generator
from imap_answers import Connection
from reading_commands import fetch, search, sort_and_thread
from usage_sessions import Server

NAMES = ("rmail", "dovecot")
# In this order: each part starts from the state that the one before has left.
PARTS = (fetch, search, sort_and_thread, common, store, move, mailboxes, resync, binary)
# The same initial mailboxes as rmail's, and "/" between the levels.
DOVECOT_CONFIG = """
namespace inbox {
  separator = /
  mailbox Drafts {
    auto = subscribe
    special_use = \\Drafts
  }
  mailbox Sent {
    auto = subscribe
    special_use = \\Sent
  }
  mailbox Trash {
    auto = subscribe
    special_use = \\Trash
  }
  mailbox Junk {
    auto = subscribe
    special_use = \\Junk
  }
  mailbox Archive {
    auto = subscribe
    special_use = \\Archive
  }
}
"""


class Pair:
    def __init__(self, sides, verbose):
        self.sides, self.verbose, self.commands, self.differences = sides, verbose, 0, []

    def __call__(self, text, *literals, session="a"):
        """Sends the command to both servers, compares their answers, and returns rmail's values."""
        self.commands += 1
        values = [side.run(session, text, literals) for side in self.sides]
        original = values[0]
        if values[0] != values[1]:
            for allowed in ALLOWED:
                values = list(allowed(text, *values))
                values = [(tagged, sorted(answers, key=repr)) for tagged, answers in values]
        if values[0] != values[1]:
            self.differ(text, values)
        return original

    def differ(self, text, values):
        lines = [f"{text[:300]}"]
        if values[0][0] != values[1][0]:
            lines += [f"  {name}: {value[0]} {side.last[-1]!r}" for name, value, side in zip(NAMES, values, self.sides)]
        left, right = list(values[0][1]), list(values[1][1])
        for answer in list(left):
            if answer in right:
                left.remove(answer)
                right.remove(answer)
        for a in left:
            b = next((b for b in right if b[:2] == a[:2]), None)
            if b and a[0] == "FETCH":
                right.remove(b)
                for (k, x), (_, y) in pairs(a[2], b[2]):
                    lines.append(f"  FETCH {a[1]} {k}\n    rmail   {short(x)}\n    dovecot {short(y)}")
            else:
                lines.append(f"  rmail alone:   {short(a)}")
        lines += [f"  dovecot alone: {short(b)}" for b in right]
        self.note("\n".join(lines))

    def note(self, text):
        self.differences.append(text)
        if self.verbose:
            print(self.differences[-1], flush=True)

    def save(self, name, find):
        """Saves each server's value for <name> in later commands; a mod-sequence also becomes a mark for comparison."""
        for side in self.sides:
            values = [int(m.group(1)) for m in (re.search(find, answer) for answer in side.last) if m]
            assert values, (name, side.last)
            side.saved[name] = max(values)
            if name.startswith("mod"):
                side.marks.marks[name] = side.saved[name]


def pairs(a, b):
    a, b = dict(a), dict(b)
    for key in sorted(set(a) | set(b)):
        x, y = a.get(key, "missing"), b.get(key, "missing")
        if x != y:
            yield (key, x), (key, y)


def short(value):
    text = repr(value)
    return text if len(text) < 1500 else text[:1500] + f"... ({len(text)})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rmail")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=64)
    parser.add_argument("--no-index", action="store_true", help="without the read cache")
    parser.add_argument("--may-skip", action="store_true", help="no failure where Dovecot cannot run")
    parser.add_argument("--only", default="", help="parts, by commas")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    reason = Dovecot.unavailable()
    if reason:
        print(f"differential: not run: {reason}")
        sys.exit(0 if options.may_skip else 1)
    os.environ["TZ"] = "UTC"
    time.tzset()
    dovecot = Dovecot("sdbox")
    with tempfile.TemporaryDirectory(prefix="rmail-differential-") as root:
        server = Server(os.path.abspath(options.rmail), root, index=not options.no_index)
        try:
            dovecot.start(DOVECOT_CONFIG)
            secure = server.ports["imaps"], server.context()
            sides = [Side(lambda: Connection("localhost", *secure), "alice@example.com"),
                     Side(lambda: Connection("127.0.0.1", dovecot.port), dovecot.user)]
            pair = Pair(sides, options.verbose)
            fill(pair, Generator(options.seed, options.messages).messages())
            for part in PARTS:
                if options.only and part.__name__ not in options.only.split(","):
                    continue
                began, before, commands = time.monotonic(), len(pair.differences), pair.commands
                part(pair, random.Random(options.seed), options.messages)
                print(f"{part.__name__}: {pair.commands - commands} commands, "
                      f"{len(pair.differences) - before} differences ({time.monotonic() - began:.1f} s)", flush=True)
            for side in sides:
                side.close()
        finally:
            server.stop()
            dovecot.stop()
            dovecot.remove()
    if not options.verbose:
        print("\n".join(pair.differences))
    sys.exit(1 if pair.differences else 0)


if __name__ == "__main__":
    main()
