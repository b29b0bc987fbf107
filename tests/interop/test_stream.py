"""Server-sent events and commands over HTTP: a session without a socket, its ends and its refusals."""

import json
import threading
import time
import uuid

import pytest
from peer import Answered, dial
from rest import Rest
from streampeer import Refusal, StreamPeer


@pytest.fixture
def conv(rest):
    return rest.create("group", ["alice", "bob"])["id"]


def open_stream(server, token, device="d1", heads=None):
    stream = StreamPeer(server.socket_url)
    return stream, stream.connect(token, device, heads)


def send_fields(conv, text):
    return {"conversation": conv, "client_msg_id": str(uuid.uuid4()), "kind": "text", "body": {"text": text}}


def until_empty(rest):
    """Waits until no connection is left. That a client has gone is noticed when something is written to it."""
    conv = rest.create("group", ["alice", "bob", "carol"])["id"]
    for number in range(200):
        rest.call("POST", f"/v1/conversations/{conv}/messages",
                  {"sender": "alice", "client_msg_id": f"poke-{uuid.uuid4()}", "kind": "json", "body": number})
        if rest.call("GET", "/v1/stats")["connections"] == 0:
            return
        time.sleep(0.05)
    raise AssertionError("the connections are still counted")


def test_the_head_of_the_stream_and_its_events(server, rest, conv):
    stream = StreamPeer(server.socket_url)
    with stream:
        response = stream.open(rest.token("bob"), "?device=d1&sdk=test")
        assert response.headers["content-type"] == "text/event-stream"
        assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
        assert response.headers["x-request-id"].startswith("req_")
        first = json.loads(stream._event()["data"])
        assert first["id"] == 0 and first["ok"]["device"] == "d1"
        rest.call("POST", f"/v1/conversations/{conv}/messages",
                  {"sender": "alice", "client_msg_id": "a", "kind": "json", "body": [1]})
        event = stream._event()
        push = json.loads(event["data"])["push"]
        assert event["id"] == f"{push['epoch']}.{push['seq']}.{conv}"


def test_the_last_event_id_resumes_where_heads_do_not_say(server, rest, conv):
    alice, _ = dial(server, rest.token("alice"), "d1")
    bob, reply = open_stream(server, rest.token("bob"))
    with alice:
        first = alice.send(conv, "one")["seq"]
        assert bob.push()["seq"] == first
        bob.close()
        missed = [alice.send(conv, text)["seq"] for text in ("two", "three")]
        with StreamPeer(server.socket_url) as again:
            again.open(reply["session"], headers={"Last-Event-ID": bob.last_id})
            welcome = again._frame()["ok"]
            assert [(entry["conversation"], entry["outcome"]) for entry in welcome["sync"]] == [(conv, "recovered")]
            assert [event["seq"] for event in again.events(2)] == missed
        with StreamPeer(server.socket_url) as named:
            named.open(reply["session"], headers={"Last-Event-ID": bob.last_id, "Tokenim-Heads": json.dumps({conv: [1, missed[0]]})})
            named._frame()
            assert [event["seq"] for event in named.events(1)] == missed[1:]


def test_a_body_with_line_breaks_comes_as_it_was(server, rest, conv):
    bob, _ = open_stream(server, rest.token("bob"))
    with bob:
        text = '{"id":7,"send":{"conversation":"%s","client_msg_id":"nl","kind":"json","body":[1,\n\n 2]}}' % conv
        other, _ = open_stream(server, rest.token("alice"))
        with other:
            assert "ok" in other.post(text)
        event = bob._event()
        assert "[1,\n\n 2]" in event["data"]


def test_commands_without_a_stream_or_after_its_end_are_refused(server, rest):
    token = rest.token("alice")
    stream, reply = open_stream(server, token, "gone")
    with stream:
        assert "ok" in stream.post({"id": 1, "ping": {}})
        assert "ok" in stream.post({"id": 1, "ping": {}}, token, "?device=gone"), "a user token with the device does too"
        assert stream.post({"pong": {}}) == {}
    until_empty(rest)
    with pytest.raises(Refusal) as refused:
        stream.post({"id": 2, "ping": {}}, reply["session"])
    assert (refused.value.status, refused.value.code) == (409, "stream_ended")
    for query, credential, code in (("?device=other", token, "stream_ended"), ("", token, "invalid_request"),
                                    ("?device=other", reply["session"], "stream_ended"), ("", rest.credential, "forbidden"), ("", "x", "token_invalid")):
        with pytest.raises(Refusal) as refused:
            stream.post({"id": 1, "ping": {}}, credential, query)
        assert refused.value.code == code, query


def test_a_socket_takes_no_commands_by_http(server, rest):
    socket, reply = dial(server, rest.token("alice"), "sock")
    with socket:
        with pytest.raises(Refusal, match="stream_ended"):
            StreamPeer(server.socket_url).post({"id": 1, "ping": {}}, reply["session"])


def test_what_is_no_command_is_refused_and_the_stream_goes_on(server, rest, conv):
    stream, _ = open_stream(server, rest.token("alice"))
    with stream:
        for text in ("", "[]", "{", '{"send":{}}', '{"id":0,"ping":{}}', b'{"id":1,"x":"\xff"}'):
            with pytest.raises(Refusal) as refused:
                stream.post(text)
            assert (refused.value.status, refused.value.code) == (400, "invalid_request"), text
        with pytest.raises(Refusal) as refused:
            stream.post(json.dumps({"id": 1, "ping": {"x": "y" * 65_536}}))
        assert (refused.value.status, refused.value.code) == (413, "payload_too_large")
        for command, code in (({"id": 1, "nope": {}}, "unknown_command"), ({"id": 2, "ping": {}, "send": {}}, "invalid_request"),
                              ({"id": 3, "connect": {"token": "x"}}, "invalid_request"), ({"id": 4, "send": send_fields("no-such", "x")}, "not_found")):
            reply = stream.post(command)
            assert (reply["id"], reply["error"]["code"]) == (command["id"], code)
        assert stream.send(conv, "still here")["seq"]


def test_the_ways_a_stream_is_refused(server, rest):
    for query, headers, credential, status, code in (
            ("", {}, "nonsense", 401, "token_invalid"), ("", {}, rest.credential, 403, "forbidden"),
            ("?token=x", {}, rest.token("a"), 400, "token_in_url"), ("?what=x", {}, rest.token("a"), 400, "invalid_request"), ("?device=" + "x" * 65, {}, rest.token("a"), 422, "invalid_field"),
            ("", {"Tokenim-Heads": "[1]"}, rest.token("a"), 400, "invalid_request"), ("", {"Last-Event-ID": "7"}, rest.token("a"), 422, "invalid_field"),
            ("", {"Tokenim-Heads": json.dumps({f"c{n}": [1, 1] for n in range(201)})}, rest.token("a"), 422, "limit_reached"),
            ("", {"Tokenim-Heads": '{"c1": [1, -1]}'}, rest.token("a"), 422, "invalid_field"), ("", {"Last-Event-ID": "1.-1.c1"}, rest.token("a"), 422, "invalid_field")):
        with pytest.raises(Refusal) as refused:
            StreamPeer(server.socket_url).open(credential, query, headers)
        assert (refused.value.status, refused.value.code) == (status, code), (query, headers)
    before = rest.call("GET", "/v1/stats")["connections"]
    with pytest.raises(Refusal):
        StreamPeer(server.socket_url).open(rest.token("a"), "?device=bad%20id")
    assert rest.call("GET", "/v1/stats")["connections"] == before


def test_a_stream_counts_as_a_connection_and_leaves_with_its_client(server, rest):
    until_empty(rest)
    streams = [open_stream(server, rest.token("carol"), f"d{number}")[0] for number in range(3)]
    assert rest.call("GET", "/v1/stats")["connections"] == 3
    streams[0].close()
    streams[1].drop()
    streams[2].close()
    until_empty(rest)


def test_commands_at_once_are_each_answered_once(server, rest, conv):
    stream, _ = open_stream(server, rest.token("alice"))
    bob, _ = dial(server, rest.token("bob"), "d1")
    with stream, bob:
        replies = {}

        def send(number):
            replies[number] = stream.post({"id": number, "send": send_fields(conv, str(number))})

        threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 41)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert all(replies[number]["id"] == number for number in replies) and len(replies) == 40
        seqs = sorted(reply["ok"]["seq"] for reply in replies.values())
        assert [event["seq"] for event in bob.events(40)] == seqs
        assert stream.nothing_came(), "the sending connection has the replies and gets no push"


def test_a_drain_tells_the_stream_and_ends_it(server, rest):
    stream, _ = open_stream(server, rest.token("alice"))
    with stream:
        assert server.terminate() == 0
        assert stream.push("drain")["retry_after_ms"] >= 0
        code, reason = stream.closed()
        assert (code, reason["code"]) == (4001, "draining")
    server.start()
    assert Rest(server.url, rest.credential).call("GET", "/v1/stats")["connections"] == 0


def test_a_token_of_other_rights_takes_no_commands_of_the_stream(server, rest, conv):
    stream, _ = open_stream(server, rest.token("alice"), "d1")
    narrow = rest.token("alice", caps={"other:*": ["read"]})
    with stream:
        with pytest.raises(Refusal) as refused:
            stream.post({"id": 1, "send": send_fields(conv, "x")}, narrow, "?device=d1")
        assert (refused.value.status, refused.value.code) == (403, "forbidden")
        assert "ok" in stream.post({"id": 2, "send": send_fields(conv, "y")})
    log = rest.call("GET", f"/v1/conversations/{conv}/messages?after=0")
    assert [event["type"] for event in log["items"]].count("message") == 1
