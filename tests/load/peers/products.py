"""The products that are compared: each a process of its own on 127.0.0.1, and the few frames of its protocol that the loads need."""

import itertools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "chaos"))

from link import BINARY, MESSAGE, TEXT, Link
from rest import Rest, sign_token
from server import Server, wait_until

HERE = Path(__file__).resolve().parent
START_SECONDS = 30


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Product:
    """A fresh process; as a context manager it leaves none behind. `delivered` counts over all links."""

    path, subprotocol, opcode = "/", "", TEXT
    ping, pong = b"", b""

    def __init__(self, program, folder):
        self.program, self.folder = str(program), Path(folder)
        self.port, self.delivered, self.process = free_port(), [0], None

    def command(self):
        """The command line of the server, which listens on `port`."""
        raise NotImplementedError

    def __enter__(self):
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=HERE)
        wait_until(lambda: listens(self.port), START_SECONDS, type(self).__name__)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def pid(self):
        return self.process.pid

    def make(self, groups):
        """Makes the conversations {name: users}; only some products have such a thing."""

    async def link(self):
        return await Link.open(self.port, self.path, self.subprotocol, self.opcode, self.ping, self.pong, self.delivered)

    async def open(self, user, group, hears):
        """A connection of a user that is ready to send to a group and, where it `hears`, gets what others send there."""
        raise NotImplementedError

    def publish(self, link, group):
        """Sends one message."""
        raise NotImplementedError

    def cpu_us(self):
        """CPU of the process so far, user and system; the kernel counts in ticks of 10 ms."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1_000_000 // os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024


class TokenIM(Product):
    """The product: members get what is sent to a conversation, after it was flushed to the disk."""

    path, subprotocol = "/v1/connect", "tokenim.v1.json"
    ping, pong = b'"type":"ping"', b'{"pong":{}}'

    def __enter__(self):
        self.server, self.ids = Server(self.program, self.folder), itertools.count(2)
        self.identity = self.server.bootstrap()
        self.process, self.port = self.server.start().process, self.server.port
        return self

    def __exit__(self, *_):
        self.server.kill()

    def make(self, groups):
        rest = Rest(self.server.url, self.identity["key"])
        for group, users in groups.items():
            rest.call("POST", "/v1/conversations", {"kind": "group", "id": group, "members": users})
        # Afresh, so that what these calls took and gave back does not count for the connections.
        self.server.terminate()
        self.process = self.server.start().process

    async def open(self, user, group, hears):
        link = await self.link()
        token = sign_token(self.identity["signing"], self.identity["app"], user)
        link.send(f'{{"id":1,"connect":{{"token":"{token}","device":"d1"}}}}'.encode())
        await link.until(b'{"id":1,"ok"')
        return link.settled()

    def publish(self, link, group):
        ident = next(self.ids)
        link.send(f'{{"id":{ident},"send":{{"conversation":"{group}","client_msg_id":"m{ident}","kind":"text",'
                  f'"body":{{"text":"{MESSAGE}"}}}}}}'.encode())


class Nats(Product):
    """nats-server over WebSocket, core NATS: a subject per group, nothing is stored."""

    opcode = BINARY
    ping, pong = b"PING\r\n", b"PONG\r\n"

    def command(self):
        config = self.folder / "nats.conf"
        websocket = f'websocket {{ host: "127.0.0.1", port: {self.port}, no_tls: true }}'
        config.write_text(f'listen: "127.0.0.1:{free_port()}"\n{websocket}\n', encoding="utf-8")
        return [self.program, "-c", str(config)]

    async def open(self, user, group, hears):
        link = await self.link()
        await link.until(b"INFO ")
        about = json.dumps({"verbose": False, "pedantic": False, "echo": False, "name": user, "lang": "peer", "version": "1"})
        subscribe = f"SUB {group} 1\r\n" if hears else ""
        link.send(f"CONNECT {about}\r\n{subscribe}PING\r\n".encode())
        await link.until(b"PONG\r\n")
        return link.settled()

    def publish(self, link, group):
        link.send(f"PUB {group} {len(MESSAGE)}\r\n{MESSAGE}\r\n".encode())


class SocketIo(Product):
    """socket.io on Node.js, WebSocket only: a room per group, nothing is stored."""

    path = "/socket.io/?EIO=4&transport=websocket"
    ping, pong = b"\x81\x012", b"3"

    def command(self):
        return ["node", str(HERE / "socketio.mjs"), str(self.port)]

    async def open(self, user, group, hears):
        link = await self.link()
        await link.until(b'0{"sid"')
        link.send(b"40")
        await link.until(b'40{"sid"')
        if hears:
            link.send(f'420["join","{group}"]'.encode())
            await link.until(b"430[")
        return link.settled()

    def publish(self, link, group):
        link.send(f'42["send","{group}","{MESSAGE}"]'.encode())


class Centrifugo(Product):
    """Centrifugo with its memory engine and JSON protocol: a channel per group, no history."""

    path = "/connection/websocket"
    ping, pong = b"\x81\x02{}", b"{}"

    def command(self):
        config = self.folder / "config.json"
        rights = {"allow_subscribe_for_client": True, "allow_publish_for_client": True}
        config.write_text(json.dumps({"http_server": {"address": "127.0.0.1", "port": str(self.port)}, "client": {"insecure": True},
                                      "channel": {"without_namespace": rights}, "log": {"level": "error"}}), encoding="utf-8")
        return [self.program, "-c", str(config)]

    async def open(self, user, group, hears):
        link = await self.link()
        link.send(b'{"id":1,"connect":{}}')
        await link.until(b'"connect":{')
        if hears:
            link.send(f'{{"id":2,"subscribe":{{"channel":"{group}"}}}}'.encode())
            await link.until(b'"subscribe":{')
        return link.settled()

    def publish(self, link, group):
        link.send(f'{{"id":3,"publish":{{"channel":"{group}","data":"{MESSAGE}"}}}}'.encode())


def version(name, program):
    """What is compared: of a Go program the version of its module, as it was built."""
    if name == "socket.io":
        return json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]["socket.io"]
    command = [program, "--version"] if name == "tokenim" else ["go", "version", "-m", program]
    said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    return next((line.split()[2] for line in said.splitlines() if line.startswith("\tmod")), said.strip())


PRODUCTS = {"tokenim": TokenIM, "nats": Nats, "socket.io": SocketIo, "centrifugo": Centrifugo}
