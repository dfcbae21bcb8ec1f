"""Permitted differences between the answers of rmail and of Dovecot, each with the reason why rmail's is right.

Each function takes a command and the answers of rmail ("ours") and Dovecot ("theirs") as parsed by `compared_answers`:
((status, code), answers). It returns both with that difference removed."""

from compared_answers import frozen

SYSTEM_FLAGS = {"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft", "\\recent", "\\*"}
MADE_UP = {"\\haschildren", "\\hasnochildren", "\\marked", "\\unmarked"}
SPECIAL_USES = {"\\archive", "\\drafts", "\\junk", "\\sent", "\\trash"}


def keep(value, wanted):
    return value[0], [a for a in value[1] if wanted(a)]


def code_beyond_the_others(command, ours, theirs):
    """RFC 5530 and RFC 8474: Dovecot 2.3 does not send NONEXISTENT, CANNOT, MAILBOXID and the like. RFC 3501
    section 7.1: the charsets named with BADCHARSET are optional. CLIENTBUG (RFC 5530) is optional."""
    (status_a, code_a), answers_a = ours
    (status_b, code_b), answers_b = theirs
    if code_b is None or code_b[0] in ("CLIENTBUG", "CANNOT") or (code_a and code_a[0] == code_b[0] == "BADCHARSET"):
        code_a = code_b = None
    return ((status_a, code_a), answers_a), ((status_b, code_b), answers_b)


def told_at_select(command, ours, theirs):
    """RFC 8474 section 4.2: MAILBOXID. RFC 7162 section 3.1.2.1: HIGHESTMODSEQ at every SELECT, which Dovecot omits
    until it stores mod-sequences."""
    kinds = ["OK [MAILBOXID]"]
    if not any(a[0] == "OK [HIGHESTMODSEQ]" for a in theirs[1]):
        kinds.append("OK [HIGHESTMODSEQ]")
    return keep(ours, lambda a: a[0] not in kinds), theirs


def known_keywords(command, ours, theirs):
    """RFC 3501 section 7.2.6: FLAGS lists the flags that apply. It need not include a keyword that no message ever had,
    which Dovecot creates for a SEARCH, nor be repeated when that keyword is first used; system flags are included."""
    def system(value):
        selecting = command.upper().startswith(("SELECT", "EXAMINE"))
        return value[0], [(a[0], frozenset(a[1] & SYSTEM_FLAGS)) if a[0] == "FLAGS" else
                          (a[0], (a[1][0], frozenset(a[1][1] & SYSTEM_FLAGS))) if a[0] == "OK [PERMANENTFLAGS]" else a
                          for a in value[1] if selecting or a[0] not in ("FLAGS", "OK [PERMANENTFLAGS]")]
    return system(ours), system(theirs)


def more_of_a_message(command, ours, theirs):
    """RFC 3501 section 7.4.2: a FETCH answer may contain more than was requested. rmail sends the UID with flags, and
    answers for each message that a STORE names, even one that already had the flags (section 6.4.6)."""
    known = {a[1]: dict(a[2]) for a in theirs[1] if a[0] == "FETCH"}
    found = []
    for a in ours[1]:
        if a[0] == "FETCH" and a[1] in known:
            items = dict(a[2])
            if "UID" not in known[a[1]] and not command.upper().startswith("UID"):
                items.pop("UID", None)
            a = ("FETCH", a[1], frozen(items))
        elif a[0] == "FETCH" and "STORE" in command.upper():
            continue
        found.append(a)
    return (ours[0], found), theirs


def nothing_there(command, ours, theirs):
    """RFC 3501 section 7.4.2: the text of a missing part is an nstring: NIL and "" mean the same."""
    def same(value):
        return value[0], [("FETCH", a[1], tuple((k, None if v == b"" and "BODY[" in k else v) for k, v in a[2]))
                          if a[0] == "FETCH" else a for a in value[1]]
    return same(ours), same(theirs)


def spaces_of_a_subject(command, ours, theirs):
    """Dovecot collapses spaces in the subject of an ENVELOPE. RFC 3501 section 7.4.2 has the field unchanged."""
    def same(value):
        found = []
        for a in value[1]:
            if a[0] == "FETCH":
                a = ("FETCH", a[1], tuple((k, (v[0], v[1] and b" ".join(v[1].split())) + v[2:]) if k == "ENVELOPE"
                                          else (k, v) for k, v in a[2]))
            found.append(a)
        return value[0], found
    return same(ours), same(theirs)


def parts_of_parts_as_binary(command, ours, theirs):
    """RFC 3516 section 4.3 defines BINARY only for parts with a transfer encoding: rmail refuses it for parts that
    contain others, Dovecot writes a new message. A server may answer for any of the messages before the refusal."""
    if "BINARY" in command and ours[0] == ("NO", ("CANNOT",)):
        return (("OK", None), []), (("OK", None), [])
    return ours, theirs


def messages_as_binary(command, ours, theirs):
    """RFC 3516 section 4.3: BINARY undoes the encoding of a part. Of a message/rfc822 part rmail sends the octets,
    Dovecot undoes the encodings of the parts within it as well, and changes their headers to say so."""
    def rewritten(value):
        return isinstance(value, bytes) and b"Content-Transfer-Encoding: binary" in value

    if "BINARY" not in command.upper():
        return ours, theirs
    changed = {(a[1], key) for a in theirs[1] if a[0] == "FETCH" for key, value in a[2]
               if key.startswith("BINARY[") and rewritten(value)}

    def without(value):
        return value[0], [("FETCH", a[1], frozen({k: v for k, v in a[2] if (a[1], k) not in changed}))
                          if a[0] == "FETCH" else a for a in value[1]]
    return without(ours), without(theirs)


def attributes_not_asked(command, ours, theirs):
    """RFC 5258 section 4 and RFC 6154 section 2: a server may send \\HasChildren, \\HasNoChildren and special uses
    without being asked; \\Marked and \\Unmarked are hints."""
    upper = command.upper()
    extended = "RETURN" in upper or "LIST (" in upper or "LSUB" in upper or '"" (' in upper
    hidden = {"\\marked", "\\unmarked"}
    if extended and "CHILDREN" not in upper:
        hidden |= MADE_UP
    if extended and "RETURN (SPECIAL-USE" not in upper:
        hidden |= SPECIAL_USES

    def same(value):
        return value[0], [(a[0], a[1], a[2] - hidden) + a[3:] if a[0] in ("LIST", "LSUB") else a for a in value[1]]
    return same(ours), same(theirs)


def sizes_of_base64(command, ours, theirs):
    """Dovecot 2.3 sometimes estimates BINARY.SIZE of base64, wrongly; `fetch` compares rmail's with its BINARY."""
    def same(value):
        return value[0], [("FETCH", a[1], tuple((k, None if k.startswith("BINARY.SIZE") else v) for k, v in a[2]))
                          if a[0] == "FETCH" else a for a in value[1]]
    return same(ours), same(theirs)


def spaces_in_a_search(command, ours, theirs):
    """Dovecot collapses spaces in the fields that it searches; RFC 3501 section 6.4.4 has the string unchanged."""
    return (ours, ours) if command.endswith('SUBJECT "spaces around"') else (ours, theirs)


def ranges_beyond_the_end(command, ours, theirs):
    """RFC 3501 section 9, seq-range: a range covers everything between its ends, in either order, so a range with "*"
    includes the last message. Dovecot finds nothing if the other end is beyond it, except by UID."""
    searching = command.startswith(("SEARCH", "SORT", "THREAD"))
    return (ours, ours) if searching and ("999:*" in command or "*:999" in command) else (ours, theirs)


def identities(command, ours, theirs):
    """RFC 2971: ID names the server, so the two answers differ."""
    return (ours[0], [a[:1] if a[0] == "ID" else a for a in ours[1]]), \
        (theirs[0], [a[:1] if a[0] == "ID" else a for a in theirs[1]])


# Commands whose whole answers differ: rmail's status, Dovecot's status, the reason.
ANSWERED_OTHERWISE = {
    "FETCH 1 BODY[0]": ("BAD", "OK", "RFC 3501 section 9: the numbers of parts begin at 1"),
    "STORE 4 FLAGS (readonly)": ("NO", "OK", "RFC 3501 section 6.3.2: no changes are permitted"),
    "UID EXPUNGE 1:900": ("NO", "OK", "RFC 3501 section 6.3.2: no changes are permitted"),
}


def answered_otherwise(command, ours, theirs):
    expected = ANSWERED_OTHERWISE.get(command)
    if expected and (ours[0][0], theirs[0][0]) == expected[:2]:
        return (("OK", None), []), (("OK", None), [])
    return ours, theirs


def nothing_enabled(command, ours, theirs):
    """RFC 5161 section 3.2: ENABLED is sent even if nothing was enabled; Dovecot omits it."""
    return keep(ours, lambda a: a != ("ENABLED",)), theirs


ALLOWED = [parts_of_parts_as_binary, messages_as_binary, code_beyond_the_others, told_at_select, known_keywords, more_of_a_message,
           nothing_there, sizes_of_base64, spaces_of_a_subject, attributes_not_asked, nothing_enabled,
           spaces_in_a_search, ranges_beyond_the_end, identities, answered_otherwise]
