"""Read-only commands for both servers. `pair` sends a command to both and compares their answers."""

import re

from imap_answers import Parser


def lines(text):
    return [line.strip() for line in text.strip().split("\n")]


def parts(value, path=""):
    """The part numbers of a parsed BODYSTRUCTURE, each with a flag for message parts."""
    if isinstance(value[0], list):
        for i, inner in enumerate([v for v in value if isinstance(v, list) and
                                   (isinstance(v[0], list) or (len(v) > 6 and isinstance(v[6], str)))], 1):
            yield from whole(inner, f"{path}{i}")
    else:
        yield from whole(value, f"{path}1")


def whole(value, path):
    is_message = not isinstance(value[0], list) and (value[0].lower(), value[1].lower()) == (b"message", b"rfc822")
    yield path, is_message
    if isinstance(value[0], list):
        yield from parts(value, path + ".")
    elif is_message:
        yield from parts(value[8], path + ".")


def fetch(pair, chance, count):
    pair("EXAMINE INBOX")
    for items in lines(r"""
            FLAGS
            ALL
            FULL
            FAST
            UID
            (UID FLAGS INTERNALDATE RFC822.SIZE)
            ENVELOPE
            BODY
            BODYSTRUCTURE
            RFC822.HEADER
            RFC822
            RFC822.TEXT
            BODY[]
            BODY.PEEK[HEADER]
            BODY.PEEK[TEXT]
            BODY.PEEK[HEADER.FIELDS (From to SUBJECT)]
            BODY.PEEK[HEADER.FIELDS.NOT (Received Return-Path X-Long)]
            BODY.PEEK[HEADER.FIELDS (X-None)]
            BODY.PEEK[HEADER.FIELDS (X-Twice X-Empty)]
            BODY.PEEK[]<0.100>
            BODY.PEEK[]<50.1000000>
            BODY.PEEK[]<10000000.5>
            BODY.PEEK[TEXT]<3.7>
            BODY.PEEK[HEADER]<0.1>
            BODY.PEEK[1]
            BODY.PEEK[1.MIME]
            BODY.PEEK[2]
            BODY.PEEK[1.HEADER]
            BODY.PEEK[1.TEXT]
            BODY.PEEK[HEADER.FIELDS (Subject)]<3.10>
            BINARY.PEEK[1]
            BINARY.SIZE[1]
            MODSEQ
            (BODY.PEEK[HEADER.FIELDS (Date)] BODY.PEEK[HEADER.FIELDS (Subject)] UID)
            SAVEDATE
        """):
        pair(f"FETCH 1:* {items}")
        if chance.random() < 0.3:
            pair(f"UID FETCH 2:5,{count}:* {items}")
    for number in range(1, count + 1):
        answers, _ = pair.sides[0].session("a").run(f"FETCH {number} BODYSTRUCTURE")
        tree = next(Parser(a[2:]).values()[2][1] for a in answers if b"BODYSTRUCTURE" in a)
        for path, is_message in parts(tree):
            sections = [f"BODY.PEEK[{path}]", f"BODY.PEEK[{path}.MIME]", f"BODY.PEEK[{path}]<5.20>",
                        f"BINARY.SIZE[{path}]", f"BINARY.PEEK[{path}]"]
            if is_message:
                sections = sections[:3] + [f"BODY.PEEK[{path}.HEADER]", f"BODY.PEEK[{path}.TEXT]",
                                           f"BODY.PEEK[{path}.HEADER.FIELDS (Subject From)]",
                                           f"BODY.PEEK[{path}.HEADER.FIELDS.NOT (Subject From)]",
                                           f"BODY.PEEK[{path}.TEXT]<2.9>"]
            for section in sections:
                pair(f"FETCH {number} {section}")
            both = f"FETCH {number} (BINARY.SIZE[{path}] BINARY.PEEK[{path}])"
            of_rmail = next((dict(a[2]) for a in pair.sides[0].run("a", both, [])[1]), {})
            if len(of_rmail.get(f"BINARY[{path}]", b"")) != int(of_rmail.get(f"BINARY.SIZE[{path}]", 0)):
                pair.note(f"FETCH {number} BINARY.SIZE[{path}] is not the size of its BINARY: {of_rmail}")
    for command in lines(r"""
            FETCH 1 BODY.PEEK[99]
            FETCH 1 BODY.PEEK[1.99.MIME]
            FETCH 999 FLAGS
            UID FETCH 999 FLAGS
            FETCH 1 NONSENSE
            FETCH 0 FLAGS
            FETCH 1 (FLAGS
            FETCH 1 BODY[0]
            FETCH 1 BODY[MIME]
            FETCH *:2 FLAGS
            UID FETCH *:2 FLAGS
            UID FETCH 900:* FLAGS
            FETCH 3,1,2,2 UID
        """):
        pair(command)


def keys(chance, count):
    words = ["needle", "ZEBRA", "plain words", "alpha", "garden window", "example", "nowhere", "re:", '"grüße"',
             "größe", "日本", "Café", "Jürgen", "boundary", "a description", "spaces around", "m3."]
    dates = [f"{day}-{month}" for day in (1, 15, 28)
             for month in ("Nov-2023", "Dec-2023", "Jan-2024", "Feb-2024", "Mar-2024")]
    yield from ["ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT",
                "UNFLAGGED", "UNSEEN", "NEW", "OLD", "RECENT", "KEYWORD work", "UNKEYWORD work", "KEYWORD $Forwarded",
                "KEYWORD never", "UNKEYWORD never", "1", "*", "1:*", "3:5,7", f"{count}:*", "UID 1:4", "UID 900:*",
                "NOT ALL", "NOT 1:3", "OR 1 2", "OR NOT SEEN (FLAGGED 1:9)", "(SEEN (FLAGGED))", "SEEN UNSEEN",
                "LARGER 0", "SMALLER 1000", "LARGER 1000", "NOT LARGER 700", "SMALLER 1", "YOUNGER 10", "OLDER 10",
                'HEADER Subject ""', 'HEADER X-Twice second', 'HEADER X-Empty ""', 'HEADER X-None ""',
                "HEADER Message-ID m1.", "HEADER Content-Type alternative", "HEADER Received mx.example", "HEADER To b",
                'SUBJECT ""', 'FROM ""', "FROM builder", "TO carol", "CC bob", "BCC example", "FROM juergen",
                "TO Friends", "FROM quoted", "TO undisclosed-recipients", "MODSEQ 1", "MODSEQ 99999999"]
    for word in words:
        quoted = word if word.startswith('"') else f'"{word}"'
        for key in ("SUBJECT", "BODY", "TEXT", "FROM"):
            yield f"{key} {quoted}"
    for date in chance.sample(dates, 5):
        # Dovecot treats a message without a date as sent in 1970, so only messages with a Date field are searched.
        for key in lines(r"""
                BEFORE
                ON
                SINCE
                SENTBEFORE
                SENTON
                SENTSINCE
            """):
            yield f'{key} {date} HEADER Date ""'


def mixes(chance):
    """Searches with several keys, as (key,), ("NOT", x), ("OR", x, y) and ("AND", x, y)."""
    simple = ["SEEN", "FLAGGED", "DELETED", "KEYWORD work", "LARGER 800", "SUBJECT plain", "BODY needle", "2:9",
              "UID 5:20", "SENTSINCE 1-Jan-2024", "TEXT fox", "FROM bob"]

    def mix(depth):
        if depth == 0 or chance.random() < 0.2:
            return (chance.choice(simple),)
        operator = chance.choice(["NOT", "OR", "AND"])
        return (operator,) + tuple(mix(depth - 1) for _ in range(1 if operator == "NOT" else 2))

    return [mix(4) for _ in range(60)]


def written(tree):
    if len(tree) == 1:
        return tree[0]
    inner = " ".join(written(t) for t in tree[1:])
    return f"({inner})" if tree[0] == "AND" else f"{tree[0]} {inner}"


def meant(tree, found, every):
    """The numbers that a search should find, computed from the results of its single keys."""
    if len(tree) == 1:
        return found(tree[0])
    inner = [meant(t, found, every) for t in tree[1:]]
    return every - inner[0] if tree[0] == "NOT" else inner[0] | inner[1] if tree[0] == "OR" else inner[0] & inner[1]


def search(pair, chance, count):
    pair("SELECT INBOX")
    for key in keys(chance, count):
        charset = "" if key.isascii() else "CHARSET UTF-8 "
        if charset:
            word = re.search(r'"(.*)"', key).group(1)
            key = key.replace(f'"{word}"', "{}")
            arguments = [word.encode()]
        else:
            arguments = []
        pair(f"SEARCH {charset}{key}", *arguments)
        if chance.random() < 0.4:
            pair(f"UID SEARCH {charset}{key}", *arguments)
        if chance.random() < 0.4:
            options = chance.choice(["()", "(ALL)", "(MIN)", "(MAX)", "(COUNT)", "(MIN MAX)", "(MIN MAX COUNT ALL)"])
            pair(f"{chance.choice(['', 'UID '])}SEARCH RETURN {options} {charset}{key}", *arguments)
    # Dovecot ignores a key in some of these, so they are checked against the results of the single keys, which are
    # compared between the servers.
    alone = {}

    def found(key):
        if key not in alone:
            alone[key] = set(pair(f"SEARCH {key}")[1][0][1])
        return alone[key]

    for tree in mixes(chance):
        text = f"SEARCH {written(tree)}"
        expected = tuple(sorted(meant(tree, found, set(range(1, count + 1)))))
        pair.commands += 1
        answers = pair.sides[0].run("a", text, [])[1]
        if answers != [("SEARCH", expected, None)]:
            pair.note(f"{text}\n  rmail    {answers}\n  expected {expected}")
    pair("SEARCH CHARSET ISO-8859-1 SUBJECT {}", "Café".encode("latin-1"))
    pair("SEARCH CHARSET ISO-8859-1 BODY {}", "größe".encode("latin-1"))
    pair("SEARCH CHARSET US-ASCII SUBJECT zebra")
    pair("SEARCH CHARSET X-NONE SUBJECT zebra")
    for command in lines(r"""
            SEARCH RETURN (SAVE) FLAGGED
            FETCH $ UID
            SEARCH $ SEEN
            SEARCH RETURN (SAVE MIN) DELETED
            FETCH $ UID
            UID FETCH $ FLAGS
            SEARCH RETURN (SAVE COUNT) SEEN
            SEARCH NOT $
            SEARCH RETURN (SAVE ALL) KEYWORD never
            FETCH $ UID
            SEARCH RETURN (COUNT) MODSEQ 1
            SEARCH
            SEARCH NOKEY
            SEARCH OR SEEN
            SEARCH ON nodate
            SEARCH (SEEN
            SEARCH 999
            UID SEARCH UID 999
            SEARCH SENTON 1-Foo-2020
            SEARCH RETURN (NONSENSE) ALL
        """):
        pair(command)


def sort_and_thread(pair, chance, count):
    pair("EXAMINE INBOX")
    for key in lines(r"""
            ARRIVAL
            CC
            DATE
            FROM
            SIZE
            SUBJECT
            TO
            DISPLAYFROM
            DISPLAYTO
        """):
        for order in ("", "REVERSE "):
            pair(f"SORT ({order}{key}) UTF-8 ALL")
    for _ in range(15):
        chosen = chance.sample(["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO"], chance.randrange(2, 5))
        chosen = " ".join(chance.choice(["", "REVERSE "]) + key for key in chosen)
        which = chance.choice(["ALL", "SEEN", "3:20", "BODY fox"])
        pair(f"{chance.choice(['', 'UID '])}SORT ({chosen}) US-ASCII {which}")
    pair("SORT RETURN (MIN MAX COUNT) (DATE) UTF-8 ALL")
    pair("UID SORT RETURN (COUNT) (SUBJECT) UTF-8 FLAGGED")
    for algorithm in ("REFERENCES", "ORDEREDSUBJECT"):
        for key in ("ALL", "SEEN", "NOT DELETED", "2:11", "KEYWORD never"):
            pair(f"THREAD {algorithm} UTF-8 {key}")
            pair(f"UID THREAD {algorithm} US-ASCII {key}")
    for command in ("SORT () UTF-8 ALL", "SORT (NONSENSE) UTF-8 ALL", "SORT (DATE) X-NONE ALL", "THREAD NONE UTF-8 ALL",
                    "SORT (REVERSE) UTF-8 ALL"):
        pair(command)
