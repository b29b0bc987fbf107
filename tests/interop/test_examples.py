"""The quickstart's example programs, run as a developer would: copied, with an endpoint and a token filled in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "templates" / "examples"
SECONDS = 30


def filled(name, server, rest):
    """The program with this server's address and a token of alice."""
    text = (EXAMPLES / name).read_text()
    values = {"http": server.url, "ws": server.url.replace("http", "ws", 1), "token": rest.token("alice")}
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", value)
    assert "{{" not in text
    return text


def messages(rest):
    events, _, _ = rest.read_log("quickstart")
    return [event["body"]["text"] for event in events if event["type"] == "message"]


def listens(command, name, server, rest, folder):
    """Runs a program that sends, then prints what it is pushed; returns what it printed once bob has answered."""
    program = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        first = program.stdout.readline()
        assert first.startswith("stored as seq "), first
        rest.call("POST", "/v1/conversations/quickstart/messages",
                  {"sender": "bob", "client_msg_id": f"to-{name}", "kind": "text", "body": {"text": f"Hello, {name}"}})
        return program.stdout.readline().strip()
    finally:
        program.kill()
        program.wait()


@pytest.mark.parametrize("name", ["python", "node"])
def test_a_program_sends_and_hears_the_answer(name, server, rest, tmp_path):
    suffix, command = {"python": ("py", [sys.executable]), "node": ("mjs", ["node"])}[name]
    program = tmp_path / f"hello.{suffix}"
    program.write_text(filled(f"{name}.{suffix}", server, rest))
    # What `npm install ws` puts beside the program.
    os.symlink(ROOT / "tests" / "browser" / "node_modules", tmp_path / "node_modules")
    assert listens([*command, program.name], name, server, rest, tmp_path) == f"bob: Hello, {name}"
    assert f"Hello from {name.capitalize()}" in messages(rest)


def test_the_command_line_sends(server, rest, tmp_path):
    run = subprocess.run(["bash", "-eu"], input=filled("curl.sh", server, rest), cwd=tmp_path, text=True,
                         capture_output=True, timeout=SECONDS)
    assert run.returncode == 0 and "error" not in run.stdout, run.stdout + run.stderr
    assert "Hello from curl" in run.stdout and "Hello from curl" in messages(rest)
