"""The programs in README.md and docs/TOKENS.md, run as they stand there with their placeholders filled in."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EMAIL, PASSWORD
from console import Console
from rest import Rest

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = ROOT / "tests" / "browser" / "node_modules"
SECONDS = 60


def blocks(document, language, heading):
    """The code of one language in a section of a document, in order."""
    section = (ROOT / document).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def run(command, folder, **more):
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=SECONDS, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_readmes_first_message(server, tmp_path):
    shell, = blocks("README.md", "", "Send a first message")
    shell = shell.replace("tim_live_sk_…", server.identity["key"]).replace("http://127.0.0.1:8080", server.url)
    replies = [json.loads(line) for line in run(["bash", "-eu"], tmp_path, input=shell).splitlines()]
    assert not any("error" in reply for reply in replies), replies
    program, = blocks("README.md", "js", "Send a first message")
    program = 'const { WebSocket } = require("ws");\n' + program.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    for user, reply in zip(("alice", "bob"), replies[-2:]):
        program = program.replace(f"<{user}'s token>", reply["token"])
    (tmp_path / "chat.js").write_text(program)
    os.symlink(MODULES, tmp_path / "node_modules")
    # It listens until it is ended, as bob's "hi" is the last thing to come.
    running = subprocess.Popen(["timeout", str(SECONDS), "node", "chat.js"], cwd=tmp_path, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    lines = []
    try:
        while not any(line.startswith("bob") and '"text":"hi"' in line for line in lines):
            lines.append(running.stdout.readline())
            assert lines[-1], lines
    finally:
        running.terminate()
        running.wait()
    assert any('"text":"hello"' in line for line in lines), "what was missed comes too"
    assert "[Object]" not in "".join(lines), lines


@pytest.fixture(scope="module")
def console(server):
    console = Console(server.port)
    assert console.sign_in(EMAIL, PASSWORD) == 303
    return console


def signing_key(console, server, **fields):
    """Makes a signing key on its page; returns its id and its secret, if it has one."""
    path = f"/console/apps/{server.identity['app']}/signing-keys"
    form = next(form for form in console.page(path).all("form") if form.attributes["action"] == path)
    hidden = [field.attributes for field in form.all("input") if field.attributes.get("type") == "hidden"]
    response, text = console.request(
        "POST", path, {field["name"]: field["value"] for field in hidden} | {"name": "backend", **fields})
    assert response.status == 200, text
    return re.search(r"key_[0-9a-z]{26}", text)[0], (re.search(r'id="secret">([^<]+)<', text) or [None, ""])[1]


def signs(command, kid, secret, server, folder):
    """The token that a program prints is one of alice."""
    environment = {**os.environ, "KID": kid, "APP": server.identity["app"], "SECRET": secret}
    token = run(command, folder, env=environment).strip()
    made = Rest(server.url, token).call("POST", "/v1/conversations", {"kind": "group", "id": kid, "members": ["bob"]})
    assert made["id"] == kid


@pytest.mark.parametrize("heading", ["With a secret", "With a key pair"])
def test_a_backend_signs_by_itself(heading, server, console, tmp_path):
    (tmp_path / "token_for.py").write_text(blocks("docs/TOKENS.md", "python", heading)[0])
    (tmp_path / "token.mjs").write_text(blocks("docs/TOKENS.md", "js", heading)[0])
    os.symlink(MODULES, tmp_path / "node_modules")
    fields = {"algorithm": "HS256"}
    for commands in blocks("docs/TOKENS.md", "sh", heading):
        run(["bash", "-eu"], tmp_path, input=commands)
        fields = {"algorithm": "EdDSA", "public_key": (tmp_path / "public.pem").read_text()}
    for command in (["node", "token.mjs"], [sys.executable, "token_for.py"]):
        signs(command, *signing_key(console, server, **fields), server, tmp_path)
