"""A client built on the `websockets` package: replies by id, pushes in the order they came."""

import contextlib
import json
import socket
import uuid
from collections import deque

from rest import compact
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

SECONDS = 10


class Answered(Exception):
    """An error reply; `code` is its code."""

    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.code, self.error = error["code"], error


def packed(value):
    """As MessagePack; who speaks JSON needs no package for it."""
    import msgpack
    return msgpack.packb(value)


def unpacked(data):
    import msgpack
    return msgpack.unpackb(data)


# Subprotocol: how an envelope is written and read, and the type of its messages.
ENCODINGS = {
    "tokenim.v1.json": (compact, json.loads, str),
    "tokenim.v1.msgpack": (packed, unpacked, bytes),
}


class Peer:
    """One connection. Use as a context manager, so that it is closed whatever happens."""

    subprotocol, compression = "tokenim.v1.json", None

    def __init__(self, url, seconds=SECONDS):
        opening = connect(url, subprotocols=[self.subprotocol], compression=self.compression, open_timeout=seconds, close_timeout=2, max_size=2**20)
        self.stack = contextlib.ExitStack()
        self.ws = self.stack.enter_context(opening)
        self.pushes, self.next_id, self.seconds = deque(), 1, seconds
        self.encode, self.decode, self.type = ENCODINGS[self.subprotocol]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _frame(self, seconds=None):
        message = self.ws.recv(timeout=seconds or self.seconds)
        assert isinstance(message, self.type), f"{message!r} on {self.subprotocol}"
        frame = self.decode(message)
        if frame.get("push", {}).get("type") == "ping":
            self.ws.send(self.encode({"pong": {}}))
        elif "push" in frame:
            self.pushes.append(frame["push"])
        return frame

    def write(self, command, fields):
        ident, self.next_id = self.next_id, self.next_id + 1
        self.ws.send(self.encode({"id": ident, command: fields}))
        return ident

    def answer(self, ident):
        while True:
            frame = self._frame()
            if "push" in frame:
                continue
            assert frame["id"] == ident, f"reply {ident} was due: {frame}"
            if "error" in frame:
                raise Answered(frame["error"])
            return frame["ok"]

    def call(self, command, fields):
        return self.answer(self.write(command, fields))

    def connect(self, token, device, heads=None):
        fields = {"token": token, "device": device}
        if heads is not None:
            fields["heads"] = heads
        return self.call("connect", fields)

    def send(self, conv, text, cmid=None, **more):
        fields = {"conversation": conv, "client_msg_id": cmid or str(uuid.uuid4()), "kind": "text", "body": {"text": text}}
        return self.call("send", {**fields, **more})

    def push(self, kind="message", seconds=None):
        """The next push of a kind; others before it stay queued."""
        while True:
            for place, push in enumerate(self.pushes):
                if push["type"] == kind:
                    del self.pushes[place]
                    return push
            self._frame(seconds)

    def events(self, count):
        """The next sequenced pushes, of any type."""
        found = []
        while len(found) < count:
            while self.pushes and len(found) < count:
                push = self.pushes.popleft()
                if "seq" in push:
                    found.append(push)
            if len(found) < count:
                self._frame()
        return found

    def nothing_came(self):
        """True if no push is queued or in flight: the reply to a ping comes after all that was sent before it."""
        self.call("ping", {})
        return not [push for push in self.pushes if "seq" in push]

    def drop(self):
        """Ends the connection without a close frame, as a tunnel does."""
        self.ws.socket.shutdown(socket.SHUT_RDWR)

    def closed(self, seconds=None):
        """Waits for the server to close; returns (code, reason object)."""
        try:
            while True:
                self._frame(seconds)
        except ConnectionClosed as end:
            assert end.rcvd is not None, "the connection ended without a close frame"
            return end.rcvd.code, json.loads(end.rcvd.reason)


def dial(server, token, device, heads=None, seconds=SECONDS):
    """Connects and authenticates; returns (peer, connect reply)."""
    peer = Peer(server.socket_url, seconds)
    try:
        return peer, peer.connect(token, device, heads)
    except BaseException:
        peer.stack.close()
        raise
