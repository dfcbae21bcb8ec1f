#!/usr/bin/env python3
"""Runs the installed binary in a Debian without Swift, with only the runtime packages named in the README.

bare_debian.py DIRECTORY PACKAGE...: `make install DESTDIR=DIRECTORY PREFIX=/usr/local` has filled DIRECTORY.
Creates a root with debootstrap from the mirror that apt is configured for, copies the binary in, and drives it there:
accounts, a message by submission, the same message back by IMAP. Must run as root.

bare_debian.py --list RMAIL PACKAGE...: only checks that the packages are those of the libraries that a binary of any
build loads here, and those of the README. Exit status 1 when anything fails."""

import contextlib
import imaplib
import os
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
RMAIL = "/usr/local/bin/rmail"
STATE = "/srv/rmail"
CONFIG = f"{STATE}/config.json"
ADDRESS, PASSWORD = "alice@example.com", "correct horse"
# Another server on the machine may use the ports in the configuration written by `init`.
FREE_PORTS = {
    "RMAIL_SMTP_HOST": "127.0.0.1", "RMAIL_SMTP_PORT": "0", "RMAIL_SMTP_SUBMISSION_PORT": "0",
    "RMAIL_SMTP_SMTPS_PORT": "0", "RMAIL_IMAP_HOST": "127.0.0.1", "RMAIL_IMAP_PORT": "0", "RMAIL_IMAP_IMAPS_PORT": "0",
    "RMAIL_EXCHANGE_API_HOST": "127.0.0.1", "RMAIL_EXCHANGE_API_PORT": "", "RMAIL_EXCHANGE_API_SECURE_PORT": "",
}
# Keeps the toolchain's environment from the binary.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, (command, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def apt_source():
    """The mirror's address and the release from which this machine's apt installs."""
    with open("/etc/os-release") as f:
        codename = re.search(r"^VERSION_CODENAME=(\S+)$", f.read(), re.MULTILINE).group(1)
    listed = output("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)",
                    "Identifier: Packages", "Origin: Debian")
    for line in listed.splitlines():
        address, name, component = line.split()
        if (name, component) == (codename, "main"):
            return address, codename
    raise AssertionError(f"apt has no source for {codename} main; run apt-get update")


def check_readme(packages):
    with open(f"{HERE}/../../README.md") as f:
        named = re.search(r"^apt-get install --no-install-recommends (.*)$", f.read(), re.MULTILINE)
    assert named, "README.md names the runtime packages"
    assert sorted(named.group(1).split()) == sorted(packages), ("README.md and Makefile differ", named.group(1))


class Root:
    """A separate Debian below `path`."""

    def __init__(self, path, packages):
        self.path = path
        address, codename = apt_source()
        proxy = output("apt-config", "shell", "proxy", "Acquire::http::Proxy").strip().removeprefix("proxy=").strip("'")
        environment = dict(os.environ, **({"http_proxy": proxy} if proxy else {}))
        # debootstrap's mounts and processes go away with its namespaces, however it ends.
        output("unshare", "--mount-proc", "--pid", "--fork", "--kill-child", "--propagation", "private", "debootstrap",
               "--variant=minbase", "--include=" + ",".join(packages), codename, path, address, env=environment)

    def command(self, *arguments):
        """The command line of a program in the root, with /proc, where Swift reads a program's arguments. /proc is
        mounted for that process alone; each command execs the next, so that the program has the pid of the first."""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"', self.path, *arguments]

    def run(self, *arguments, **options):
        return output(*self.command(*arguments), env=ENVIRONMENT, **options)


def remove(directory):
    with open("/proc/self/mountinfo") as f:
        below = [line.split()[4] for line in f if line.split()[4].startswith(directory + "/")]
    assert not below, ("not removed, because something is mounted there", below)
    shutil.rmtree(directory)


def check_libraries(libraries, run, packages):
    """Checks that the named packages are exactly those that own the libraries. `libraries` is the output of ldd; `run`
    runs a program where the libraries are. The libraries of a Swift toolchain do not count."""
    assert "not found" not in libraries, libraries
    owners = {}
    for path in re.findall(r"(/\S+) \(0x", libraries):
        # Packages name a file with or without /usr, and ldd may use either form.
        names = [path, path.removeprefix("/usr") if path.startswith("/usr/") else "/usr" + path]
        if "/swift/" not in path:
            found = run("sh", "-c", 'dpkg-query --search "$@" 2>/dev/null || true', "-", *names)
            owners[path] = {line.split(":")[0] for line in found.splitlines()}
            assert owners[path], (path, "is of no package")
    for path, found in sorted(owners.items()):
        print(f"  {' '.join(sorted(found))}: {path}")
    assert {o for found in owners.values() for o in found} == set(packages), (owners, packages)


def check_no_swift(directory):
    found = [name for _, directories, files in os.walk(directory) for name in directories + files
             if name.startswith(("libswift", "libFoundation", "swift"))]
    assert not found, ("the root has a Swift", found)


def check_stripped(binary):
    sections = output("readelf", "--section-headers", "--wide", binary)
    assert " .symtab " not in sections and " .debug_info " not in sections, "the installed binary is stripped"


@contextlib.contextmanager
def serving(root):
    """Runs a server in the root and yields its ports."""
    process = subprocess.Popen(root.command(RMAIL, "serve", "-c", CONFIG), env={**ENVIRONMENT, **FREE_PORTS},
                               stderr=subprocess.PIPE, text=True)
    try:
        ports, log = {}, []
        for line in process.stderr:
            log.append(line)
            if found := re.search(r"listening (\S+) \S*:(\d+)", line):
                ports[found.group(1)] = int(found.group(2))
            if line.rstrip().endswith("ready"):
                break
        else:
            raise AssertionError("the server did not start:\n" + "".join(log))
        threading.Thread(target=lambda: log.extend(process.stderr), daemon=True).start()
        yield ports
        process.terminate()
        assert process.wait(timeout=120) == 0, ("SIGTERM is a clean stop", log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def exchange(root, ports):
    """Sends a message by submission with STARTTLS and reads it back by IMAPS."""
    context = ssl.create_default_context(cafile=f"{root.path}{STATE}/mailstore/tls/cert.pem")
    text = ("From: alice@example.com\r\nTo: alice@example.com\r\nSubject: gr\u00fc\u00dfe\r\n"
            "Date: Tue, 1 Dec 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nfrom a bare Debian\r\n")
    with smtplib.SMTP("localhost", ports["submission"], timeout=120) as smtp:
        smtp.starttls(context=context)
        smtp.login(ADDRESS, PASSWORD)
        assert smtp.sendmail(ADDRESS, [ADDRESS], text.encode(), ["SMTPUTF8", "BODY=8BITMIME"]) == {}
    with imaplib.IMAP4_SSL("localhost", ports["imaps"], ssl_context=context, timeout=120) as imap:
        imap.login(ADDRESS, PASSWORD)
        assert imap.select("INBOX") == ("OK", [b"1"])
        status, found = imap.search(None, "BODY", '"bare Debian"')
        assert (status, found) == ("OK", [b"1"]), found
        status, answer = imap.fetch("1", "(BODY[] ENVELOPE)")
        assert status == "OK" and answer[0][1].endswith(text.encode()), answer
        # A name that needs normalization by libunistring.
        assert imap.create("Gr&APwA3w-e")[0] == "OK"


def main():
    if sys.argv[1] == "--list":
        packages = sys.argv[3:]
        check_readme(packages)
        check_libraries(output("ldd", sys.argv[2]), output, packages)
        return
    installed, packages = os.path.abspath(sys.argv[1]), sys.argv[2:]
    if os.geteuid() != 0:
        sys.exit("bare_debian.py: debootstrap and chroot want root")
    check_readme(packages)
    check_stripped(installed + RMAIL)
    # SIGTERM also stops the started processes and removes the created files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = tempfile.mkdtemp(prefix="bare-debian-")
    try:
        print("making a Debian without Swift", flush=True)
        root = Root(f"{directory}/root", packages)
        shutil.copytree(installed, root.path, dirs_exist_ok=True)
        check_no_swift(root.path)
        check_libraries(root.run("ldd", RMAIL), root.run, packages)
        print("  " + root.run(RMAIL, "--version").strip())
        os.mkdir(root.path + STATE)
        root.run(RMAIL, "init", "--hostname", "localhost", "--domain", "example.com", CONFIG)
        root.run(RMAIL, "domain", "add", "example.org", "-c", CONFIG)
        root.run(RMAIL, "user", "add", ADDRESS, "--password-stdin", "-c", CONFIG, input=PASSWORD + "\n")
        print("serving in it; the certificate takes a few seconds", flush=True)
        with serving(root) as ports:
            exchange(root, ports)
        print("ok: the installed binary runs in a Debian without Swift")
    finally:
        remove(directory)


if __name__ == "__main__":
    main()
