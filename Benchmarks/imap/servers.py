"""The servers that are measured, with one face: start, stop, drop_caches, port, user, password, pids."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../Tests/Interop"))
from dovecot import Dovecot  # noqa: E402

ADDRESS, PASSWORD = Dovecot.user, Dovecot.password


def certificate(directory):
    """A self-signed pair (certificate, key), made once."""
    paths = f"{directory}/cert.pem", f"{directory}/key.pem"
    if not os.path.exists(paths[1]):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "3650", "-subj", "/CN=localhost", "-keyout", paths[1], "-out", paths[0]],
                       check=True, capture_output=True)
    return paths


class DovecotServer:
    """Debian's Dovecot with its defaults; the mail stands in `directory`."""

    def __init__(self, kind, directory):
        self.name = "Maildir" if kind == "maildir" else kind
        self.dovecot = Dovecot(kind=kind, home=directory)
        self.user, self.password = Dovecot.user, Dovecot.password
        self.mail = f"{directory}/{'Maildir' if kind == 'maildir' else 'sdbox'}"

    # Only SELECT after loss of all caches is asked of one store and not of the other: sdbox keeps the flags in
    # dovecot.index, which is no cache there.
    @property
    def has_only_caches(self):
        return self.name == "Maildir"

    @property
    def port(self):
        return self.dovecot.port

    def start(self, filling=False):
        self.dovecot.start("mail_fsync = never" if filling else "")

    def stop(self):
        self.dovecot.stop()

    def remove(self):
        self.dovecot.remove()

    def drop_caches(self):
        for parent, _, files in os.walk(self.mail):
            for name in files:
                if name.startswith(("dovecot.index", "dovecot.list.index")):
                    os.unlink(f"{parent}/{name}")

    def pids(self):
        return self.dovecot.processes()


class RmailServer:
    """`rmail serve` over a store in `directory`, in clear or under TLS."""

    name, has_only_caches = "rmail", True
    user, password = ADDRESS, PASSWORD

    def __init__(self, rmail, directory, name="rmail"):
        self.rmail, self.directory, self.name = rmail, directory, name
        self.config = f"{directory}/config.json"
        self.process, self.ports = None, {}
        if os.path.exists(self.config):
            return
        os.makedirs(directory, exist_ok=True)
        certificate(directory)
        config = {
            "hostname": "localhost", "mail_root": "./store", "domains": ["example.com"],
            "smtp": {"host": "127.0.0.1", "port": 0, "submission_port": None, "smtps_port": None},
            "imap": {"host": "127.0.0.1", "port": 0, "imaps_port": None, "max_connections": 4000},
            "exchange_api": {"host": "127.0.0.1", "port": None, "secure_port": None},
            "tls": {"enabled": False, "cert_file": "./cert.pem", "key_file": "./key.pem"},
            "rate_limit": {"enabled": False},
            "storage": {"state_path": "./state"},
        }
        with open(self.config, "w") as f:
            json.dump(config, f, indent=2)
        self.command("domain", "add", ADDRESS.partition("@")[2], tolerant=True)
        self.command("user", "add", ADDRESS, "--password-stdin", input=PASSWORD + "\n")

    def command(self, *arguments, input=None, tolerant=False):
        done = subprocess.run([self.rmail, *arguments, "-c", self.config], input=input, text=True, capture_output=True)
        if done.returncode and not tolerant:
            raise RuntimeError(f"rmail {' '.join(arguments)}: {done.stderr.strip()}")
        return done.returncode == 0

    @property
    def port(self):
        return self.ports["imap"]

    def start(self, filling=False, tls=False):
        environment = dict(os.environ, RMAIL_STORAGE_DURABILITY="none" if filling else "messages")
        if tls:
            environment.update(RMAIL_TLS_ENABLED="true", RMAIL_IMAP_IMAPS_PORT="0")
        self.process = subprocess.Popen([self.rmail, "serve", "-c", self.config], env=environment,
                                        stderr=subprocess.PIPE, text=True)
        self.ports, lines = {}, []
        for line in self.process.stderr:
            lines.append(line)
            found = re.search(r"listening (\S+) \S*:(\d+)", line)
            if found:
                self.ports[found.group(1)] = int(found.group(2))
            if line.rstrip().endswith("ready"):
                break
        else:
            raise RuntimeError("rmail did not start:\n" + "".join(lines))
        self.log = open(f"{self.directory}/{self.name}.log", "a")
        threading.Thread(target=self._keep_log, args=(self.process.stderr, self.log), daemon=True).start()

    @staticmethod
    def _keep_log(lines, log):
        with log:
            for line in lines:
                log.write(line)

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        if self.process.wait(timeout=60):
            print(f"{self.name} ended with status {self.process.returncode}", file=sys.stderr)
        self.process = None

    def remove(self):
        pass

    def drop_caches(self):
        """The read cache; the server is stopped."""
        if not self.command("index", "drop", tolerant=True):
            shutil.rmtree(f"{self.directory}/state/cache", ignore_errors=True)

    def pids(self):
        return [self.process.pid]


def anonymous(pids):
    """Bytes of anonymous memory."""
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Anonymous") for pid in pids) * 1024


def proportional(pids):
    """Bytes resident, shared pages divided among those that share them."""
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids) * 1024


def _kilobytes(path, field):
    try:
        with open(path) as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return 0
