"""permessage-deflate (RFC 7692) down at the bytes: what is agreed on, what is compressed, and what hostile streams come to."""

import contextlib
import json
import uuid
import zlib

import pytest
from peer import dial
from wire import BINARY, CONTINUATION, PING, PONG, TEXT, Wire, frame

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
COMPRESSED = 4
FRAME_BYTES_MAX = 64 * 1024
AT_ONCE = 20


def deflate(data, window=15):
    packer = zlib.compressobj(wbits=-window)
    packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert packed.endswith(b"\0\0\xff\xff")
    return packed[:-4]


def inflate(data, window=15):
    """Each message alone: a new stream for each."""
    return zlib.decompressobj(wbits=-window).decompress(data + b"\0\0\xff\xff")


class Deflated(Wire):
    """A connection that spoke of compression; `read` also tells the reserved bits."""

    def __init__(self, port, offer=OFFER, **more):
        super().__init__(port, headers=[offer], **more)

    def read(self):
        while len(self.buffer) < 1:
            self._more()
        self.compressed = bool(self.buffer[0] & 0x40)
        self.buffer = bytes([self.buffer[0] & ~0x40]) + self.buffer[1:]
        opcode, payload = super().read()
        if self.compressed:
            assert opcode in (TEXT, BINARY), "a control frame is never compressed"
            payload = inflate(payload, 12)
        return opcode, payload

    def connect(self, token):
        self.send(frame(TEXT, deflate(json.dumps({"id": 1, "connect": {"token": token, "device": "d1"}}).encode()), reserved=COMPRESSED))
        reply = self.reply()
        assert "ok" in reply, reply
        return reply["ok"]


def agreed(server, offer):
    with Wire(server.port, headers=[offer] if offer else []) as wire:
        lines = [line.partition(": ")[2] for line in wire.head.split("\r\n") if line.startswith("sec-websocket-extensions")]
        return lines[0] if lines else None


def test_what_is_offered_is_answered_by_the_letter(server):
    ours = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert agreed(server, None) is None
    assert agreed(server, OFFER) == ours
    assert agreed(server, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12") == ours + "; server_max_window_bits=12"
    assert agreed(server, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9") is None
    assert agreed(server, "Sec-WebSocket-Extensions: permessage-deflate; bogus\r\nSec-WebSocket-Extensions: permessage-deflate") == ours


def test_large_messages_are_compressed_small_ones_not_and_each_stands_alone(server, rest):
    conv = rest.create("group", ["alice", "bob"])["id"]
    alice, _ = dial(server, rest.token("alice"), "d1")
    with alice, Deflated(server.port) as bob:
        bob.connect(rest.token("bob"))
        assert not bob.compressed, "a reply with a token is never compressed"
        for _ in range(2):
            alice.send(conv, "x" * 3_000)
            push = {}
            while push.get("type") != "message":
                push = json.loads(bob.read()[1])["push"]
            assert push["body"]["text"] == "x" * 3_000 and bob.compressed
            bob.text('{"id":2,"ping":{}}')
            assert "ok" in bob.reply() and not bob.compressed


@pytest.mark.parametrize("window", [9, 12, 15])
def test_a_client_compresses_with_any_window_in_fragments_too(server, rest, window):
    conv = rest.create("group", ["alice", "bob"])["id"]
    with Deflated(server.port) as alice:
        alice.connect(rest.token("alice"))
        text = "the quick brown fox " * 1_000
        send = {"conversation": conv, "client_msg_id": str(uuid.uuid4()), "kind": "text", "body": {"text": text}}
        packed = deflate(json.dumps({"id": 2, "send": send}).encode(), window)
        parts = [packed[at::1][:1] for at in range(10)] + [packed[10:]]
        alice.send(frame(TEXT, parts[0], fin=False, reserved=COMPRESSED))
        for part in parts[1:-1]:
            alice.send(frame(PING, b"in between") + frame(CONTINUATION, part, fin=False))
        alice.send(frame(CONTINUATION, parts[-1]))
        pongs = [alice.read() for _ in parts[1:-1]]
        assert pongs == [(PONG, b"in between")] * len(pongs)
        assert "ok" in alice.reply()
        assert rest.read_log(conv)[0][-1]["body"]["text"] == text
        alice.send(frame(TEXT, json.dumps({"id": 3, "ping": {}}).encode()))
        assert "ok" in alice.reply(), "and may leave a message as it is"


BIG = json.dumps({"id": 2, "ping": {"x": "y" * FRAME_BYTES_MAX}}).encode()
SPELL = deflate(json.dumps({"id": 2, "ping": {}}).encode())
HOSTILE = {
    "bomb": (frame(TEXT, deflate(b"x" * 20_000_000), reserved=COMPRESSED), 4400, "frame_too_large"),
    "one byte too much": (frame(TEXT, deflate(b"x" * (FRAME_BYTES_MAX + 1)), reserved=COMPRESSED), 4400, "frame_too_large"),
    "an envelope too large": (frame(TEXT, deflate(BIG), reserved=COMPRESSED), 4400, "frame_too_large"),
    "garbage": (frame(TEXT, b"\xff" * 100, reserved=COMPRESSED), 1002, "bad_frame"),
    "nothing": (frame(TEXT, b"", reserved=COMPRESSED), 4400, "invalid_request"),
    "context kept": (frame(TEXT, b"\xf2\x00\x11\x00\x00", reserved=COMPRESSED), 1002, "bad_frame"),
    "no UTF-8": (frame(TEXT, deflate(b"\xff\xfe"), reserved=COMPRESSED), 1007, "bad_text"),
    "bit on a continuation": (frame(TEXT, SPELL[:3], fin=False, reserved=COMPRESSED) + frame(CONTINUATION, SPELL[3:], reserved=COMPRESSED), 1002, "bad_frame"),
    "bit on a later fragment only": (frame(TEXT, SPELL[:3], fin=False) + frame(CONTINUATION, SPELL[3:], reserved=COMPRESSED), 1002, "bad_frame"),
    "bit on a ping": (frame(PING, b"", reserved=COMPRESSED), 1002, "bad_frame"),
    "another reserved bit": (frame(TEXT, SPELL, reserved=COMPRESSED | 2), 1002, "bad_frame"),
    "17 fragments": (frame(TEXT, SPELL, fin=False, reserved=COMPRESSED) + frame(CONTINUATION, b"", fin=False) * 15 + frame(CONTINUATION), 4400, "too_many_fragments"),
    "fragments too large": (frame(TEXT, b"\0" * 40_000, fin=False, reserved=COMPRESSED) + frame(CONTINUATION, b"\0" * 40_000), 4400, "frame_too_large"),
}


@pytest.mark.usefixtures("nothing_changed")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_streams_close_with_their_code(server, rest, name):
    """Many at once: what each of them takes would add up."""
    hostile, code, reason = HOSTILE[name]
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Deflated(server.port)) for _ in range(AT_ONCE)]
        for number, wire in enumerate(wires):
            wire.connect(rest.token(f"mallory-{number}"))
        for wire in wires:
            wire.send(hostile)
        for wire in wires:
            closed, text, replies = wire.closed()
            assert (closed, json.loads(text)["code"], replies) == (code, reason, [])


def test_the_bit_means_nothing_where_nothing_was_agreed(server):
    for offer in ([], ["Sec-WebSocket-Extensions: permessage-deflate; bogus"]):
        with Wire(server.port, headers=offer) as wire:
            wire.send(frame(TEXT, SPELL, reserved=COMPRESSED))
            assert wire.closed()[0] == 1002


def test_what_is_inflated_counts_before_authentication(server):
    """Kept messages would take 64 KiB for 100 bytes each."""
    with Deflated(server.port) as wire:
        wire.send(frame(TEXT, deflate(b" " * 30_000 + b"{}"), reserved=COMPRESSED))
        code, text, _ = wire.closed()
        assert (code, json.loads(text)["code"]) == (4400, "frame_too_large")
