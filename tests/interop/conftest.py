"""Fixtures: one server per test module on its own data folder (and database, under scripts/postgres), with the log shown when a test of the module fails."""

import os
import signal
import sys
from pathlib import Path

import pytest

EMAIL, PASSWORD = "ops@example.com", "correct horse battery staple"
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "chaos")]

from bystander import Bystander  # noqa: E402
from rest import Rest  # noqa: E402
from server import Server, engine  # noqa: E402


def pytest_configure():
    # SIGTERM (a step's timeout) ends the run like Ctrl-C, so that fixtures still end their servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed and "server" in item.fixturenames:
        report.sections.append(("server", item.funcargs["server"].tail()))


def binary():
    """The program under test: `TOKENIM_BIN`, else the debug build."""
    target = os.environ.get("CARGO_TARGET_DIR", "/var/tmp/tokenim-target")
    path = Path(os.environ.get("TOKENIM_BIN", f"{target}/debug/tokenim"))
    if not path.exists():
        pytest.exit(f"no server to test: {path} does not exist; build it or set TOKENIM_BIN", 1)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server with two orgs; `identity` is the one under test, `other` the foreign one."""
    running = Server(binary(), tmp_path_factory.mktemp("server"), env=engine())
    try:
        running.other = running.bootstrap(email="other@example.com", org="Other org")
        running.bootstrap()
        running.start()
        yield running
        assert running.terminate() == 0, running.tail()
    finally:
        running.kill()


@pytest.fixture(scope="module")
def rest(server):
    """REST with the app's server key."""
    return Rest(server.url, server.identity["key"], server.private)


@pytest.fixture(scope="module")
def bystander(server, rest):
    """Who is connected while a module sends hostile input, and must not notice."""
    calm = Bystander(server, rest)
    try:
        yield calm
        calm.judge()
    finally:
        calm.close()


@pytest.fixture
def nothing_changed(bystander):
    """A test leaves everything as it was, and the bystander's connections work."""
    before = bystander.settled()
    yield
    assert bystander.state() == before
    bystander.works()
