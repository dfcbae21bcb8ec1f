"""A private Dovecot (Debian's dovecot-imapd, 2.3) on a loopback port, with default settings, for tests and
measurements beside it:

    with Dovecot(kind="maildir") as d:
        imaplib.IMAP4("127.0.0.1", d.port).login(d.user, d.password)
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BINARY = "/usr/sbin/dovecot"
# Dovecot refuses to serve root's mailboxes; any other number works and need not be in /etc/passwd.
MAIL_UID = 30143
LOCATIONS = {"maildir": "maildir:~/Maildir", "sdbox": "sdbox:~/sdbox"}

CONFIG = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
disable_plaintext_auth = no
mail_location = {location}
first_valid_uid = {uid}
first_valid_gid = {uid}
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  args = {root}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={home}
}}
# Limits on processes and connections; nothing else differs from the defaults.
mail_max_userip_connections = 4000
default_client_limit = 20000
default_process_limit = 4000
service imap {{
  process_limit = 4000
}}
service imap-login {{
  process_limit = 4000
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {secure_port}
    ssl = yes
  }}
}}
{extra}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Dovecot:
    """One instance with one user. `home` (with the mail below it) may be kept from one instance to the next; without
    it everything is removed at the end. `certificate` is (certificate, key) in PEM, for TLS on `secure_port`."""

    user, password = "bench@example.com", "correct horse"

    def __init__(self, kind="maildir", home=None, certificate=None):
        self.kind, self.certificate = kind, certificate
        self.process, self.port, self.secure_port = None, None, None
        # The paths of Unix sockets must be short, so this directory is at the top level.
        self.root = tempfile.mkdtemp(prefix="dovecot-")
        os.chmod(self.root, 0o755)
        self.home = home or f"{self.root}/home"

    @staticmethod
    def unavailable():
        """The reason why no instance can run here, or None."""
        if not os.access(BINARY, os.X_OK):
            return f"{BINARY} is missing: install dovecot-imapd"
        if os.geteuid() != 0:
            return "a private Dovecot has to be started by root: its login and mail processes run as other users"
        version = subprocess.run([BINARY, "--version"], capture_output=True, text=True).stdout
        if not version.startswith("2.3."):
            return f"this Dovecot is {version.strip()}; the configuration here is for 2.3"
        return None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        self.remove()

    def start(self, extra=""):
        """Starts the instance and returns when it answers. `extra` is configuration for this start alone."""
        reason = self.unavailable()
        if reason:
            raise RuntimeError(reason)
        os.makedirs(self.home, exist_ok=True)
        os.chown(self.home, MAIL_UID, MAIL_UID)
        if self.port is None:
            self.port, self.secure_port = free_port(), free_port() if self.certificate else 0
        ssl = "yes\nssl_cert = <{}\nssl_key = <{}".format(*self.certificate) if self.certificate else "no"
        config = f"{self.root}/dovecot.conf"
        with open(config, "w") as f:
            f.write(CONFIG.format(root=self.root, location=LOCATIONS[self.kind], uid=MAIL_UID, home=self.home,
                                  port=self.port, secure_port=self.secure_port, ssl=ssl, extra=extra))
        with open(f"{self.root}/users", "w") as f:
            f.write(f"{self.user}:{{PLAIN}}{self.password}\n")
        os.chmod(f"{self.root}/users", 0o644)
        self.process = subprocess.Popen([BINARY, "-F", "-c", config], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"Dovecot did not start: {self.process.stderr.read()}{self.log()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30) as s:
                    if s.recv(1):
                        return
            except OSError:
                time.sleep(0.02)

    def stop(self):
        """Stops the instance and returns when every process of it has ended."""
        if not self.process:
            return
        processes = self.processes()
        self.process.terminate()
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        self.process = None
        deadline = time.monotonic() + 120
        for pid in processes:
            while is_alive(pid):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)

    def restart(self, extra=""):
        self.stop()
        self.start(extra)

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self):
        try:
            with open(f"{self.root}/dovecot.log") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def processes(self):
        """The process ids of the master and all its descendants."""
        parents = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat") as f:
                    parents[int(name)] = int(f.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
