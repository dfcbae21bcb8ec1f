"""Commands that change flags, messages and mailboxes, for both servers, and the updates that a second session gets.
`pair` sends a command to both and compares their answers."""

from generated_mail import Generator
from reading_commands import lines


def fill(pair, messages, mailbox="INBOX"):
    for raw, flags, date in messages:
        pair(f'APPEND {mailbox} ({" ".join(flags)}) "{date:%d-%b-%Y %H:%M:%S +0000}" ' + "{}", raw)


def store(pair, chance, count):
    pair("SELECT INBOX")
    pair("NOOP")
    for command in lines(r"""
            STORE 1:3 FLAGS (\Seen)
            STORE 2 +FLAGS (\Flagged new1)
            STORE 2 -FLAGS (\Seen)
            STORE 1:4 +FLAGS.SILENT (\Answered)
            FETCH 1:4 FLAGS
            UID STORE 1:4 -FLAGS.SILENT (\Answered)
            UID STORE 3 +FLAGS (\Draft)
            STORE 3 FLAGS ()
            STORE 1 FLAGS \Seen new2
            STORE 1 +FLAGS work
            STORE 1 FLAGS (\Nonsense)
            STORE 1 +FLAGS (\Recent)
            STORE 999 +FLAGS (\Seen)
            UID STORE 999 +FLAGS (\Seen)
            STORE 1 NOTHING (\Seen)
            STORE 1:* +FLAGS (every)
            STORE 1:* -FLAGS.SILENT (every)
            STORE 1 +FLAGS (\SEEN \flagged WORK)
            FETCH 1 FLAGS
            STORE 5:7 -FLAGS (\Seen)
            FETCH 5 BODY[TEXT]<0.1>
            FETCH 6 RFC822.HEADER
            FETCH 6 RFC822.TEXT
            FETCH 7 BINARY[1]
            FETCH 5:7 FLAGS
        """):
        pair(command)
    for _ in range(30):
        flags = " ".join(chance.sample(["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "work", "new1", "$Junk"], 3))
        first = chance.randrange(1, count)
        pair(f"{chance.choice(['', 'UID '])}STORE {first}:{chance.randrange(first, count + 1)} "
             f"{chance.choice(['', '+', '-'])}FLAGS{chance.choice(['', '.SILENT'])} ({flags})")
    pair("FETCH 1:* (FLAGS UID)")
    beyond_the_end(pair)
    # Another session gets the updates.
    pair("SELECT INBOX", session="b")
    pair("STORE 4 FLAGS (\\Seen told)", session="a")
    pair("NOOP", session="b")
    pair("EXAMINE INBOX", session="b")
    pair("STORE 4 FLAGS (readonly)", session="b")
    pair("FETCH 4 FLAGS", session="b")
    pair("CLOSE", session="b")


def beyond_the_end(pair):
    """Message numbers beyond the last message, in a mailbox with messages and in an empty one."""
    pair("CREATE Empty")
    for mailbox in ("INBOX", "Empty"):
        pair(f"SELECT {mailbox}")
        for numbers in ("999", "1,999", "1:999", "998:999", "999:1", "999:*", "*:999", "4294967295"):
            for command in ("FETCH {} FLAGS", "STORE {} +FLAGS (\\Seen)", "COPY {} Empty", "MOVE {} Empty", "SEARCH {}",
                            "SEARCH NOT {}", "SEARCH OR {} 1", "SORT (ARRIVAL) UTF-8 {}",
                            "UID FETCH {} FLAGS", "UID STORE {} +FLAGS (beyond)", "UID SEARCH UID {}", "UID EXPUNGE {}"):
                pair(command.format(numbers))
            # Dovecot 2.3 fails on THREAD in an empty mailbox.
            if mailbox == "INBOX":
                pair(f"THREAD REFERENCES UTF-8 {numbers}")
        for command in ("FETCH * FLAGS", "SEARCH *", "SORT (ARRIVAL) UTF-8 *", "UID FETCH * FLAGS", "UID COPY 999 Empty",
                        "UID MOVE 999 Empty", "UID SEARCH UID *"):
            pair(command)
    for command in ("FETCH 1:* FLAGS", "STORE * +FLAGS (x)", "COPY 1:* Sent", "MOVE * Sent"):
        pair(command)
    pair("SELECT INBOX")
    pair("DELETE Empty")


def move(pair, chance, count):
    pair("CREATE Work")
    pair("CREATE Other")
    pair("SELECT INBOX")
    for command in lines(r"""
            COPY 1:3 Work
            UID COPY 5,9 Work
            COPY 1 Nowhere
            COPY 999 Work
            UID COPY 999 Work
            MOVE 1 Nowhere
            STATUS Work (MESSAGES UIDNEXT RECENT UNSEEN)
            COPY 4 INBOX
            NOOP
        """):
        pair(command)
    pair("SELECT INBOX", session="b")
    for command in ("MOVE 2,4 Other", "UID MOVE 8:10 Other", "UID MOVE 999 Other", "FETCH 1:6 (UID FLAGS)"):
        pair(command)
    pair("SEARCH ALL", session="b")
    pair("NOOP", session="b")
    for command in lines(r"""
            STORE 1:* -FLAGS.SILENT (\Deleted)
            STORE 3,5,6,9 +FLAGS.SILENT (\Deleted)
            UID EXPUNGE 1:6
            EXPUNGE
            EXPUNGE
            STORE 2:3 +FLAGS.SILENT (\Deleted)
        """):
        pair(command)
    pair("NOOP", session="b")
    pair("FETCH 1:* UID", session="b")
    pair("STORE 2 +FLAGS.SILENT (\\Deleted)")
    pair("CLOSE")
    pair("NOOP", session="b")
    pair("CLOSE", session="b")
    for command in lines(r"""
            SELECT Other
            FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)
            STORE 1 +FLAGS (\Deleted)
            UNSELECT
            EXAMINE Other
            UID EXPUNGE 1:900
            CLOSE
            SELECT Other
            SEARCH DELETED
            CLOSE
            SELECT Work
            FETCH 1:* (UID FLAGS ENVELOPE)
            CLOSE
            FETCH 1 FLAGS
            EXPUNGE
        """):
        pair(command)


def mailboxes(pair, chance, count):
    for command in lines(r"""
            SUBSCRIBE INBOX
            LIST "" ""
            LIST "" *
            LIST "" %
            LSUB "" *
            CREATE Tree
            CREATE Tree/Branch
            CREATE Tree/Branch/Leaf
            LIST "" Tree*
            LIST "" Tree/%
            LIST "" Tree/*
            LIST Tree/ %
            LIST "" T%/B%
            CREATE Tree
            CREATE INBOX
            CREATE inbox/Below
            LIST "" INBOX*
            LIST "" inbox
            CREATE Entw&APw-rfe
            LIST "" Entw*
            STATUS Entw&APw-rfe (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)
            CREATE "with space"
            LIST "" "with*"
            CREATE "quo\"te"
            LIST "" "quo*"
            SUBSCRIBE Tree/Branch
            SUBSCRIBE Entw&APw-rfe
            LSUB "" *
            LSUB "" %
            LSUB "" Tree*
            UNSUBSCRIBE Entw&APw-rfe
            LSUB "" En*
            LIST (SUBSCRIBED) "" *
            LIST "" * RETURN (SUBSCRIBED)
            LIST "" Tree* RETURN (CHILDREN)
            LIST (SUBSCRIBED) "" % RETURN (CHILDREN)
            LIST (SUBSCRIBED RECURSIVEMATCH) "" %
            LIST "" (Tree INBOX Sent)
            LIST "" (Tree% Tree/%) RETURN (CHILDREN)
            LIST "" % RETURN (SPECIAL-USE)
            LIST (SPECIAL-USE) "" *
            LIST "" Tree* RETURN (STATUS (MESSAGES UIDNEXT))
            LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES UNSEEN))
            LIST (REMOTE) "" %
            LIST (NONSENSE) "" %
            RENAME Tree/Branch Tree/Twig
            LIST "" Tree*
            RENAME Tree Wood
            LIST "" Tree*
            LIST "" Wood*
            RENAME Nowhere Somewhere
            RENAME Wood Sent
            DELETE Wood/Twig/Leaf
            LIST "" Wood*
            DELETE Wood/Twig
            LIST "" Wood*
            DELETE Nowhere
            DELETE INBOX
            DELETE Wood
            LIST "" Wood*
            STATUS Nowhere (MESSAGES)
            SELECT Nowhere
            EXAMINE Nowhere
            STATUS INBOX (MESSAGES UIDNEXT UNSEEN)
            STATUS INBOX (SIZE)
            STATUS INBOX (HIGHESTMODSEQ)
            STATUS INBOX ()
            STATUS INBOX (NONSENSE)
            APPEND Nowhere {}
            UNSUBSCRIBE Nowhere
            NAMESPACE
            CREATE ""
            RENAME INBOX Old
            STATUS Old (MESSAGES)
            STATUS INBOX (MESSAGES)
            DELETE Old
            CREATE a//b
            LIST "" a*
            CREATE Above/Below
            LIST "" Above/Below
            UNSUBSCRIBE Tree/Branch
            LSUB "" *
        """):
        pair(command, *([b"Subject: x\r\n\r\nx\r\n"] if "{}" in command else []))


def resync(pair, chance, count):
    """CONDSTORE and QRESYNC on a separate mailbox."""
    pair("CREATE Sync")
    messages = Generator(7, 20).messages()
    fill(pair, messages, "Sync")
    pair("SELECT Sync (CONDSTORE)")
    pair.save("mod1", rb"HIGHESTMODSEQ (\d+)")
    pair.save("validity", rb"UIDVALIDITY (\d+)")
    pair("STORE 2 +FLAGS (\\Flagged c1)")
    pair("STORE 4 +FLAGS (\\Flagged c1)")
    pair.save("mod2", rb"MODSEQ \((\d+)\)")
    for command in lines(r"""
            FETCH 1:* (FLAGS) (CHANGEDSINCE <mod1>)
            UID FETCH 1:* (FLAGS MODSEQ) (CHANGEDSINCE <mod1>)
            SEARCH MODSEQ <mod2>
            UID SEARCH MODSEQ 1
            SEARCH RETURN (MIN MAX ALL) MODSEQ <mod1>
            STORE 1:4 (UNCHANGEDSINCE <mod1>) +FLAGS.SILENT (\Answered)
            UID STORE 4,5 (UNCHANGEDSINCE <mod1>) FLAGS (late)
            FETCH 1:6 FLAGS
            STORE 8 (UNCHANGEDSINCE 0) +FLAGS (\Seen)
            STATUS Sync (HIGHESTMODSEQ MESSAGES)
        """):
        pair(command)
    pair("CLOSE", session="a")
    for session in ("q", "r"):
        pair("ENABLE QRESYNC", session=session)
    pair("SELECT Sync", session="q")
    pair.save("mod3", rb"HIGHESTMODSEQ (\d+)")
    pair("SELECT Sync", session="r")
    for command in lines(r"""
            STORE 10,12:14 +FLAGS.SILENT (\Deleted)
            UID EXPUNGE 10,12
            EXPUNGE
            STORE 1 -FLAGS (\Seen)
            STORE 1 +FLAGS (\Seen)
            UID FETCH 1:* (FLAGS) (CHANGEDSINCE <mod3> VANISHED)
            MOVE 3 Other
        """):
        pair(command, session="q")
    pair("NOOP", session="r")
    pair("UID FETCH 1:* (FLAGS)", session="r")
    pair("UNSELECT", session="r")
    for parameters in lines(r"""
            <validity> <mod3>
            <validity> <mod1>
            <validity> <mod3> 1:9
            <validity> <mod1> 5:30
            1 <mod1>
            <validity> <mod3> 1:20 (1,5,9 1,5,9)
        """):
        pair(f"SELECT Sync (QRESYNC ({parameters}))", session="r")
        pair("UNSELECT", session="r")
    pair("CLOSE", session="q")
    pair("SELECT Sync (QRESYNC (1 2))", session="a")
    pair("NOOP", session="a")


def binary(pair, chance, count):
    """Binary content is stored in base64 and returned unchanged by BINARY (RFC 3516)."""
    data = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 5000))) + b"\0"
    part = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + data
    pair("CREATE Binary")
    pair("APPEND Binary ~{}", b"Subject: alone\r\n" + part)
    pair("APPEND Binary (\\Seen) ~{}", b"Content-Transfer-Encoding: binary\r\n"
         b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\ntext\r\n--a\r\n" + part + b"\r\n--a--\r\n")
    pair("APPEND Binary ~{}", b"Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n")
    pair("EXAMINE Binary")
    for item in ("BODY[]", "BODYSTRUCTURE", "RFC822.SIZE", "BODY[1]", "BODY[2]", "BINARY[1]", "BODY[HEADER]"):
        pair(f"FETCH 1:* {item}")
    for item in ("BINARY[2]", "BINARY[2]<100.1000>", "BODY[2.MIME]"):
        pair(f"FETCH 2 {item}")
    pair("CLOSE")


def common(pair, chance, count):
    for command in lines(r"""
            NOOP
            CHECK
            ENABLE NONSENSE
            ENABLE CONDSTORE
            NONSENSE
            IDLE x
            ID NIL
            UID NONSENSE 1
            SELECT
            LOGIN a b
            AUTHENTICATE PLAIN
            STARTTLS
            SELECT INBOX
            CHECK
            EXAMINE INBOX
            SELECT Nowhere
            FETCH 1 FLAGS
            SELECT INBOX
            UNSELECT
            UNSELECT
            CLOSE
        """):
        pair(command, session="c")
