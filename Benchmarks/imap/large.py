"""One mailbox of a million messages and more."""

import contextlib
import os
import shutil
import statistics
import subprocess
import threading
import time

from servers import RmailServer, anonymous

FILES = 4000
SHARD = 1000


def make_store(bench, server, count, say):
    """A store as the old program left it, which the engine takes over when it first opens it: hard links of a few
    thousand different messages, named as docs/storage.md says."""
    domain, user = server.user.partition("@")[2], server.user.partition("@")[0]
    account = f"{server.directory}/store/domains/{domain}/users/{user}"
    inbox, pool = f"{account}/mailboxes/INBOX", f"{server.directory}/pool"
    # What a new account begins with is no store of the old program.
    shutil.rmtree(inbox, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{account}/quota.ledger")
    os.makedirs(inbox)
    os.makedirs(pool, exist_ok=True)
    subprocess.run([bench.client, "corpus", "--directory", pool, "--count", str(FILES)], check=True,
                   stdout=subprocess.DEVNULL)
    start = time.monotonic()
    pool_descriptor = os.open(pool, os.O_RDONLY)
    flags = ["S", "S", "", "S", "AS", "S", "FS", "S", "", "S"]
    for shard in range(count // SHARD + 1):
        directory = f"{inbox}/{shard:04}"
        os.mkdir(directory, 0o700)
        descriptor = os.open(directory, os.O_RDONLY)
        for uid in range(max(1, shard * SHARD), min(count + 1, (shard + 1) * SHARD)):
            os.link(f"{uid % FILES + 1:08}", f"{uid:08}_{flags[uid % 10]}.eml", src_dir_fd=pool_descriptor,
                    dst_dir_fd=descriptor)
        os.close(descriptor)
    os.close(pool_descriptor)
    with open(f"{inbox}/status.json", "w") as f:
        f.write('{\n  "uid_next": %d,\n  "uid_validity": %d\n}\n' % (count + 1, int(time.time())))
    say(f"{count:,} links in {time.monotonic() - start:.0f} s")


class Peak:
    """The highest anonymous memory of a process while it is looked at."""

    def __init__(self, pid):
        self.pid, self.highest, self.over = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.02):
            self.highest = max(self.highest, anonymous([self.pid]))

    def end(self):
        self.over.set()
        self.thread.join()
        return self.highest


def measure_large(bench, directory, count, rounds, say):
    server = RmailServer(bench.rmail, f"{directory}/large-{count}")
    stamp = f"{server.directory}/filled"
    fresh = not os.path.exists(stamp)
    if fresh:
        make_store(bench, server, count, say)
        with open(stamp, "w") as f:
            f.write(str(count))
    lines = [f"| {count:,} messages | time | anonymous memory after | highest |", "|---|---|---|---|"]

    def note(title, action):
        say(title)
        peak = Peak(server.process.pid)
        try:
            value = action()
        finally:
            highest = peak.end()
        after = anonymous([server.process.pid])
        lines.append(f"| {title} | {value} | {after / 2**20:.1f} MiB | {highest / 2**20:.1f} MiB |")

    def timed(command, before=(), repeat=1, expected=0):
        return f"{bench.median(server, command, before, repeat, expected) * 1e3:,.1f} ms"

    server.start()
    try:
        if fresh:
            note("first SELECT, the store is taken over", lambda: timed("SELECT INBOX"))
            bench.restart(server)
        note("none selected", lambda: timed("NOOP"))
        note("SELECT after a restart", lambda: timed("SELECT INBOX"))
        note("SELECT again, new connection", lambda: timed("SELECT INBOX", repeat=rounds))
        note("UID FETCH 1:* (FLAGS)", lambda: timed("UID FETCH 1:* (FLAGS)", ["SELECT INBOX"], expected=count))
        note("UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)",
             lambda: timed("UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)", ["SELECT INBOX"], expected=count))
        note("UID STORE of one", lambda: "{:,.0f} µs".format(statistics.median(
            1e6 / bench.run(server, "store", mailbox="INBOX", first=1, last=count, count=300)["rate"]
            for _ in range(rounds))))
        bench.restart(server, drop_caches=True)
        note("SELECT with every cache deleted", lambda: timed("SELECT INBOX"))
    finally:
        server.stop()
    return "\n".join(lines)
