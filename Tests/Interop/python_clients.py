"""IMAP from Python: its own imaplib, and IMAPClient (scripts/python-clients installs it)."""

import re
import sys

from harness import BOB, LETTER, deliver
from usage_sessions import PASSWORD


def python_imaplib(s):
    """Python's imaplib: log in, read, flag, move, and a message that arrives while it idles."""
    imap = s.imap("bob")
    for i in range(4):
        assert imap.append("INBOX", "(\\Flagged)" if i == 2 else None, None, LETTER % (i, i))[0] == "OK"
    assert imap.select("INBOX") == ("OK", [b"4"])
    assert imap.search(None, "FLAGGED") == ("OK", [b"3"])
    imap.literal = "gr\u00fc\u00dfe 1".encode()
    assert imap.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT") == ("OK", [b"2"])
    assert imap.fetch("2", "(RFC822)")[1][0][1] == LETTER % (1, 1)
    assert imap.fetch("2", "(FLAGS)")[1][0].count(b"\\Seen") == 1
    assert b"\\Answered" in imap.store("1:2", "+FLAGS", "(\\Answered)")[1][1]
    assert imap.sort("(REVERSE SUBJECT)", "UTF-8", "ALL") == ("OK", [b"4 3 2 1"])
    assert imap.thread("REFERENCES", "UTF-8", "ALL")[0] == "OK"
    assert imap.uid("MOVE", "1:2", "Archive")[0] == "OK"
    assert imap.copy("1", "Sent")[0] == "OK"
    assert imap.status("INBOX", "(MESSAGES UNSEEN)")[1][0].endswith(b"(MESSAGES 2 UNSEEN 2)")
    imap.store("1:*", "+FLAGS.SILENT", "\\Deleted")
    assert imap.expunge()[0] == "OK" and imap.select("INBOX") == ("OK", [b"0"])
    imap.send(b"i1 IDLE\r\n")
    assert imap.readline().startswith(b"+ ")
    deliver(s, BOB)
    assert imap.readline() == b"* 1 EXISTS\r\n"
    imap.send(b"DONE\r\n")
    while not (line := imap.readline()).startswith(b"i1 "):
        assert line.startswith(b"* "), line
    assert line.startswith(b"i1 OK"), line
    imap.store("1", "+FLAGS.SILENT", "\\Deleted")
    imap.close()
    for mailbox in ("Archive", "Sent"):
        imap.select(mailbox)
        imap.store("1:*", "+FLAGS.SILENT", "\\Deleted")
        imap.close()
    imap.logout()


def python_imapclient(s):
    """IMAPClient: the same, with the extensions that it looks for among the capabilities."""
    try:
        from imapclient import IMAPClient
    except ImportError:
        print("NOT RUN: IMAPClient is missing and could not be fetched (scripts/python-clients)", file=sys.stderr)
        return
    with IMAPClient("localhost", s.ports["imaps"], ssl=True, ssl_context=s.context(), timeout=120) as client:
        client.login(BOB, PASSWORD)
        assert client.namespace().personal[0][1] == "/"
        assert client.id_({"name": "clients.py"})
        client.create_folder("Gr\u00fc\u00dfe/Unten")
        assert "Gr\u00fc\u00dfe/Unten" in [name for _, _, name in client.list_folders()]
        assert client.find_special_folder(b"\\Sent") == "Sent"
        uids = []
        for i in range(6):
            answer = client.append("INBOX", LETTER % (i, i), flags=[b"\\Seen"] if i % 2 else [])
            uids.append(int(re.search(rb"APPENDUID \d+ (\d+)", answer).group(1)))
        assert client.select_folder("INBOX")[b"EXISTS"] == 6
        assert client.search(["UNSEEN"]) == uids[::2]
        assert client.search(["SUBJECT", "gr\u00fc\u00dfe 3"], charset="UTF-8") == [uids[3]]
        assert client.sort("REVERSE SUBJECT") == uids[::-1]
        assert [t for thread in client.thread("ORDEREDSUBJECT") for t in thread] == uids
        read = client.fetch(uids, ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]"])
        for i, uid in enumerate(uids):
            assert read[uid][b"BODY[]"] == LETTER % (i, i)
            assert read[uid][b"ENVELOPE"].from_[0].mailbox == b"jane"
            assert read[uid][b"RFC822.SIZE"] == len(LETTER % (i, i))
            assert (b"\\Seen" in read[uid][b"FLAGS"]) == bool(i % 2)
            assert read[uid][b"BODYSTRUCTURE"][0] == b"text"
        assert {b"\\Flagged", b"$Label1"} <= set(client.add_flags(uids[:2], [b"\\Flagged", b"$Label1"])[uids[0]])
        client.remove_flags(uids[:1], [b"\\Flagged"])
        assert client.search(["FLAGGED"]) == [uids[1]]
        client.copy(uids[4], "Sent")
        client.move(uids[:2], "Gr\u00fc\u00dfe/Unten")
        assert client.folder_status("Gr\u00fc\u00dfe/Unten", ["MESSAGES", "UNSEEN"]) == {b"MESSAGES": 2, b"UNSEEN": 1}
        assert client.search() == uids[2:]
        client.delete_messages(uids[2:])
        client.uid_expunge(uids[2:3])
        assert client.search() == uids[3:]
        client.expunge()
        client.idle()
        deliver(s, BOB)
        told = []
        while (1, b"EXISTS") not in told:
            more = client.idle_check(timeout=120)
            assert more, told
            told += more
        client.idle_done()
        (uid,) = client.search()
        client.delete_messages(uid)
        client.expunge()
        client.rename_folder("Gr\u00fc\u00dfe", "Weg")
        client.unselect_folder()
        client.delete_folder("Weg/Unten")
        client.select_folder("Sent")
        client.delete_messages(client.search())
        client.expunge()
