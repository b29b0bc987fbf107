"""The proxies of docs/OPERATIONS.md: their configurations as written there, in front of a running server."""

import json
import re
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest
from conftest import EMAIL, PASSWORD, ROOT, free_port, run, tool
from console import Console
from rest import Rest
from server import wait_until
from wire import Wire

START_SECONDS = 20
SITE = "chat.example.com"


def snippet(language):
    page = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8")
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return text


def replaced(text, *pairs):
    for old, new in pairs:
        assert text.count(old) == 1, (old, text)
        text = text.replace(old, new)
    return text


def nginx_file(folder, text):
    """A whole configuration around what the page gives, which is the inside of `http`."""
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    file = folder / "nginx.conf"
    whole = f"daemon off;\nuser root;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}\n}}\n"
    file.write_text(whole, encoding="utf-8")
    return file


def nginx(folder, port, server):
    tls = re.search(r"    listen 443.*?\.key;\n", snippet("nginx"), re.DOTALL)[0]
    text = replaced(snippet("nginx"), (tls, f"    listen 127.0.0.1:{port};\n"), ("127.0.0.1:8080", f"127.0.0.1:{server.port}"))
    return [tool("nginx"), "-e", "stderr", "-c", nginx_file(folder, text)], {}


def caddy(folder, port, server):
    text = replaced(snippet("caddyfile"), (SITE, f"http://127.0.0.1:{port}"), ("127.0.0.1:8080", f"127.0.0.1:{server.port}"))
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text, encoding="utf-8")
    return [tool("caddy"), "run", "--adapter", "caddyfile", "--config", file], {"HOME": str(folder)}


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def running(command, env, port):
    process = subprocess.Popen([str(word) for word in command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: process.poll() is not None or answers(port), START_SECONDS, "the proxy")
        assert process.poll() is None, process.stderr.read().decode()
        yield port
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request, server, tmp_path_factory):
    port = free_port()
    command, env = request.param(tmp_path_factory.mktemp("proxy"), port, server)
    with running(command, env, port):
        yield port


def test_nginx_accepts_the_configuration_with_tls(tmp_path):
    key, certificate = tmp_path / f"{SITE}.key", tmp_path / f"{SITE}.pem"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={SITE}", "-days", "1", "-keyout", key, "-out", certificate)
    text = snippet("nginx").replace("/etc/ssl/", f"{tmp_path}/")
    assert text.count(str(tmp_path)) == 2
    run(tool("nginx"), "-t", "-e", "stderr", "-c", nginx_file(tmp_path, text))


def test_caddy_accepts_the_configuration_with_tls(tmp_path):
    file = tmp_path / "Caddyfile"
    file.write_text(snippet("caddyfile"), encoding="utf-8")
    run(tool("caddy"), "validate", "--adapter", "caddyfile", "--config", file, env={"HOME": str(tmp_path)})


def test_rest_and_sockets_go_through(proxy, server):
    rest = Rest(f"http://127.0.0.1:{proxy}", server.identity["key"])
    rest.call("POST", "/v1/conversations", {"kind": "group", "id": f"lobby{proxy}", "members": ["alice"]})
    token = rest.call("POST", "/v1/tokens", {"user": "alice"})["token"]
    with Wire(proxy) as wire:
        wire.text(json.dumps({"id": 1, "connect": {"token": token}}))
        assert "ok" in wire.reply()
        message = {"conversation": f"lobby{proxy}", "client_msg_id": "m1", "kind": "text", "body": {"text": "hi"}}
        wire.text(json.dumps({"id": 2, "send": message}))
        assert wire.reply()["ok"]["seq"] == 2


def test_the_consoles_stream_is_not_held_back(proxy, server):
    console = Console(proxy)
    assert console.sign_in(EMAIL, PASSWORD) == 303
    page = console.page("/console/usage")
    path = next(main.attributes["hx-sse:connect"] for main in page.all("main"))
    rest = Rest(server.url, server.identity["key"])
    with console.stream(path) as stream:
        rest.call("POST", "/v1/conversations", {"kind": "group", "id": f"stream{proxy}", "members": ["alice"]})
        message = {"sender": "alice", "client_msg_id": "m1", "kind": "text", "body": {"text": "hi"}}
        rest.call("POST", f"/v1/conversations/stream{proxy}/messages", message)
        assert stream.event()
