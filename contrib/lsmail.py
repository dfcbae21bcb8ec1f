#!/usr/bin/env python3
"""lsmail.py MAILBOX_OR_ACCOUNT_DIR [--json]: lists the messages of a ShardFS store, reading files only.

One line for each message, tab-separated: mailbox, UID, flags, size, mod-sequence (- if the log does not have it).
With --json the complete contents of each level, as contrib/conformance/README.md describes them.
Takes no locks and writes nothing, so the answer is exact on a quiet store. The format: docs/storage.md.
"""
import json
import os
import re
import stat
import struct
import sys
import unicodedata

HEADER, SLOT, RECORD = 8192, 4096, 64
APPEND, FLAGS, EXPUNGE, SET, KEPT, VOID = 1, 2, 3, 4, 6, 7
UID_END, MODSEQ_END = (1 << 32) - 1, 3 << 62
SYSTEM = {"A": "\\Answered", "D": "\\Deleted", "F": "\\Flagged", "S": "\\Seen", "T": "\\Draft"}
LETTERS = "0123456789bceghijklmnopqruvwxyz"
ALL_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEYWORD = re.compile(r'[!#$&\'+-Z^-z|}~\[]{1,64}')
MESSAGE = re.compile(r"([0-9]+)_([A-Za-z0-9]*)\.eml")
EXPUNGED = re.compile(r"([0-9]+)\.([0-9]+_[A-Za-z0-9]*\.eml)")


def crc_table():
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        yield n


TABLE = list(crc_table())


def crc32c(seed, data):
    """CRC-32C continued from a checksum whose result so far was `seed`."""
    crc = seed ^ 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


# Names.


def shard_number(name):
    """The number of a shard directory; None for another name."""
    known = re.fullmatch(r"[0-9]{4}|[1-9][0-9]{4,6}", name) and int(name) <= 4294967
    return int(name) if known else None


def message_name(name):
    """UID and letters of a message's name; None for a foreign one."""
    found = MESSAGE.fullmatch(name)
    if not found or len(name) > 255 or not 0 < int(found[1]) <= UID_END:
        return None
    return int(found[1]), frozenset(found[2])


def bits(letters):
    return sum(1 << ALL_LETTERS.index(letter) for letter in set(letters))


def is_canonical(name, uid, letters):
    return name == "%08d_%s.eml" % (uid, "".join(sorted(letters)))


def encode(level):
    """The directory name of one level of a mailbox name."""
    hidden = level[0] == "." or level in ("mailboxes", "status.json", "changes.log") or shard_number(level) is not None
    out = b""
    for i, character in enumerate(level):
        raw = character.encode()
        control = ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0
        hides = character == "%" or control or (hidden and i == 0)
        out += b"".join(b"%%%02X" % byte for byte in raw) if hides else raw
    return out


def decode(directory, top):
    """The level represented by a directory; None for a foreign one."""
    raw = os.fsencode(directory)
    try:
        level = re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), raw).decode()
    except UnicodeDecodeError:
        return None
    if not level or level in (".", "..") or re.search(r"[/\0\r\n]", level):
        return None
    if unicodedata.normalize("NFC", level) != level or encode(level) != raw or len(raw) > 255:
        return None
    if top and level.lower() == "inbox" and level != "INBOX":
        return None
    return level


# The change log.


def read_header(log):
    """The current slot as a dictionary; None without a valid slot."""
    best = None
    for slot in (log[:SLOT], log[SLOT:HEADER]):
        if len(slot) < SLOT or struct.unpack_from("<II8s", slot) != (crc32c(0, slot[4:]), 1, b"rmaillog"):
            continue
        names = "sequence epoch base next_uid oldest uid_ceiling modseq_ceiling uid_validity recent".split()
        found = dict(zip(names, struct.unpack_from("<QQQQQQQII", slot, 16)))
        # No writer produces such numbers.
        if max(found["sequence"], found["modseq_ceiling"]) >> 63 or max(found["base"], found["oldest"]) >= MODSEQ_END:
            continue
        if found["next_uid"] > UID_END + 1 or found["uid_ceiling"] > UID_END:
            continue
        at = 81 + slot[80]
        found["mailbox_id"], found["keywords"] = slot[81:at].decode(), {}
        count, at = slot[at], at + 1
        for _ in range(count):
            found["keywords"][chr(slot[at])] = slot[at + 2 : at + 2 + slot[at + 1]].decode()
            at += 2 + slot[at + 1]
        if found["sequence"] > (best["sequence"] if best else 0):
            best = found
    return best


class Log:
    """The contents of a log's records: done records take effect, intents only use up UIDs."""

    def __init__(self, data, header):
        self.messages, self.next_uid, self.is_whole = {}, header["next_uid"], True
        self.open_intents, self.open_sets, self.digests = {}, {}, {}
        self.seed, self.base = (header["epoch"] ^ header["epoch"] >> 32) & 0xFFFFFFFF, header["base"]
        # What stands at or behind this place cannot be read.
        wrong = -1
        for i in range((len(data) - HEADER) // RECORD):
            record = data[HEADER + i * RECORD : HEADER + (i + 1) * RECORD]
            if struct.unpack_from("<I", record)[0] != crc32c(self.seed, record[4:]):
                # It may have been right when somebody read it: a writer begins anew.
                self.is_whole, wrong = False, i
                continue
            self.apply(i, record)
        if (len(data) - HEADER) % RECORD:
            wrong = len(data)
        self.undone = []
        for place, first, count, held in self.open_sets.values():
            if not held and wrong < place:
                self.undone.append((first, first + count))
                continue
            # Whatever follows a set's intent was written with all its names durable.
            self.messages.update(held)
            self.is_whole = self.is_whole and len(held) == count

    def apply(self, i, record):
        kind, version, uid, flags, token, modseq, _, size, digest = struct.unpack_from("<4xBBxxIQQQqI16s", record)
        done, kind = kind & 0x80, kind & 0x7F
        if version != 1 or not 1 <= kind <= 8 or modseq >= MODSEQ_END:
            return
        if kind in (APPEND, FLAGS, EXPUNGE, KEPT) and not uid:
            return
        if kind == SET and not (uid and size and uid + size <= UID_END):
            return
        modseq = modseq or self.base + i + 1
        message = {"modseq": modseq, "flags": flags, "size": size}
        if kind in (APPEND, KEPT):
            self.next_uid = max(self.next_uid, uid + 1)
        if kind == SET:
            self.next_uid = max(self.next_uid, uid + size)
        if not done:
            if kind == SET:
                self.open_sets[token] = (i, uid, size, {})
            else:
                self.open_intents[token] = uid
            return
        self.open_intents.pop(token, None)
        if kind in (APPEND, KEPT):
            self.digests[uid] = size, digest
            held = self.open_sets[token][3] if token in self.open_sets else self.messages
            held[uid] = message
        elif kind == SET:
            self.messages.update(self.open_sets.pop(token, (0, 0, 0, {}))[3])
        elif kind == VOID:
            self.open_sets.pop(token, None)
        elif kind == FLAGS and uid in self.messages:
            self.messages[uid].update(flags=flags, modseq=modseq)
        elif kind == EXPUNGE:
            self.messages.pop(uid, None)

    def mod_sequence(self, uid, letters):
        """The mod-sequence; None if a writer would first have to assign one."""
        known = self.messages.get(uid)
        if not self.is_whole or not known or known["flags"] != bits(letters) or uid in self.open_intents.values():
            return None
        return known["modseq"]

    def digest(self, uid, size):
        known_size, digest = self.digests.get(uid, (None, b""))
        return digest.hex() if known_size == size and any(digest) else None


# A mailbox.


def read_status(path):
    """status.json; None when it is missing or damaged."""
    try:
        status = json.loads(read(path + "/status.json"))
        numbers = ("uid_next", "uid_floor", "uid_ceiling", "modseq_floor", "modseq_ceiling", "clean")
        whole = all(type(status.get(key) or 0) is int for key in numbers) and type(status["uid_validity"]) is int
        return status if whole and 0 < status["uid_validity"] <= UID_END else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def chosen(one, other, log, is_current):
    """Chooses the message's name of two names for one UID; each is (name, letters, status)."""
    uid = message_name(one[0])[0]
    known = log.messages.get(uid) if log else None
    if is_current and known:
        for candidate in (one, other):
            if bits(candidate[1]) == known["flags"] and is_canonical(candidate[0], uid, candidate[1]):
                return candidate
    if (one[2].st_dev, one[2].st_ino) == (other[2].st_dev, other[2].st_ino):
        return max(one, other, key=lambda candidate: len(candidate[1]))
    sizes = [candidate[2].st_size for candidate in (one, other)]
    if known and sizes[0] != sizes[1] and known["size"] in sizes:
        return (one, other)[sizes.index(known["size"])]
    return min(one, other, key=lambda candidate: candidate[2].st_ctime_ns)


def regular_files(path):
    for entry in os.scandir(path) if os.path.isdir(path) else []:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_size <= UID_END:
            yield entry.name, status


def read_extra(path):
    """keywords.json: by UIDVALIDITY and name, a list of ranges of UIDs."""
    try:
        tables = json.loads(read(path + "/keywords.json"))["keywords"]
        found = {}
        for validity, table in tables.items():
            for name, uids in table.items():
                ranges = [[int(n) for n in part.split(":")] for part in uids.split(",")]
                if KEYWORD.fullmatch(name):
                    found.setdefault(int(validity), {})[name] = [(r[0], r[-1]) for r in ranges]
        return found
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def described(uid, letters, status, keywords, extra):
    names = {keywords.get(c, "keyword-" + c) for c in letters if c in LETTERS}
    known = {name.lower() for name in names}
    for name, ranges in (extra or {}).items():
        if name.lower() not in known and any(first <= uid <= last for first, last in ranges):
            names.add(name)
    return {
        "uid": uid,
        "flags": sorted(SYSTEM[c] for c in letters if c in SYSTEM),
        "keywords": sorted(names),
        "size": status.st_size,
        "internal_date": status.st_mtime_ns // 10**9,
    }


def read_mailbox(path):
    status, data = read_status(path), read(path + "/changes.log")
    header = read_header(data)
    log, is_current = None, False
    if header and (status is None or status.get("epoch") == "%016x" % header["epoch"]):
        log = Log(data, header)
        is_current = log.is_whole and status is not None and status.get("mailbox_id") == header["mailbox_id"]
    known = dict(header["keywords"] if header else {}, **((status or {}).get("keywords") or {}))
    keywords = {c: name for c, name in known.items() if c in LETTERS and KEYWORD.fullmatch(str(name))}

    validity = (status or header or {}).get("uid_validity")
    extra = read_extra(path)
    if validity is None:
        validity = max(extra, default=None)

    names = {}
    for shard in filter(lambda name: shard_number(name) is not None, os.listdir(path)):
        for name, file in regular_files(f"{path}/{shard}"):
            uid, letters = message_name(name) or (0, frozenset())
            if not uid or uid // 1000 != shard_number(shard):
                continue
            if log and any(first <= uid < end for first, end in log.undone):
                continue
            found = name, letters, file
            names[uid] = chosen(names[uid], found, log, is_current) if uid in names else found
    messages = []
    for uid, (_, letters, file) in sorted(names.items()):
        message = described(uid, letters, file, keywords, extra.get(validity))
        message["modseq"] = log.mod_sequence(uid, letters) if log else None
        message["digest"] = log.digest(uid, file.st_size) if log else None
        messages.append(message)

    expunged = []
    for hour in filter(re.compile("[0-9]{10}").fullmatch, listed(path + "/.expunged")):
        for name, file in regular_files(f"{path}/.expunged/{hour}"):
            match = EXPUNGED.fullmatch(name)
            uid, letters = match and message_name(match[2]) or (0, frozenset())
            if uid and int(match[1]) <= UID_END:
                message = described(uid, letters, file, keywords, extra.get(int(match[1])))
                expunged.append(dict(message, uid_validity=int(match[1]), hour=hour))
    expunged.sort(key=lambda m: (m["hour"], m["uid_validity"], m["uid"]))

    bounds = [log.next_uid if log else 1, max(names, default=0) + 1, header["next_uid"] if header else 1]
    if status:
        bounds.append(status.get("uid_floor") or status.get("uid_next") or 1)
    if not is_current:
        # A writer will continue above every number that may have been assigned.
        bounds += [header["uid_ceiling"]] if header else []
        bounds += [status.get("uid_ceiling") or 1, status.get("uid_next") or 1] if status else []
    return {
        "selectable": True,
        "uid_validity": status["uid_validity"] if status else header["uid_validity"] if header else None,
        "uid_next": min(max(bounds), UID_END),
        "mailbox_id": (status or {}).get("mailbox_id") or (header["mailbox_id"] if header else None),
        "messages": messages,
        "expunged": expunged,
    }


# The tree.


def listed(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def is_mailbox(path):
    if os.path.exists(path + "/changes.log"):
        return True
    if os.path.exists(path + "/.deleting.log"):
        return False
    return os.path.exists(path + "/status.json") or any(shard_number(name) is not None for name in os.listdir(path))


def walk(path, levels):
    """Yields the levels at and below a directory: name and path."""
    if levels:
        yield "/".join(levels), path
    for directory in listed(path + "/mailboxes"):
        level = decode(directory, not levels)
        if level and os.path.isdir(f"{path}/mailboxes/{directory}"):
            yield from walk(f"{path}/mailboxes/{directory}", levels + [level])


def main(arguments):
    paths = [a for a in arguments if a != "--json"]
    if len(paths) != 1 or not os.path.isdir(paths[0]):
        sys.exit("usage: lsmail.py MAILBOX_OR_ACCOUNT_DIR [--json]")
    top = os.path.abspath(paths[0])
    levels, above = [], top
    while os.path.basename(os.path.dirname(above)) == "mailboxes":
        above, directory = os.path.dirname(os.path.dirname(above)), os.path.basename(above)
        levels.insert(0, decode(directory, os.path.basename(os.path.dirname(above)) != "mailboxes") or "?")
    found = []
    for name, path in sorted(walk(top, levels)):
        content = read_mailbox(path) if is_mailbox(path) else {"selectable": False}
        found.append(dict({"mailbox": name}, **content))
    sys.stdout.reconfigure(encoding="utf-8")
    if "--json" in arguments:
        return print(json.dumps(found, ensure_ascii=False, indent=2))
    for mailbox in found:
        # Escaped as in JSON, so that no name breaks a line.
        name = json.dumps(mailbox["mailbox"], ensure_ascii=False)[1:-1]
        for m in mailbox.get("messages", []):
            modseq = "-" if m["modseq"] is None else m["modseq"]
            print(name, m["uid"], " ".join(sorted(m["flags"] + m["keywords"])) or "-", m["size"], modseq, sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
