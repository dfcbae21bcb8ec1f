"""The recorded log, and the images a power cut may leave of it."""
import hashlib, os, struct

BLOCK = 4096
HEADER = struct.Struct("<BQI")
ZERO = bytes(BLOCK)


def read_log(path):
    """Yields (type, offset, bytes); see blocklog.c for the types."""
    with open(path, "rb") as file:
        data = file.read()
    position = 0
    while position + HEADER.size <= len(data):
        kind, offset, length = HEADER.unpack_from(data, position)
        position += HEADER.size
        if length and position + length > len(data):
            return
        yield chr(kind), offset, data[position:position + length]
        position += length


def digest(number, block):
    if block == ZERO:
        return 0
    return int.from_bytes(hashlib.blake2b(block, digest_size=16, key=number.to_bytes(8, "little")).digest(), "little")


class Disk:
    """What is surely on the medium: the base image and the flushed writes."""

    def __init__(self, base):
        self.size = os.path.getsize(base)
        self.base, self.runs, self.changed, self.identity = {}, [], {}, 0
        with open(base, "rb") as file:
            descriptor, position = file.fileno(), 0
            while position < self.size:
                try:
                    position = os.lseek(descriptor, position, os.SEEK_DATA)
                except OSError:
                    break
                hole = os.lseek(descriptor, position, os.SEEK_HOLE)
                for start in range(position // BLOCK * BLOCK, hole, BLOCK):
                    block = os.pread(descriptor, BLOCK, start)
                    if block != ZERO:
                        self.base[start // BLOCK] = block
                position = hole
        for number in sorted(self.base):
            if self.runs and self.runs[-1][0] + len(self.runs[-1][1]) == number:
                self.runs[-1][1].append(self.base[number])
            else:
                self.runs.append((number, [self.base[number]]))
        self.runs = [(number * BLOCK, b"".join(blocks)) for number, blocks in self.runs]

    def block(self, number):
        return self.changed.get(number) or self.base.get(number, ZERO)

    def overlay(self, pieces):
        """The blocks which differ once these pieces are written in order."""
        blocks = {}
        for offset, data in pieces:
            number, inner = divmod(offset, BLOCK)
            if len(data) == BLOCK:
                blocks[number] = data
            else:
                old = blocks.get(number) or self.block(number)
                blocks[number] = old[:inner] + data + old[inner + len(data):]
        return blocks

    def identity_with(self, blocks):
        identity = self.identity
        for number, block in blocks.items():
            identity ^= digest(number, self.block(number)) ^ digest(number, block)
        return identity

    def apply(self, blocks):
        self.identity = self.identity_with(blocks)
        self.changed.update(blocks)

    def write_image(self, descriptor, blocks):
        os.ftruncate(descriptor, 0)
        os.ftruncate(descriptor, self.size)
        for offset, data in self.runs:
            os.pwrite(descriptor, data, offset)
        for layer in (self.changed, blocks):
            for number, block in layer.items():
                os.pwrite(descriptor, block, number * BLOCK)


def pieces_of(offset, data, size):
    """A drive writes a sector whole; a larger write may be torn between them."""
    position = 0
    while position < len(data):
        length = min(size - (offset + position) % size, len(data) - position)
        yield offset + position, data[position:position + length]
        position += length


def subsets(count, whole, chance, k):
    """Selections of `count` cached pieces; whole[i] is the write of piece i.
    The extremes first, then prefixes, single writes and single gaps, random ones."""
    yield [False] * count
    if count == 0:
        return
    yield [True] * count
    for _ in range(max(1, k // 3)):
        end = chance.randrange(count + 1)
        yield [i < end for i in range(count)]
    for _ in range(max(1, k // 4)):
        missing = chance.choice(whole)
        yield [write != missing for write in whole]
    only = chance.choice(whole)
    yield [write == only for write in whole]
    for turn in range(k):
        part = (0.5, 0.9, 0.1, 0.75)[turn % 4]
        yield [chance.random() < part for _ in range(count)]


def is_commit(offset, data):
    """A write which a file system sends with FUA: ext4's commit block, a log
    record of xfs, the first super block of btrfs."""
    return (data[:8] == b"\xc0\x3b\x39\x98\0\0\0\2" or data[:4] == b"\xfe\xed\xba\xbe"
            or offset == 65536 and data[64:72] == b"_BHRfS_M")


def states(log, disk, chance, k, piece, fua=False):
    """Yields (identity, blocks over disk, marks so far, description), in the
    order of the log. The later the cut between two flushes, the more subsets
    there are and the more is acknowledged: so the cut is just before a flush. With
    `fua`, the flush by which the loop device replaces the FUA of a commit
    makes that write alone durable, as a drive would do."""
    cached, written, marks, running = [], {}, [], False
    commits, sealed = set(), None
    for index, (kind, offset, data) in enumerate(log):
        if kind == "W":
            if fua and running and is_commit(offset, data):
                commits.add(len(written))
            written[len(written)] = False
            cached.append((len(written) - 1, list(pieces_of(offset, data, piece))))
        elif kind == "D":
            written[offset] = True
            if offset in commits:
                sealed = offset
        elif kind == "M":
            text = data.decode().strip()
            if text == "begin":
                running = True
            elif text != "end":
                marks.append(text)
        ends = kind == "M" and data.strip() == b"end"
        if running and (kind == "F" or ends):
            flat = [(number, part) for number, parts in cached for part in parts]
            whole = [number for number, _ in flat]
            for turn, chosen in enumerate(subsets(len(flat), whole, chance, k)):
                blocks = disk.overlay(part for (_, part), yes in zip(flat, chosen) if yes)
                missing = len(flat) - sum(chosen)
                yield (disk.identity_with(blocks), blocks, marks,
                       f"cut before record {index}, {missing} of {len(flat)} cached blocks not written")
        if ends:
            return
        if kind == "F":
            # Only a write which was answered before the flush came is covered by it.
            covered = {number for number, _ in cached if written[number]} if sealed is None else {sealed}
            durable = [part for number, parts in cached if number in covered for part in parts]
            disk.apply(disk.overlay(durable))
            if sealed is not None:   # it takes the place of what the cache still held for those sectors
                places = {offset for offset, _ in durable}
                cached = [(number, [part for part in parts if part[0] not in places or number > sealed])
                          for number, parts in cached]
            cached = [entry for entry in cached if entry[0] not in covered]
            sealed = None
