#!/usr/bin/env python3
"""Every file system with every variant, one line each."""
import subprocess, sys
import prove

# What is expected: these break a rule, or the harness is blind.
BLIND = [(name, "early-ack") for name in prove.FILE_SYSTEMS] + [("ext4-nojournal", "today")]


def run(*arguments):
    process = subprocess.run([sys.executable, prove.HERE + "/prove.py", *arguments, "--quiet"],
                             capture_output=True, text=True)
    line = process.stdout.strip() or "no result: " + process.stderr.strip()[-300:]
    print(line, flush=True)
    return process.returncode


def main():
    wrong = []
    for name in prove.FILE_SYSTEMS:
        for variant in prove.VARIANTS.values():
            # Few states come from few flushes: more messages for the sets.
            few = variant in ("set", "set-dir", "copy", "copy-dir", "expunge")
            status = run(name, variant, "--count", "60" if few else "40", "--limit", "25", "--random", "3", *sys.argv[1:])
            if (name, variant) in BLIND and status == 0:
                wrong.append(f"{name} {variant}: no violation found, the harness is blind")
            if variant == "today" and name in ("ext4", "xfs", "btrfs") and status != 0:
                wrong.append(f"{name} today: the control failed")
    # fsync of the directory by another writer, between linkat and fsync: btrfs logs the names without the contents.
    for name in ("ext4", "xfs", "btrfs"):
        for variant in ("today", "ordered"):
            run(name, variant, "--count", "40", "--limit", "25", "--random", "3", "--neighbour", "directory")
    # A drive with FUA, whose commits flush nothing else; and writes torn between sectors.
    for name in ("ext4", "xfs", "btrfs"):
        for variant in ("today", "ordered", "ordered-newdir", "set", "set-dir", "copy", "copy-dir", "move",
                        "move-dir", "expunge"):
            run(name, variant, "--count", "40", "--limit", "25", "--random", "3", "--fua")
        run(name, "ordered", "--count", "40", "--limit", "25", "--random", "3", "--piece", "512")
    for variant in ("today", "ordered"):
        if run("ext4", variant, "--options", "nobarrier") == 0:
            wrong.append("ext4 without barriers: no violation found, the harness is blind")
    print("\n".join(wrong) or "all controls as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
