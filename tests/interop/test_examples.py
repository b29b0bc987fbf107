"""The quickstart's example programs, run as a developer would: copied from the page with its address and token, and run."""

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from threading import Timer

import pytest
import tree_sitter
import tree_sitter_swift
from conftest import EMAIL, PASSWORD
from console import Console
from server import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
KOTLIN = Path(os.environ.get("CARGO_TARGET_DIR", "/var/tmp/tokenim-target")) / "tools" / "kotlin"
STDLIB = KOTLIN / "kotlin-stdlib.jar"
KOTLINC = ["java", "-cp", f"{KOTLIN}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-cp", str(STDLIB)]
SECONDS = 120

# What a program is saved as, what compiles it and what runs it; what it prints of the ack and of bob's message.
Program = namedtuple("Program", "file compiles runs acked heard", defaults=("stored as seq ", "bob: "))
RAW = ('{"id":3,"ok":{', '"sender":"bob"')
PROGRAMS = {
    "node": Program("hello.mjs", None, ["node", "hello.mjs"]),
    "python": Program("hello.py", None, [sys.executable, "hello.py"]),
    "java": Program("Chat.java", None, ["java", "Chat.java"], *RAW),
    "kotlin": Program("chat.kt", [*KOTLINC, "chat.kt", "-d", "chat.jar"], ["java", "-cp", f"chat.jar:{STDLIB}", "ChatKt"], *RAW),
}


@pytest.fixture(scope="module")
def console(server):
    console = Console(server.port)
    assert console.sign_in(EMAIL, PASSWORD) == 303
    return console


def quickstart(console, server, query=""):
    return console.page(f"/console/apps/{server.identity['app']}/quickstart{query}")


def copied(name, console, server):
    """The program of the page, whole."""
    text = quickstart(console, server, f"?code={name}").find("example").text()
    assert f"127.0.0.1:{server.port}/v1" in text and "{{" not in text
    return text + "\n"


def steps(name, console, server):
    """How many checkpoints the library has ticked."""
    for row in quickstart(console, server).find("checkpoints").all("tr"):
        if name in (cell.text() for cell in row.all("td", "name")):
            return len(row.all("span", "done"))
    return 0


def messages(rest):
    events, _, _ = rest.read_log("quickstart")
    return [event["body"]["text"] for event in events if event["type"] == "message"]


def confirmed(rest):
    """Whether alice said that she has all there is."""
    head = rest.call("GET", "/v1/conversations/quickstart")["last_seq"]
    members = rest.call("GET", "/v1/conversations/quickstart/members")["items"]
    return next(member["received"] for member in members if member["user"] == "alice") == head


def printed(running, wanted):
    """The line that holds the wanted text, once it is printed."""
    lines = []
    while not lines or lines[-1] and wanted not in lines[-1]:
        lines.append(running.stdout.readline())
    assert lines[-1], lines
    return lines[-1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_sends_and_hears_the_answer(name, server, rest, console, tmp_path):
    program = PROGRAMS[name]
    Path(tmp_path, program.file).write_text(copied(name, console, server))
    # What `npm install ws` puts beside the program.
    os.symlink(ROOT / "tests" / "browser" / "node_modules", tmp_path / "node_modules")
    if program.compiles:
        subprocess.run(program.compiles, cwd=tmp_path, check=True, timeout=SECONDS)
    running = subprocess.Popen(program.runs, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = Timer(SECONDS, running.kill)
    deadline.start()
    try:
        printed(running, program.acked)
        rest.call("POST", "/v1/conversations/quickstart/messages",
                  {"sender": "bob", "client_msg_id": f"to-{name}", "kind": "text", "body": {"text": f"Hello, {name}"}})
        assert program.heard in printed(running, f"Hello, {name}")
        assert steps(name, console, server) == 3
        wait_until(lambda: confirmed(rest), SECONDS, "the program did not confirm what it heard")
    finally:
        deadline.cancel()
        running.kill()
        running.wait()
    assert f"Hello from {name.capitalize()}" in messages(rest)


def test_the_command_line_sends(server, rest, console, tmp_path):
    run = subprocess.run(["bash", "-eu"], input=copied("curl", console, server), cwd=tmp_path, text=True,
                         capture_output=True, timeout=SECONDS)
    assert run.returncode == 0 and "error" not in run.stdout, run.stdout + run.stderr
    assert "Hello from curl" in run.stdout and "Hello from curl" in messages(rest)


def test_the_swift_program_parses(server, console):
    """There is no Swift compiler to be had here: its grammar is all that is checked."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    text = copied("swift", console, server)
    assert not parser.parse(text.encode()).root_node.has_error
    assert parser.parse(text.replace("func ", "fun ", 1).encode()).root_node.has_error, "a slip is seen"
