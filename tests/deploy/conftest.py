"""Fixtures of the deployment's tests: the tools that were unpacked for them, a running server, and what it measures."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "/var/tmp/tokenim-target"))
TOOL_SECONDS = 60
EMAIL, PASSWORD = "ops@example.com", "correct horse battery staple"
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("deploy", "chaos", "interop")]

from server import Server  # noqa: E402


def pytest_configure():
    # SIGTERM (the step's timeout) ends the run like Ctrl-C, so that fixtures still end their servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def tool(name):
    """The path of a program that `scripts/test --only deploy` installs or unpacks."""
    unpacked = [TARGET / "tools/unpacked" / folder / name for folder in ("usr/bin", "usr/sbin")]
    found = next((str(path) for path in unpacked if path.exists()), None) or shutil.which(name)
    assert found, f"{name} is missing; `scripts/test --only deploy` brings it"
    return found


def run(*command, **options):
    """Runs a program that must succeed; returns what it printed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=TOOL_SECONDS, check=False, **options)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def free_port():
    """A port that was free just now, for programs that can't be asked which one they took."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture(scope="session")
def binary():
    """The program under test: `TOKENIM_BIN`, else the debug build."""
    path = Path(os.environ.get("TOKENIM_BIN", TARGET / "debug/tokenim"))
    assert path.exists(), f"{path} does not exist; build it or set TOKENIM_BIN"
    return path


@pytest.fixture(scope="session")
def server(binary, tmp_path_factory):
    """A running server with one account."""
    running = Server(binary, tmp_path_factory.mktemp("server"))
    try:
        running.bootstrap(email=EMAIL, password=PASSWORD)
        running.start()
        yield running
        assert running.terminate() == 0, running.tail()
    finally:
        running.kill()


@pytest.fixture(scope="session")
def samples(server):
    """Everything the server measures."""
    return measured(server)


def measured(server):
    """What a server measures now, by its text format: {name of the sample: [{label: value}]}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.private}/metrics", timeout=TOOL_SECONDS) as answer:
        text = answer.read().decode()
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, labels = line.rpartition(" ")[0].partition("{")
            pairs = (pair.split("=", 1) for pair in labels.rstrip("}").split(",") if pair)
            found.setdefault(name, []).append({label: value.strip('"') for label, value in pairs})
    return found
