"""The image: its recipe linted, and what it would hold run as it would be run. Docker itself is not needed."""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import DEPLOY, ROOT, run, tool
from dockerfile_parse import DockerfileParser

# The libraries of distroless/cc-debian12 that a Rust program may link.
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
STOP_SECONDS = 30
USER = 65532


@pytest.fixture(scope="module")
def recipe():
    return DockerfileParser(path=str(DEPLOY / "Dockerfile"))


def last(recipe, instruction):
    """The value of the last such instruction, which is the final stage's."""
    return [step["value"] for step in recipe.structure if step["instruction"] == instruction][-1]


def exec_form(text):
    words = json.loads(text)
    assert all(isinstance(word, str) for word in words)
    return words


def test_the_linter_has_nothing_to_say():
    assert run(Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile") == ""


def test_the_builder_is_the_rust_of_the_manifest_on_the_debian_of_the_runtime(recipe):
    builder, runtime = recipe.parent_images
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["rust-version"]
    assert builder == f"rust:{rust}-bookworm"
    assert runtime == "gcr.io/distroless/cc-debian12:nonroot", "bookworm is Debian 12"


def test_it_drops_root_has_no_shell_form_and_says_how_to_stop_and_ask_it(recipe):
    assert last(recipe, "USER") == f"{USER}:{USER}"
    assert last(recipe, "STOPSIGNAL") == "SIGTERM"
    assert exec_form(last(recipe, "ENTRYPOINT")) == ["/usr/local/bin/tokenim"] and exec_form(last(recipe, "CMD")) == ["serve"]
    assert exec_form(last(recipe, "VOLUME")) == ["/data"] and last(recipe, "EXPOSE") == "8080 8081"
    labels = {"title", "description", "source", "licenses", "version", "revision"}
    assert {f"org.opencontainers.image.{label}" for label in labels} == set(recipe.labels)


def ignored(path, patterns):
    """Whether .dockerignore keeps a path out, for the two forms of patterns that ours has."""
    parts = path.split("/")
    for pattern in patterns:
        if pattern.startswith("**/"):
            if any(fnmatch.fnmatch(part, pattern[3:]) for part in parts):
                return True
        elif path == pattern or path.startswith(f"{pattern}/"):
            return True
    return False


def test_the_build_gets_every_source_and_no_secret():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    members = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["members"]
    needed = ["Cargo.toml", "Cargo.lock", "src", *(member for member in members if member != ".")]
    tracked = run("git", "-C", ROOT, "ls-files", "--", *needed).splitlines()
    assert len(tracked) > 100
    assert not [path for path in tracked if ignored(path, patterns)]
    for secret in ("deploy/.env", ".env", "data/master.key", "data/tokenim.db", "some.key", "tests/it/some.pem", ".git/config"):
        assert ignored(secret, patterns), secret


def linked(binary):
    """The libraries a program loads, as paths; their real names end in one of LIBRARIES."""
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", run("ldd", binary))]


@pytest.fixture(scope="module")
def container(recipe, binary, tmp_path_factory):
    """A folder with what the final stage copies and the libraries of its base, nothing else; the command that enters it."""
    assert os.geteuid() == 0, "chroot needs root, as the container of CI has it"
    root = tmp_path_factory.mktemp("image")
    root.chmod(0o755)
    for library in linked(binary):
        assert library.name in LIBRARIES, f"the image has no {library.name}"
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    final = "".join(recipe.content.partition("FROM gcr.io")[1:])
    copied = re.findall(r"^COPY --from=builder ((?:--\S+ )*)(\S+) (\S+)$", final, re.MULTILINE)
    assert [(source, target) for _, source, target in copied] == [("/out/tokenim", "/usr/local/bin/tokenim"), ("/out/data", "/data")]
    (root / "usr/local/bin").mkdir(parents=True)
    shutil.copy(binary, root / "usr/local/bin/tokenim")
    assert f"--chown={USER}:{USER} --chmod=0700 " in copied[1][0]
    (root / "data").mkdir(mode=0o700)
    os.chown(root / "data", USER, USER)
    return root, [tool("chroot"), f"--userspec={last(recipe, 'USER')}", str(root)]


def test_it_serves_is_healthy_and_drains_as_that_user_without_a_writable_root(recipe, container):
    root, enter = container
    # On loopback and free ports, which the image itself need not care about.
    env = {**recipe.envs, "TOKENIM_SERVER__LISTEN": "127.0.0.1:0", "TOKENIM_SERVER__PRIVATE_LISTEN": "127.0.0.1:0"}
    command = [*enter, *exec_form(last(recipe, "ENTRYPOINT")), *exec_form(last(recipe, "CMD"))]
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        private = next((line.split()[-1] for line in server.stdout if line.startswith("private on http://")), None)
        assert private, server.stderr.read()
        env["TOKENIM_SERVER__PRIVATE_LISTEN"] = private.removeprefix("http://")
        health = exec_form(re.search(r"CMD (\[.*)", last(recipe, "HEALTHCHECK"))[1])
        assert run(*enter, *health, env=env) == "ready\n"
        assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        server.send_signal(signal.SIGTERM)
        assert server.wait(STOP_SECONDS) == 0, server.stderr.read()
    finally:
        server.kill()
        server.communicate()
    assert subprocess.run([*enter, *health], env=env, capture_output=True, check=False).returncode == 1
    made = {path.name for path in (root / "data").iterdir()}
    assert {"tokenim.db", "master.key"} <= made
    elsewhere = {path for path in root.rglob("*") if path.stat().st_uid == USER} - set((root / "data").rglob("*")) - {root / "data"}
    assert not elsewhere
