#!/usr/bin/env python3
"""Shows that the recording may be trusted: every block write and every flush
of a file system above the loop device reaches the log, in an order which a
drive could have seen."""
import mmap, os, subprocess, sys, tempfile, threading, time
import prove, replay, system


def say(good, what):
    print(("ok      " if good else "FAILED  ") + what, flush=True)
    return good


def one(ram, name, buffered):
    kind, size, command, options, _ = prove.FILE_SYSTEMS[name]
    good, base = True, ram + "/base"
    prove.make_image(base, size, command)
    with system.recorded(ram, base, kind, options, 1, 800, not buffered) as (directory, mark_path):
        mark = os.open(mark_path, os.O_WRONLY)
        for turn in range(20):
            file = os.open(f"{directory}/{turn}", os.O_CREAT | os.O_RDWR, 0o600)
            os.write(file, b"<content %03d>" % turn * 400)
            os.write(mark, b"before %d" % turn)
            os.fsync(file)
            os.write(mark, b"after %d" % turn)
            os.close(file)
        os.close(mark)
    log = list(replay.read_log(ram + "/log"))
    where = {data: index for index, (kind, _, data) in enumerate(log) if kind == "M"}
    flushed = written = 0
    for turn in range(20):
        span = log[where[b"before %d" % turn]:where[b"after %d" % turn]]
        flushes = [i for i, (kind, _, _) in enumerate(span) if kind == "F"]
        data = [i for i, (kind, _, data) in enumerate(span) if kind == "W" and b"<content %03d>" % turn in data]
        flushed += bool(flushes)
        written += bool(data and flushes and data[0] < flushes[-1])
    title = f"{name}, loop device {'buffered' if buffered else 'with direct I/O'}: "
    good &= say(flushed == 20, f"{title}{flushed} of 20 fsyncs sent a flush before they returned")
    good &= say(written == 20, f"{title}{written} of 20 contents were written before that flush")
    # All writes in order, laid over the base image, are the disk: none is missing.
    disk = replay.Disk(base)
    for kind, offset, data in log:
        if kind == "W":
            disk.apply(disk.overlay(replay.pieces_of(offset, data, 4096)))
    image = os.open(ram + "/image", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    disk.write_image(image, {})
    os.close(image)
    good &= say(not subprocess.run(["cmp", "-s", ram + "/image", ram + "/backing"]).returncode,
                f"{title}base image and {sum(k == 'W' for k, _, _ in log)} recorded writes make the disk, byte for byte")
    open_, overtaken, most = set(), 0, 0
    number = 0
    for kind, offset, _ in log:
        if kind == "W":
            open_.add(number)
            number += 1
            most = max(most, len(open_))
        elif kind == "D":
            open_.discard(offset)
        elif kind == "F" and open_:
            overtaken += 1
    print(f"        {title}up to {most} writes at once; {overtaken} flushes came while a write was unanswered")
    return good


def overtaking(ram):
    """A flush sent while a write is under way must be recorded before its end."""
    with open(ram + "/backing", "wb") as file:
        file.truncate(1 << 24)
    recorder = system.Recorder(ram + "/fuse", ram + "/backing", ram + "/log", 1, 50000)
    try:
        device = system.attach(recorder.disk, True)
        try:
            block = os.open(device, os.O_RDWR | os.O_DIRECT)
            page = mmap.mmap(-1, 4096)
            page.write(b"x" * 4096)
            threads = [threading.Thread(target=os.pwrite, args=(block, page, n * 8192)) for n in range(16)]
            for thread in threads:
                thread.start()
            time.sleep(0.01)   # of the up to 50 ms a write is held
            os.fsync(block)
            for thread in threads:
                thread.join()
            os.close(block)
            page.close()
        finally:
            system.detach(device)
    finally:
        recorder.close()
    log = list(replay.read_log(ram + "/log"))
    writes = next(i for i, (kind, _, _) in enumerate(log) if kind == "W")   # setting up the device flushes, too
    first = next(i for i, (kind, _, _) in enumerate(log) if kind == "F" and i > writes)
    done = sum(kind == "D" for kind, _, _ in log[:first])
    begun = sum(kind == "W" for kind, _, _ in log[:first])
    return say(begun > done, f"a flush amid 16 writes: {begun} had arrived, {done} were answered, only those count as flushed")


def work(ram):
    system.mount("none", ram, "tmpfs", "size=2g")
    good = overtaking(ram)
    for name in ("ext4", "xfs", "btrfs"):
        for buffered in (False, True):
            good &= one(ram, name, buffered)
    return 0 if good else 1


if __name__ == "__main__":
    scratch = tempfile.mkdtemp(prefix="blocklog-")
    try:
        status = system.guarded(lambda: work(scratch))
    finally:
        os.rmdir(scratch)
    sys.exit(status)
