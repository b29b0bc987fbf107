"""Conformance to RFC 6455, case by case of the Autobahn test suite; what each case is and is not is told in conformance.py."""

import json
import socket

import pytest
from conformance import CONVERSATION, LEFT_OUT, SUITE, Echo, Pong, Reply, close, frame_cases
from conformance_text import utf8
from peer import dial
from wire import CLOSE, PONG, Wire

CASES = [*frame_cases(), *utf8()]


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


def test_the_table_has_every_case_of_the_suite():
    wanted = {f"{group}.{number}" for group, count in SUITE.items() for number in range(1, count + 1)}
    sent = {case.number for case in CASES}
    assert sent | set(LEFT_OUT) == wanted
    assert not sent & set(LEFT_OUT)
