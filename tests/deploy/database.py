"""A throw-away PostgreSQL 15, set up as the container of the Compose file sets itself up."""

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from conftest import DEPLOY, run
from server import wait_until

START_SECONDS = 30
SERVER_USER = "nobody"


def programs():
    """The folder of PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "no PostgreSQL server is installed; `scripts/test --only deploy` brings it"
    return found[-1]


@contextmanager
def started(port, variables):
    """Initialises a cluster, runs the script of the first start as the image does, and serves on 127.0.0.1; gives the socket's folder."""
    as_server = ["setpriv", f"--reuid={SERVER_USER}", "--clear-groups"] if os.geteuid() == 0 else []
    # A path of its own, because that of a socket is short.
    with tempfile.TemporaryDirectory(prefix="tokenim-pg-") as folder:
        if as_server:
            run("chown", SERVER_USER, folder)
        run(*as_server, programs() / "initdb", "-D", f"{folder}/data", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", cwd=folder)
        command = [*as_server, programs() / "postgres", "-D", f"{folder}/data", "-k", folder, "-p", port,
                   "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        process = subprocess.Popen([str(word) for word in command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ready = [str(programs() / "pg_isready"), "-q", "-h", folder, "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, START_SECONDS, "PostgreSQL")
            env = {"PATH": f"{programs()}:{os.environ['PATH']}", "PGHOST": folder, "PGPORT": str(port), **variables}
            run("sh", DEPLOY / "postgres/first-start.sh", env=env)
            yield Path(folder)
        finally:
            process.terminate()
            process.wait()
