"""Tokens that must not connect: an error reply with its code, then the close code that tells the client what to do."""

import json
import time

import pytest
from rest import Refused, Rest, sign_token
from wire import Wire

DAY = 24 * 3600


def attempt(server, fields):
    """Connects with the given fields; returns (error code of the reply, close code, code in the close reason)."""
    with Wire(server.port) as raw:
        raw.text(json.dumps({"id": 1, "connect": {"device": "d1", **fields}}))
        close, reason, replies = raw.closed()
    assert [reply["id"] for reply in replies] == [1], replies
    return replies[0]["error"]["code"], close, json.loads(reason)["code"]


def now(offset):
    return int(time.time()) + offset


BAD = {
    "forged signature": lambda us, them: sign_token(us["signing"], us["app"], "alice", secret="x" * 43),
    "empty secret": lambda us, them: sign_token(us["signing"], us["app"], "alice", secret=""),
    "the API key as secret": lambda us, them: sign_token(us["signing"], us["app"], "alice", secret=us["key"]),
    "alg none": lambda us, them: sign_token(us["signing"], us["app"], "alice", header={"alg": "none"}),
    "alg None": lambda us, them: sign_token(us["signing"], us["app"], "alice", header={"alg": "None"}),
    "alg HS512": lambda us, them: sign_token(us["signing"], us["app"], "alice", header={"alg": "HS512"}),
    "alg RS256": lambda us, them: sign_token(us["signing"], us["app"], "alice", header={"alg": "RS256"}),
    "unknown crit": lambda us, them: sign_token(us["signing"], us["app"], "alice", header={"crit": ["x"]}),
    "no kid": lambda us, them: sign_token(us["signing"], us["app"], "alice", header={"kid": None}),
    "unknown kid": lambda us, them: sign_token({**us["signing"], "kid": "sk_unknown"}, us["app"], "alice"),
    "wrong aud": lambda us, them: sign_token(us["signing"], "app_wrong", "alice"),
    "aud of another org": lambda us, them: sign_token(us["signing"], them["app"], "alice"),
    "key of another org": lambda us, them: sign_token(them["signing"], us["app"], "alice"),
    "kid of another org, our secret": lambda us, them: sign_token(us["signing"], us["app"], "alice",
                                                                  header={"kid": them["signing"]["kid"]}),
    "iss is not kid": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"iss": them["signing"]["kid"]}),
    "no aud": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"aud": None}),
    "no sub": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"sub": None}),
    "no exp": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"exp": None}),
    "no iat": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"iat": None}),
    "exp as text": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"exp": str(now(600))}),
    "lives over a day": lambda us, them: sign_token(us["signing"], us["app"], "alice", ttl=DAY + 60),
    "not yet valid": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"nbf": now(600)}),
    "issued in the future": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"iat": now(600), "exp": now(900)}),
    "sub that is no user id": lambda us, them: sign_token(us["signing"], us["app"], "alice smith"),
    "sub of another type": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"sub": ["alice"]}),
    "text": lambda us, them: "not-a-token",
    "dots": lambda us, them: "..",
    "empty": lambda us, them: "",
    "the API key": lambda us, them: us["key"],
    "too long": lambda us, them: sign_token(us["signing"], us["app"], "alice", claims={"pad": "x" * 5000}),
    "one byte changed": lambda us, them: flip(sign_token(us["signing"], us["app"], "alice")),
    "another signature": lambda us, them: sign_token(us["signing"], us["app"], "alice").rpartition(".")[0] + "."
                         + sign_token(us["signing"], us["app"], "bob").rpartition(".")[2],
}


def flip(token):
    """Changes a character in the middle of the claims."""
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_answered_and_closed_4401(server, rest, name):
    before = rest.usage()
    assert attempt(server, {"token": BAD[name](server.identity, server.other)}) == ("token_invalid", 4401, "token_invalid")
    assert rest.usage() == before


def test_an_expired_token_closes_4101(server):
    us = server.identity
    token = sign_token(us["signing"], us["app"], "alice", claims={"iat": now(-600), "exp": now(-120)})
    assert attempt(server, {"token": token}) == ("token_expired", 4101, "token_expired")


@pytest.mark.parametrize("session", ["", "x", "a.b.c", "A" * 500])
def test_a_bad_session_says_so(server, session):
    code, close, reason = attempt(server, {"session": session})
    assert (code, close, reason) == ("session_invalid", 4401, "session_invalid")


def test_no_credential_at_all(server):
    assert attempt(server, {}) == ("invalid_request", 4401, "unauthenticated")


def test_the_honest_token_next_to_them_connects(server):
    us = server.identity
    with Wire(server.port) as raw:
        raw.text(json.dumps({"id": 1, "connect": {"token": sign_token(us["signing"], us["app"], "alice"), "device": "d1"}}))
        assert "ok" in raw.reply()


def test_another_orgs_key_sees_nothing_of_ours(server, rest):
    conv = rest.create("group", ["alice", "bob"])["id"]
    theirs = Rest(server.url, server.other["key"])
    for ident in (conv, "no-such-conversation"):
        with pytest.raises(Refused) as refused:
            theirs.read_log(ident)
        assert (refused.value.status, refused.value.code) == (404, "not_found")
    assert theirs.usage() == []


@pytest.mark.parametrize("key, expected", [("", 401), ("nonsense", 401), ("tim_live_sk_" + "a" * 36, 401)])
def test_bad_api_keys_are_refused(server, key, expected):
    with pytest.raises(Refused) as refused:
        Rest(server.url, key).usage()
    assert refused.value.status == expected
