"""Groups 12 and 13 of the Autobahn test suite: permessage-deflate (RFC 7692), by kinds of data, sizes, fragments and offers.

The suite sends each message 1,000 times and reads it back; here a message is the text of a `send` that another member's compressed
connection gets as a push, `ROUNDS` times. Sizes are those of the whole envelope. The suite's 16 and 64 bytes are shorter than an
envelope can be and grow to the shortest; its 128 KiB are beyond the limit of a message and shrink to the largest. Where its fragments
would be more than 16, they are as large as it takes.
"""

import json
import random
from typing import NamedTuple

from conformance import FRAGMENTS_MAX, FRAME_BYTES_MAX, message

ROUNDS = 5
# Bytes of the shortest message with some text, and digits by which an id may grow.
SHORTEST, ID_DIGITS = 160, 4
SIZES = (16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072)
FRAGMENTED = ((8192, 256), (16384, 256), (32768, 256), (65536, 256), (131072, 256), (131072, 1024), (131072, 4096), (131072, 32768))


def from_alphabet(alphabet, seed):
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) for _ in range(FRAME_BYTES_MAX))


# As the suite's: prose, a picture, records, pages, and text of more than one byte a character.
KINDS = (
    "Habe nun, ach! Philosophie, Juristerei und Medizin, und leider auch Theologie durchaus studiert, mit heissem Bemuehn. ",
    from_alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 12),
    "".join(json.dumps({"id": n, "name": f"user {n * 7919 % 1000}", "tags": ["a", "b"]}).replace('"', "'") for n in range(999)),
    "<div class='row'><p>" + "</p></div><div class='row'><p>".join(map(str, range(2000))),
    "天地玄黄宇宙洪荒日月盈昃辰宿列张",
)
OURS = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
# The offers of group 13 and what is agreed; the server's window is 12, so it takes no offer of a smaller one.
OFFERS = (
    ("permessage-deflate", OURS),
    ("permessage-deflate; server_no_context_takeover; client_max_window_bits", OURS),
    ("permessage-deflate; server_max_window_bits=9", None),
    ("permessage-deflate; server_max_window_bits=15", f"{OURS}; server_max_window_bits=12"),
    ("permessage-deflate; server_no_context_takeover; server_max_window_bits=9", None),
    ("permessage-deflate; server_no_context_takeover; server_max_window_bits=15", f"{OURS}; server_max_window_bits=12"),
    ("permessage-deflate; server_no_context_takeover; server_max_window_bits=9, permessage-deflate; client_no_context_takeover, permessage-deflate",
     OURS),
)


class Deflated(NamedTuple):
    """A case: its number, what is offered and agreed on, what the text is made of, the bytes of a message and of its fragments (0: whole)."""

    number: str
    offer: str
    agreed: str
    kind: str
    size: int
    fragment: int

    def messages(self):
        """(envelope, answer) of each round."""
        return [filled(self.kind, min(max(self.size, SHORTEST), FRAME_BYTES_MAX)) for _ in range(ROUNDS)]

    def cut(self, data):
        """The parts a message is sent in."""
        step = max(self.fragment, -(-len(data) // FRAGMENTS_MAX)) if self.fragment else len(data)
        return [data[at:at + step] for at in range(0, len(data), step)]


def filled(kind, size):
    """A `send` of `size` bytes, or a few less where a character of several bytes does not fit."""
    bare, _ = message("")
    room = size - len(bare) - ID_DIGITS
    return message((kind * (room // len(kind) + 1)).encode()[:room].decode(errors="ignore"))


def shapes():
    """(number in the group, bytes of a message, bytes of a fragment)."""
    yield from ((number, size, 0) for number, size in enumerate(SIZES, 1))
    yield from ((number, size, fragment) for number, (size, fragment) in enumerate(FRAGMENTED, len(SIZES) + 1))


def deflate_cases():
    """Both groups."""
    for group, kind in enumerate(KINDS, 1):
        for number, size, fragment in shapes():
            yield Deflated(f"12.{group}.{number}", *OFFERS[1], kind, size, fragment)
    for group, (offer, agreed) in enumerate(OFFERS, 1):
        for number, size, fragment in shapes():
            yield Deflated(f"13.{group}.{number}", offer, agreed, KINDS[2], size, fragment)
