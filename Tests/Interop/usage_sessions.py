#!/usr/bin/env python3
"""The sessions of the manual, driven with Python's own smtplib and imaplib against a private server.

usage_sessions.py PATH-OF-RMAIL. Exit status 1 if anything differs from the manual."""

import copy
import imaplib
import json
import os
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PASSWORD = "correct horse"


class Server:
    """A server on free ports with a private store."""

    def __init__(self, rmail, root, tls=True, durability="messages", index=True):
        self.rmail, self.root = rmail, root
        self.config = f"{root}/config.json"
        config = {
            "hostname": "localhost", "mail_root": "./store", "domains": ["example.com"],
            "smtp": {"host": "127.0.0.1", "port": 0, "submission_port": 0, "smtps_port": 0 if tls else None},
            "imap": {"host": "127.0.0.1", "port": 0, "imaps_port": 0 if tls else None},
            "exchange_api": {"host": "127.0.0.1", "port": None, "secure_port": None},
            "tls": {"enabled": tls},
            "storage": {"state_path": "./state", "durability": durability},
            "index": {"enabled": index},
        }
        if tls:
            # An EC key, made for the test: generating a 4096-bit RSA key takes seconds.
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-keyout", f"{root}/key.pem", "-out", f"{root}/cert.pem"], check=True, capture_output=True)
            config["tls"].update(cert_file="./cert.pem", key_file="./key.pem")
        with open(self.config, "w") as f:
            json.dump(config, f)
        for user in ("alice", "bob"):
            self.command("user", "add", f"{user}@example.com", "--password-stdin", "--iterations", "1000",
                         input=PASSWORD + "\n")
        self.start()

    def command(self, *arguments, input=None):
        done = subprocess.run([self.rmail, *arguments, "-c", self.config], input=input, text=True,
                              capture_output=True)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def start(self):
        self.process = subprocess.Popen([self.rmail, "serve", "-c", self.config], stderr=subprocess.PIPE, text=True)
        self.ports, self.log = {}, []
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"listening (\S+) \S*:(\d+)", line)
            if found:
                self.ports[found.group(1)] = int(found.group(2))
            if line.rstrip().endswith("ready"):
                break
        else:
            raise AssertionError("the server did not start:\n" + "".join(self.log))
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def second(self):
        """A second process on the same store."""
        with open(self.config) as f:
            config = json.load(f)
        config["storage"]["state_path"] = "./state2"
        other = copy.copy(self)
        other.config = f"{self.root}/config2.json"
        with open(other.config, "w") as f:
            json.dump(config, f)
        other.start()
        return other

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=120) == 0, "SIGTERM is a clean stop"

    def context(self):
        return ssl.create_default_context(cafile=f"{self.root}/cert.pem")

    def imap(self, user="alice"):
        imap = imaplib.IMAP4("localhost", self.ports["imap"])
        imap.starttls(ssl_context=self.context())
        imap.login(f"{user}@example.com", PASSWORD)
        return imap


def submission(s):
    smtp = smtplib.SMTP("localhost", s.ports["submission"], timeout=120)
    smtp.ehlo("client.example.com")
    assert not smtp.has_extn("auth"), "credentials wait for TLS"
    smtp.starttls(context=s.context())
    smtp.ehlo("client.example.com")
    smtp.login("alice@example.com", PASSWORD)
    refused = smtp.sendmail("alice@example.com", ["bob@example.com"],
                            "From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Hello\r\n\r\nBody\r\n")
    assert refused == {}
    smtp.quit()


def smtps(s):
    smtp = smtplib.SMTP_SSL("localhost", s.ports["smtps"], timeout=120, context=s.context())
    smtp.login("bob@example.com", PASSWORD)
    smtp.sendmail("bob@example.com", ["alice@example.com", "bob@example.com"],
                  "From: bob@example.com\r\nTo: alice@example.com\r\nSubject: Hello both\r\n\r\nBody of both\r\n")
    try:
        smtp.sendmail("bob@example.com", ["someone@elsewhere.example"], "From: bob@example.com\r\n\r\nx\r\n")
        raise AssertionError("relay must be refused")
    except smtplib.SMTPRecipientsRefused as e:
        assert e.recipients["someone@elsewhere.example"][0] == 550, e.recipients
    smtp.quit()


def inbound(s):
    """The telnet session of the manual, on a raw socket."""
    with socket.create_connection(("localhost", s.ports["smtp"]), timeout=120) as c:
        f = c.makefile("rwb", newline=None)

        def reply():
            lines = []
            while True:
                line = f.readline().decode()
                lines.append(line.rstrip("\r\n"))
                if line[3:4] != "-":
                    return lines

        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()

        assert reply()[0].startswith("220 localhost ESMTP rmail")
        say("EHLO client.example.com")
        lines = reply()
        assert any(line[4:] == "STARTTLS" for line in lines), lines
        assert not any("AUTH" in line for line in lines), lines
        for command, code in [("MAIL FROM:<sender@external.com>", "250 2.1.0"), ("RCPT TO:<alice@example.com>", "250 2.1.5"),
                              ("DATA", "354")]:
            say(command)
            answer = reply()
            assert answer[0].startswith(code), (command, answer)
        say("From: sender@external.com\r\nTo: alice@example.com\r\nSubject: Inbound test\r\n\r\nBody text.\r\n.")
        assert reply()[0].startswith("250 2.0.0 OK")
        say("QUIT")
        assert reply()[0].startswith("221 2.0.0")


def reading(s):
    clear = imaplib.IMAP4("localhost", s.ports["imap"])
    assert "LOGINDISABLED" in clear.capabilities, clear.capabilities
    try:
        clear.login("alice@example.com", PASSWORD)
        raise AssertionError("a clear-text login must be refused")
    except imaplib.IMAP4.error as e:
        assert "PRIVACYREQUIRED" in str(e), e
    clear.logout()

    imap = s.imap()
    typ, data = imap.select("INBOX")
    assert typ == "OK" and int(data[0]) == 2, (typ, data)
    status, data = imap.search(None, "ALL")
    numbers = data[0].split()
    assert numbers == [b"1", b"2"], data
    status, data = imap.fetch(numbers[-1], "(BODY.PEEK[])")
    text = data[0][1].decode()
    assert "Subject: Inbound test\r\n" in text and text.endswith("Body text.\r\n"), text
    assert text.startswith("Return-Path: <sender@external.com>\r\n"), text
    status, data = imap.store(numbers[-1], "+FLAGS", "\\Seen")
    assert status == "OK" and b"\\Seen" in data[0], data

    status, data = imap.uid("SEARCH", "SUBJECT", '"Inbound"')
    assert data[0] == b"2", data
    status, found = imap.uid("FETCH", data[0].decode(), "(FLAGS RFC822.SIZE)")
    assert status == "OK" and b"RFC822.SIZE %d" % len(text) in found[0], found
    status, moved = imap.uid("MOVE", "2", "Trash")
    assert status == "OK", moved
    typ, data = imap.select("Trash")
    assert int(data[0]) == 1
    typ, data = imap.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert b"\\Seen" in data[0][0] and b"Subject: Inbound test" in data[0][1], data
    imap.logout()

    secure = imaplib.IMAP4_SSL("localhost", s.ports["imaps"], ssl_context=s.context())
    secure.login("alice@example.com", PASSWORD)
    assert secure.select("INBOX")[1] == [b"1"]
    assert secure.append("Drafts", "\\Draft", None, b"Subject: draft\r\n\r\nnot yet\r\n")[0] == "OK"
    assert secure.status("Drafts", "(MESSAGES UNSEEN UIDNEXT)")[0] == "OK"
    names = b" ".join(secure.list()[1])
    for name in (b"INBOX", b"Sent", b"Drafts", b"Trash", b"Junk", b"Archive"):
        assert name in names, names
    secure.logout()


def idle(s):
    imap = s.imap()
    imap.select("INBOX")
    before = int(imap.untagged_responses["EXISTS"][-1]) if "EXISTS" in imap.untagged_responses else 1
    imap.send(b"a001 IDLE\r\n")
    assert imap.readline().startswith(b"+ ")
    smtp = smtplib.SMTP("localhost", s.ports["smtp"], timeout=120)
    start = time.monotonic()
    smtp.sendmail("x@external.com", ["alice@example.com"], "Subject: ping\r\n\r\nping\r\n")
    line = imap.readline()
    while b"EXISTS" not in line:
        line = imap.readline()
    print(f"  IDLE: EXISTS {(time.monotonic() - start) * 1000:.1f} ms after MAIL FROM", flush=True)
    assert line.split()[1] == b"%d" % (before + 1), (line, before)
    imap.send(b"DONE\r\n")
    line = imap.readline()
    while not line.startswith(b"a001 "):
        line = imap.readline()
    assert line.startswith(b"a001 OK"), line
    smtp.quit()
    imap.logout()


def restart(s):
    """Accepted mail survives kill -9, under the same UIDs."""
    imap = s.imap()
    imap.select("INBOX")
    before = imap.uid("SEARCH", "ALL")[1]
    s.process.kill()
    s.process.wait()
    s.start()
    imap = s.imap()
    imap.select("INBOX")
    assert imap.uid("SEARCH", "ALL")[1] == before
    imap.logout()


def reload(s):
    """SIGHUP keeps sessions; an invalid configuration is refused as a whole."""
    import signal
    imap = s.imap()
    with open(s.config) as f:
        good = f.read()
    with open(s.config, "w") as f:
        f.write(good.replace('"domains"', '"domain"'))
    seen = len(s.log)
    s.process.send_signal(signal.SIGHUP)
    wait_for(lambda: any("not reloaded" in line for line in s.log[seen:]))
    with open(s.config, "w") as f:
        f.write(good)
    s.process.send_signal(signal.SIGHUP)
    wait_for(lambda: any("configuration reloaded" in line for line in s.log[seen:]))
    assert imap.noop()[0] == "OK"
    imap.logout()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def port_taken(s):
    with open(s.config) as f:
        config = json.load(f)
    config["smtp"]["port"] = s.ports["smtp"]
    path = f"{s.root}/second.json"
    with open(path, "w") as f:
        json.dump(config, f)
    done = subprocess.run([s.rmail, "serve", "-c", path], capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and str(s.ports["smtp"]) in done.stderr, done


def main():
    rmail = os.path.abspath(sys.argv[1])
    failed = 0
    sessions = [submission, smtps, inbound, reading, idle, restart, reload, port_taken]
    with tempfile.TemporaryDirectory() as root:
        server = Server(rmail, root)
        for session in sessions:
            try:
                session(server)
                print(f"ok   {session.__name__}", flush=True)
            except Exception as error:
                import traceback
                failed += 1
                print(f"FAIL {session.__name__}: {error!r}\n{traceback.format_exc()}", flush=True)
        try:
            server.stop()
        except Exception as error:
            failed += 1
            print(f"FAIL stop: {error!r}\n" + "".join(server.log[-40:]))
        if failed:
            print("".join(server.log[-60:]))
    print(f"{len(sessions) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
