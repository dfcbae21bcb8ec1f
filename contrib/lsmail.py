#!/usr/bin/env python3
"""lsmail.py MAILBOX_OR_ACCOUNT_DIR [--json]: lists the messages of a ShardFS store, reading files only.

One line for each message, tab-separated: mailbox, UID, flags, size, mod-sequence (- when the log does not tell it).
Takes no locks and writes nothing, so the answer is exact on a quiet store. The format: docs/storage.md.
"""
import json
import os
import re
import struct
import sys

HEAD, SLOT, RECORD = 8192, 4096, 64
APPEND, FLAGS, EXPUNGE, SET, KEPT, VOID = 1, 2, 3, 4, 6, 7
SYSTEM = {"A": "\\Answered", "D": "\\Deleted", "F": "\\Flagged", "S": "\\Seen", "T": "\\Draft"}
SHARD = re.compile(r"[0-9]{4}|[1-9][0-9]{4,6}")
MESSAGE = re.compile(r"([0-9]+)_([A-Za-z0-9]*)\.eml")
LETTERS = "0123456789bceghijklmnopqruvwxyz"


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


def head(log):
    """Epoch, base and keywords of the slot that counts; None without one."""
    slots = []
    for slot in (log[:SLOT], log[SLOT:HEAD]):
        if len(slot) == SLOT and struct.unpack_from("<II8s", slot) == (crc32c(0, slot[4:]), 1, b"rmaillog"):
            slots.append((struct.unpack_from("<QQQ", slot, 16), slot))
    slots = [s for s in slots if s[0][0] > 0]
    if not slots:
        return None
    (_, epoch, base), slot = max(slots)
    at = 81 + slot[80]
    count, keywords, at = slot[at], {}, at + 1
    for _ in range(count):
        keywords[chr(slot[at])] = slot[at + 2 : at + 2 + slot[at + 1]].decode()
        at += 2 + slot[at + 1]
    return epoch, base, keywords


def mod_sequences(log, epoch, base):
    """Mod-sequence by UID, as the done records say."""
    found, sets = {}, {}
    seed = (epoch ^ epoch >> 32) & 0xFFFFFFFF
    for i in range((len(log) - HEAD) // RECORD):
        record = log[HEAD + i * RECORD : HEAD + (i + 1) * RECORD]
        crc, kind, version, uid, _, token, modseq = struct.unpack_from("<IBBxxIQQQ", record)
        if crc != crc32c(seed, record[4:]):
            break
        if version != 1:
            continue
        modseq = modseq or base + i + 1
        done, kind = kind & 0x80, kind & 0x7F
        if not done:
            if kind == SET:
                sets[token] = {}
        elif kind in (APPEND, KEPT):
            sets.get(token, found)[uid] = modseq
        elif kind == SET:
            found.update(sets.pop(token, {}))
        elif kind == VOID:
            sets.pop(token, None)
        elif kind == FLAGS and uid in found:
            found[uid] = modseq
        elif kind == EXPUNGE:
            found.pop(uid, None)
    return found


def messages(path):
    """The messages of one mailbox, by UID."""
    status = json.loads(read(path + "/status.json") or "{}")
    log = read(path + "/changes.log")
    keywords, modseqs, header = dict(status.get("keywords") or {}), {}, head(log)
    if header:
        epoch, base, names = header
        if not status:
            keywords = names
        if not status or status.get("epoch") == "%016x" % epoch:
            modseqs = mod_sequences(log, epoch, base)
    found = {}
    for shard in filter(SHARD.fullmatch, os.listdir(path)):
        if not os.path.isdir(f"{path}/{shard}"):
            continue
        for entry in os.scandir(f"{path}/{shard}"):
            name = MESSAGE.fullmatch(entry.name)
            if not name or not entry.is_file(follow_symlinks=False) or int(name[1]) // 1000 != int(shard):
                continue
            uid, letters = int(name[1]), set(name[2])
            if 0 < uid < 1 << 32:
                known = [SYSTEM[c] for c in letters if c in SYSTEM]
                known += [keywords.get(c, "keyword-" + c) for c in letters if c in LETTERS]
                size = entry.stat(follow_symlinks=False).st_size
                found[uid] = {"uid": uid, "flags": sorted(known), "size": size, "modseq": modseqs.get(uid)}
    return [found[uid] for uid in sorted(found)]


def decode(level):
    """The level of a mailbox name that a directory stands for; None for a foreign one."""
    try:
        return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), os.fsencode(level)).decode()
    except UnicodeDecodeError:
        return None


def is_mailbox(path):
    if os.path.exists(path + "/changes.log"):
        return True
    if os.path.exists(path + "/.deleting.log"):
        return False
    return os.path.exists(path + "/status.json") or any(map(SHARD.fullmatch, os.listdir(path)))


def walk(path, levels):
    """Mailboxes at and below a directory: name and path."""
    if levels and is_mailbox(path):
        yield "/".join(levels), path
    below = path + "/mailboxes"
    for level in sorted(os.listdir(below)) if os.path.isdir(below) else []:
        name = decode(level)
        if name and not level.startswith(".") and os.path.isdir(f"{below}/{level}"):
            yield from walk(f"{below}/{level}", levels + [name])


def main(arguments):
    paths = [a for a in arguments if a != "--json"]
    if len(paths) != 1 or not os.path.isdir(paths[0]):
        sys.exit("usage: lsmail.py MAILBOX_OR_ACCOUNT_DIR [--json]")
    top = os.path.abspath(paths[0])
    levels, above = [], top
    while os.path.basename(os.path.dirname(above)) == "mailboxes":
        levels.insert(0, decode(os.path.basename(above)) or "?")
        above = os.path.dirname(os.path.dirname(above))
    found = [{"mailbox": name, "messages": messages(path)} for name, path in sorted(walk(top, levels))]
    sys.stdout.reconfigure(encoding="utf-8")
    if "--json" in arguments:
        return print(json.dumps(found, ensure_ascii=False, indent=2))
    for mailbox in found:
        # Escaped as in JSON, so that no name breaks a line.
        name = json.dumps(mailbox["mailbox"], ensure_ascii=False)[1:-1]
        for m in mailbox["messages"]:
            modseq = "-" if m["modseq"] is None else m["modseq"]
            print(name, m["uid"], " ".join(m["flags"]) or "-", m["size"], modseq, sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
