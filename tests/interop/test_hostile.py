"""Hostile bytes on the socket: each gets its code, changes nothing, costs nothing, and harms no other connection."""

import json
import socket
import struct
import threading
import time

import pytest
from peer import Answered
from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Wire, frame

FRAME_BYTES_MAX = 64 * 1024
UNAUTHENTICATED_BYTES_MAX = 24 * 1024
pytestmark = pytest.mark.usefixtures("nothing_changed")
SILENT_SECONDS = (3.5, 9.0)
# The deadlines are 5 s; a machine under load tells them late.
LORIS_SECONDS, SECONDS_OF_A_PING = 20, 5


@pytest.fixture
def wire(server, rest):
    """A raw authenticated connection of Mallory, who is a member of nothing."""
    with Wire(server.port) as raw:
        raw.text(json.dumps({"id": 1, "connect": {"token": rest.token("mallory"), "device": "d1"}}))
        assert raw.reply()["id"] == 1
        yield raw


def code_of(reason):
    return json.loads(reason)["code"]


def is_alive(raw):
    raw.text('{"id":99,"ping":{}}')
    reply = raw.reply()
    assert reply["id"] == 99 and "ok" in reply, reply


@pytest.mark.parametrize("text", [
    "", "{", "nonsense", "null", "[]", '"send"', "7", '{"id":7', "{}", '{"send":{}}', '{"push":{"type":"message"}}',
    '{"id":0,"ping":{}}', '{"id":-1,"ping":{}}', '{"id":"7","ping":{}}', '{"id":1.5,"ping":{}}', '{"id":null,"ping":{}}',
    '{"id":18446744073709551616,"ping":{}}', '{"id":1e400,"ping":{}}', '{"id":[1],"ping":{}}', "[" * 5000, '{"a":' * 5000,
    "\u0000", '{"id":7,"ping":{}} trailing',
])
def test_an_envelope_without_a_usable_id_closes_4400(wire, text):
    wire.text(text)
    code, reason, _ = wire.closed()
    assert (code, code_of(reason)) == (4400, "invalid_request")


@pytest.mark.parametrize("text, expected", [
    ('{"id":2}', "invalid_request"),
    ('{"id":2,"ping":{},"history":{}}', "invalid_request"),
    ('{"id":2,"ping":{"a":1,"a":2}}', "invalid_request"),
    ('{"id":2,"ping":' + '{"a":' * 40 + "1" + "}" * 41, "invalid_request"),
    ('{"id":2,"frobnicate":{}}', "unknown_command"),
    ('{"id":2,"SEND":{}}', "unknown_command"),
    ('{"id":2,"send":null}', "invalid_request"),
    ('{"id":2,"send":[]}', "invalid_request"),
    ('{"id":2,"send":"x"}', "invalid_request"),
    ('{"id":2,"send":{}}', "invalid_request"),
    ('{"id":2,"send":{"conversation":5,"client_msg_id":"a","kind":"text","body":{"text":"x"}}}', "invalid_request"),
    ('{"id":2,"send":{"conversation":"c","client_msg_id":{},"kind":"text","body":{"text":"x"}}}', "invalid_request"),
    ('{"id":2,"history":{"conversation":"c","after":"0"}}', "invalid_request"),
    ('{"id":2,"history":{"conversation":"c","after":1e99}}', "invalid_request"),
    ('{"id":2,"received":{"conversation":"c","seq":true}}', "invalid_request"),
    ('{"id":2,"connect":{}}', "invalid_request"),
    ('{"id":2,"conversation.mute":{"conversation":"c","user":"u","for_s":"1"}}', "invalid_request"),
    ('{"id":2,"conversation.mute":{"conversation":"c","user":"u","for_s":9223372036854775807}}', "invalid_field"),
    ('{"id":2,"conversation.role":{"conversation":"c","user":"u","role":"root"}}', "invalid_field"),
    ('{"id":2,"conversation.update":{"conversation":"c","name":{"a":1}}}', "invalid_request"),
    ('{"id":2,"block":{"user":null}}', "invalid_request"),
    ('{"id":2,"stream.begin":{"conversation":"c","client_msg_id":"m","text":7}}', "invalid_request"),
    ('{"id":2,"stream.begin":{"conversation":"c","client_msg_id":"m","kind":"video"}}', "invalid_field"),
    ('{"id":2,"stream.append":{"conversation":"c","target":1,"text":"x"}}', "invalid_request"),
    ('{"id":2,"stream.append":{"conversation":"c","target":1,"offset":"0","text":"x"}}', "invalid_request"),
    ('{"id":2,"stream.append":{"conversation":"c","target":1,"offset":-1,"text":"x"}}', "invalid_field"),
    ('{"id":2,"stream.append":{"conversation":"c","target":1,"offset":9223372036854775807,"text":"x"}}', "not_found"),
    ('{"id":2,"stream.append":{"conversation":"c","target":1,"offset":9223372036854775808,"text":"x"}}', "invalid_request"),
    ('{"id":2,"stream.append":{"conversation":"c","target":1,"offset":0,"text":""}}', "invalid_field"),
    ('{"id":2,"stream.append":{"conversation":"c","target":1,"offset":0,"text":"' + "x" * (16 * 1024 + 1) + '"}}', "payload_too_large"),
    ('{"id":2,"stream.end":{"conversation":"c","target":null}}', "invalid_request"),
    ('{"id":2,"stream.get":{"conversation":"c","target":1,"offset":1.5}}', "invalid_request"),
])
def test_a_bad_command_with_an_id_is_answered_and_the_connection_stays(wire, text, expected):
    wire.text(text)
    reply = wire.reply()
    assert reply["id"] == 2 and "error" in reply, reply
    assert reply["error"]["code"] == expected
    is_alive(wire)


@pytest.mark.parametrize("command, fields", [
    ("send", {"client_msg_id": "m", "kind": "text", "body": {"text": "x"}}),
    ("history", {"after": 0}), ("read", {"seq": 1}), ("received", {"seq": 1}), ("conversation.members", {}), ("typing", {}), ("receipts", {"seq": 1}), ("open", {}), ("passive", {}),
    ("conversation.add", {"members": ["mallory"]}), ("conversation.remove", {"members": ["ann"]}),
    ("conversation.update", {"join": "open"}), ("conversation.join", {}), ("conversation.leave", {}),
    ("conversation.requests", {}), ("conversation.bans", {}), ("conversation.decline", {"members": ["ann"]}),
    ("conversation.role", {"user": "ann", "role": "guest"}), ("conversation.mute", {"user": "ann", "for_s": 9}),
    ("conversation.ban", {"user": "ann"}), ("conversation.unban", {"user": "ann"}),
    ("stream.begin", {"client_msg_id": "m"}), ("stream.append", {"target": 2, "offset": 0, "text": "x"}),
    ("stream.end", {"target": 2}), ("stream.get", {"target": 2}),
])
def test_a_stranger_learns_nothing_and_changes_nothing(wire, bystander, command, fields):
    answers = []
    for conv in (bystander.conv, "no-such-conversation"):
        wire.text(json.dumps({"id": 2, command: {"conversation": conv, **fields}}))
        answers.append(json.dumps(wire.reply()["error"], sort_keys=True).replace(conv, "*"))
    assert answers[0] == answers[1], "a conversation one is not in answers like one that does not exist"
    assert json.loads(answers[0])["code"] == "not_found"
    is_alive(wire)


@pytest.mark.parametrize("text", ["x" * 2000, "\u0007\u001b[31m", "<script>alert(1)</script>", "' OR 1=1 --", "\U0010FFFF"])
def test_hostile_names_are_refused_as_names(wire, text):
    wire.text(json.dumps({"id": 2, "history": {"conversation": text, "after": 0}}))
    assert wire.reply()["error"]["code"] == "invalid_field"
    is_alive(wire)


PING_TEXT = b'{"id":5,"ping":{}}'
VIOLATIONS = {
    "unmasked": (frame(TEXT, PING_TEXT, masked=False), 1002, "bad_frame"),
    "reserved bit 1": (frame(TEXT, PING_TEXT, reserved=4), 1002, "bad_frame"),
    "reserved bit 2": (frame(TEXT, PING_TEXT, reserved=2), 1002, "bad_frame"),
    "reserved bit 3": (frame(TEXT, PING_TEXT, reserved=1), 1002, "bad_frame"),
    "reserved opcode": (frame(3, b"x"), 1002, "bad_frame"),
    "reserved control opcode": (frame(11, b"x"), 1002, "bad_frame"),
    "long ping": (frame(PING, b"x" * 126), 1002, "bad_frame"),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002, "bad_frame"),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002, "bad_frame"),
    "text inside a fragmented text": (frame(TEXT, b"{", fin=False) + frame(TEXT, PING_TEXT), 1002, "bad_frame"),
    "binary": (frame(BINARY, PING_TEXT), 4400, "binary_frame"),
    "invalid utf-8": (frame(TEXT, b'{"id":5,"ping":{"a":"\xff"}}'), 1007, "bad_text"),
    "utf-8 surrogate": (frame(TEXT, b'{"id":5,"ping":{"a":"\xed\xa0\x80"}}'), 1007, "bad_text"),
    "utf-8 cut at the end": (frame(TEXT, b'{"id":5,"ping":{}}\xe4\xb8'), 1007, "bad_text"),
    "one byte over": (frame(TEXT, b" " * (FRAME_BYTES_MAX + 1)), 4400, "frame_too_large"),
    "64 bit length": (frame(TEXT, b"{", announced=2**62), 4400, "frame_too_large"),
    "length with the top bit": (bytes([0x81, 0xFF]) + struct.pack(">Q", 2**63) + b"mask{", 4400, "frame_too_large"),
    "over in two fragments": (frame(TEXT, b" " * 40_000, fin=False) + frame(CONTINUATION, b" " * 40_000), 4400, "frame_too_large"),
    "17 fragments": (b"".join(frame(CONTINUATION if n else TEXT, b" ", fin=False) for n in range(17)), 4400, "too_many_fragments"),
    "empty fragments": (b"".join(frame(CONTINUATION if n else TEXT, b"", fin=False) for n in range(17)), 4400, "too_many_fragments"),
    "close of one byte": (frame(CLOSE, b"x"), 1002, None),
    "close with a reserved code": (frame(CLOSE, struct.pack(">H", 1005)), 1002, None),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_broken_frame_closes_with_its_code(wire, name):
    data, code, reason_code = VIOLATIONS[name]
    wire.send(data)
    closed, reason, replies = wire.closed()
    assert not replies
    assert closed == code, (closed, reason)
    assert len(reason.encode()) <= 123
    if reason_code is not None:
        assert code_of(reason) == reason_code


def test_what_is_odd_but_allowed_works(wire):
    is_alive(wire)
    pieces = [PING_TEXT[n:n + 1] for n in range(15)] + [PING_TEXT[15:]]
    data = b"".join(frame(CONTINUATION if n else TEXT, piece, fin=n == 15) for n, piece in enumerate(pieces))
    for byte in range(0, len(data), 3):
        wire.send(data[byte:byte + 3])
    assert wire.reply()["id"] == 5, "16 fragments, in small writes"
    character = '{"id":6,"ping":{"a":"世"}}'.encode()
    cut = character.index("世".encode()) + 1
    wire.send(frame(TEXT, character[:cut], fin=False) + frame(PING, b"inside") + frame(CONTINUATION, character[cut:]))
    assert wire.read() == (PONG, b"inside"), "a control frame between fragments is answered at once"
    assert wire.reply()["id"] == 6, "a character may be split between fragments"
    wire.text(b" " * (FRAME_BYTES_MAX - len(PING_TEXT)) + PING_TEXT)
    assert wire.reply()["id"] == 5, "a frame of exactly the limit"
    wire.send(frame(PONG, b"unsolicited"))
    is_alive(wire)


def test_a_close_is_echoed(wire):
    wire.send(frame(CLOSE, struct.pack(">H", 1000) + b"bye"))
    assert wire.closed()[0] == 1000


def test_a_silent_socket_is_closed_in_about_5_seconds(server):
    begun = time.monotonic()
    with Wire(server.port) as raw:
        code, reason, _ = raw.closed()
        took = time.monotonic() - begun
    assert (code, code_of(reason)) == (4401, "unauthenticated")
    assert SILENT_SECONDS[0] < took < SILENT_SECONDS[1], took


def test_a_socket_that_only_pings_is_closed_too(server):
    begun = time.monotonic()
    with Wire(server.port) as raw:
        stop = threading.Event()

        def chatter():
            while not stop.wait(0.5):
                try:
                    raw.send(frame(PING, b""))
                except OSError:
                    return
        talker = threading.Thread(target=chatter)
        talker.start()
        try:
            code, _, _ = raw.closed()
        finally:
            stop.set()
            talker.join()
    assert code == 4401
    assert time.monotonic() - begun < SILENT_SECONDS[1]


def test_a_silent_tcp_connection_is_closed(server):
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(15)
        while raw.recv(4096):
            pass


def test_sockets_that_come_a_byte_at_a_time_end_in_time_and_nobody_waits_for_them(server, bystander):
    """100 requests for a handshake and 100 first messages, each a byte every 200 ms, beside a conversation that goes on."""
    head = b"GET /v1/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + b"X-Slow: " + b"x" * 200
    message = frame(TEXT, b'{"id":1,"connect":{"token":"' + b"x" * 200)
    slow = [(Wire(server.port, upgrade=False), head) for _ in range(100)] + [(Wire(server.port), message) for _ in range(100)]
    begun, ended = time.monotonic(), {}
    try:
        for at in range(len(message)):
            for number, (raw, data) in enumerate(slow):
                if number not in ended and gone_after(raw.socket, data[at:at + 1]):
                    ended[number] = time.monotonic() - begun
            if len(ended) == len(slow):
                break
            asked = time.monotonic()
            bystander.ann.call("ping", {})
            assert time.monotonic() - asked < SECONDS_OF_A_PING, "somebody else waits"
            time.sleep(0.2)
    finally:
        for raw, _ in slow:
            raw.socket.close()
    assert len(ended) == len(slow), f"{len(slow) - len(ended)} of them are still open"
    assert max(ended.values()) < LORIS_SECONDS, max(ended.values())


def gone_after(raw, byte):
    """Sends a byte; whether the other end has ended the connection, after whatever it said."""
    try:
        raw.send(byte)
        raw.setblocking(False)
        while data := raw.recv(4096):
            del data
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        raw.settimeout(10)


def test_commands_before_connect_are_refused(server):
    with Wire(server.port) as raw:
        raw.text('{"id":1,"history":{"conversation":"c","after":0}}')
        code, reason, replies = raw.closed()
    assert (code, code_of(reason)) == (4401, "unauthenticated")
    assert [reply["error"]["code"] for reply in replies] == ["unauthenticated"]


def test_unauthenticated_bytes_are_bounded(server):
    begun = time.monotonic()
    with Wire(server.port) as raw:
        raw.send(frame(TEXT, b" " * (UNAUTHENTICATED_BYTES_MAX + 1), announced=60_000))
        code, reason, _ = raw.closed()
    assert (code, code_of(reason)) == (4400, "frame_too_large")
    assert time.monotonic() - begun < SILENT_SECONDS[0], "at the byte, not at the deadline"


def test_an_unknown_subprotocol_is_refused_after_the_upgrade(server):
    with Wire(server.port, subprotocol="something.v9") as raw:
        assert raw.head.startswith("HTTP/1.1 101"), raw.head
        code, reason, _ = raw.closed()
    assert (code, code_of(reason)) == (4426, "version_unsupported")


def test_a_credential_in_the_address_is_refused(server, rest):
    with Wire(server.port, path=f"/v1/connect?token={rest.token('mallory')}") as raw:
        assert raw.head.startswith("HTTP/1.1 101"), raw.head
        code, reason, _ = raw.closed()
    assert (code, code_of(reason)) == (4400, "token_in_url")


def test_many_half_sent_messages_stay_cheap(server, rest, bystander):
    """300 sockets that each stop in the middle of a message: the module's memory bound holds over them."""
    wires = []
    try:
        for number in range(300):
            raw = Wire(server.port)
            wires.append(raw)
            raw.send(frame(TEXT, b" " * 7_000, announced=60_000))
        bystander.works()
    finally:
        for raw in wires:
            raw.socket.close()


def test_a_flood_of_open_commands_is_refused_not_queued(wire):
    wire.send(b"".join(frame(TEXT, b'{"id":%d,"history":{"conversation":"no-such","after":0}}' % n) for n in range(10, 2010)))
    codes = {}
    for _ in range(2000):
        code = wire.reply()["error"]["code"]
        codes[code] = codes.get(code, 0) + 1
    assert set(codes) == {"not_found", "too_many_open_commands"} and codes["not_found"] >= 256, codes
    is_alive(wire)


def test_refused_sends_of_a_member_change_nothing(bystander):
    for fields, code in (({"kind": "nonsense"}, "invalid_field"), ({"body": {"text": 7}}, "invalid_field"), ({"body": {}}, "invalid_field"),
                         ({"client_msg_id": "a b"}, "invalid_field"), ({"client_msg_id": "x" * 65}, "invalid_field"),
                         ({"reply_to": 99}, "not_found"), ({"reply_to": "1"}, "invalid_request"), ({"mentions": ["b b"]}, "invalid_field")):
        with pytest.raises(Answered) as answered:
            whole = {"conversation": bystander.conv, "client_msg_id": "refused", "kind": "text", "body": {"text": "x"}, **fields}
            bystander.ann.call("send", whole)
        assert answered.value.code == code, (fields, answered.value)
