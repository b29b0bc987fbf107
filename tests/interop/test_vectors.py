"""The golden vectors of protocol/vectors: those of the server against a real one, those of a client against the reference client."""

import json
import time
from contextlib import nullcontext

import client
import msgpack
import pytest
from peer import Answered, Peer, dial
from rest import Rest
from streampeer import Refusal, StreamPeer
from vectors import FOLDER, build_world, cases, full, masked
from wire import Wire

TIMINGS = {"first_ms": 2000, "base_ms": 500, "cap_ms": 30_000, "stable_ms": 10_000}
# Files that a test here runs; one that no test runs fails.
RUN = {"frames", "codes"}


def run(name):
    """The cases of one file, each a test."""
    RUN.add(name)
    return pytest.mark.parametrize("case", cases(name), ids=lambda case: case["name"])


@pytest.fixture(scope="module")
def world(server, rest):
    build_world(rest)
    return rest


def state(rest):
    return [rest.read_log(conv) for conv in ("c1", "c2", "c3", "c4", "c5", "c9")], rest.usage()


REFUSED = {}
for each in cases("refusals"):
    REFUSED.setdefault(next(iter(each["input"])), []).append(each)


@pytest.mark.parametrize("command", REFUSED)
def test_what_is_refused_names_its_code_and_field_and_changes_nothing(server, world, command):
    before, token = state(world), world.token("alice")
    with dial(server, token, "d1")[0] as alice:
        for case in REFUSED[command]:
            # A `connect` is refused on a connection that is none yet.
            with Peer(server.socket_url) if command == "connect" else nullcontext(alice) as peer:
                with pytest.raises(Answered) as refused:
                    peer.call(command, full(case["input"][command], token=token))
            error = refused.value.error
            assert {key: error[key] for key in ("code", "param") if key in error} == case["expected"], case["name"]
        alice.call("ping", {})
    assert state(world) == before


@run("envelopes")
def test_an_envelope_is_taken_refused_or_the_end(server, world, case):
    expected = case["expected"]
    with Wire(server.port) as wire:
        wire.text(json.dumps({"id": 1, "connect": {"token": world.token("dave"), "device": "d1"}}))
        assert wire.reply()["id"] == 1
        wire.text(case["input"])
        if "close" in expected:
            code, reason, _ = wire.closed()
            assert {"close": code, **json.loads(reason)} == expected
            return
        if "id" in expected:
            reply = wire.reply()
            assert reply["id"] == expected["id"]
            assert "ok" in reply if "command" in expected else reply["error"]["code"] == expected["error"]["code"]
        wire.text('{"id":99,"ping":{}}')
        assert wire.reply()["id"] == 99


def test_replies_are_those_of_the_vectors(server):
    """One connection says all commands in their order, in a world of its own: the app of the other org."""
    rest = Rest(server.url, server.other["key"], server.private)
    build_world(rest)
    words = {"token": rest.token("alice")}
    with Peer(server.socket_url) as alice:
        for case in cases("replies"):
            (command, fields), = case["input"].items()
            reply = alice.call(command, full(fields, **words))
            words["upload"] = reply.get("upload", words.get("upload"))
            words["attachment"] = reply.get("attachment", {}).get("id", words.get("attachment"))
            assert masked(reply) == case["expected"], case["name"]


def test_frames_are_the_same_in_both_encodings():
    for case in cases("frames"):
        assert msgpack.unpackb(bytes.fromhex(case["expected"])) == json.loads(case["input"]), case["name"]


@run("reading")
def test_gaps_and_repeats(case):
    reader = client.Reader(case["input"]["epoch"], case["input"]["last"])
    done = [reader.step(*item) for step in case["input"]["steps"] for item in step.items()]
    assert {"do": done, "last": reader.last, "waiting": sorted(reader.waiting)} == case["expected"]


@run("outcomes")
def test_outcomes_of_a_resume(case):
    assert client.resume(case["input"]["held"], case["input"]["entry"]) == case["expected"]


@run("unread")
def test_unread_is_a_matter_of_positions(case):
    numbers = client.count(case["input"]["events"])
    assert {"msg_no": numbers, "unread": client.unread(numbers, case["input"]["read"])} == case["expected"]


@run("waiting")
def test_how_long_to_wait(case):
    assert client.wait(**case["input"]) == case["expected"]


@run("retries")
def test_what_to_do_with_an_error(case):
    assert client.retry(**case["input"], timings=TIMINGS) == case["expected"]


@run("closes")
def test_what_to_do_with_a_close(case):
    assert client.closed(case["input"]["close"], case["input"]["reason"]) == case["expected"]


@pytest.mark.parametrize("name, rule", [
    ("units", client.units), ("ids", client.is_id), ("heads", client.heads), ("last_event_id", client.place_of)])
def test_pure_rules(name, rule):
    RUN.add(name)
    for case in cases(name):
        assert rule(case["input"]) == case["expected"], (name, case["name"])


def test_close_reasons_lead_where_their_codes_say():
    RUN.add("close_reasons")
    for case in cases("close_reasons"):
        told = client.closed(case["expected"]["close"], case["expected"]["reason"])
        assert told.get("retry_after_ms") == case["input"].get("retry_after_ms"), case["name"]


def test_units_and_ids_are_the_servers(server, rest):
    conv = rest.create("group", ["alice"])["id"]
    for case in cases("units"):
        if 2 <= case["input"] <= 65_536:
            body = {"sender": "alice", "client_msg_id": f"u{case['input']}", "kind": "json", "body": "x" * (case["input"] - 2)}
            sent = rest.call("POST", f"/v1/conversations/{conv}/messages", body)
            assert sent["billed"] == case["expected"], case["name"]
    with dial(server, rest.token("alice"), "d1")[0] as alice:
        for case in cases("ids"):
            with pytest.raises(Answered) as refused:
                alice.call("history", {"conversation": case["input"]})
            assert (refused.value.code == "not_found") is case["expected"], case["name"]


def test_the_id_of_an_event_is_read_by_the_server(server, rest):
    for case in cases("last_event_id"):
        if not case["input"]:
            continue  # An empty header is none.
        with StreamPeer(server.socket_url) as stream:
            if case["expected"] is None:
                with pytest.raises(Refusal, match="invalid_field"):
                    stream.open(rest.token("eve"), headers={"Last-Event-ID": case["input"]})
            else:
                stream.open(rest.token("eve"), headers={"Last-Event-ID": case["input"]})
                assert stream._frame()["ok"]["sync"] == [{"conversation": case["expected"][0], "outcome": "not_member"}]


def test_the_reference_client_keeps_a_log_whole_on_a_bad_line(server, rest):
    """Pushes are lost, doubled and swapped, the connection is cut; what the client applies is the log, once and in order."""
    conv = rest.create("group", ["alice", "bob"])["id"]
    applied, reader = [], None
    with dial(server, rest.token("alice"), "d1")[0] as alice:
        bob, reply = dial(server, rest.token("bob"), "d1", {conv: [1, 0]})
        entry = reply["sync"][0]
        done = client.resume([1, 0], entry)
        reader = client.Reader(done["epoch"], done["last"])

        def act(done):
            for do in done if isinstance(done, list) else [done]:
                if isinstance(do, dict) and "apply" in do:
                    applied.extend(do["apply"])
                elif isinstance(do, dict) and "wait_ms" in do:
                    time.sleep(do["wait_ms"] / 1000)
                    act(reader.timeout(True))
                elif isinstance(do, dict):
                    page = bob.call("history", {"conversation": conv, "after": do["fetch"]["after"], "limit": 3})
                    act(reader.page([event["seq"] for event in page["items"]]))

        act([reader.event([event["epoch"], event["seq"]]) for event in bob.events(1)])
        for number in range(12):
            alice.send(conv, str(number))
        events = bob.events(12)
        # Lost: 4, 5, 9 and the last. Doubled: 3 and 8. Swapped: 10 and 11.
        for seq in (2, 3, 3, 6, 7, 8, 8, 11, 10, 12):
            event = next(event for event in events if event["seq"] == seq)
            act(reader.event([event["epoch"], event["seq"]]))
        act(reader.head([1, 13]))
        assert applied == list(range(1, 14))
        bob.drop()
        for number in range(3):
            alice.send(conv, f"away {number}")
        again, reply = dial(server, rest.token("bob"), "d1", {conv: [reader.epoch, reader.last]})
        with again:
            done = client.resume([reader.epoch, reader.last], reply["sync"][0])
            assert done == {"epoch": 1, "last": 13}
            for event in again.events(3):
                act(reader.event([event["epoch"], event["seq"]]))
            entry = next(one for one in again.call("sync", {})["conversations"] if one["conversation"] == conv)
        log = rest.call("GET", f"/v1/conversations/{conv}/messages?after=0")["items"]
        assert applied == [event["seq"] for event in log]
        numbers = client.count([event["type"] for event in log])
        assert numbers == [event["msg_no"] for event in log]
        assert entry["unread"] == client.unread(numbers, entry["read"])


def test_every_file_is_run():
    RUN.update(("refusals", "replies"))
    assert {path.stem for path in FOLDER.glob("*.json")} == RUN
