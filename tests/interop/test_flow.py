"""Flow: readers that stop or keep reconnecting never miss an event without being told, and never see one out of order."""

import json
import threading
import uuid

from peer import SECONDS, dial
from websockets.exceptions import ConnectionClosed
from wire import CLOSE, TEXT, Wire

LARGE = 60_000
LARGE_COUNT = 400
ROUND = 8
STREAM_COUNT = 4_000
RECONNECTS_MIN = 20
# Alice stays less far ahead than a connect replays, so every outcome must be `recovered`.
AHEAD_MAX = 200
STOP_AFTER = 300


def fields(conv, text):
    return {"conversation": conv, "client_msg_id": str(uuid.uuid4()), "kind": "text", "body": {"text": text}}


def test_a_reader_that_stops_is_told_what_it_misses(server, rest):
    """While nobody reads, 24 MB are sent: what arrives afterwards is contiguous up to a resync or the close 4008."""
    conv = rest.create("group", ["alice", "bob"])["id"]
    alice, _ = dial(server, rest.token("alice"), "d1")
    with alice, Wire(server.port) as slow:
        slow.text(json.dumps({"id": 1, "connect": {"token": rest.token("bob"), "device": "slow", "heads": {conv: [1, 0]}}}))
        # Quickly: the slow one has five seconds to take its close frame, and reads only after all of this.
        for start in range(0, LARGE_COUNT, ROUND):
            for ident in [alice.write("send", fields(conv, f"{number} " + "x" * LARGE)) for number in range(start, start + ROUND)]:
                last = alice.answer(ident)["seq"]
        seqs, end = read_until_told(slow, last)
    assert seqs == list(range(1, len(seqs) + 1)), "a gap that nobody announced"
    assert end in ("resync", 4008), f"24 MB cannot have been queued: {end} after seq {len(seqs)} of {last}"
    bob, reply = dial(server, rest.token("bob"), "slow", {conv: [1, len(seqs)]})
    with bob:
        assert reply["sync"][0]["outcome"] in ("recovered", "too_far")


def read_until_told(slow, last):
    """Reads sequenced pushes until the last seq, a resync or a close; returns (seqs, what ended it)."""
    seqs = []
    while True:
        opcode, payload = slow.read()
        if opcode == CLOSE:
            return seqs, int.from_bytes(payload[:2], "big")
        assert opcode == TEXT
        push = json.loads(payload).get("push", {})
        if push.get("type") == "resync":
            return seqs, "resync"
        if "seq" in push:
            seqs.append(push["seq"])
            if push["seq"] == last:
                return seqs, "all of it"


def test_reconnecting_amid_traffic_loses_nothing(server, rest):
    """Bob's connection breaks over and over while Alice sends: each new one continues exactly at his head."""
    conv = rest.create("group", ["alice", "bob"])["id"]
    token, failures = rest.token("alice"), []
    room = threading.Semaphore(AHEAD_MAX)

    def send():
        try:
            alice, _ = dial(server, token, "d1")
            with alice:
                window = []
                for number in range(STREAM_COUNT):
                    assert room.acquire(timeout=SECONDS)
                    window.append(alice.write("send", fields(conv, str(number))))
                    if len(window) > 20:
                        alice.answer(window.pop(0))
                for ident in window:
                    alice.answer(ident)
        except BaseException as error:
            failures.append(error)
            raise

    sender = threading.Thread(target=send)
    sender.start()
    last, connects, token = 0, 0, rest.token("bob")
    try:
        while last < STREAM_COUNT + 1 and not failures:
            bob, reply = dial(server, token, "d1", {conv: [1, last]})
            with bob:
                connects += 1
                assert reply["sync"][0]["outcome"] == "recovered"
                head = reply["sync"][0]["head"]
                while last < min(head + 10, STREAM_COUNT + 1):
                    last = next_event(bob, conv, last)
                    room.release()
                bob.drop()
    finally:
        sender.join()
    assert not failures
    assert connects >= RECONNECTS_MIN
    assert last == STREAM_COUNT + 1


def next_event(bob, conv, last):
    """Takes the next new push, which must be the next seq; the wire may repeat older ones (PROTOCOL section 2)."""
    while True:
        event = bob.events(1)[0]
        assert event["conversation"] == conv
        assert event["seq"] <= last + 1, f"seq {event['seq']} after {last}"
        if event["seq"] == last + 1:
            return event["seq"]


def test_a_stop_under_load_keeps_what_it_acknowledged(server, rest):
    """SIGTERM while sends are under way: exit 0, clients are told to come back, and after the start nothing acked is missing."""
    conv = rest.create("group", ["alice", "bob"])["id"]
    alice, _ = dial(server, rest.token("alice"), "d1")
    bob, _ = dial(server, rest.token("bob"), "d1")
    status, acked, opened = [], {}, []
    stopper = threading.Thread(target=lambda: status.append(server.terminate()))
    with alice, bob:
        try:
            for number in range(4 * STOP_AFTER):
                opened.append((alice.write("send", fields(conv, str(number))), number))
                if number == STOP_AFTER:
                    stopper.start()
                if len(opened) > 20:
                    ident, earlier = opened.pop(0)
                    acked[earlier] = alice.answer(ident)["seq"]
        except ConnectionClosed:
            pass
        stopper.join()
        assert status == [0]
        closed = bob.closed()
        assert (closed[0], closed[1]["code"]) == (4001, "draining")
        assert [push for push in bob.pushes if push["type"] == "drain"]
    server.start()
    stored = {event["body"]["text"]: event["seq"] for event in rest.read_log(conv)[0] if event["type"] == "message"}
    assert len(acked) >= STOP_AFTER - 20
    assert {number: stored[str(number)] for number in acked} == acked
