#!/usr/bin/env python3
"""Twenty mail programs that go about their business beside clients that cost as much as they can.

hostile_stress.py PATH-OF-RMAIL [--seconds 20] [--limit 100]

Eight accounts search bodies, four search with 200 keys, others sort, thread, list with long patterns and fetch thousands
of items that they read slowly. Measured is how long the good ones wait, by attack: the slowest answer, and the 99th
percentile of NOOP, which must stay below --limit milliseconds. Then heavy searches are left by their clients, and are
under way when the server stops: it must be idle soon, and gone soon, and at once with a second signal. Exit status 1
when anything is not as it should be."""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from usage_sessions import PASSWORD, Server

GOOD_ACCOUNTS, GOOD_CLIENTS, BAD_ACCOUNTS = 5, 20, 8
LARGE = 1 << 20
LETTER = b"From: a@example.org\r\nSubject: letter\r\nMessage-ID: <%d@example.org>\r\n\r\n"


class Client:
    """A connection in clear, which reads only as much as it must."""

    def __init__(self, server, user):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["imap"]), timeout=600)
        self.file = self.socket.makefile("rb")
        self.count = 0
        self.file.readline()
        self.do(f"LOGIN {user}@example.com \"{PASSWORD}\"")

    def send(self, text, literal=None):
        self.count += 1
        data = b"" if literal is None else b" {%d+}\r\n%s" % (len(literal), literal)
        self.socket.sendall(b"t%d " % self.count + text.encode() + data + b"\r\n")

    def finish(self):
        """Reads up to the tagged answer."""
        tag = b"t%d " % self.count
        while not (line := self.file.readline()).startswith(tag):
            if not line:
                raise EOFError
            if line.endswith(b"}\r\n") and b"{" in line:
                self.file.read(int(line[line.rindex(b"{") + 1:-3]))
        return line

    def do(self, text, literal=None):
        self.send(text, literal)
        answer = self.finish()
        assert b" OK" in answer[:12], (text[:80], answer)
        return answer

    def close(self):
        self.file.close()
        self.socket.close()


class Good(threading.Thread):
    """A mail program: short commands, one after the other, each measured."""

    COMMANDS = ["NOOP", "NOOP", "FETCH 1:* (UID FLAGS)", "FETCH 1 (ENVELOPE BODYSTRUCTURE)", "STATUS INBOX (UNSEEN)",
                "FETCH 2 (BODY.PEEK[])", "STORE 1 +FLAGS.SILENT (\\Seen)", "SELECT INBOX", "LIST \"\" *",
                "SEARCH SUBJECT letter", "APPEND"]

    def __init__(self, server, number, stop):
        super().__init__(daemon=True)
        self.client, self.stop = Client(server, f"good{number % GOOD_ACCOUNTS}"), stop
        self.random, self.failure = random.Random(number), None
        self.lock, self.waits = threading.Lock(), {}
        self.client.do("SELECT INBOX")

    def take(self):
        with self.lock:
            taken, self.waits = self.waits, {}
            return taken

    def run(self):
        try:
            while not self.stop.is_set():
                command = self.random.choice(self.COMMANDS)
                begin = time.monotonic()
                if command == "APPEND":
                    self.client.do("APPEND INBOX", LETTER % self.random.randrange(1 << 30) + b"x\r\n")
                else:
                    self.client.do(command)
                with self.lock:
                    self.waits.setdefault(command.split()[0], []).append(time.monotonic() - begin)
                time.sleep(self.random.random() * 0.05)
        except BaseException as e:
            self.failure = f"a good client: {type(e).__name__}: {e}"


class Bad(threading.Thread):
    """Sends one command again and again."""

    def __init__(self, server, number, command, stop, slowly=False):
        super().__init__(daemon=True)
        self.client, self.command, self.stop = Client(server, f"bad{number % BAD_ACCOUNTS}"), command, stop
        self.slowly, self.done = slowly, 0
        self.client.do("SELECT INBOX")

    def run(self):
        try:
            while not self.stop.is_set():
                self.client.send(self.command)
                if self.slowly:
                    while not self.stop.is_set():
                        self.client.socket.recv(65_536)
                        time.sleep(0.02)
                else:
                    self.client.finish()
                    self.done += 1
        except (OSError, EOFError, ValueError):
            pass


def keys(count):
    return " ".join(f"NOT BODY absent{n}" for n in range(count))


ATTACKS = {
    "nobody": [],
    "eight search bodies": [("SEARCH BODY absent", False)] * 8,
    "the same with five connections each": [("SEARCH BODY absent", False)] * 40,
    "four search with 200 keys": [(f"SEARCH {keys(200)}", False)] * 4,
    "eight sort and thread": [("SORT (SUBJECT FROM) UTF-8 TEXT letter", False),
                              ("THREAD REFERENCES UTF-8 TEXT letter", False)] * 4,
    "eight list": [(f"LIST \"{'*a' * 15_000}\" *", False), (f"LIST \"\" \"{'*a' * 400}\"", False)] * 4,
    "eight fetch 1,800 items": [
        ("FETCH 1:* (" + " ".join(f"BODY.PEEK[HEADER.FIELDS.NOT (x{n})]" for n in range(1_800)) + ")", True)] * 8,
}


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) // 1024


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(server):
    """Eight accounts with 64 messages of a megabyte, five with a few small ones, and a hundred mailboxes each."""
    users = [f"good{n}" for n in range(GOOD_ACCOUNTS)] + [f"bad{n}" for n in range(BAD_ACCOUNTS)]
    for user in users:
        server.command("user", "add", f"{user}@example.com", "--password-stdin", "--iterations", "1000",
                       input=PASSWORD + "\n")
    text = b"".join(b"Line %d of a letter that is much longer than most of them.\r\n" % n for n in range(LARGE // 62))
    field = b"".join(b"X-Field-%d: %s\r\n" % (n, b"x" * 60) for n in range(3_000))
    for user in users:
        client = Client(server, user)
        if user.startswith("good"):
            for n in range(20):
                client.do("APPEND INBOX", LETTER % n + b"x\r\n")
        else:
            client.do("APPEND INBOX", field + LETTER % 1 + text)
            client.do("SELECT INBOX")
            for n in range(6):
                client.do("COPY 1:* INBOX")
                client.do("NOOP")
            for n in range(100):
                client.do(f"CREATE \"{'a' * 150}{n}\"")
        client.close()


def attack(server, name, goods, seconds):
    stop = threading.Event()
    bads = [Bad(server, n, command, stop, slowly) for n, (command, slowly) in enumerate(ATTACKS[name])]
    for good in goods:
        good.take()
    for bad in bads:
        bad.start()
    begin, most = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        time.sleep(0.1)
        most = max(most, memory(server.process.pid))
    waits = {}
    for good in goods:
        for command, values in good.take().items():
            waits.setdefault(command, []).extend(values)
    stop.set()
    for bad in bads:
        bad.client.socket.shutdown(socket.SHUT_RDWR)
        bad.client.socket.close()
    for bad in bads:
        bad.join(60)
    everything = [value for values in waits.values() for value in values]
    noop = waits.get("NOOP", [])
    slowest = max(waits, key=lambda command: max(waits[command]))
    print(f"{name}: {len(everything)} answers; NOOP p50 {1000 * percentile(noop, 0.5):.1f} ms, "
          f"p99 {1000 * percentile(noop, 0.99):.1f} ms; all p99 {1000 * percentile(everything, 0.99):.1f} ms, "
          f"slowest {1000 * max(everything):.0f} ms ({slowest}); {most} MiB", flush=True)
    return 1000 * percentile(noop, 0.99)


def leave(server, failures, seconds=5):
    """Clients that are gone are worked for no more, be it that they just close."""
    def used():
        before = cpu(server.process.pid)
        time.sleep(2)
        return (cpu(server.process.pid) - before) / 2

    usual = used()
    clients = [Client(server, f"bad{n}") for n in range(4)]
    for client in clients:
        client.do("SELECT INBOX")
        client.send(f"SEARCH {keys(200)}")
    time.sleep(1)
    for client in clients:
        client.close()
    time.sleep(seconds)
    after = used()
    print(f"{seconds} s after heavy searches were left the server uses {100 * after:.0f} % of a core, "
          f"{100 * usual:.0f} % before")
    if after > usual + 0.5:
        failures.append("the server works on for clients that are gone")


def end(server, failures, signals, limit):
    clients = [Client(server, f"bad{n % BAD_ACCOUNTS}") for n in range(12)]
    for client in clients:
        client.do("SELECT INBOX")
        client.send(f"SEARCH {keys(200)}")
    time.sleep(1)
    begin = time.monotonic()
    for _ in range(signals):
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    try:
        status = server.process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        server.process.kill()
        status = "none"
    took = time.monotonic() - begin
    print(f"{signals} SIGTERM during heavy searches: gone after {took:.2f} s with status {status}")
    if took > limit:
        failures.append(f"the server took {took:.1f} s to stop")
    if signals == 1 and status != 0:
        failures.append(f"the server stopped with status {status}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rmail")
    parser.add_argument("--seconds", type=float, default=20, help="for each attack")
    parser.add_argument("--limit", type=float, default=100, help="milliseconds for the 99th percentile of NOOP")
    options = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory() as root:
        server = Server(options.rmail, root, tls=False)
        fill(server)
        stop = threading.Event()
        goods = [Good(server, n, stop) for n in range(GOOD_CLIENTS)]
        for good in goods:
            good.start()
        for name in ATTACKS:
            wait = attack(server, name, goods, options.seconds)
            if wait > options.limit:
                failures.append(f"{name}: the 99th percentile of NOOP is {wait:.0f} ms")
        leave(server, failures)
        stop.set()
        for good in goods:
            good.join(60)
            failures += [good.failure] if good.failure else []
            good.client.close()
        end(server, failures, signals=1, limit=5)
        server.start()
        end(server, failures, signals=2, limit=1)
    for failure in failures:
        print(failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
