#!/usr/bin/env python3
"""A server whose descriptors run out.

descriptors.py PATH-OF-RMAIL [--limit 120]

Connections are opened until the server accepts no more. It must then be idle, still serve those that it has, changes of
mailboxes included, and accept connections again as soon as some have ended. Then its limit is lowered below what it has
open, so that accept(2) itself fails. Exit status 1 when anything is not as it should be."""

import argparse
import os
import resource
import socket
import sys
import tempfile
import time

from harness import LETTER
from usage_sessions import PASSWORD, Server


class Client:
    """A connection in clear."""

    def __init__(self, server, timeout):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["imap"]), timeout=timeout)
        try:
            self.greeting = self.socket.recv(4096)
        except TimeoutError:
            self.greeting = b""
        # A file is of no use any more once it has timed out.
        self.file = self.socket.makefile("rb")

    def do(self, text, literal=None, answer=b"OK"):
        data = b"" if literal is None else b" {%d+}\r\n%s" % (len(literal), literal)
        self.socket.sendall(b"t " + text.encode() + data + b"\r\n")
        lines = []
        while not lines or not lines[-1].startswith(b"t "):
            line = self.file.readline()
            assert line, (text, lines)
            lines.append(line)
        assert lines[-1].startswith(b"t " + answer), (text, lines)
        return lines

    def close(self):
        self.file.close()
        self.socket.close()


def cpu(pid):
    """Seconds of processor time."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(server):
    """Connects until nobody is greeted any more; returns the served and the waiting connections."""
    served = []
    while True:
        client = Client(server, 1)
        if not client.greeting:
            return served, client
        served.append(client)
        assert len(served) < 1000, "the limit has no effect"


def idle(server, what):
    before = cpu(server.process.pid)
    time.sleep(2)
    used = cpu(server.process.pid) - before
    print(f"{what}: {used:.2f} s of CPU in 2 s")
    assert used < 0.3, "the server is busy"


def accepted_again(server, waiting, what):
    start = time.monotonic()
    waiting.socket.settimeout(30)
    assert waiting.socket.recv(4096).startswith(b"* OK"), "not accepted"
    took = time.monotonic() - start
    print(f"{what}: accepted after {took:.2f} s")
    assert took < 2
    waiting.close()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("rmail")
    arguments.add_argument("--limit", type=int, default=120)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as root:
        server = Server(arguments.rmail, root, tls=False)
        server.stop()
        start_limited(server, arguments.limit)
        alice = Client(server, 30)
        alice.do(f'LOGIN alice@example.com "{PASSWORD}"')
        alice.do("SELECT INBOX")
        served, waiting = fill(server)
        print(f"{len(served) + 1} connections of {arguments.limit} descriptors")
        idle(server, "full")
        # What is there is served, changes included.
        for n in range(20):
            alice.do("APPEND INBOX", LETTER % (n, n))
            alice.do(f"STORE {n + 1} +FLAGS (\\Seen)")
        alice.do("COPY 1:5 Sent")
        assert any("RLIMIT_NOFILE" in line and str(arguments.limit) in line for line in server.log), server.log
        for client in served:
            client.close()
        accepted_again(server, waiting, "after the end of the others")

        # Below what is open: accept(2) fails, and so does whatever takes a descriptor.
        served = [Client(server, 30) for _ in range(5)]
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (20, arguments.limit))
        waiting = Client(server, 1)
        assert not waiting.greeting
        idle(server, "without a descriptor")
        count = messages(alice)
        alice.do("APPEND INBOX", LETTER % (99, 99), answer=b"NO")
        assert messages(alice) == count, "a message of a refused APPEND"
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (arguments.limit, arguments.limit))
        alice.do("APPEND INBOX", LETTER % (100, 100))
        assert messages(alice) == count + 1
        accepted_again(server, waiting, "with the old limit")
        server.stop()
    print("all as it should be")


def messages(client):
    return int(next(line for line in client.do("STATUS INBOX (MESSAGES)") if b"MESSAGES" in line)
               .split(b"MESSAGES ")[1].rstrip(b")\r\n"))


def start_limited(server, limit):
    """Starts the server with a hard limit, which it cannot raise."""
    program = server.rmail
    wrapper = f"{server.root}/limited"
    with open(wrapper, "w") as f:
        f.write(f'#!/bin/sh\nulimit -n {limit}\nexec "{os.path.abspath(program)}" "$@"\n')
    os.chmod(wrapper, 0o755)
    server.rmail = wrapper
    server.start()


if __name__ == "__main__":
    sys.exit(main())
