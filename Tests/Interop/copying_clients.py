"""Programs that copy whole accounts: Dovecot's doveadm (imapc) and interimap."""

import os
import shutil
import tempfile

from dovecot import MAIL_UID
from harness import LETTER, Session, run, write
from sync_clients import subjects
from usage_sessions import PASSWORD

# Folder names as spelled in IMAP, each hard to parse for one side or the other.
FOLDERS = ["With Space", "Gr&APwA3w-e", "R&-D", "&ZeVnLIqe-", 'say "hi"', "back\\slash", "[Gmail]/All", "{5}", "#hash",
           "a/b/c/d/e/f", "emoji &2D3eAA-", "lead.dot/.hidden", "(paren)"]


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def account(s, user):
    s.command("user", "add", f"{user}@example.com", "--password-stdin", "--iterations", "1000", input=PASSWORD + "\n")
    return f"{user}@example.com"


def filled(s, user):
    """An account with a message in every folder, and 60 in INBOX."""
    account(s, user)
    session = Session(s, user)
    for name in FOLDERS:
        session.ok(f"CREATE {quoted(name)}")
        session.ok(f'APPEND {quoted(name)} (\\Seen) "01-Feb-2024 10:11:12 +0100"', LETTER % (1, 1))
    for i in range(60):
        session.ok("APPEND INBOX (\\Flagged kw)" if i % 3 == 0 else "APPEND INBOX", b"Subject: m%02d\r\n\r\nx\r\n" % i)
    return session


def doveadm(s):
    """`doveadm backup -R imapc:`: copies an account into a Maildir, and its changes in the next round."""
    session = filled(s, "dora")
    # Dovecot refuses to serve root's mailboxes.
    directory = tempfile.mkdtemp(prefix="rmail-doveadm-")
    as_user = []
    if os.geteuid() == 0:
        as_user = ["setpriv", "--reuid", MAIL_UID, "--regid", MAIL_UID, "--clear-groups"]
        os.chown(directory, MAIL_UID, MAIL_UID)
    maildir = f"{directory}/Maildir"
    config = write(f"{directory}/dovecot.conf", f"""
base_dir = {directory}/run
log_path = {directory}/log
mail_location = maildir:{maildir}:LAYOUT=fs
first_valid_uid = 1
protocols =
ssl_client_ca_file = {shutil.copy(f"{s.root}/cert.pem", directory)}
namespace inbox {{
  inbox = yes
  separator = /
}}
imapc_host = 127.0.0.1
imapc_port = {s.ports['imaps']}
imapc_ssl = imaps
imapc_user = dora@example.com
imapc_password = {PASSWORD}
imapc_features = rfc822.size fetch-headers search modseq fetch-bodystructure
""")
    env = dict(os.environ, USER="dora", HOME=directory)

    def backup():
        run(*as_user, "doveadm", "-c", config, "-o", "mail_fsync=never", "backup", "-R", "imapc:", env=env)
        return subjects(maildir)

    try:
        found = backup()
        assert [subject for subject, _ in found] == [f"m{i:02}" for i in range(60)], found
        assert [flags[:1] for _, flags in found] == ["" if i % 3 else "F" for i in range(60)], found
        for name in FOLDERS:
            assert subjects(f"{maildir}/{name}") == [("=?utf-8?q?gr=C3=BC=C3=9Fe?= 1", "S")], name
            (letter,) = os.scandir(f"{maildir}/{name}/cur")
            assert letter.stat().st_mtime == 1706778672, "the internal date comes along"
            with open(letter.path, "rb") as f:
                assert f.read().replace(b"\r\n", b"\n") == (LETTER % (1, 1)).replace(b"\r\n", b"\n")
        session.ok("SELECT INBOX")
        session.ok("STORE 2 +FLAGS.SILENT (\\Answered)")
        session.ok("STORE 1 -FLAGS.SILENT (\\Flagged)")
        session.ok("STORE 60 +FLAGS.SILENT (\\Deleted)")
        session.ok("EXPUNGE")
        session.ok("APPEND INBOX", b"Subject: new\r\n\r\nx\r\n")
        session.ok('DELETE "{5}"')
        second = backup()
        assert [subject for subject, _ in second] == [f"m{i:02}" for i in range(59)] + ["new"], second
        assert second[0][1][:1] in ("", "a") and second[1][1] == "R", second[:2]
        assert not os.path.exists(f"{maildir}/{{5}}")
    finally:
        shutil.rmtree(directory)
    session.close()


def interimap(s):
    """interimap between two accounts, by QRESYNC, under COMPRESS and STARTTLS."""
    session = filled(s, "ines")
    account(s, "ivo")
    settings = "\n".join(f"{key}={value}" for key, value in {
        "SSL_CAfile": f"{s.root}/cert.pem", "host": "localhost", "password": PASSWORD}.items())
    config = write(f"{s.root}/interimap.conf", f"""
database={s.root}/interimap.db
[local]
type=imap
port={s.ports['imap']}
STARTTLS=YES
username=ines@example.com
{settings}
[remote]
type=imaps
port={s.ports['imaps']}
compress=YES
username=ivo@example.com
{settings}
""")

    def sync():
        run("interimap", f"--config={config}", env=dict(os.environ, HOME=s.root, XDG_DATA_HOME=s.root))

    sync()
    other = Session(s, "ivo")
    for name in FOLDERS:
        other.ok(f"SELECT {quoted(name)}")
        assert LETTER % (1, 1) in other.ok("FETCH 1 (FLAGS BODY.PEEK[])")[0], name
    other.ok("SELECT INBOX")
    session.ok("SELECT INBOX")
    session.ok("STORE 1:3 +FLAGS.SILENT (\\Answered)")
    session.ok("STORE 60 +FLAGS.SILENT (\\Deleted)")
    session.ok("EXPUNGE")
    other.ok("STORE 4:6 -FLAGS.SILENT (\\Flagged kw)")
    other.ok("STORE 5 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    other.ok("APPEND INBOX", b"Subject: from there\r\n\r\nx\r\n")
    sync()
    for side in (session, other):
        side.ok("SELECT INBOX")
        assert side.ok("SEARCH ANSWERED")[0] == b"* SEARCH 1 2 3\r\n"
        assert side.ok("SEARCH KEYWORD kw")[0].split()[2:4] == [b"1", b"6"]
        assert side.ok('SEARCH SUBJECT "from there"')[0].split()[2:] == [b"59"]
    session.ok("CLOSE")
    other.ok("CLOSE")
    state = "STATUS INBOX (MESSAGES UIDNEXT HIGHESTMODSEQ)"
    before = session.ok(state)[0], other.ok(state)[0]
    sync()
    assert (session.ok(state)[0], other.ok(state)[0]) == before, "a round without changes makes none"
    session.close()
    other.close()
