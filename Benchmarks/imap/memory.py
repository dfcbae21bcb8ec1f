"""What idle sessions cost in memory."""

import socket
import ssl
import time

from servers import anonymous, proportional

SESSIONS = 500


class Idler:
    """A session with INBOX selected, in IDLE."""

    def __init__(self, server, tls):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["imaps"] if tls else server.port), timeout=60)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.until(b"* OK")
        self.say(b"a", f'LOGIN {server.user} "{server.password}"')
        self.say(b"b", "SELECT INBOX")
        self.socket.sendall(b"c IDLE\r\n")
        self.until(b"+ ")

    def say(self, tag, text):
        self.socket.sendall(tag + b" " + text.encode() + b"\r\n")
        self.until(tag + b" OK")

    def until(self, text):
        answer = b""
        while text not in answer or not answer.endswith(b"\r\n"):
            piece = self.socket.recv(65536)
            if not piece:
                raise RuntimeError(f"the server hung up: {answer[-300:]}")
            answer += piece


def settled(measure):
    """The lowest of a second: buffers of logins are given back meanwhile."""
    values = []
    for _ in range(5):
        time.sleep(0.2)
        values.append(measure())
    return min(values)


def idle_memory(bench, server, tls):
    """Bytes by which memory grows for each session: anonymous memory of rmail, PSS of all of Dovecot's processes. The
    first sessions, which load what all share, do not count."""
    measure = anonymous if server.name == "rmail" else proportional
    if tls:
        bench.restart(server, tls=True)
    idlers = [Idler(server, tls) for _ in range(10)]
    try:
        before = settled(lambda: measure(server.pids()))
        idlers += [Idler(server, tls) for _ in range(SESSIONS)]
        after = settled(lambda: measure(server.pids()))
    finally:
        for idler in idlers:
            idler.socket.close()
        if tls:
            bench.restart(server)
    return (after - before) / SESSIONS
