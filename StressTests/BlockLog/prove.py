#!/usr/bin/env python3
"""Proves, or refutes, that an order of system calls survives a power cut.

Records every write and flush of a workload on a fresh file system, rebuilds
what a power cut at any moment may have left on the medium, mounts each such
image (the file system recovers) and holds the messages against the rules."""
import argparse, collections, os, random, shutil, subprocess, sys, tempfile, time
import messages, replay, system
from system import HERE

MIB = 1 << 20
EXT4 = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256", "-N", "512", "-m", "0", "-J", "size=4",
        "-E", "lazy_itable_init=0,nodiscard", "-O", "^resize_inode"]
NO_JOURNAL = EXT4[:11] + EXT4[13:-1] + ["^resize_inode,^has_journal"]
# name: (type, size, mkfs, mount options, check which a system runs at boot)
FILE_SYSTEMS = {
    "ext4": ("ext4", 32 * MIB, EXT4, "", None),
    "ext4-writeback": ("ext4", 32 * MIB, EXT4, "data=writeback", None),
    "ext4-nodelalloc": ("ext4", 32 * MIB, EXT4, "nodelalloc", None),
    "ext4-fastcommit": ("ext4", 32 * MIB, EXT4[:-1] + ["^resize_inode,fast_commit"], "", None),
    "ext4-nojournal": ("ext4", 32 * MIB, NO_JOURNAL, "", ["e2fsck", "-fy"]),
    "xfs": ("xfs", 300 * MIB, ["mkfs.xfs", "-q", "-f", "-K"], "", None),
    "btrfs": ("btrfs", 128 * MIB, ["mkfs.btrfs", "-q", "-f", "-K", "-m", "single", "-d", "single"], "", None),
}
VARIANTS = {"1": "ordered", "1n": "ordered-newdir", "2": "early-ack", "3": "link-first", "4": "set",
            "4b": "set-dir", "5": "copy", "5b": "copy-dir", "6": "move", "6b": "move-dir",
            "7": "today", "8": "expunge", "9": "log-overwrite", "9b": "log-append"}

# What another writer does meanwhile, in the order of workload.c.
NEIGHBOURS = ["all", "commit", "file", "directory", "append"]


def make_image(path, size, command):
    with open(path, "wb") as file:
        file.truncate(size)
    subprocess.run(command + [path], check=True, stdout=subprocess.DEVNULL)


def record(ram, kind, options, base, variant, arguments):
    """Runs the workload on a copy of the base image; returns the log's path."""
    with system.recorded(ram, base, kind, options, arguments.seed, arguments.hold,
                         not arguments.buffered_loop) as (directory, mark):
        command = [HERE + "/workload", variant, directory, mark,
                   str(arguments.count), str(arguments.seed), str(arguments.group),
                   str(NEIGHBOURS.index(arguments.neighbour) - 1)]
        subprocess.run(command, check=True, timeout=300)
    os.remove(ram + "/backing")
    return ram + "/log"


def prove(arguments):
    kind, size, command, options, check = FILE_SYSTEMS[arguments.filesystem]
    options = ",".join(filter(None, [options, arguments.options]))
    variant, started = VARIANTS.get(arguments.variant, arguments.variant), time.monotonic()
    ram = arguments.scratch
    system.mount("none", ram, "tmpfs", "size=4g")
    base, mounted = ram + "/base", ram + "/mnt"
    os.mkdir(mounted)
    make_image(base, size, command)
    log = list(replay.read_log(record(ram, kind, options, base, variant, arguments)))
    if arguments.keep_log:
        shutil.copy(ram + "/log", arguments.keep_log)
    recorded = time.monotonic() - started
    disk, chance = replay.Disk(base), random.Random(arguments.seed)
    expected = messages.Messages(arguments.seed, arguments.count)
    counts = collections.Counter(kind for kind, _, _ in log)

    image = os.open(ram + "/image", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.ftruncate(image, size)
    device = system.attach(ram + "/image", False)
    seen, kinds, told, checked, cut = {}, collections.Counter(), [], 0, False
    try:
        for identity, blocks, marks, description in replay.states(log, disk, chance, arguments.random,
                                                                  arguments.piece, arguments.fua):
            if identity not in seen:
                if arguments.limit and time.monotonic() - started > arguments.limit:
                    cut = True
                    break
                disk.write_image(image, blocks)
                system.drop_cache(device)
                if check:
                    subprocess.run(check + [device], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                checked += 1
                try:
                    system.mount(device, mounted, kind, options)
                    try:
                        seen[identity] = expected.look(mounted)
                    finally:
                        system.unmount(mounted)
                except OSError as error:
                    seen[identity] = error
            # An image seen before is judged again: more may be acknowledged now.
            found = seen[identity]
            if isinstance(found, OSError):
                broken = [(f"cannot be read: {found}", None)]
            else:
                broken = messages.violations(variant, found, messages.acknowledged(marks), arguments.count)
            for what in {what for what, _ in broken}:
                if what not in kinds:
                    first = [number for other, number in broken if other == what]
                    told.append(f"  {what}: messages {first[:5]}, {description}")
                kinds[what] += 1
    finally:
        os.close(image)
        system.detach(device)
    bad = {what: number for what, number in kinds.items() if not what.startswith("note")}
    text = ", ".join(f"{what} x{number}" for what, number in sorted(kinds.items(), key=lambda kv: -kv[1])) or "none"
    title = variant + (" fua" if arguments.fua else "") + (f" {arguments.piece}" if arguments.piece != 4096 else "")
    title += f" ({arguments.neighbour})" if arguments.neighbour != "all" else ""
    print(f"{arguments.filesystem:16} {options or '-':16} {title:20} states {checked:5} "
          f"{'(time limit) ' if cut else ''}violations {sum(bad.values()):5}: {text}"
          f"  [{counts['W']} writes, {counts['F']} flushes; {recorded:.1f} + "
          f"{time.monotonic() - started - recorded:.1f} s]", flush=True)
    if not arguments.quiet:
        print("\n".join(told[:8]), end="\n" if told else "")
    return 1 if bad else 0


def parse(line=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("filesystem", choices=FILE_SYSTEMS)
    parser.add_argument("variant", choices=list(VARIANTS.values()) + list(VARIANTS))
    parser.add_argument("--count", type=int, default=24, help="messages (24)")
    parser.add_argument("--group", type=int, default=0, help="messages of a set (default: 2 to 6 at random)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random", type=int, default=4, help="random subsets for each flush (4)")
    parser.add_argument("--piece", type=int, default=4096, help="sector: what the drive writes whole (4096)")
    parser.add_argument("--fua", action="store_true",
                        help="a drive with FUA: the flush which follows a commit covers the commit alone")
    parser.add_argument("--hold", type=int, default=800, help="longest pause before a write is answered, in microseconds")
    parser.add_argument("--neighbour", choices=NEIGHBOURS, default="all",
                        help="what another writer does meanwhile: btrfs transaction commits, fsync of a file "
                             "elsewhere, fsync of the same directory, appends to it, or all by turns (all)")
    parser.add_argument("--options", default="", help="further mount options")
    parser.add_argument("--limit", type=float, default=0, help="seconds after which no new state is checked")
    parser.add_argument("--buffered-loop", action="store_true", help="loop device without direct I/O")
    parser.add_argument("--keep-log", help="copies the recording there")
    parser.add_argument("--quiet", action="store_true", help="one line only")
    return parser.parse_args(line)


def run(arguments):
    arguments.scratch = tempfile.mkdtemp(prefix="blocklog-")
    try:
        return system.guarded(lambda: prove(arguments))
    finally:
        os.rmdir(arguments.scratch)   # empty: everything was in the child's tmpfs


if __name__ == "__main__":
    sys.exit(run(parse()))
