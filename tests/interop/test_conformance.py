"""Conformance to RFC 6455, case by case of the Autobahn test suite; what each case is and is not is told in conformance.py."""

import json
import socket

import pytest
from conformance import CONVERSATION, LEFT_OUT, SUITE, Echo, Pong, Reply, close, frame_cases
from conformance_deflate import deflate_cases
from conformance_text import utf8
from peer import dial
from test_deflate import COMPRESSED, Deflated, deflate
from wire import CLOSE, CONTINUATION, PONG, TEXT, Wire, frame

CASES = [*frame_cases(), *utf8()]
DEFLATED = list(deflate_cases())


class Place:
    """Where messages go and arrive: a conversation and its other member, who is online."""

    def __init__(self, server, rest):
        rest.create("group", ["alice", "bob"], CONVERSATION)
        self.port, self.token = server.port, rest.token("alice")
        self.other, _ = dial(server, rest.token("bob"), "d1")

    def connect(self):
        """A raw connection that has said who it is and sends every piece at once."""
        wire = Wire(self.port)
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.text(json.dumps({"id": 1, "connect": {"token": self.token, "device": "raw"}}))
        assert "ok" in wire.reply()
        return wire


@pytest.fixture(scope="module")
def place(server, rest):
    made = Place(server, rest)
    with made.other:
        yield made


def expect(wire, place, answer):
    """The next frame is this answer."""
    opcode, payload = wire.read()
    if isinstance(answer, Pong):
        assert (opcode, payload) == (PONG, answer.payload)
        return
    assert opcode != CLOSE, f"closed instead of answering: {payload!r}"
    reply = json.loads(payload)
    assert reply["id"] == answer.ident and "ok" in reply, reply
    if isinstance(answer, Echo):
        assert place.other.push()["body"] == {"text": answer.text}, "the text arrived whole and as it was"


def sends(wire, place, case):
    """Writes the pieces; an answer among them has to come before the next piece goes out."""
    for piece in case.sent:
        if isinstance(piece, (Pong, Reply)):
            expect(wire, place, piece)
        else:
            wire.send(piece)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number} {case.what}"[:80])
def test_a_case_of_the_suite(place, case):
    """All that comes is what is due, in its order, then one close frame and the end of the connection."""
    with place.connect() as wire:
        sends(wire, place, case)
        for answer in case.answers:
            expect(wire, place, answer)
        if case.close is None:
            wire.send(close(1000))
        code, reason = wire.closed_next()
    assert (code, reason and json.loads(reason)["code"]) == (case.close or 1000, case.code or ""), f"RFC 6455 section {case.section}"
    assert place.other.nothing_came(), "what was refused reached nobody"


@pytest.fixture(scope="module")
def reader(place, rest):
    """Another member, to whom everything is sent compressed."""
    with Deflated(place.port) as wire:
        wire.connect(rest.token("bob"))
        yield wire


def pushed(wire):
    """The text of the next message."""
    push = {}
    while push.get("type") != "message":
        push = json.loads(wire.read()[1]).get("push", {})
    return push["body"]["text"]


@pytest.mark.parametrize("case", DEFLATED, ids=lambda case: case.number)
def test_a_deflated_case_of_the_suite(place, reader, case):
    with Deflated(place.port, f"Sec-WebSocket-Extensions: {case.offer}") as wire:
        lines = [line.partition(": ")[2] for line in wire.head.split("\r\n") if line.startswith("sec-websocket-extensions")]
        assert (lines or [None]) == [case.agreed]
        reserved, packed = (COMPRESSED, deflate) if case.agreed else (0, bytes)
        wire.send(frame(TEXT, packed(json.dumps({"id": 1, "connect": {"token": place.token, "device": "raw"}}).encode()), reserved=reserved))
        assert "ok" in wire.reply()
        for data, echo in case.messages():
            parts = case.cut(packed(data))
            for at, part in enumerate(parts):
                first, last = at == 0, at == len(parts) - 1
                wire.send(frame(TEXT if first else CONTINUATION, part, fin=last, reserved=reserved if first else 0))
            reply = wire.reply()
            assert reply["id"] == echo.ident and "ok" in reply, reply
            assert pushed(reader) == echo.text and place.other.push()["body"] == {"text": echo.text}
            have = {"conversation": CONVERSATION, "seq": reply["ok"]["seq"]}
            reader.text(json.dumps({"id": echo.ident, "received": have}))
            place.other.call("received", have)


def test_the_table_has_every_case_of_the_suite():
    wanted = {f"{group}.{number}" for group, count in SUITE.items() for number in range(1, count + 1)}
    sent = {case.number for case in [*CASES, *DEFLATED]}
    assert sent | set(LEFT_OUT) == wanted
    assert not sent & set(LEFT_OUT)
