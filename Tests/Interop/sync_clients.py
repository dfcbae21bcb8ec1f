"""Programs that synchronize a local copy of the mail in both directions: mbsync and OfflineIMAP."""

import os
import re

from harness import ALICE, LETTER, Session, run, write
from usage_sessions import PASSWORD


def subjects(folder):
    found = []
    for directory in ("cur", "new"):
        for name in os.listdir(f"{folder}/{directory}"):
            with open(f"{folder}/{directory}/{name}", newline="") as f:
                found.append((re.search(r"Subject: (.*?)\r?\n", f.read()).group(1), name.partition(":2,")[2]))
    return sorted(found)


def mbsync(s):
    """Synchronizes 500 messages with flags both ways; a round without changes makes none."""
    session = Session(s)
    letters = {"": "", "\\Seen": "S", "\\Flagged \\Answered": "FR", "\\Draft": "D"}
    choices = list(letters)
    expected = []
    for i in range(500):
        flags = choices[i % len(choices)]
        session.ok(f'APPEND Archive ({flags}) "01-Feb-2024 10:11:12 +0100"',
                   b"Subject: m%03d\r\n\r\n%s\r\n" % (i, b"z" * (i * 37 % 3000)))
        expected.append((f"m{i:03}", letters[flags]))
    session.ok("CREATE Work/Entw&APw-rfe")
    session.ok("APPEND Work/Entw&APw-rfe", b"Subject: nested\r\n\r\nx\r\n")
    local = f"{s.root}/maildir"
    os.makedirs(local)
    rc = write(f"{s.root}/mbsyncrc", f"""
IMAPAccount a
Host localhost
Port {s.ports['imaps']}
User {ALICE}
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {s.root}/cert.pem

IMAPStore far
Account a

MaildirStore near
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns Archive Work*
Create Both
Expunge Both
SyncState *
CopyArrivalDate yes
""")

    done = []

    def sync():
        # It counts its changes only on a terminal.
        done.append(run("script", "-qec", f"mbsync -c {rc} -a", "/dev/null", input=""))
        return subjects(f"{local}/Archive")

    def changes():
        """The changes reported by mbsync in the last round, on either side: new, flags, removed."""
        told = re.findall(r"[FN]: \+(\d+)/\d+ \*(\d+)/\d+ #(\d+)/\d+", done[-1])
        assert told, done[-1]
        return [tuple(map(int, side)) for side in told[-2:]]

    assert sync() == expected, "all messages and flags arrive"
    assert subjects(f"{local}/Work/Entw&APw-rfe") == [("nested", "")]
    before = session.ok("STATUS Archive (MESSAGES UIDNEXT HIGHESTMODSEQ)")[0]
    assert sync() == expected and session.ok("STATUS Archive (MESSAGES UIDNEXT HIGHESTMODSEQ)")[0] == before
    assert changes() == [(0, 0, 0), (0, 0, 0)], done[-1]

    # Changes on both sides: five deleted and five flagged here, ten expunged there, one new here.
    folder = f"{local}/Archive/cur"
    by_number = {}
    for directory in ("cur", "new"):
        for name in os.listdir(f"{local}/Archive/{directory}"):
            path = f"{local}/Archive/{directory}/{name}"
            with open(path) as f:
                by_number[int(re.search(r"Subject: m(\d+)", f.read()).group(1))] = path
    for i in range(0, 5):
        os.remove(by_number[i])
    for i in range(5, 10):
        base, _, flags = os.path.basename(by_number[i]).partition(":2,")
        os.rename(by_number[i], f"{folder}/{base}:2,{''.join(sorted(set(flags) | {'F', 'S'}))}")
    session.ok("SELECT Archive")
    session.ok("STORE 101:110 +FLAGS.SILENT (\\Deleted)")
    assert sum(b"EXPUNGE" in a for a in session.ok("EXPUNGE")[:-1]) == 10
    write(f"{local}/Archive/new/1.local.host", "Subject: written here\n\nhello\n")
    final = [(name, "".join(sorted(set(f) | {"F", "S"})) if 5 <= int(name[1:]) < 10 else f)
             for name, f in expected if not (int(name[1:]) < 5 or 100 <= int(name[1:]) < 110)] + [("written here", "")]
    assert sync() == final
    assert changes() != [(0, 0, 0), (0, 0, 0)], done[-1]
    assert sync() == final
    assert changes() == [(0, 0, 0), (0, 0, 0)], done[-1]
    session.ok("NOOP")
    assert session.ok('SEARCH SUBJECT "written here"')[0].split()[2:] == [b"486"]
    assert session.ok("SEARCH SUBJECT m007 FLAGGED SEEN")[0].split()[2:] == [b"3"]
    session.close()


def offlineimap(s):
    """OfflineIMAP to a Maildir, a change on each side, and a round without changes."""
    session = Session(s)
    session.ok("CREATE Offline")
    for i in range(20):
        session.ok("APPEND Offline (\\Seen)" if i % 2 else "APPEND Offline", LETTER % (i, i))
    local = f"{s.root}/offline"
    rc = write(f"{s.root}/offlineimaprc", f"""
[general]
accounts = a
metadata = {s.root}/offline-metadata
ui = basic
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {local}
sep = /
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {s.ports['imaps']}
remoteuser = {ALICE}
remotepass = {PASSWORD}
ssl = yes
sslcacertfile = {s.root}/cert.pem
folderfilter = lambda name: name == 'Offline'
""")

    def sync():
        run("offlineimap", "-o", "-c", rc)
        found = {}
        for directory in ("cur", "new"):
            for name in os.listdir(f"{local}/Offline/{directory}"):
                with open(f"{local}/Offline/{directory}/{name}", "rb") as f:
                    number = int(re.search(rb"Message-ID: <letter(\d+)@", f.read()).group(1))
                found[number] = (name.partition(":2,")[2], f"{local}/Offline/{directory}/{name}")
        return found

    state = "STATUS Offline (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)"
    first, before = sync(), session.ok(state)[0]
    assert {n: flags for n, (flags, _) in first.items()} == {i: "S" if i % 2 else "" for i in range(20)}, first
    assert sync() == first and session.ok(state)[0] == before
    os.remove(first[3][1])
    session.ok("SELECT Offline")
    session.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
    second = sync()
    assert second[0][0] == "F" and len(second) == 19
    assert sum(b"EXPUNGE" in a for a in session.ok("NOOP")) == 1
    assert session.ok("SEARCH ALL")[0].split()[2:] == [b"%d" % i for i in range(1, 20)]
    session.ok("CLOSE")
    session.ok("DELETE Offline")
    session.close()
