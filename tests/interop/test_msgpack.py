"""MessagePack by another's package: what is sent comes back as it was, also to who speaks JSON, and what JSON can't say is refused."""

import contextlib
import json
import math
import uuid

import msgpack
import pytest
from peer import Answered, Peer, dial
from wire import BINARY, TEXT, Wire, frame

MSGPACK = "tokenim.v1.msgpack"
AT_ONCE = 20
BODIES = [
    [0, 1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, 2**31, 2**32, -2**31 - 1, 2**53 + 1, 2**63 - 1, -2**63, 2**64 - 1],
    [0.0, -0.0, 1.0, 0.1, 1e-308, 5e-324, 1.7976931348623157e308, math.pi, 1e22, -2.5],
    {"": None, "yes": True, "no": False, "nested": [[[]], {}, {"a": {"b": []}}]},
    {"text": "hello, 世界 \U0001f600 \x00 \x1f \" \\ / \u2028", "long": "x" * 40_000},
    [list(range(20))] * 3,
    "a text alone",
    None,
]


class Packed(Peer):
    subprotocol = MSGPACK


@pytest.fixture
def trio(server, rest):
    """Alice and Bob with MessagePack, Carol with JSON, in one group."""
    conv = rest.create("group", ["alice", "bob", "carol"])["id"]
    with Packed(server.socket_url) as alice, Packed(server.socket_url) as bob, Peer(server.socket_url) as carol:
        for peer, name in ((alice, "alice"), (bob, "bob"), (carol, "carol")):
            peer.connect(rest.token(name), "d1")
        yield alice, bob, carol, conv


def send(peer, conv, body):
    cmid = str(uuid.uuid4())
    return peer.call("send", {"conversation": conv, "client_msg_id": cmid, "kind": "json", "body": body}), cmid


def test_bodies_come_back_as_they_were_in_both_encodings(rest, trio):
    alice, bob, carol, conv = trio
    for body in BODIES:
        for sender, others in ((alice, (bob, carol)), (carol, (alice, bob))):
            ack, _ = send(sender, conv, body)
            for other in others:
                push = other.push()
                assert push["seq"] == ack["seq"]
                # By its text a float is told from an integer, and -0.0 from 0.0.
                assert json.dumps(push["body"]) == json.dumps(body)
    logged = [event["body"] for event in rest.read_log(conv)[0] if event["type"] == "message"]
    assert json.dumps(logged) == json.dumps([body for body in BODIES for _ in range(2)])
    items = bob.call("history", {"conversation": conv, "after": 0})["items"]
    assert json.dumps(items) == json.dumps(rest.read_log(conv)[0])


def test_a_live_message_reads_the_same_in_both_encodings(trio):
    alice, bob, carol, conv = trio
    begun = alice.call("stream.begin", {"conversation": conv, "client_msg_id": str(uuid.uuid4())})
    for reader in (bob, carol):
        assert reader.push()["live"] is True
    pieces = ["a\x00b \" \\ ", "世界 \U0001f600\u2028"]
    at = 0
    for piece in pieces:
        grown = alice.call("stream.append", {"conversation": conv, "target": begun["seq"], "offset": at, "text": piece})
        for reader in (bob, carol):
            push = reader.push("stream")
            assert (push["target"], push["offset"], push["text"]) == (begun["seq"], at, piece)
        at += len(piece.encode())
        assert grown == {"offset": at}
    ack = alice.call("stream.end", {"conversation": conv, "target": begun["seq"], "offset": at})
    assert (ack["changed"], ack["billed"]) == (True, 1)
    for reader in (bob, carol):
        push = reader.push("ended")
        assert (push["seq"], push["body"]) == (ack["seq"], {"text": "".join(pieces)})


def test_a_float_of_32_bits_keeps_its_value(trio):
    alice, bob, _, conv = trio
    alice.encode = lambda value: msgpack.packb(value, use_single_float=True)
    send(alice, conv, [0.1, 0.5])
    assert bob.push()["body"] == [0.10000000149011612, 0.5]


def test_a_repeat_in_the_other_encoding_is_the_same_message(server, rest, trio):
    alice, _, _, conv = trio
    body = {"a": [1, 1.5, "x"]}
    ack, cmid = send(alice, conv, body)
    again, _ = dial(server, rest.token("alice"), "d2")
    with again:
        fields = {"conversation": conv, "client_msg_id": cmid, "kind": "json", "body": body}
        assert again.call("send", fields)["duplicate"] and again.call("send", fields)["id"] == ack["id"]


@pytest.mark.parametrize("body, says", [
    (b"bytes", "binary"), ({"deep": [b""]}, "binary"), (msgpack.Timestamp(1), "extension"), (msgpack.ExtType(5, b"xy"), "extension"),
    (math.nan, "finite"), ([math.inf], "finite"), ({1: 2}, "key"), ({b"k": 2}, "binary"),
])
def test_what_json_cannot_say_is_refused_in_words_and_changes_nothing(rest, trio, body, says):
    alice, bob, _, conv = trio
    head = rest.read_log(conv)[1]
    with pytest.raises(Answered, match="invalid_request") as refused:
        send(alice, conv, body)
    assert says in refused.value.error["message"]
    assert bob.nothing_came() and rest.read_log(conv)[1] == head
    assert alice.call("ping", {}), "the connection stays"


def test_the_rules_of_json_hold(rest, trio):
    alice, _, _, conv = trio
    tower = 1
    for _ in range(29):
        tower = [tower]
    send(alice, conv, tower)
    with pytest.raises(Answered, match="invalid_field"):
        send(alice, conv, {str(key): 0 for key in range(65)})
    with pytest.raises(Answered, match="payload_too_large"):
        send(alice, conv, ["\x01" * 60_000])


def closed_by(server, *messages, subprotocol=MSGPACK):
    with Wire(server.port, subprotocol=subprotocol) as wire:
        for message in messages:
            wire.send(message)
        code, reason, _ = wire.closed()
        return code, json.loads(reason)["code"]


def test_messages_of_the_other_type_close(server):
    ping = {"id": 1, "ping": {}}
    assert closed_by(server, frame(TEXT, json.dumps(ping).encode())) == (4400, "text_frame")
    assert closed_by(server, frame(TEXT, b"{", fin=False)) == (4400, "text_frame"), "at its first fragment"
    assert closed_by(server, frame(BINARY, msgpack.packb(ping)), subprotocol="tokenim.v1.json") == (4400, "binary_frame")


@pytest.mark.usefixtures("nothing_changed")
@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x81", b"\xdf\xff\xff\xff\xff", b"\x91" * 60 + b"\xc0", b"\x01\x02",
                                     msgpack.packb([1]), msgpack.packb({"send": {}}), msgpack.packb({"id": -1, "ping": {}})])
def test_what_is_no_envelope_closes(server, payload):
    assert closed_by(server, frame(BINARY, payload)) == (4400, "invalid_request")


HEAD = b"\x82\xa2id\x07\xa4ping"
HOSTILE = {
    "an array of four billion": HEAD + b"\xdd\xff\xff\xff\xff" + b"\xc0" * 60_000,
    "a map of four billion": HEAD + b"\xdf\xff\xff\xff\xff" + b"\xa1a\xc0" * 20_000,
    "maps of four billion in one another": HEAD + b"\xdf\xff\xff\xff\xff\xa1a" * 9_000,
    "a text of 4 GiB": HEAD + b"\xdb\xff\xff\xff\xff" + b"x" * 60_000,
    "bytes of 4 GiB": HEAD + b"\xc6\xff\xff\xff\xff" + b"x" * 60_000,
    "an extension of 4 GiB": HEAD + b"\xc9\xff\xff\xff\xff\x01" + b"x" * 60_000,
    "a tower": HEAD + b"\x91" * 60_000 + b"\xc0",
    "more behind it": HEAD + b"\x80" + b"\xc0" * 60_000,
}


@pytest.mark.usefixtures("nothing_changed")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_close_and_take_nothing(server, rest, name):
    """Many at once, connected: what each of them takes would add up."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.port, subprotocol=MSGPACK)) for _ in range(AT_ONCE)]
        for number, wire in enumerate(wires):
            wire.send(frame(BINARY, msgpack.packb({"id": 1, "connect": {"token": rest.token(f"mallory-{number}"), "device": "d1"}})))
            assert "ok" in msgpack.unpackb(wire.read()[1])
        for wire in wires:
            wire.send(frame(BINARY, HOSTILE[name]))
        for wire in wires:
            code, reason, _ = wire.closed()
            assert (code, json.loads(reason)["code"]) == (4400, "invalid_request")


@pytest.mark.usefixtures("nothing_changed")
@pytest.mark.parametrize("fields", [[[]] * 60_000, {"x": [{}] * 60_000}, {"x": [[[0]]] * 20_000}])
def test_a_message_of_tiny_values_takes_little(server, rest, fields):
    """A byte each on the wire, and many more where each is kept as a value."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Packed(server.socket_url)) for _ in range(AT_ONCE)]
        for number, peer in enumerate(peers):
            peer.connect(rest.token(f"mallory-{number}"), "d1")
        asked = [peer.write("ping", fields) for peer in peers]
        for peer, ident in zip(peers, asked):
            with contextlib.suppress(Answered):
                peer.answer(ident)
            peer.call("ping", {})


def test_an_envelope_in_fragments_is_one(server):
    with Wire(server.port, subprotocol=MSGPACK) as wire:
        payload = msgpack.packb({"id": 7, "ping": {}})
        wire.send(frame(BINARY, payload[:3], fin=False) + frame(9, b"p") + frame(0, payload[3:]))
        assert wire.read() == (10, b"p")
        opcode, reply = wire.read()
        assert opcode == BINARY and msgpack.unpackb(reply)["error"]["code"] == "unauthenticated"
        assert wire.read()[0] == 8


def test_the_client_chooses_by_the_order_it_offers(server):
    with Wire(server.port, subprotocol="tokenim.v9.xml, tokenim.v1.msgpack, tokenim.v1.json") as wire:
        assert "sec-websocket-protocol: tokenim.v1.msgpack" in wire.head
