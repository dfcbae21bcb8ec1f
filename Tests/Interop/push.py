#!/usr/bin/env python3
"""Measures how soon an idle client learns of another client's changes, in one process and across two, and the memory of
an idle session.

push.py PATH-OF-RMAIL [--messages N] [--sessions N] [--rounds N]. Exit status 1 if the median time of a change is above
50 ms. Linux only: memory is read from /proc."""

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import time

from usage_sessions import PASSWORD, Server

LARGE = b"Subject: large\r\n\r\n" + b"x" * 70 * 2000 + b"\r\n"
MESSAGE = b"Subject: push\r\n\r\nx\r\n"
# The maximum median, in milliseconds.
LIMIT = 50


class Client:
    """A raw connection: in clear text, or over TLS without a thread or a buffered file; a thousand are cheap."""

    def __init__(self, server, tls=False, mailbox="INBOX"):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["imaps" if tls else "imap"]), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = server.tls_context.wrap_socket(self.socket)
        self.rest = b""
        self.until(b"* OK")
        self.ok(b"LOGIN alice@example.com \"%s\"" % PASSWORD.encode())
        self.ok(b"SELECT %s" % mailbox.encode())

    def line(self):
        while b"\r\n" not in self.rest:
            piece = self.socket.recv(65536)
            assert piece, "the server closed the connection"
            self.rest += piece
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def until(self, *starts):
        while True:
            line = self.line()
            if any(start in line for start in starts):
                return line

    def ok(self, command):
        self.socket.sendall(b"t " + command + b"\r\n")
        answer = self.until(b"t OK", b"t NO", b"t BAD")
        assert answer.startswith(b"t OK"), (command, answer)

    def idle(self):
        self.socket.sendall(b"i IDLE\r\n")
        self.until(b"+ idling")


def reconfigure(server, change):
    """Restarts the server with a changed configuration."""
    server.stop()
    with open(server.config) as f:
        config = json.load(f)
    change(config)
    with open(server.config, "w") as f:
        json.dump(config, f)
    server.start()


def latency(watching, acting, rounds, change):
    """The sorted times from the OK of one client to the update of the other, in milliseconds; about 0 if the update
    came first."""
    watcher, actor = Client(watching), Client(acting)
    watcher.idle()
    times = []
    for i in range(rounds):
        if change == "append":
            actor.socket.sendall(b"t APPEND INBOX {%d+}\r\n%s\r\n" % (len(MESSAGE), MESSAGE))
            wanted = b" EXISTS"
        else:
            actor.socket.sendall(b"t UID STORE 1 %sFLAGS.SILENT (\\Flagged)\r\n" % (b"+" if i % 2 == 0 else b"-"))
            wanted = b" FETCH "
        actor.until(b"t OK")
        began = time.perf_counter()
        watcher.until(wanted)
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(0.01)
    watcher.socket.close()
    actor.socket.close()
    return sorted(times)


def anonymous(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            if line.startswith("Anonymous:"):
                return int(line.split()[1])


def work(client):
    """The work of a mail program before it idles: uploads a message, fetches the flags of all."""
    client.socket.sendall(b"t APPEND Sent {%d+}\r\n%s\r\n" % (len(LARGE), LARGE))
    assert client.until(b"t OK", b"t NO", b"t BAD").startswith(b"t OK")
    client.ok(b"UID FETCH 1:* (FLAGS)")
    client.ok(b"UID FETCH 1 (BODY.PEEK[])")


def memory(server, tls, count, prepare=lambda client: None):
    """The anonymous memory of each of `count` idle sessions, in KiB."""

    def idling():
        client = Client(server, tls)
        prepare(client)
        client.idle()
        return client

    warm = [idling() for _ in range(20)]
    time.sleep(1)
    before = anonymous(server.process.pid)
    clients = [idling() for _ in range(count)]
    time.sleep(2)
    after = anonymous(server.process.pid)
    for client in warm + clients:
        client.socket.close()
    return (after - before) / count


def report(what, server, tls, count):
    print(f"{what}: {memory(server, tls, count):.1f} KiB a session, "
          f"{memory(server, tls, count // 5, work):.1f} KiB after work", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rmail")
    parser.add_argument("--messages", type=int, default=0, help="in the mailbox beforehand")
    parser.add_argument("--sessions", type=int, default=0, help="to measure memory with")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--root", default=None, help="where the store is made")
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(dir=arguments.root) as root:
        clear = Server(os.path.abspath(arguments.rmail), root, tls=False, durability="none")
        reconfigure(clear, lambda config: config["imap"].update(max_connections=arguments.sessions + 100))
        filler = Client(clear)
        for start in range(0, arguments.messages, 1000):
            batch = min(1000, arguments.messages - start)
            filler.socket.sendall(b"t APPEND INBOX" + b" {%d+}\r\n%s" % (len(MESSAGE), MESSAGE) * batch + b"\r\n")
            assert filler.until(b"t OK", b"t NO", b"t BAD").startswith(b"t OK")
        filler.ok(b"NOOP")
        if arguments.messages == 0:
            filler.socket.sendall(b"t APPEND INBOX {%d+}\r\n%s\r\n" % (len(MESSAGE), MESSAGE))
            filler.until(b"t OK")
        filler.socket.close()
        second = clear.second()
        for where, acting in (("one process", clear), ("two processes", second)):
            for change in ("append", "flags"):
                times = latency(clear, acting, arguments.rounds, change)
                median, worst = statistics.median(times), times[int(len(times) * 0.95)]
                print(f"{where}, {change}: median {median:.2f} ms, 95 % {worst:.2f} ms, most {times[-1]:.2f} ms",
                      flush=True)
                failed = failed or median > LIMIT
        second.stop()
        if arguments.sessions:
            report("idle in clear", clear, False, arguments.sessions)
            clear.stop()
            with tempfile.TemporaryDirectory(dir=arguments.root) as other:
                secure = Server(clear.rmail, other)
                secure.tls_context = secure.context()
                secure.tls_context.check_hostname = False

                def change(config):
                    config["imap"]["max_connections"] = arguments.sessions + 100
                    config["mail_root"] = f"{root}/store"

                reconfigure(secure, change)
                report("idle over TLS", secure, True, arguments.sessions)
                secure.stop()
        else:
            clear.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
