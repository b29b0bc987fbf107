"""The units: verified by systemd's own tool, and their commands and confinement held against what the program really does."""

import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
import stopping
from conftest import DEPLOY, EMAIL, PASSWORD, run
from rest import Rest
from server import Server
from wire import Wire

UNIT, BACKUP, TIMER = (DEPLOY / f"tokenim{name}" for name in (".service", "-backup.service", "-backup.timer"))
# Of 100; a unit without any confinement has 96.
EXPOSURE_MAX = 15
TRACED_USER = "nobody"


def settings(unit=UNIT):
    """A unit's settings, each with its values in order."""
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def verify(unit, tmp_path):
    """What systemd says of a unit in a file system of its own, where the programs exist."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    for program in ("usr/local/bin/tokenim", "usr/bin/find", "bin/sh"):
        (tmp_path / program).parent.mkdir(parents=True)
        shutil.copy("/bin/true", tmp_path / program)
    (tmp_path / "etc/systemd/system/tokenim.service").write_text(unit, encoding="utf-8")
    for other in (BACKUP, TIMER):
        shutil.copy(other, tmp_path / "etc/systemd/system")
    units = [f"/etc/systemd/system/{unit.name}" for unit in (UNIT, BACKUP, TIMER)]
    command = ["systemd-analyze", "verify", f"--root={tmp_path}", *units]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if "tokenim" in line], done.returncode


def test_systemd_has_nothing_to_say(tmp_path):
    assert verify(UNIT.read_text(encoding="utf-8"), tmp_path) == ([], 0)


def test_systemd_would_notice_a_wrong_key(tmp_path):
    said, _ = verify(UNIT.read_text(encoding="utf-8").replace("RestartSec=", "RestartSeconds="), tmp_path)
    assert any("RestartSeconds" in line for line in said), said


@pytest.mark.parametrize("unit", [UNIT, BACKUP], ids=lambda unit: unit.name)
def test_the_exposure_is_small(unit):
    run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)


def test_the_nightly_backup_works_beside_the_server_and_ends_old_ones_after_it(server, tmp_path):
    unit = settings(BACKUP)
    write, end = unit["ExecStart"]
    assert unit["User"] == settings()["User"] and unit["ReadWritePaths"] == ["/var/lib/tokenim"] == [unit["Environment"][0].split("=")[1]]
    script = re.fullmatch(r"/bin/sh -c '(.*)'", write)[1].replace("$$", "$").replace("%%", "%").replace("/usr/local/bin/tokenim", server.binary)
    env = {**os.environ, "STATE_DIRECTORY": str(tmp_path), "TOKENIM_DATA__DIR": str(server.data)}
    assert "looked through, whole" in run("/bin/sh", "-c", script, env=env)
    [made] = tmp_path.iterdir()
    kept, ended, other = (tmp_path / name for name in ("tokenim-13.backup", "tokenim-16.backup", "notes"))
    for path, days in ((kept, 13), (ended, 16), (other, 99)):
        path.write_bytes(b"")
        os.utime(path, times=(time.time() - days * 86400,) * 2)
    run(*end.replace("${STATE_DIRECTORY}", str(tmp_path)).split())
    assert set(tmp_path.iterdir()) == {made, kept, other}
    assert settings(TIMER)["Persistent"] == ["true"] and TIMER.stem == BACKUP.stem


def test_a_stop_is_waited_for_to_its_end():
    unit = settings()
    assert unit["KillSignal"] == ["SIGTERM"] and unit["Restart"] == ["on-failure"] and unit["LimitNOFILE"] == ["1048576"]
    assert int(unit["TimeoutStopSec"][0].removesuffix("s")) > stopping.longest_stop_seconds()


def test_its_command_and_variables_are_the_programs(binary, tmp_path):
    unit = settings()
    assert unit["ExecStart"] == ["/usr/local/bin/tokenim serve"]
    name, _, value = unit["Environment"][0].partition("=")
    assert value == f"/var/lib/{unit['StateDirectory'][0]}"
    assert f'dir = "{tmp_path}"' in run(binary, "check", env={name: str(tmp_path)})


@pytest.fixture(scope="module")
def trace(binary):
    """Every system call of a server that starts, serves sockets, pages and metrics, and drains; not run by root."""
    with tempfile.TemporaryDirectory(prefix="tokenim-trace-") as folder:
        out, program = Path(folder, "trace"), Path(folder, "tokenim")
        shutil.copy(binary, program)
        # As in the unit, whatever the environment of this test.
        server = Server(program, folder, env={"LD_PRELOAD": ""}, prefix=("strace", "-f", "-qq", "-o", out, "-u", TRACED_USER))
        server.bootstrap(email=EMAIL, password=PASSWORD)
        run("chown", "-R", TRACED_USER, folder)
        server.start()
        try:
            rest = Rest(server.url, server.identity["key"])
            rest.call("POST", "/v1/conversations", {"kind": "group", "id": "lobby", "members": ["alice"]})
            message = {"sender": "alice", "client_msg_id": "m1", "kind": "text", "body": {"text": "hello"}}
            rest.call("POST", "/v1/conversations/lobby/messages", message)
            with Wire(server.port) as wire:
                wire.text('{"id": 1, "ping": {}}')
                assert wire.reply()["id"] == 1
            for url in (f"{server.url}/sign-in", f"http://127.0.0.1:{server.private}/metrics"):
                with urllib.request.urlopen(url, timeout=20) as answer:
                    assert answer.status == 200
            assert server.terminate() == 0, server.tail()
        finally:
            server.kill()
        lines = out.read_text(encoding="utf-8", errors="replace").splitlines()
    first = next(at for at, line in enumerate(lines) if "execve(" in line)
    assert len(lines) > first + 500
    return lines[first + 1:]


def members(group, seen=None):
    """The calls of one of systemd's groups, with those of the groups in it."""
    seen = set() if seen is None else seen
    seen.add(group)
    calls = set()
    for line in run("systemd-analyze", "syscall-filter", group).splitlines():
        word = line.strip()
        if word.startswith("@") and word not in seen:
            calls |= members(word, seen)
        elif re.fullmatch(r"[a-z0-9_]+", word):
            calls.add(word)
    return calls


def test_every_system_call_is_allowed(trace):
    allow, deny = settings()["SystemCallFilter"]
    allowed = members("@default").union(*map(members, allow.split())) - set().union(*map(members, deny.removeprefix("~").split()))
    calls = {match[1] for match in (re.match(r"\d+ +(\w+)\(", line) for line in trace) if match}
    assert {"openat", "accept4", "epoll_wait", "writev", "fsync"} <= calls, "the trace is one of a server"
    assert not calls - allowed


def test_no_memory_is_both_written_and_run(trace):
    assert settings()["MemoryDenyWriteExecute"] == ["yes"]
    assert not [line for line in trace if "PROT_WRITE|PROT_EXEC" in line or ("mprotect(" in line and "PROT_EXEC" in line)]


def test_sockets_are_of_the_allowed_families(trace):
    families = {match[1] for match in (re.search(r"socket(?:pair)?\((AF_\w+)", line) for line in trace) if match}
    assert "AF_INET" in families and families <= set(settings()["RestrictAddressFamilies"][0].split())


def test_files_are_written_in_the_data_folder_only(trace):
    opened = {match[1] for line in trace if (match := re.search(r'openat\(AT_FDCWD, "([^"]+)", [^)]*O_(?:WRONLY|RDWR|CREAT)', line))}
    assert opened and all("/data/" in path for path in opened), opened
