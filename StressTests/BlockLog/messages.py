"""The messages of workload.c, and the rules they must keep after a cut."""
import os, struct

SIZES = [0, 1, 100, 4096, 5000, 70000]
MASK = (1 << 64) - 1
EXISTING = ("copy", "copy-dir", "move", "move-dir", "expunge")


def mix(z):
    z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
    return z ^ (z >> 31)


class Messages:
    def __init__(self, seed, count):
        self.seed, self.count, self.known = seed, count, {}

    def content(self, number):
        if number not in self.known:
            size = SIZES[mix((self.seed * 1000003 + number) & MASK) % 6]
            state, words = (mix((self.seed + 77) & MASK) + number) & MASK, []
            for _ in range(0, size, 8):
                state = (state + 0x9e3779b97f4a7c15) & MASK
                words.append(mix(state))
            header = f"message {number} {size}\n".encode()[:size]
            self.known[number] = header + struct.pack(f"<{len(words)}Q", *words)[len(header):size]
        return self.known[number]

    def judge(self, path, number):
        """How the file of a name looks."""
        expected = self.content(number)
        try:
            stat = os.stat(path)
            with open(path, "rb") as file:
                found = file.read()
        except OSError as error:
            return f"unreadable ({error.strerror})"
        if found == expected:
            right = (1000000000 + number * 1000) * 1000000000 + number
            return "whole" if stat.st_mtime_ns == right else "mtime"
        if not found:
            return "empty"
        if len(found) < len(expected):
            return "short"
        if len(found) == len(expected) and all(f == e or f == 0 for f, e in zip(found, expected)):
            return "zeros"
        return "garbage"

    def look(self, root):
        """{(directory, number): how it looks} of a mounted file system."""
        found = {}
        for directory in os.listdir(root):
            if directory not in ("a", "b") and not directory.startswith("shard-"):
                continue
            path = f"{root}/{directory}"
            for name in os.listdir(path):
                if name.endswith(".eml"):
                    found[directory, int(name[:-4])] = self.judge(f"{path}/{name}", int(name[:-4]))
        return found


def acknowledged(marks):
    numbers = set()
    for text in marks:
        _, first, last = text.split()
        numbers.update(range(int(first), int(last) + 1))
    return numbers


def violations(variant, found, acked, count):
    """[(kind, message)] of one state. Kinds which begin with "note" are told
    but break no rule."""
    result = []
    moving = variant.startswith("move") or variant == "expunge"
    for (directory, number), looks in found.items():
        if looks != "whole" and not (directory == "b" and number in acked):
            here = number in acked and variant not in EXISTING
            result.append((f"acknowledged {looks}" if here else looks, number))
    for number in range(count):
        if variant in EXISTING:
            if moving and ("a", number) not in found and ("b", number) not in found:
                result.append(("lost from both", number))
            elif not moving and ("a", number) not in found:
                result.append(("source lost", number))
            if number in acked:
                looks = found.get(("b", number))
                if looks is None:
                    result.append(("acknowledged absent from target", number))
                elif looks != "whole":
                    result.append((f"acknowledged {looks}", number))
            if moving and ("a", number) in found and ("b", number) in found:
                result.append(("note: under both names", number))
        elif number in acked and not any(key[1] == number for key in found):
            result.append(("lost", number))
    return result
