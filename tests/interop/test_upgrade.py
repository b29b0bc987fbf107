"""A command of a newer release leaves the schema alone while a server of an older one serves it."""

import contextlib
import sqlite3
import subprocess

import pytest
from conftest import binary
from server import Server, engine

NEWEST = "(SELECT max(version) FROM seaql_migrations)"
SECONDS = 60


@pytest.fixture
def older(tmp_path):
    """A served store that lacks a migration by its own account."""
    running = Server(binary(), tmp_path, env=engine())
    try:
        running.bootstrap()
        running.start()
        yield running
    finally:
        running.kill()


def ask(server, query):
    """Runs a statement past the product; returns its rows."""
    url = server.env.get("TOKENIM_DATABASE__URL")
    if url:
        run = subprocess.run(["psql", "-XqAt", "-c", query, url], capture_output=True, text=True, timeout=SECONDS, check=True)
        return run.stdout.split()
    with contextlib.closing(sqlite3.connect(server.data / "tokenim.db")) as database, database:
        return [str(row[0]) for row in database.execute(query)]


def tokenim(server, *words):
    run = subprocess.run([server.binary, *words, "--data", server.data], capture_output=True, text=True, timeout=SECONDS, env=server.env,
                         check=False, input="correct horse battery staple")
    return run.returncode, run.stderr


COMMANDS = (("migrate",), ("admin", "operator-key", "list"),
            ("admin", "bootstrap", "--email", "late@example.com", "--org", "Late", "--app", "late", "--password-stdin"))


def test_no_command_applies_migrations_beside_a_server(older):
    whole = ask(older, "SELECT version FROM seaql_migrations ORDER BY version")
    ask(older, f"DELETE FROM seaql_migrations WHERE version = {NEWEST}")
    for words in COMMANDS:
        code, said = tokenim(older, *words)
        assert code == 1 and "lacks 1 of this release's migrations" in said and "stop it first" in said, (words, code, said)
    assert ask(older, "SELECT version FROM seaql_migrations ORDER BY version") == whole[:-1]
    ask(older, f"INSERT INTO seaql_migrations (version, applied_at) VALUES ('{whole[-1]}', 1)")
    assert tokenim(older, "admin", "operator-key", "list")[0] == 0, "up to date, a command works beside the server"
    assert tokenim(older, "admin", "raise-epoch")[0] == 1, "and what ends what a server knows does not"
