#!/usr/bin/env python3
"""A server that root starts, and what is left of root in it: privileges.py PATH-OF-RMAIL, as root.

Exit status 1 when the server keeps a privilege, or cannot do its work without it."""

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from harness import LETTER, deliver
from usage_sessions import Server, wait_for

USER = "nobody"


class Service(Server):
    """Root's server, which becomes USER."""

    def start(self):
        key = f"{self.root}/key.pem"
        done = subprocess.run([self.rmail, "serve", "-c", self.config], capture_output=True, text=True, timeout=300)
        assert done.returncode != 0 and f"must be able to read {key}" in done.stderr, done
        shutil.chown(key, group=pwd.getpwnam(USER).pw_gid)
        os.chmod(key, 0o640)
        super().start()


def status(process):
    """The lines of /proc/PID/status, of each thread."""
    for path in glob.glob(f"/proc/{process.pid}/task/*/status"):
        with open(path) as f:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def nothing_is_left(s):
    user = pwd.getpwnam(USER)
    threads = list(status(s.process))
    assert len(threads) > 3, threads
    for thread in threads:
        assert set(thread["Uid"].split()) == {str(user.pw_uid)}, thread["Uid"]
        assert set(thread["Gid"].split()) == {str(user.pw_gid)}, thread["Gid"]
        assert set(thread["Groups"].split()) <= {str(g) for g in os.getgrouplist(USER, user.pw_gid)}, thread["Groups"]
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[name], 16) == 0, (name, thread[name])


def the_port_is_privileged(s):
    assert s.ports["imaps"] == PORT < 1024, s.ports
    with socket.create_connection(("localhost", PORT), timeout=60):
        pass


def mail_comes_and_goes(s):
    deliver(s, "alice@example.com")
    imap = s.imap()
    idler = s.imap()
    idler.select("INBOX")
    idler.send(b"i IDLE\r\n")
    assert idler.readline().startswith(b"+ ")
    assert imap.append("INBOX", None, None, LETTER % (1, 1))[0] == "OK"
    # The watch of the kernel and links to files without names both go by way of /proc.
    assert b"EXISTS" in idler.readline()
    assert imap.select("INBOX")[1] == [b"2"]
    assert imap.store("1:2", "+FLAGS", r"\Seen")[0] == "OK"
    assert imap.create("Lists/rmail")[0] == "OK" and imap.copy("1:2", "Lists/rmail")[0] == "OK"
    imap.logout()


def everything_is_the_users(s):
    uid = pwd.getpwnam(USER).pw_uid
    for top in ("store", "state"):
        for directory, _, files in os.walk(f"{s.root}/{top}"):
            for path in [directory] + [f"{directory}/{name}" for name in files]:
                assert os.lstat(path).st_uid == uid, path


def commands_of_root(s):
    s.command("user", "add", "carol@example.com", "--generate")
    everything_is_the_users(s)
    s.command("user", "disable", "carol@example.com")
    everything_is_the_users(s)


def a_reload_reads_key_and_configuration(s):
    def count():
        return sum("configuration reloaded" in line for line in s.log)
    before = count()
    s.process.send_signal(signal.SIGHUP)
    wait_for(lambda: count() > before)


def root_serves_loopback_only_unless_told(s):
    """Without service.user."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RMAIL_")}
    with tempfile.TemporaryDirectory() as root:
        with open(s.config) as f:
            config = json.load(f)
        config["storage"]["state_path"], config["mail_root"] = f"{root}/state", f"{root}/store"
        config["imap"].update(imaps_port=0, host="0.0.0.0")
        path = f"{root}/config.json"
        shutil.copy(f"{s.root}/cert.pem", root)
        shutil.copy(f"{s.root}/key.pem", root)
        with open(path, "w") as f:
            json.dump(config, f)
        done = subprocess.run([s.rmail, "serve", "-c", path], env=environment, capture_output=True, text=True,
                              timeout=300)
        assert done.returncode == 78 and "refusing to serve 0.0.0.0 as root: set service.user" in done.stderr, done
        assert not os.path.exists(f"{root}/store"), "nothing is made before"
        done = subprocess.run([s.rmail, "serve", "-c", path], env={**environment, "RMAIL_SERVICE_USER": "nobody-here"},
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 78 and "no user nobody-here" in done.stderr, done
        for more in ({"RMAIL_SERVICE_USER": "root"}, {"RMAIL_IMAP_HOST": "127.0.0.1"}):
            process = subprocess.Popen([s.rmail, "serve", "-c", path], env={**environment, **more},
                                       stderr=subprocess.PIPE, text=True)
            lines = []
            for line in process.stderr:
                lines.append(line)
                if line.rstrip().endswith("ready"):
                    break
            assert any("serving as root" in line for line in lines), lines
            process.terminate()
            assert process.wait(timeout=120) == 0


def free_port():
    """A privileged one that nobody listens on."""
    for port in range(1023, 600, -1):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError("no privileged port is free")


def main():
    global PORT
    if os.geteuid() != 0:
        print("skipped: only root has privileges to give up")
        return
    PORT = free_port()
    os.environ.update(RMAIL_SERVICE_USER=USER, RMAIL_IMAP_IMAPS_PORT=str(PORT))
    failed = 0
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o711)
        server = Service(os.path.abspath(sys.argv[1]), root)
        for check in (nothing_is_left, the_port_is_privileged, mail_comes_and_goes, everything_is_the_users,
                      commands_of_root, a_reload_reads_key_and_configuration, nothing_is_left,
                      root_serves_loopback_only_unless_told):
            try:
                check(server)
                print(f"ok   {check.__name__}")
            except Exception as error:
                failed += 1
                print(f"FAIL {check.__name__}: {error!r}\n" + "".join(server.log[-20:]))
        server.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
