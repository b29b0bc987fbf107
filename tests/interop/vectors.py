"""The golden vectors of protocol/vectors: reading them, and the world in which those of the server hold."""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "protocol" / "vectors"
VERSION = 1
# Short for what is too long to write down: see the README beside the vectors.
SHORT = {
    "$text": lambda size: "x" * size,
    "$users": lambda count: [f"u{n}" for n in range(count)],
    "$heads": lambda count: {f"u{n}": [1, 1] for n in range(count)},
    "$keys": lambda count: {f"k{n}": 0 for n in range(count)},
    "$levels": lambda count: json.loads("[" * count + "]" * count),
}
# What differs from run to run, as the vectors have it.
MASKS = (
    (r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", "2026-01-01T00:00:00.000Z"), (r"^(msg|conv|upl|att)_[0-9a-z]{26}$", r"\1_00000000000000000000000000"),
    (r"^tims_.*$", "tims_0"), (r"^\d{13}:", "1767225600000:"))


def cases(name):
    """The cases of one file: name, input, expected."""
    whole = json.loads((FOLDER / f"{name}.json").read_text())
    assert whole["version"] == VERSION and whole["cases"], name
    return whole["cases"]


def full(value, **words):
    """An input with what stands for something long, or for `words`, written out."""
    if isinstance(value, dict):
        (key, size), *more = value.items() or [(None, None)]
        return SHORT[key](size) if key in SHORT and not more else {key: full(inner, **words) for key, inner in value.items()}
    if isinstance(value, list):
        return [full(inner, **words) for inner in value]
    return words.get(value[1:], value) if isinstance(value, str) and value.startswith("$") else value


def masked(value):
    """An answer without what differs from run to run: times, ids made by the server, session tokens, seconds left."""
    if isinstance(value, dict):
        return {key: 3600 if key == "expires_in_s" else 0 if key == "version" else masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    for pattern, stands in MASKS if isinstance(value, str) else ():
        value = re.sub(pattern, stands, value)
    return value


def build_world(rest):
    """What the vectors of commands and replies are about.

    Alice owns the group `c1` of Bob and Carol; Bob owns `c2` with Alice in it, the open `c3`, and `c9`, of which she knows nothing.
    """
    def conversation(ident, members, **settings):
        rest.call("POST", "/v1/conversations", {"kind": "group", "id": ident, "members": members})
        if settings:
            rest.call("PATCH", f"/v1/conversations/{ident}", settings)

    conversation("c1", ["alice", "bob", "carol"])
    for sender, ident in (("alice", "m1"), ("bob", "m2")):
        rest.call("POST", "/v1/conversations/c1/messages", {"sender": sender, "client_msg_id": ident, "kind": "text", "body": {"text": ident}})
    conversation("c2", ["bob", "alice"])
    rest.call("POST", "/v1/conversations/c2/messages", {"sender": "bob", "client_msg_id": "m1", "kind": "text", "body": {"text": "m1"}})
    conversation("c3", ["bob"], join="open")
    conversation("c4", ["bob"], join="approval")
    conversation("c5", ["alice"], join="approval")
    rest.call("POST", "/v1/conversations/c5/join", {"user": "dave"})
    conversation("c9", ["bob", "dave"])
