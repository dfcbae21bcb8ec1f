"""Loop devices, mounts and the clean-up after them."""
import contextlib, ctypes, fcntl, os, signal, struct, subprocess, sys, time

LOOP_CLR_FD, LOOP_CONFIGURE, LOOP_CTL_GET_FREE, BLKFLSBUF = 0x4C01, 0x4C0A, 0x4C82, 0x1261
LO_FLAGS_DIRECT_IO = 16
MS_NOATIME, MS_REC, MS_PRIVATE, CLONE_NEWNS, PR_SET_PDEATHSIG = 1024, 16384, 1 << 18, 0x20000, 1
HERE = os.path.dirname(os.path.abspath(__file__))
libc = ctypes.CDLL(None, use_errno=True)
_report = None   # where a guarded process tells its guard of its loop devices


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(device, directory, kind, options="", flags=MS_NOATIME):
    _check(libc.mount(device.encode(), directory.encode(), kind.encode(), flags,
                      options.encode()), f"mount {kind}")


def unmount(directory):
    for attempt in range(50):
        if libc.umount2(directory.encode(), 0) == 0:
            return
        if ctypes.get_errno() != 16:
            break
        time.sleep(0.02)
    _check(libc.umount2(directory.encode(), 2), "umount")


def attach(path, direct):
    """Sets up a loop device. No descriptor stays open, so that its page cache
    goes with the last unmount."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for attempt in range(20):
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            device = f"/dev/loop{number}"
            info = struct.pack("<5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0,
                               LO_FLAGS_DIRECT_IO if direct else 0, path.encode()[-63:], b"", b"", 0, 0)
            config = struct.pack("<2I", file, 0) + info + bytes(64)
            block = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(block, LOOP_CONFIGURE, config)
            except OSError:
                time.sleep(0.05)   # someone else took it
                continue
            finally:
                os.close(block)
            if _report is not None:
                os.write(_report, f"+{device}\n".encode())
            shown = open(f"/sys/block/loop{number}/loop/dio").read().strip()
            if direct and shown != "1":
                detach(device)
                raise OSError(f"{device}: no direct I/O to {path}")
            return device
        raise OSError("no free loop device")
    finally:
        os.close(control)
        os.close(file)


def detach(device):
    block = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(block, LOOP_CLR_FD)
    finally:
        os.close(block)
    if _report is not None:
        os.write(_report, f"-{device}\n".encode())


def drop_cache(device):
    block = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.ioctl(block, BLKFLSBUF)
    os.close(block)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def guarded(work):
    """Runs work() in a child with a mount namespace of its own: its mounts go
    with it however it ends, and its guard then detaches its loop devices."""
    global _report
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _report = writing
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        status = 1
        try:
            _check(libc.unshare(CLONE_NEWNS), "unshare")
            mount("none", "/", "", flags=MS_REC | MS_PRIVATE)
            status = work()
        except SystemExit as end:
            status = end.code
        except BaseException:
            import traceback
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(status if isinstance(status, int) else 1)
    os.close(writing)

    def stop(*_):
        os.kill(child, signal.SIGTERM)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    left = set()
    with os.fdopen(reading) as lines:
        for line in lines:
            (left.add if line[0] == "+" else left.discard)(line[1:].strip())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for device in left:
        try:
            detach(device)
        except OSError:
            pass
    return status


class Recorder:
    """`disk` and `mark` below a directory, everything recorded to a log."""

    def __init__(self, directory, backing, log, seed, hold):
        os.makedirs(directory, exist_ok=True)
        self.directory, self.disk, self.mark = directory, directory + "/disk", directory + "/mark"
        self.process = subprocess.Popen([HERE + "/blocklog", directory, backing, log, str(seed), str(hold)],
                                        preexec_fn=die_with_parent)
        size = os.path.getsize(backing)
        for attempt in range(200):
            if os.path.exists(self.disk) and os.path.getsize(self.disk) == size:
                return
            time.sleep(0.01)
        self.close()
        raise OSError("blocklog did not start")

    def close(self):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def recorded(ram, base, kind, options, seed, hold, direct):
    """A mounted copy of the base image, `backing` in `ram`, whose writes and flushes go to the file `log` there.
    Gives the directory and the path of the marks."""
    backing, directory = ram + "/backing", ram + "/fs"
    subprocess.run(["cp", "--sparse=always", base, backing], check=True)
    os.makedirs(directory, exist_ok=True)
    recorder = Recorder(ram + "/fuse", backing, ram + "/log", seed, hold)
    try:
        device = attach(recorder.disk, direct)
        try:
            mount(device, directory, kind, options)
            try:
                yield directory, recorder.mark
            finally:
                unmount(directory)
        finally:
            detach(device)
    finally:
        recorder.close()
