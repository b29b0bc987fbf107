"""One tokenim server process under test: bootstrap, start on port 0, restart on the same ports, kill -9, SIGTERM."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
TAIL_LINES = 40
ANNOUNCED = re.compile(r"(listening|private) on http://127\.0\.0\.1:(\d+)")


class ServerError(Exception):
    """The server did not do what a test needs before it can begin."""


# Limits that tests of other things would run into; tests/interop/test_limits.py is about these.
LIFTED = {f"TOKENIM_LIMITS__{name}": "0" for name in (
    "USER_CONNECTIONS", "USER_MESSAGES_PER_SECOND", "USER_CONNECTS_PER_SECOND", "USER_COMMANDS_PER_SECOND", "USER_BYTES_PER_SECOND",
    "CONNECTION_COMMANDS_PER_SECOND", "CONNECTION_BYTES_PER_SECOND", "KEY_REQUESTS_PER_SECOND")}


class Server:
    """Runs `binary` on one data folder; `prefix` is a command it runs under (strace), `env` is added to ours."""

    def __init__(self, binary, root, prefix=(), env=None):
        self.binary, self.prefix = str(Path(binary).resolve()), list(prefix)
        self.root, self.data = Path(root), Path(root, "data")
        self.env = {**os.environ, **LIFTED, **(env or {})}
        self.log = Path(root, "server.log")
        self.port = self.private = 0
        self.process, self.identity = None, None
        self.changed, self.seen, self.reader = threading.Condition(), {}, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self):
        return f"ws://127.0.0.1:{self.port}/v1/connect"

    def bootstrap(self, email="ops@example.com", org="Test org", app="app", password="correct horse battery staple", prefix=()):
        """Creates account, org, app and key; returns the JSON of the last line of stdout. `prefix` is what this one runs under."""
        command = [*prefix, self.binary, "admin", "bootstrap", "--email", email, "--org", org, "--app", app, "--json",
                   "--password-stdin", "--data", str(self.data)]
        run = subprocess.run(command, input=password, capture_output=True, text=True, timeout=START_SECONDS_MAX, env=self.env, check=False)
        if run.returncode != 0:
            raise ServerError(f"bootstrap: exit {run.returncode}\n{run.stdout}{run.stderr}")
        self.identity = json.loads(run.stdout.strip().splitlines()[-1])
        return self.identity

    def spawn(self):
        """Starts the process without waiting for it."""
        command = [*self.prefix, self.binary, "serve", "--listen", f"127.0.0.1:{self.port}",
                   "--private-listen", f"127.0.0.1:{self.private}", "--data", str(self.data)]
        self.seen = {}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=self.env, start_new_session=True)
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()

    def start(self):
        """Starts the process and waits until both listeners are announced; returns self."""
        self.spawn()
        with self.changed:
            up = self.changed.wait_for(lambda: "end" in self.seen or {"listening", "private"} <= set(self.seen), START_SECONDS_MAX)
            seen = dict(self.seen)
        if not up or "end" in seen:
            self.kill()
            raise ServerError(f"the server did not announce its listeners, saw {seen}\n{self.tail()}")
        self.port, self.private = seen["listening"], seen["private"]
        return self

    def _read(self, process):
        with self.log.open("ab") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                match = ANNOUNCED.search(line.decode(errors="replace"))
                if match and process is self.process:
                    with self.changed:
                        self.seen[match[1]] = int(match[2])
                        self.changed.notify_all()
        if process is self.process:
            with self.changed:
                self.seen["end"] = True
                self.changed.notify_all()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def died_within(self, seconds):
        """Waits up to `seconds`; True if the process ended by itself in that time."""
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        """kill -9 of the server (and of the tracer it may run under, which leads the same process group)."""
        if self.alive():
            os.killpg(self.process.pid, signal.SIGKILL)
        self._reap()

    def terminate(self):
        """SIGTERM to the server; returns its exit status."""
        if self.alive():
            os.kill(self.server_pid(), signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"no exit {STOP_SECONDS_MAX} s after SIGTERM\n{self.tail()}") from None
        self._reap()
        return status

    def server_pid(self):
        """The pid of tokenim itself, which is the only child of a tracer."""
        if not self.prefix:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii").split()
        return int(children[0])

    def rss_bytes(self):
        for line in Path(f"/proc/{self.server_pid()}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerError("the server has no VmRSS")

    def _reap(self):
        if self.process is not None:
            self.process.wait()
            if self.reader is not None:
                self.reader.join(5)
            self.process.stdout.close()
            self.process, self.reader = None, None

    def tail(self):
        """The last lines of the server's log, for a failure message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(["--- server log, last lines", *lines[-TAIL_LINES:], "---"])


def new_database(url):
    """Makes a database on the PostgreSQL server of a URL, which scripts/postgres throws away; returns its URL."""
    before, _, query = url.partition("?")
    name = f"tim_{uuid.uuid4().hex}"
    run = subprocess.run(["psql", "-XqAt", "-c", f"CREATE DATABASE {name}", url], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise ServerError(f"CREATE DATABASE: {run.stderr}")
    return f"{before.rsplit('/', 1)[0]}/{name}?{query}"


def engine():
    """The variables of a server on the engine of this run: a database of its own where `TIM_TEST_POSTGRES` names a server."""
    url = os.environ.get("TIM_TEST_POSTGRES")
    return {"TOKENIM_DATABASE__URL": new_database(url)} if url else {}


def wait_until(condition, seconds, what):
    """Polls a condition that has no event of its own; returns its first true value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise ServerError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def exit_on_sigterm():
    """Turns SIGTERM into an ordinary exit, so that a test cut off by its timeout still ends its children."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
