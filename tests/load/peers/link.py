"""One raw WebSocket connection of the comparison: it counts deliveries in the bytes as they come, so that the client costs little."""

import asyncio
import base64
import os
import struct

TEXT, BINARY = 0x81, 0x82
# A mask of zeros is a mask like any other to the server, and spares the client the work.
MASK = bytes(4)
SETUP_SECONDS = 30
# A chunk with deliveries in it is not searched for pings, of which there is one in many seconds.
PING_CHUNK_BYTES_MAX = 512
# In every message's text, and nowhere else.
MARKER = b"peer-message-marker"
MESSAGE = MARKER.decode() + " " + "see you at the station at half past nine".ljust(80, ".")


class Link(asyncio.Protocol):
    """Upgraded by `open`; `delivered` is the one counter that all links of a run share."""

    def __init__(self, path, subprotocol, opcode, ping, pong, delivered):
        self.path, self.subprotocol, self.opcode = path, subprotocol, opcode
        self.ping, self.pong, self.delivered = ping, pong, delivered
        self.transport, self.tail = None, b""
        self.seen, self.wanted, self.found = bytearray(), None, None

    @classmethod
    async def open(cls, port, *how):
        """Connects and upgrades."""
        _, link = await asyncio.get_running_loop().create_connection(lambda: cls(*how), "127.0.0.1", port)
        await link.until(b"\r\n\r\n")
        return link

    def connection_made(self, transport):
        self.transport = transport
        lines = [f"GET {self.path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]
        lines += [f"Sec-WebSocket-Protocol: {self.subprotocol}"] if self.subprotocol else []
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data):
        if self.seen is not None:
            self.seen += data
            self.look()
        joined = self.tail + data
        count = joined.count(MARKER)
        self.tail = joined[1 - len(MARKER):]
        if count:
            self.delivered[0] += count
        elif self.ping in joined and len(data) < PING_CHUNK_BYTES_MAX:
            self.tail = b""
            self.send(self.pong)

    def connection_lost(self, _):
        if self.found is not None and not self.found.done():
            self.found.set_exception(ConnectionError(f"closed after {bytes(self.seen or b'')[-300:]!r}"))

    def look(self):
        at = self.seen.find(self.wanted) if self.wanted else -1
        if at >= 0:
            del self.seen[:at + len(self.wanted)]
            self.wanted = None
            self.found.set_result(None)

    async def until(self, wanted):
        """Waits until these bytes came, behind those of the wait before."""
        self.wanted, self.found = wanted, asyncio.get_running_loop().create_future()
        self.look()
        await asyncio.wait_for(self.found, SETUP_SECONDS)

    def settled(self):
        """The set-up is done: what comes now is counted and not kept."""
        self.seen = None
        return self

    def send(self, payload):
        """Writes one masked frame."""
        size = len(payload)
        if size < 126:
            head = bytes([self.opcode, 0x80 | size])
        else:
            head = bytes([self.opcode, 0x80 | 126]) + struct.pack(">H", size)
        self.transport.write(head + MASK + payload)
