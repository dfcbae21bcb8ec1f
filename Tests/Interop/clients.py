#!/usr/bin/env python3
"""Real mail programs against a private server: mbsync, OfflineIMAP, imaplib, IMAPClient, Mail::IMAPClient, PHP's
imap, imapfilter, doveadm, interimap, curl, swaks, msmtp and mutt, then many sessions at once, two processes on one
store and SIGKILL in the middle of deliveries.

clients.py PATH-OF-RMAIL. Exit status 1 if any check fails; a missing program is a failure."""

import imaplib
import json
import os
import random
import re
import smtplib
import sys
import tempfile
import threading
import time
from collections import Counter

from copying_clients import doveadm, interimap
from harness import ALICE, BOB, Session, run, write
from library_clients import imapfilter, msmtp, perl_imapclient, php_imap
from python_clients import python_imapclient, python_imaplib
from sync_clients import mbsync, offlineimap
from usage_sessions import PASSWORD, Server, wait_for

imaplib._MAXLINE = 10_000_000


def curl(s):
    base = ["curl", "-sS", "--cacert", f"{s.root}/cert.pem", "-u", f"{ALICE}:{PASSWORD}"]
    imaps = f"imaps://localhost:{s.ports['imaps']}"
    imap = f"imap://localhost:{s.ports['imap']}"
    mail = write(f"{s.root}/up", f"From: {ALICE}\r\nSubject: by curl\r\n\r\nuploaded\r\n")
    run(*base, "-T", mail, f"{imaps}/Drafts")
    with open(mail, newline="") as f:
        assert run(*base, f"{imaps}/Drafts;UID=1") == f.read().replace("\r\n", "\n"), "text mode makes LF of CRLF"
    assert run(*base, "--ssl-reqd", f"{imap}/Drafts;MAILINDEX=1;SECTION=TEXT") == "uploaded\n"
    assert "MESSAGES 1 " in run(*base, imaps, "-X", "STATUS Drafts (MESSAGES UNSEEN)")
    assert run(*base, "--ssl-reqd", f"{imap}/Drafts?SUBJECT%20curl").split() == ["*", "SEARCH", "1"]
    assert '"/" Drafts' in run(*base, f"{imaps}/")
    run(*base, f"{imap}/Drafts", status=67)
    send = ["--mail-from", ALICE, "--mail-rcpt", BOB, "-T", mail]
    run(*base, "--ssl-reqd", f"smtp://localhost:{s.ports['submission']}", *send)
    run(*base, f"smtps://localhost:{s.ports['smtps']}", "--login-options", "AUTH=LOGIN", *send)
    session = Session(s, "bob")
    session.ok("SELECT INBOX")
    assert session.ok('SEARCH SUBJECT "by curl"')[0].split()[2:] == [b"1", b"2"]
    session.close()


def swaks(s):
    def send(port, *arguments, sender=ALICE, to=BOB, status=0):
        return run("swaks", "--server", "localhost", "--port", s.ports[port], "--from", sender, "--to", to,
                   "--timeout", 120, *arguments, status=status)

    login = ["--auth-user", ALICE, "--auth-password", PASSWORD]
    assert "=== TLS started" in send("submission", "-tls", "--auth", "PLAIN", *login)
    send("submission", "-tls", "--auth", "LOGIN", *login)
    send("smtps", "-tlsc", "--auth", "PLAIN", *login)
    assert "530 5.7.0" in send("submission", "-tls", status=23)
    send("submission", "--auth", "PLAIN", *login, status=28)
    assert "535 5.7.8" in send("submission", "-tls", "--auth", "PLAIN", "--auth-user", ALICE, "--auth-password", "x",
                               status=28)
    assert "553 5.7.1" in send("submission", "-tls", "--auth", "PLAIN", *login, sender=BOB, status=23)
    send("smtp", "--pipeline", to=f"{ALICE},{BOB}")
    assert "550 5.1.1" in send("smtp", "--pipeline", to=f"nobody@example.com,{BOB}")
    assert "550 5.7.1" in send("smtp", to="someone@elsewhere.example", status=24)
    large = write(f"{s.root}/large", "x" * 76 + "\r\n")
    with open(large, "w") as f:
        for _ in range(20 * 1024 * 1024 // 77):
            f.write("x" * 76 + "\n")
    send("smtp", "--body", f"@{large}", "--suppress-data")
    assert "552 5.3.4" in send("smtp", "--body", "@" + oversize(s), "--suppress-data", status=26)


def oversize(s):
    path = f"{s.root}/oversize"
    with open(path, "w") as f:
        for _ in range(54 * 1024 * 1024 // 77):
            f.write("x" * 76 + "\n")
    return path


def mutt(s):
    home = f"{s.root}/home"
    os.makedirs(home)
    rc = write(f"{s.root}/muttrc", f"""
set folder="imaps://localhost:{s.ports['imaps']}/"
set imap_user="{ALICE}" imap_pass="{PASSWORD}" imap_condstore=yes
set spoolfile="+Junk" record="+Sent" copy=yes move=no mark_old=no quit=yes
set certificate_file="{s.root}/cert.pem" ssl_force_tls=yes
set smtp_url="smtp://{ALICE}@localhost:{s.ports['submission']}/" smtp_pass="{PASSWORD}"
set from="{ALICE}" realname="Alice \u00dcber" use_from=yes envelope_from=yes
""")
    env = dict(os.environ, HOME=home, TERM="xterm", LC_ALL="C.UTF-8")
    run("mutt", "-n", "-F", rc, "-s", "gr\u00fc\u00dfe from mutt", BOB, input="hello\n", env=env)
    session = Session(s)
    assert b"MESSAGES 1 " in session.ok("STATUS Sent (MESSAGES UNSEEN)")[0], "the copy is in Sent"
    other = Session(s, "bob")
    other.ok("SELECT INBOX")
    assert len(other.ok('SEARCH SUBJECT "from mutt"')[0].split()) == 3
    for i in range(5):
        session.ok("APPEND Junk", b"From: a@b.example\r\nSubject: j%d\r\n\r\nx\r\n" % i)
    # Opens the mailbox, flags the first message, deletes the last one and quits.
    keys = "<first-entry><flag-message><last-entry><delete-message><sync-mailbox><quit>"
    run("script", "-qec", f"mutt -n -F {rc} -e 'set delete=yes; push \"{keys}\"'", "/dev/null", input="", env=env)
    session.ok("SELECT Junk")
    assert b"* 4 EXISTS\r\n" in session.ok("SELECT Junk")
    assert session.ok("SEARCH FLAGGED")[0] == b"* SEARCH 1\r\n"
    session.close()
    other.close()


def quota(s):
    """IMAP returns OVERQUOTA; SMTP refuses only the recipient without room for the declared size."""
    s.command("user", "add", "carol@example.com", "--password-stdin", "--iterations", "1000", input=PASSWORD + "\n")
    path = f"{s.root}/store/domains/example.com/users/carol/user.json"
    with open(path) as f:
        account = json.load(f)
    account["quota_mb"] = 1
    with open(path, "w") as f:
        json.dump(account, f)
    session = Session(s, "carol")
    piece = b"Subject: q\r\n\r\n" + b"x" * 500_000
    session.ok("APPEND INBOX", piece)
    session.ok("APPEND INBOX", piece)
    assert b" NO [OVERQUOTA]" in session.command("APPEND INBOX", piece)[-1]
    session.ok("SELECT INBOX")
    assert b" NO [OVERQUOTA]" in session.command("COPY 1 Archive")[-1]
    session.ok("MOVE 1 Archive")
    with smtplib.SMTP("localhost", s.ports["smtp"], timeout=120) as smtp:
        smtp.ehlo()
        smtp.mail("x@external.com", ["SIZE=600000"])
        code, text = smtp.rcpt("carol@example.com")
        assert code == 452 and text.startswith(b"4.2.2"), (code, text)
        assert smtp.rcpt(BOB)[0] == 250
        smtp.rset()
        refused = smtp.sendmail("x@external.com", ["carol@example.com"], "Subject: small\r\n\r\nfits\r\n")
        assert refused == {}
    session.close()


def large(s):
    """20 MB in and out by imaplib, byte for byte, while another client reads nothing."""
    lines = (b"%08d%s\r\n" % (i, b"y" * 68) for i in range(20 * 1024 * 1024 // 78))
    message = b"Subject: large\r\n\r\n" + b"".join(lines)
    imap = s.imap()
    assert imap.append("Archive", "\\Seen", None, message)[0] == "OK"
    assert imap.select("Archive", readonly=True)[0] == "OK"
    slow = Session(s)
    slow.ok("EXAMINE Archive")
    slow.socket.sendall(b"s FETCH 1:* (BODY.PEEK[])\r\n")
    before = memory(s)
    typ, data = imap.fetch("*", "(BODY.PEEK[])")
    assert data[0][1] == message
    assert memory(s) - before < 16 * 1024, "a large message is not held in memory"
    imap.logout()
    slow.close()
    # A client that disconnects in the middle of a literal leaves nothing behind.
    gone = Session(s)
    gone.socket.sendall(b"g APPEND Drafts {100000}\r\n")
    assert gone.line().startswith(b"+")
    gone.socket.sendall(b"x" * 50_000)
    gone.close()


def memory(s):
    with open(f"/proc/{s.process.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class Follower(Session):
    """Tracks message numbers as a client must, and rejects inconsistent answers."""

    def __init__(self, s):
        super().__init__(s)
        self.uids = []
        self.follow(self.ok("SELECT Trash"))
        self.do("FETCH 1:* (UID)" if self.uids else "NOOP")

    def follow(self, answers, expunges=True):
        for answer in answers:
            found = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(.*)", answer, re.S)
            if not found:
                continue
            number, what, rest = int(found.group(1)), found.group(2), found.group(3)
            if what == b"EXISTS":
                assert number >= len(self.uids), ("EXISTS took messages away", answer)
                self.uids += [None] * (number - len(self.uids))
                continue
            assert 1 <= number <= len(self.uids), ("no such number", answer, len(self.uids))
            if what == b"EXPUNGE":
                assert expunges, ("EXPUNGE where numbers are in use", answers[-1])
                self.uids.pop(number - 1)
                continue
            uid = re.search(rb"\bUID (\d+)", rest)
            if uid:
                uid = int(uid.group(1))
                assert self.uids[number - 1] in (None, uid), ("another message", answer)
                self.uids[number - 1] = uid

    def do(self, text, literal=None):
        answers = self.command(text, literal)
        assert re.match(rb"t\d+ (OK|NO \[EXPUNGEISSUED\])", answers[-1]), (text, answers[-1])
        self.follow(answers, expunges=not text.startswith(("FETCH", "STORE", "SEARCH")))


def sessions_at_once(s):
    failures, views = [], []
    end = time.monotonic() + 5

    def work(seed):
        try:
            chance, follower = random.Random(seed), Follower(s)
            while time.monotonic() < end:
                count = len(follower.uids)
                number = chance.randint(1, max(count, 1))
                if count < 15:
                    follower.do("APPEND Trash", b"Subject: s\r\n\r\n" + b"x" * chance.randrange(3000))
                    continue
                uid = follower.uids[number - 1]
                follower.do(chance.choice([
                    f"STORE {number} +FLAGS (\\Deleted)", f"STORE {number} -FLAGS (\\Deleted)",
                    f"STORE {number} +FLAGS.SILENT (\\Seen kw{seed % 5})", "EXPUNGE", "NOOP", "SEARCH DELETED",
                    f"FETCH {max(1, number - 5)}:{number} (UID FLAGS BODY.PEEK[])", f"FETCH {number} (UID BODY[TEXT])",
                    f"COPY {number} Archive", f"UID MOVE {uid} Archive" if uid else "NOOP",
                    f"UID FETCH {uid}:* (FLAGS)" if uid else "NOOP"]))
            views.append(follower)
        except Exception as e:
            failures.append((seed, repr(e)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    for follower in views:
        follower.do("NOOP")
        follower.do("FETCH 1:* (UID)" if follower.uids else "NOOP")
    assert all(v.uids == views[0].uids for v in views), "all see the same in the end"
    for follower in views:
        follower.close()


def two_processes(s):
    """A message delivered through one process is reported by the other."""
    second = s.second()
    try:
        watcher, actor = Session(second), Session(s)
        watcher.ok("SELECT INBOX")
        watcher.socket.sendall(b"i IDLE\r\n")
        assert watcher.line().startswith(b"+ ")
        with smtplib.SMTP("localhost", s.ports["smtp"], timeout=120) as smtp:
            smtp.sendmail("x@external.com", [ALICE], "Subject: across\r\n\r\nx\r\n")
        while b"EXISTS" not in watcher.line():
            pass
        watcher.socket.sendall(b"DONE\r\n")
        while not watcher.line().startswith(b"i OK"):
            pass
        actor.ok("SELECT INBOX")
        actor.ok("STORE * +FLAGS (\\Flagged across)")
        assert any(b"\\Flagged" in a and b"across" in a for a in watcher.ok("NOOP"))
        watcher.ok("STORE * +FLAGS (\\Deleted)")
        watcher.ok("EXPUNGE")
        assert any(b"EXPUNGE" in a for a in actor.ok("NOOP"))
        watcher.close()
        actor.close()
    finally:
        second.stop()


def killed(s):
    """SIGKILL during deliveries: every acknowledged message is there, once."""
    acknowledged, counter, lock, running = set(), [0], threading.Lock(), threading.Event()

    def name():
        with lock:
            counter[0] += 1
            return f"kill{counter[0]:05}"

    def deliver():
        while not running.is_set():
            try:
                with smtplib.SMTP("localhost", s.ports["smtp"], timeout=120) as smtp:
                    while not running.is_set():
                        subject = name()
                        smtp.sendmail("x@external.com", [ALICE, BOB], f"Subject: {subject}\r\n\r\nx\r\n")
                        acknowledged.add(subject)
            except (OSError, smtplib.SMTPException, KeyError):  # KeyError: no port while it starts
                time.sleep(0.05)

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for round in range(3):
            # Kills in the middle of work, however long the work takes to begin.
            wait_for(lambda: len(acknowledged) > 10 * round + 10)
            s.process.kill()
            s.process.wait()
            s.start()
        wait_for(lambda: len(acknowledged) > 40)
    finally:
        running.set()
    for thread in threads:
        thread.join()
    for user in ("alice", "bob"):
        session = Session(s, user)
        session.ok("SELECT INBOX")
        text = b"".join(session.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        found = Counter(re.findall(r"kill\d{5}", text.decode()))
        assert not acknowledged - set(found), (user, "lost", sorted(acknowledged - set(found))[:5])
        assert max(found.values()) == 1, (user, "twice", found.most_common(3))
        session.close()


def main():
    rmail = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="rmail-clients-") as root:
        s = Server(rmail, root)
        try:
            for part in (mbsync, python_imaplib, python_imapclient, offlineimap, curl, swaks, mutt, msmtp,
                         perl_imapclient, php_imap, imapfilter, doveadm, interimap, quota, large,
                         sessions_at_once, two_processes, killed):
                began = time.monotonic()
                part(s)
                print(f"{part.__name__}: as it should be ({time.monotonic() - began:.1f} s)", flush=True)
        except BaseException:
            sys.stderr.write("".join(s.log[-20:]))
            s.process.kill()
            raise
        s.stop()


if __name__ == "__main__":
    main()
