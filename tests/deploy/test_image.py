"""The image: its recipe linted, built on stand-ins for the images it begins with, and run as it would be run. Docker itself is
not needed, and nothing is pulled from a registry.
"""

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
BUILD_SECONDS = 120
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
    needed = ["Cargo.toml", "Cargo.lock", "src", "docs", *(member for member in members if member != ".")]
    tracked = run("git", "-C", ROOT, "ls-files", "--", *needed).splitlines()
    assert len(tracked) > 100
    assert not [path for path in tracked if ignored(path, patterns)]
    for secret in ("deploy/.env", ".env", "data/master.key", "data/tokenim.db", "some.key", "tests/it/some.pem", ".git/config"):
        assert ignored(secret, patterns), secret


def linked(program):
    """The libraries a program loads, as paths; those of ours end in one of LIBRARIES."""
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", run("ldd", program))]


class Builder:
    """buildah with images of its own and no registry: `docker build` without its daemon."""

    def __init__(self, folder):
        self.command = [tool("buildah"), "--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs"]

    def __call__(self, *words):
        done = subprocess.run([*self.command, *words], capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def stand_in(self, name, files):
        """An image that takes the place of one from a registry, with these files (place: source or text) and no other."""
        made = self("from", "scratch")
        root = Path(self("mount", made))
        for place, source in files.items():
            target = root / place.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes() if isinstance(source, Path) else source.encode())
            target.chmod(0o755)
        self("umount", made)
        self("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", made)
        self("commit", "--quiet", made, name)


# Stands in for the compiler: it was given the sources, and brings the program that the tests were given.
CARGO = """#!/bin/sh
[ "$*" = "build --release --locked --bin tokenim" ] && [ -f Cargo.lock ] && [ -f src/main.rs ] || exit 1
mkdir -p target/release && cp /prebuilt/tokenim target/release/tokenim
"""


@pytest.fixture(scope="module")
def image(recipe, binary, tmp_path_factory):
    """What the recipe builds on stand-ins for its two bases: the folder with its files, and its configuration."""
    assert os.geteuid() == 0, "building needs root, as the container of CI has it"
    buildah = Builder(tmp_path_factory.mktemp("buildah"))
    libraries = {str(path): path for path in linked(binary)}
    assert {path.name for path in libraries.values()} <= LIBRARIES, "the image has others"
    tools = {f"/bin/{name}": Path(shutil.which(name)) for name in ("sh", "install", "mkdir", "cp")}
    theirs = {str(library): library for path in tools.values() for library in linked(path)}
    builder, runtime = recipe.parent_images
    buildah.stand_in(f"docker.io/library/{builder}", {**tools, **theirs, "/usr/local/bin/cargo": CARGO, "/prebuilt/tokenim": binary})
    buildah.stand_in(runtime, libraries)
    buildah("bud", "--pull-never", "--isolation", "chroot", "--format", "docker", "--file", DEPLOY / "Dockerfile", "--tag", "tokenim", ROOT)
    root = Path(buildah("mount", buildah("from", "tokenim")))
    yield root, json.loads(buildah("inspect", "--type", "image", "tokenim"))["Docker"]["config"]
    buildah("rm", "--all")


def test_the_image_holds_the_program_its_libraries_and_an_empty_data_folder(image, binary):
    root, config = image
    assert (root / "usr/local/bin/tokenim").read_bytes() == binary.read_bytes()
    data = (root / "data").stat()
    # Builders differ in whether --chmod is the folder's too; what the program writes into it is private by itself.
    assert (data.st_uid, data.st_gid, data.st_mode & 0o022) == (USER, USER, 0) and not list((root / "data").iterdir())
    files = {path.name for path in root.rglob("*") if path.is_file() and "etc" not in path.parts}
    assert files - LIBRARIES == {"tokenim"}, "no shell, no sources, no tools"
    assert config["User"] == f"{USER}:{USER}" and config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["/usr/local/bin/tokenim"] and config["Cmd"] == ["serve"]


def test_it_serves_is_healthy_and_drains_as_that_user_without_a_writable_root(image):
    root, config = image
    enter = [tool("chroot"), f"--userspec={config['User']}", str(root)]
    # On loopback and free ports, which the image itself need not care about.
    env = {**dict(pair.split("=", 1) for pair in config["Env"]), "TOKENIM_SERVER__LISTEN": "127.0.0.1:0", "TOKENIM_SERVER__PRIVATE_LISTEN": "127.0.0.1:0"}
    command = [*enter, *config["Entrypoint"], *config["Cmd"]]
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        private = next((line.split()[-1] for line in server.stdout if line.startswith("private on http://")), None)
        assert private, server.stderr.read()
        env["TOKENIM_SERVER__PRIVATE_LISTEN"] = private.removeprefix("http://")
        kind, *health = config["Healthcheck"]["Test"]
        assert kind == "CMD"
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
