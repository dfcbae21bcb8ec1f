#!/usr/bin/env python3
"""Appends a second of today's order and of the ordered one: one thread,
messages of 4 KiB, in turn on the same file system. rates.py DIRECTORY measures
the directory's own file system, then xfs, btrfs and ext4 in images kept there."""
import argparse, os, shutil, statistics, subprocess, sys, tempfile
import prove, system

VARIANTS = ("today", "ordered", "set", "set-dir")


def measure(name, directory, count, rounds):
    seconds = {variant: [] for variant in VARIANTS}
    for turn in range(rounds):
        for variant in VARIANTS:
            target = tempfile.mkdtemp(dir=directory)
            output = subprocess.run([system.HERE + "/workload", variant, target, "-", str(count), "1", "8"],
                                    check=True, capture_output=True, text=True).stdout
            seconds[variant].append(float(output))
            shutil.rmtree(target)
    base = statistics.median(count / s for s in seconds["today"])
    for variant in VARIANTS:
        rates = [count / s for s in seconds[variant]]
        median = statistics.median(rates)
        print(f"{name:14} {variant:8} {median:8.0f} appends/s ({min(rates):.0f} to {max(rates):.0f}), "
              f"{median / base:.2f} of today's", flush=True)


def work(arguments, scratch):
    measure("own", scratch, arguments.count, arguments.rounds)
    for name in ("xfs", "btrfs", "ext4"):
        kind, _, command, options, _ = prove.FILE_SYSTEMS[name]
        image, mounted = f"{scratch}/{name}", f"{scratch}/mnt-{name}"
        os.mkdir(mounted)
        # Room enough, and a journal of the usual size.
        if name == "ext4":
            command = ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"]
        prove.make_image(image, 1 << 30, command)
        # Written throughout: no hole is filled and no extent converted below while measuring.
        subprocess.run(["cp", "--sparse=never", image, image + ".full"], check=True)
        os.rename(image + ".full", image)
        os.sync()
        device = system.attach(image, True)
        try:
            system.mount(device, mounted, kind, options)
            try:
                measure(name + " image", mounted, arguments.count, arguments.rounds)
            finally:
                system.unmount(mounted)
        finally:
            system.detach(device)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="blocklog-", dir=arguments.directory)
    try:
        return system.guarded(lambda: work(arguments, scratch))
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
