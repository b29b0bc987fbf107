"""A WebSocket client down at the bytes, able to break every rule of RFC 6455."""

import base64
import json
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
SECONDS = 10
SUBPROTOCOL = "tokenim.v1.json"


def frame(opcode, payload=b"", fin=True, reserved=0, masked=True, announced=None):
    """One frame as bytes; `announced` lies about the payload's length."""
    size = len(payload) if announced is None else announced
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mark = 0x80 if masked else 0
    if size < 126:
        head += bytes([mark | size])
    elif size < 65536:
        head += bytes([mark | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mark | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    repeated = (key * (len(payload) // 4 + 1))[:len(payload)]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


class Wire:
    """A raw connection, upgraded unless `upgrade` is false."""

    def __init__(self, port, upgrade=True, subprotocol=SUBPROTOCOL, path="/v1/connect", headers=()):
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.buffer = b""
        if upgrade:
            lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
                     "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", *headers]
            if subprotocol:
                lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
            self.send("\r\n".join([*lines, "", ""]).encode())
            self.head = self._head()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def text(self, value):
        self.send(frame(TEXT, value.encode() if isinstance(value, str) else value))

    def _head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server ended the connection")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read(self):
        """The next frame from the server as (opcode, payload); server frames are never masked nor fragmented."""
        first, second = self._take(2)
        assert first & 0x70 == 0 and second & 0x80 == 0, f"bad server frame {first:#x} {second:#x}"
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._take(8))[0]
        return first & 0x0F, self._take(size)

    def reply(self):
        """The next reply envelope; pushes are skipped, a close fails."""
        while True:
            opcode, payload = self.read()
            assert opcode == TEXT, f"opcode {opcode} instead of a reply: {payload!r}"
            value = json.loads(payload)
            if "push" not in value:
                return value

    def closed(self):
        """Reads to the close frame; returns (code, reason text, replies before it), and sees the connection end after it."""
        replies = []
        while True:
            opcode, payload = self.read()
            if opcode == CLOSE:
                break
            if opcode == TEXT and "push" not in json.loads(payload):
                replies.append(json.loads(payload))
        return *self._ended(payload), replies

    def closed_next(self):
        """The next frame is the close frame; returns (code, reason text), and sees the connection end after it."""
        opcode, payload = self.read()
        assert opcode == CLOSE, f"opcode {opcode} instead of a close: {payload!r}"
        return self._ended(payload)

    def _ended(self, payload):
        self._ends()
        return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def _ends(self):
        """After its close frame the server ends the connection, by FIN or by reset where unread bytes were left."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
