"""Limits of one address, user, key and connection: each refuses what is too much, says when to come back, and harms nobody else."""

import contextlib
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import binary
from peer import Answered, Peer, dial
from rest import Refused, Rest
from server import Server, engine
from streampeer import Refusal, StreamPeer
from websockets.exceptions import ConnectionClosed
from wire import TEXT, Wire, frame

LIMITS = {"LOOPBACK": "true", "ADDRESS_UNAUTHENTICATED": "5", "ADDRESS_SOCKETS_PER_SECOND": "12", "ADDRESS_REQUESTS_PER_SECOND": "60",
          "USER_CONNECTIONS": "3", "USER_MESSAGES_PER_SECOND": "10", "CONNECTION_COMMANDS_PER_SECOND": "20",
          "CONNECTION_BYTES_PER_SECOND": "100000", "KEY_REQUESTS_PER_SECOND": "30"}
# A bucket holds a second's worth (docs/PROTOCOL.md §11): whatever was taken from it, it is full again after that.
FULL_SECONDS = 1


@contextlib.contextmanager
def with_limits(root, env=None, **limits):
    limits = {f"TOKENIM_LIMITS__{name.upper()}": str(limit) for name, limit in limits.items()}
    running = Server(binary(), root, env={**(engine() or {}), **(env or {}), **limits})
    try:
        running.bootstrap()
        running.start()
        yield running
        assert running.terminate() == 0, running.tail()
    finally:
        running.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with with_limits(tmp_path_factory.mktemp("limits"), {"TOKENIM_SERVER__TRUSTED_PROXIES": "127.0.0.1"}, **LIMITS) as running:
        yield running


@pytest.fixture
def tokens(server):
    """Tokens and a conversation, made slowly enough."""
    time.sleep(FULL_SECONDS)
    rest = Rest(server.url, server.identity["key"], server.private)
    conv = rest.create("group", ["alice", "bob"])["id"]
    return {name: rest.token(name) for name in ("alice", "bob")}, conv


def from_address(address):
    return [f"X-Forwarded-For: {address}"]


def test_an_address_has_so_many_sockets_that_are_not_connected(server, tokens):
    time.sleep(FULL_SECONDS)
    silent = [Wire(server.port, headers=from_address("203.0.113.7")) for _ in range(5)]
    try:
        with Wire(server.port, headers=from_address("203.0.113.7")) as refused:
            code, reason, _ = refused.closed()
            assert (code, json.loads(reason)["code"]) == (4009, "address_limit")
            assert json.loads(reason)["retry_after_ms"] > 0
        with Wire(server.port, headers=from_address("203.0.113.8")) as other:
            other.text(json.dumps({"id": 1, "connect": {"token": tokens[0]["alice"]}}))
            assert "ok" in other.reply(), "another address is not touched"
        silent[0].text(json.dumps({"id": 1, "connect": {"token": tokens[0]["alice"]}}))
        assert "ok" in silent[0].reply()
        with Wire(server.port, headers=from_address("203.0.113.7")) as next_one:
            next_one.text(json.dumps({"id": 1, "connect": {"token": tokens[0]["bob"]}}))
            assert "ok" in next_one.reply(), "who is connected counts no more"
    finally:
        [wire.socket.close() for wire in silent]


def test_an_ipv6_network_is_one_address_with_a_pace(server):
    refused = 0
    for number in range(60):
        with Wire(server.port, headers=from_address(f"2001:db8:7::{number + 1:x}")) as wire:
            wire.text('{"pong":{}}')
            wire.send(frame(8, b"\x03\xe8"))
            refused += wire.closed()[0] == 4009
    assert 1 <= refused <= 48, refused


def test_streams_of_an_address_have_the_pace_of_its_sockets(server):
    time.sleep(FULL_SECONDS)
    # A user of its own: that a stream's client has gone is noticed late.
    token = Rest(server.url, server.identity["key"]).token("carol")

    def code(number):
        asked = urllib.request.Request(f"{server.url}/v1/stream?device=s{number}", headers={
            "Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.9"})
        try:
            urllib.request.urlopen(asked, timeout=10).close()
            return "ok"
        except urllib.error.HTTPError as refused:
            error = json.loads(refused.read())["error"]
            assert (refused.code, error["retry_after_ms"] > 0) == (429, True)
            return error["code"]

    codes = [code(number) for number in range(25)]
    assert codes[0] == "ok" and 1 <= codes.count("address_limit") <= 13, codes


def test_a_user_has_so_many_connections_and_the_same_device_gives_way(server, tokens):
    tokens, _ = tokens
    first = [dial(server, tokens["alice"], device)[0] for device in ("d1", "d2", "d3")]
    try:
        with Peer(server.socket_url) as fourth:
            with pytest.raises(Answered, match="connection_limit") as refused:
                fourth.connect(tokens["alice"], "d4")
            error = refused.value.error
            assert (error["feature"], error["limit"]) == ("user_connections", 3) and error["retry_after_ms"] > 0
            assert fourth.closed()[0] == 4009
        with pytest.raises(Refusal, match="connection_limit") as refused:
            StreamPeer(server.socket_url).open(tokens["alice"], "?device=d4")
        assert refused.value.status == 429
        again, _ = dial(server, tokens["alice"], "d2")
        with again:
            assert first[1].closed()[0] == 4409
            bob, _ = dial(server, tokens["bob"], "d1")
            bob.stack.close()
    finally:
        [peer.stack.close() for peer in first]


def test_a_connection_has_a_pace_of_commands_and_bytes(server, tokens):
    alice, _ = dial(server, tokens[0]["alice"], "d1")
    with alice:
        waits = []
        for _ in range(30):
            try:
                alice.call("ping", {})
            except Answered as refused:
                assert refused.code == "rate_limited" and refused.error["feature"] == "connection_commands_per_second"
                waits.append(refused.error["retry_after_ms"])
        assert waits and all(0 < wait <= 1000 for wait in waits)
        time.sleep(FULL_SECONDS)
        with pytest.raises(Answered, match="connection_bytes_per_second"):
            for _ in range(3):
                alice.call("ping", {"x": "y" * 50_000})
        time.sleep(FULL_SECONDS)
        assert alice.call("ping", {}), "the connection stays"


FLOODS = {"pong": lambda ws: ws.send('{"pong":{}}'), "ping frame": lambda ws: ws.ping(), "pong frame": lambda ws: ws.pong(b"x")}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_what_nobody_answers_has_the_same_pace(server, tokens, flood):
    alice, _ = dial(server, tokens[0]["alice"], "d1")
    with alice:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(60):
                flood(alice.ws)
        code, reason = alice.closed()
        assert (code, reason["code"]) == (4009, "rate_limited") and 0 < reason["retry_after_ms"] <= 1000, reason


def test_a_user_has_a_pace_of_messages_over_all_its_connections(server, tokens):
    tokens, conv = tokens
    one, _ = dial(server, tokens["alice"], "d1")
    two, _ = dial(server, tokens["alice"], "d2")
    with one, two:
        sent, refused = 0, []
        for number in range(15):
            try:
                (one, two)[number % 2].send(conv, "x")
                sent += 1
            except Answered as answer:
                refused.append(answer.error)
        assert sent >= 10 and refused
        assert all(error["code"] == "rate_limited" and error["feature"] == "user_messages_per_second" for error in refused)
        bob, _ = dial(server, tokens["bob"], "d1")
        with bob:
            assert bob.send(conv, "bob is not alice")["seq"]


# Who shares the owner's limits with the first device of alice.
OWNERS = {"user": ("alice", "d2"), "app": ("bob", "d1"), "org": ("bob", "d1"), "address": ("bob", "d1")}


@pytest.mark.parametrize("owner", OWNERS)
def test_the_connections_of_an_owner_have_a_pace_of_commands_and_bytes_together(tmp_path, owner):
    commands, size = f"{owner}_commands_per_second", f"{owner}_bytes_per_second"
    sharer, device = OWNERS[owner]
    with with_limits(tmp_path, loopback="true", **{commands: 20, size: 100_000}) as server:
        rest = Rest(server.url, server.identity["key"])
        with dial(server, rest.token("alice"), "d1")[0] as one, dial(server, rest.token(sharer), device)[0] as two:
            time.sleep(FULL_SECONDS)
            refused = []
            for number in range(60):
                try:
                    (one, two)[number % 2].call("ping", {})
                except Answered as answer:
                    refused.append(answer.error)
            # What nobody answers is its own connection's: who shares a bucket with a flood is not closed for a pong.
            two.ws.send('{"pong":{}}')
            two.ws.pong(b"x")
            assert refused and all((error["code"], error["feature"], error["limit"]) == ("rate_limited", commands, 20) for error in refused)
            time.sleep(FULL_SECONDS)
            with pytest.raises(Answered, match=size):
                for number in range(4):
                    (one, two)[number % 2].call("ping", {"x": "y" * 50_000})
            time.sleep(FULL_SECONDS)
            assert one.call("ping", {}) and two.call("ping", {}), "the connections stay"


@pytest.mark.parametrize("owner", ("user", "app", "org"))
def test_an_owner_has_a_pace_of_connects(tmp_path, owner):
    with with_limits(tmp_path, **{f"{owner}_connects_per_second": 5}) as server:
        rest = Rest(server.url, server.identity["key"])
        names = ["alice"] * 30 if owner == "user" else [f"user{number}" for number in range(30)]
        tokens = {name: rest.token(name) for name in set(names)}
        refused = []
        for name in names:
            with Peer(server.socket_url) as peer:
                try:
                    peer.connect(tokens[name], "d")
                except Answered as answer:
                    refused.append((answer.error, peer.closed()))
        assert refused
        for error, (code, reason) in refused:
            assert (error["code"], error["feature"], code, reason["code"]) == ("rate_limited", f"{owner}_connects_per_second", 4009, "rate_limited")
            assert 0 < reason["retry_after_ms"] <= 1000
        with pytest.raises(Refusal, match="rate_limited") as stream:
            for _ in range(30):
                with StreamPeer(server.socket_url) as peer:
                    peer.open(tokens[names[-1]], "?device=d")
        assert stream.value.status == 429
        time.sleep(FULL_SECONDS)
        dial(server, tokens[names[0]], "d")[0].stack.close()


def ask(server, path, credential, address):
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {credential}", "X-Forwarded-For": address})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.headers, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def test_rest_has_a_pace_by_key_and_tells_where_it_stands(server):
    time.sleep(FULL_SECONDS)
    status, headers, _ = ask(server, "/v1/stats", server.identity["key"], "198.51.100.1")
    assert (status, headers["ratelimit-limit"], headers["ratelimit-remaining"], headers["ratelimit-reset"]) == (200, "30", "29", "1")
    answers = [ask(server, "/v1/stats", server.identity["key"], f"198.51.100.{number}") for number in range(1, 51)]
    refused = [(headers, body["error"]) for status, headers, body in answers if status == 429]
    assert refused
    for headers, error in refused:
        assert (error["code"], error["feature"], headers["ratelimit-remaining"]) == ("rate_limited", "key_requests_per_second", "0")
        assert int(headers["retry-after"]) >= 1 and error["retry_after_ms"] > 0


def test_rest_has_a_pace_by_address_before_any_credential(server):
    with ThreadPoolExecutor(8) as pool:  # together, so that a slow machine is faster than the pace too
        answers = list(pool.map(lambda _: ask(server, "/v1/stats", "nonsense", "198.51.100.77"), range(200)))
    assert {body["error"]["code"] for _, _, body in answers} == {"token_invalid", "rate_limited"}
    limited = [headers for status, headers, _ in answers if status == 429]
    assert limited and all(headers["ratelimit-limit"] == "60" and headers["retry-after"] for headers in limited)
    assert ask(server, "/v1/stats", "nonsense", "198.51.100.78")[0] == 401
