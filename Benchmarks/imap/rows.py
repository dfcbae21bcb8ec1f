"""What is measured. A group is a function (bench, server, round) that measures on one server and gives a value for
each of its rows; the groups run server by server, turn about, in every round."""

import datetime
import statistics

from memory import idle_memory
from report import Row

BATCH = 1000
HEADERS = "BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT MESSAGE-ID CONTENT-TYPE)]"
VIEWS = {"envelope": "(UID ENVELOPE)", "bodystructure": "(UID BODYSTRUCTURE)",
         "list": f"(UID FLAGS RFC822.SIZE INTERNALDATE {HEADERS})"}


class Group:
    def __init__(self, measure, *rows, warm=False, once=False, only=None):
        self.measure, self.rows = measure, rows
        self.warm, self.once, self.only = warm, once, only


def seconds(answer):
    return answer["seconds"]


def append_one(b, server, turn):
    b.create(server, "App-one")
    return {"append-1": b.run(server, "append", mailbox="App-one", count=200, seed=10 + turn)["rate"]}


def append_eight(b, server, turn):
    b.create(server, "App-eight", *(f"App-own-{i}" for i in range(8)))
    one = b.run(server, "append", mailbox="App-eight", connections=8, count=60, seed=30 + turn)
    own = b.run(server, "append", mailbox="App-own-%", connections=8, count=60, seed=50 + turn)
    return {"append-8": one["rate"], "append-8-own": own["rate"]}


def select(b, server, turn):
    return {"select": b.median(server, "SELECT INBOX", repeat=5)}


def select_restart(b, server, turn):
    b.restart(server)
    return {"select-restart": b.median(server, "SELECT INBOX")}


def select_cold(b, server, turn):
    if not server.has_only_caches:
        return {}
    b.restart(server, drop_caches=True)
    return {"select-cold": b.median(server, "SELECT INBOX")}


def status(b, server, turn):
    command = "STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"
    runs = b.time(server, [command, command], repeat=5)
    return {"status": statistics.median(seconds(r[0]) for r in runs),
            "status-again": statistics.median(seconds(r[1]) for r in runs)}


def fetch_flags(b, server, turn):
    return {"fetch-flags": b.median(server, "UID FETCH 1:* (FLAGS)", before=["SELECT INBOX"], lines=b.messages)}


def fetch_sizes(b, server, turn):
    return {"fetch-sizes": b.median(server, "UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)",
                                    before=["SELECT INBOX"], lines=b.messages)}


def views_cached(b, server, turn):
    result = {}
    for name, items in VIEWS.items():
        command = f"UID FETCH {b.middle}:{b.middle + BATCH - 1} {items}"
        # The first connection of a run makes what a cache keeps; it does not count.
        runs = b.time(server, [command], before=["SELECT INBOX"], repeat=4)[1:]
        result[name] = statistics.median(seconds(r[0]) for r in runs)
    return result


def views_first(b, server, turn):
    result = {}
    for name, items in VIEWS.items():
        mailbox = f"First-{name}-{b.serial(server)}"
        b.create(server, mailbox)
        b.run(server, "fill", mailbox=mailbox, count=BATCH, seed=70 + turn)
        command = f"UID FETCH 1:* {items}"
        first, second = b.time(server, [command, command], before=[f"SELECT {mailbox}"])[0]
        result[f"{name}-first"] = seconds(first)
        result[f"{name}-second"] = seconds(second)
    return result


def bodies(b, server, turn):
    count = min(10 * BATCH, b.messages)
    answer = b.time(server, [f"UID FETCH 1:{count} BODY.PEEK[]"], before=["SELECT INBOX"])[0][0]
    return {"bodies": count / seconds(answer), "bodies-octets": answer["bytes"] / seconds(answer)}


def store_one(b, server, turn):
    answer = b.run(server, "store", mailbox="INBOX", first=1, last=b.messages, count=1000, seconds=5)
    return {"store-one": 1 / answer["rate"]}


def store_eight(b, server, turn):
    answer = b.run(server, "store", mailbox="INBOX", first=b.middle, last=b.middle + 99, connections=8, count=300,
                   seconds=5)
    return {"store-8": answer["rate"]}


def store_many(b, server, turn):
    answer = b.time(server, [f"STORE 1:{BATCH} +FLAGS (\\Draft)"], before=["SELECT INBOX"],
                    after=[f"STORE 1:{BATCH} -FLAGS.SILENT (\\Draft)"])[0][0]
    return {"store-1000": seconds(answer)}


def copy_move_expunge(b, server, turn):
    first, second = f"Copied-{b.serial(server)}", f"Moved-{b.serial(server)}"
    b.create(server, first, second)
    start = 1 + turn * BATCH % max(1, b.messages - BATCH)
    copied = b.time(server, [f"UID COPY {start}:{start + BATCH - 1} {first}"], before=["SELECT INBOX"])[0][0]
    moved = b.time(server, [f"MOVE 1:{BATCH} {second}"], before=[f"SELECT {first}"])[0][0]
    before = [f"SELECT {second}", "STORE 1:* +FLAGS.SILENT (\\Deleted)"]
    expunged = b.time(server, ["EXPUNGE"], before=before)[0][0]
    if expunged["lines"] < BATCH:
        raise RuntimeError(f"{server.name}: EXPUNGE of {BATCH} gave {expunged['lines']} lines")
    return {"copy-1000": seconds(copied), "move-1000": seconds(moved), "expunge-1000": seconds(expunged)}


SEARCHES = {"flag": "FLAGGED", "subject": "SUBJECT invoice", "body": "BODY quixotic", "text": "TEXT quixotic",
            "since": "SINCE {since}"}


def search(b, server, turn):
    # The messages are a quarter of an hour apart, from 2023: half of them are found.
    since = datetime.date(2023, 1, 1) + datetime.timedelta(minutes=15 * b.searched // 2)
    commands = ["SEARCH " + key.format(since=since.strftime("%d-%b-%Y")) for key in SEARCHES.values()]
    answers = b.time(server, commands, before=["SELECT Search"])[0]
    for command, answer in zip(commands, answers):
        if answer["bytes"] < 100:
            raise RuntimeError(f"{server.name}: {command} found nothing")
    return {f"search-{name}": seconds(answer) for name, answer in zip(SEARCHES, answers)}


def idle(b, server, turn):
    b.create(server, "Idle")
    return {"idle": statistics.median(b.run(server, "idle", mailbox="Idle", count=10)["seconds"])}


def idle_across(b, server, turn):
    b.create(server, "Idle")
    with b.second_process(server) as other:
        answer = b.run(server, "idle", mailbox="Idle", count=10, other_port=other.port)
    return {"idle-across": statistics.median(answer["seconds"])}


def memory(b, server, turn):
    return {"memory": idle_memory(b, server, tls=False)}


def memory_tls(b, server, turn):
    return {"memory-tls": idle_memory(b, server, tls=True)}


def login(b, server, turn):
    return {"login": b.run(server, "login", count=100)["rate"]}


def first_and_second(title, name):
    second = Row(f"{name}-second", "the same, second time")
    return Row(f"{name}-first", f"{title} of 1,000 new messages, first time", twin=second), second


def groups():
    """In this order: what drops caches comes last. `warm`: a first round that does not count; `once`: a single round."""
    return [
        Group(append_one, Row("append-1", "APPEND 4 KiB, 1 connection", "rate", goal=1.5)),
        Group(append_eight, Row("append-8", "APPEND, 8 in one mailbox", "rate", goal=1.5),
              Row("append-8-own", "APPEND, 8 in own mailboxes", "rate", goal=2)),
        Group(select, Row("select", "SELECT of INBOX, new connection", goal=1), warm=True),
        Group(status, Row("status", "STATUS, first", goal=1), Row("status-again", "STATUS, again", goal=1), warm=True),
        Group(fetch_flags, Row("fetch-flags", "UID FETCH 1:* (FLAGS)", goal=3), warm=True),
        Group(fetch_sizes, Row("fetch-sizes", "UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)", goal=5), warm=True),
        Group(views_cached, Row("envelope", "ENVELOPE of 1,000, cached", goal=2),
              Row("bodystructure", "BODYSTRUCTURE of 1,000, cached", goal=1),
              Row("list", "list view of 1,000, cached", goal=2), warm=True),
        Group(views_first, *first_and_second("ENVELOPE", "envelope"),
              *first_and_second("BODYSTRUCTURE", "bodystructure"), *first_and_second("list view", "list")),
        Group(bodies, Row("bodies", "bodies, messages", "rate", goal=1.2),
              Row("bodies-octets", "bodies, octets", "MB/s", goal=1.2), warm=True),
        Group(store_one, Row("store-one", "UID STORE of one", "us", goal=2), warm=True),
        Group(store_eight, Row("store-8", "UID STORE, 8 connections, the same 100 messages", "rate", goal=2)),
        Group(store_many, Row("store-1000", "STORE 1:1000", goal=5, against="Maildir")),
        Group(copy_move_expunge, Row("copy-1000", "COPY of 1,000", goal=2), Row("move-1000", "MOVE of 1,000", goal=2),
              Row("expunge-1000", "EXPUNGE of 1,000", goal=1, against="Maildir")),
        Group(search, Row("search-flag", "SEARCH FLAGGED, 10 k", goal=1), Row("search-subject", "SEARCH SUBJECT", goal=3),
              Row("search-body", "SEARCH BODY", goal=2), Row("search-text", "SEARCH TEXT", goal=2),
              Row("search-since", "SEARCH SINCE", goal=5), warm=True),
        Group(idle, Row("idle", "IDLE: from OK there to EXISTS here", limit=0.002)),
        Group(idle_across, Row("idle-across", "IDLE across two processes", limit=0.010), only="rmail"),
        Group(login, Row("login", "login again", "rate", goal=1), warm=True),
        Group(memory, Row("memory", "memory of an idle session", "KiB", limit=24 * 1024), once=True),
        Group(memory_tls, Row("memory-tls", "memory of an idle session, TLS", "KiB", limit=48 * 1024), once=True,
              only="rmail"),
        Group(select_restart, Row("select-restart", "SELECT after a restart", limit=0.005)),
        Group(select_cold, Row("select-cold", "SELECT with every cache deleted", goal=3)),
    ]
