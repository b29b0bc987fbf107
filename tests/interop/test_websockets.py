"""The protocol from a client that is not ours: connect, create, send, receive, miss, recover, read back, be billed."""

import uuid

import peer
import pytest
from peer import Answered, Peer, dial
from rest import Refused, compact, sign_token
from streampeer import StreamPeer

BACKLOG_MAX = 300


def outcomes(reply):
    """Conversation to outcome; every head is answered once."""
    found = {entry["conversation"]: entry["outcome"] for entry in reply["sync"]}
    assert len(found) == len(reply["sync"])
    return found


@pytest.fixture(params=["json", "msgpack", "json deflate", "msgpack deflate", "stream"], autouse=True)
def wire(request, monkeypatch):
    """Every story is told in every encoding, plain and compressed, and without a socket."""
    if request.param == "stream":
        monkeypatch.setattr(peer, "Peer", StreamPeer)
        return
    encoding, *compression = request.param.split()
    monkeypatch.setattr(Peer, "subprotocol", f"tokenim.v1.{encoding}")
    monkeypatch.setattr(Peer, "compression", compression[0] if compression else None)


@pytest.fixture
def pair(server, rest):
    """Alice and Bob online in a fresh group; yields (alice, bob, conversation)."""
    conv = rest.create("group", ["alice", "bob"])["id"]
    alice, _ = dial(server, rest.token("alice"), "d1")
    bob, _ = dial(server, rest.token("bob"), "d1")
    with alice, bob:
        yield alice, bob, conv


def test_connect_announces_what_a_client_needs(server, rest):
    client, reply = dial(server, sign_token(server.identity["signing"], server.identity["app"], "alice"), "phone")
    with client:
        if not isinstance(client, StreamPeer):
            assert client.ws.subprotocol == Peer.subprotocol
            extensions = [extension.name for extension in client.ws.protocol.extensions]
            assert extensions == (["permessage-deflate"] if Peer.compression else [])
        assert (reply["user"], reply["device"], reply["resumed"]) == ("alice", "phone", False)
        assert reply["limits"]["frame_bytes"] == 64 * 1024
        assert {"session", "server_time", "ping_interval_ms", "silence_ms", "expires_in_s", "reconnect", "features", "sync"} <= set(reply)
        assert {"first_ms", "base_ms", "cap_ms", "stable_ms"} <= set(reply["reconnect"])
        assert client.call("ping", {})


def test_the_session_token_connects_again(server, rest):
    client, reply = dial(server, rest.token("alice"), "d1")
    client.stack.close()
    with peer.Peer(server.socket_url) as again:
        resumed = again.call("connect", {"session": reply["session"], "device": "d1"})
        assert (resumed["user"], resumed["device"], resumed["resumed"]) == ("alice", "d1", True)


def test_a_message_reaches_the_other_member_and_the_senders_other_device(server, rest, pair):
    alice, bob, conv = pair
    tablet, _ = dial(server, rest.token("alice"), "tablet")
    with tablet:
        cmid = str(uuid.uuid4())
        ack = alice.send(conv, "hello, 世界", cmid)
        assert (ack["duplicate"], ack["billed"], ack["epoch"]) == (False, 1, 1)
        push = bob.push()
        assert {key: push[key] for key in ("conversation", "seq", "id", "epoch", "at")} == {
            "conversation": conv, "seq": ack["seq"], "id": ack["id"], "epoch": 1, "at": ack["at"]}
        assert (push["sender"], push["client_msg_id"], push["kind"]) == ("alice", cmid, "text")
        assert push["body"] == {"text": "hello, 世界"}
        assert push["msg_no"] == 1
        assert tablet.push() == push
        assert alice.nothing_came(), "the sending connection has the ack and gets no push"


def test_a_retry_is_stored_once_and_another_body_is_a_conflict(rest, pair):
    alice, bob, conv = pair
    cmid = str(uuid.uuid4())
    first, again = alice.send(conv, "once", cmid), alice.send(conv, "once", cmid)
    assert again == {**first, "duplicate": True, "billed": again["billed"]}
    with pytest.raises(Answered, match="conflict"):
        alice.send(conv, "other", cmid)
    with pytest.raises(Refused) as refused:
        rest.call("POST", f"/v1/conversations/{conv}/messages",
                  {"sender": "alice", "client_msg_id": cmid, "kind": "text", "body": {"text": "other"}})
    assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert bob.push()["seq"] == first["seq"]
    assert bob.nothing_came()
    assert [e["seq"] for e in rest.read_log(conv)[0] if e["type"] == "message"] == [first["seq"]]


def test_what_was_missed_comes_in_order_before_what_is_live(server, rest, pair):
    alice, bob, conv = pair
    last = alice.send(conv, "seen")["seq"]
    assert bob.push()["seq"] == last
    bob.stack.close()
    missed = [alice.send(conv, f"missed {n}")["seq"] for n in range(20)]
    rest.call("POST", f"/v1/conversations/{conv}/messages",
              {"sender": "alice", "client_msg_id": "by-rest", "kind": "json", "body": [1, None, "x"]})
    rest.settle()
    bob, reply = dial(server, rest.token("bob"), "d1", {conv: [1, last]})
    with bob:
        assert outcomes(reply)[conv] == "recovered"
        live = alice.send(conv, "live")["seq"]
        events = bob.events(22)
        assert [event["seq"] for event in events] == [*missed, missed[-1] + 1, live]
        assert events == rest.read_log(conv)[0][last:], "pushes and history carry the same objects"
        assert bob.nothing_came()


def test_history_by_socket_and_by_rest_are_the_same(rest, pair):
    alice, bob, conv = pair
    for number in range(7):
        alice.send(conv, f"text {number}")
    events, head, epoch = rest.read_log(conv)
    assert [event["seq"] for event in events] == list(range(1, head + 1))
    page = bob.call("history", {"conversation": conv, "after": 0, "limit": 200})
    assert (page["items"], page["head"], page["epoch"]) == (events, head, epoch)
    assert bob.call("history", {"conversation": conv, "after": head - 2, "limit": 1})["items"] == events[-2:-1]
    assert bob.call("history", {"conversation": conv, "before": 3, "limit": 200})["items"] == events[:2]


def test_too_much_missed_says_so_and_is_paged(server, rest, pair):
    alice, bob, conv = pair
    bob.stack.close()
    opened = [alice.write("send", {"conversation": conv, "client_msg_id": f"bulk-{n}", "kind": "text", "body": {"text": str(n)}})
              for n in range(200)]
    seqs = [alice.answer(ident)["seq"] for ident in opened]
    assert seqs == sorted(seqs), "sends of one connection commit in the order they were sent"
    for number in range(200, BACKLOG_MAX + 10):
        alice.send(conv, str(number), f"bulk-{number}")
    rest.settle()
    bob, reply = dial(server, rest.token("bob"), "d1", {conv: [1, 1]})
    with bob:
        assert outcomes(reply)[conv] == "too_far"
        after, seen = 1, []
        while True:
            items = bob.call("history", {"conversation": conv, "after": after, "limit": 200})["items"]
            if not items:
                break
            seen += items
            after = items[-1]["seq"]
        assert seen == rest.read_log(conv)[0][1:]
        assert bob.nothing_came(), "nothing is replayed where paging was asked for"


def test_every_head_has_an_explicit_outcome(server, rest, pair):
    alice, bob, conv = pair
    stranger = rest.create("group", ["carol", "dave"])["id"]
    _, head, _ = rest.read_log(conv)
    other = rest.create("group", ["bob", "carol"])["id"]
    client, reply = dial(server, rest.token("bob"), "d2", {conv: [1, head], other: [7, 3], stranger: [1, 0], "no-such": [1, 5]})
    with client:
        assert outcomes(reply) == {conv: "recovered", other: "epoch_changed", stranger: "not_member", "no-such": "not_member"}


def test_a_direct_conversation_is_one_per_pair_also_over_the_socket(rest, pair):
    alice, _, _ = pair
    made = alice.call("conversation.create", {"kind": "direct", "members": ["bob"]})
    assert rest.create("direct", ["bob", "alice"])["id"] == made["id"]
    assert alice.call("conversation.create", {"kind": "direct", "members": ["bob"]})["id"] == made["id"]


def test_a_removed_member_sees_and_sends_nothing_more(rest, pair):
    alice, bob, conv = pair
    alice.call("conversation.remove", {"conversation": conv, "members": ["bob"]})
    removal = bob.push("member")
    after = alice.send(conv, "without bob")["seq"]
    assert after > removal["seq"]
    assert bob.nothing_came()
    for attempt in (lambda: bob.send(conv, "still here?"), lambda: bob.call("history", {"conversation": conv, "after": 0})):
        with pytest.raises(Answered, match="not_found"):
            attempt()


def test_a_read_mark_reaches_the_other_member(pair):
    alice, bob, conv = pair
    seq = alice.send(conv, "read me")["seq"]
    bob.push()
    bob.call("read", {"conversation": conv, "seq": seq})
    receipt = alice.push("receipt")
    while "read" not in receipt:
        receipt = alice.push("receipt")
    assert (receipt["conversation"], receipt["user"], receipt["read"]) == (conv, "bob", seq)


def test_unknown_fields_are_ignored_and_the_socket_stays(pair):
    alice, bob, conv = pair
    ack = alice.send(conv, "from the future", tomorrow={"a": [1]})
    assert bob.push()["id"] == ack["id"]


def test_usage_counts_units_of_what_was_stored(rest, pair):
    alice, _, conv = pair
    before = rest.sent_units()
    overhead = len(compact({"text": ""}))
    for size, units in ((1, 1), (5120 - overhead, 1), (5121 - overhead, 2), (60_000, 12)):
        assert alice.send(conv, "x" * size)["billed"] == units
    cmid = str(uuid.uuid4())
    alice.send(conv, "twice", cmid)
    alice.send(conv, "twice", cmid)
    with pytest.raises(Answered):
        alice.send("no-such-conversation", "refused")
    assert rest.sent_units() == before + 1 + 1 + 2 + 12 + 1
