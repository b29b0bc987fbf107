"""The cases of the Autobahn test suite for servers (autobahntestsuite 25.10.1 of PyPI), told to a server of JSON envelopes.

The suite talks to a server that echoes every message. Ours does not: a text that has to arrive whole travels as the body of a
`send`, and a member's connection gets it as a push; where only the order counts, a `ping` command answers at once. A text
that is no envelope, however valid as UTF-8, closes 4400 `invalid_request`; a binary message 4400 `binary_frame`; a message
over 64 KiB or of more than 16 fragments 4400 with its own code (docs/PROTOCOL.md section 3). RFC 6455 leaves those to the
endpoint: section 7.4.2 gives applications the codes from 4000 on, section 10.4 asks for such limits.

Where the suite calls one behaviour OK and another NON-STRICT, ours is OK but for 6.4: invalid UTF-8 fails the connection when
its message is whole, not at the first wrong byte. Section 8.1 says that it must fail, not when.
"""

import itertools
import json
import struct
from typing import NamedTuple

from sequences import SURROGATE
from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

FRAME_BYTES_MAX = 64 * 1024
FRAGMENTS_MAX = 16
CONVERSATION = "c"
NUMBERS = itertools.count(1)
KIB, MIB = 1024, 1024 * 1024


class Case(NamedTuple):
    """`sent` goes out in order, each piece in a write of its own; `answers` have to come back in order; then the server closes with
    `close` and the reason's `code`, or, where `close` is None, nothing more comes, and our close is answered with 1000."""

    number: str
    section: str
    what: str
    sent: list
    answers: tuple = ()
    close: int = None
    code: str = None


class Pong(NamedTuple):
    """A pong with this payload."""

    payload: bytes


class Reply(NamedTuple):
    """The reply to the command of this id, and nothing of it before."""

    ident: int


class Echo(NamedTuple):
    """The reply to the `send` of this id, and its text at the other member."""

    ident: int
    text: str


HELLO = b'{"id":7,"ping":{"text":"Hello, world!"}}'
FRAGMENTS = [b'{"id":7,"ping":', b'{"text":"frag', b'ment"', b"}", b"}"]
NOT_UTF8 = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"


def message(text):
    """A `send` with this text: (its bytes, the answer that is due)."""
    ident = next(NUMBERS)
    fields = {"conversation": CONVERSATION, "client_msg_id": f"{ident:x}", "kind": "text", "body": {"text": text}}
    return json.dumps({"id": ident, "send": fields}, separators=(",", ":"), ensure_ascii=False).encode(), Echo(ident, text)


def sized(size, fill="*"):
    """A `send` of exactly `size` bytes."""
    bare, _ = message("")
    data, echo = message(fill * (size - len(bare)))
    while len(data) != size:  # a longer id
        data, echo = message(echo.text[:size - len(data)])
    return data, echo


def ping_of(size):
    """A `ping` command of exactly `size` bytes."""
    return HELLO[:-2].replace(b'Hello, world!"', b"") + b"*" * (size - len(HELLO) + 13) + b'"}}'


def fragments(pieces, fin=True):
    """The frames of a text in fragments, the last of which ends it if `fin`."""
    last = len(pieces) - 1
    return [frame(CONTINUATION if n else TEXT, piece, fin=fin and n == last) for n, piece in enumerate(pieces)]


def chops(data, size=1):
    """Data in writes of `size` bytes."""
    return [data[n:n + size] for n in range(0, len(data), size)]


def octets(*frames):
    return chops(b"".join(frames))


def one_write(*frames):
    return [b"".join(frames)]


def broken(number, section, what, sent, answers=()):
    """A case of a broken frame."""
    return Case(number, section, what, sent, answers, 1002, "bad_frame")


def payloads():
    """1: text and binary messages of each form of the length."""
    yield Case("1.1.1", "5.6", "text of 0 bytes: whole, but no envelope", [frame(TEXT)], (), 4400, "invalid_request")
    for number, size in enumerate((125, 126, 127, 128, 65535, 65536), 2):
        data, echo = sized(size)
        yield Case(f"1.1.{number}", "5.2", f"text of {size} bytes", [frame(TEXT, data)], (echo,))
    data, echo = sized(65536)
    yield Case("1.1.8", "5.2", "text of 65536 bytes in chops of 997", chops(frame(TEXT, data), 997), (echo,))
    for number, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
        yield Case(f"1.2.{number}", "5.6", f"binary of {size} bytes", [frame(BINARY, b"\xfe" * size)], (), 4400, "binary_frame")
    yield Case("1.2.8", "5.6", "binary of 65536 bytes in chops of 997", chops(frame(BINARY, b"\xfe" * 65536), 997), (), 4400, "binary_frame")


def pings():
    """2: pings and pongs."""
    kinds = ((1, "no payload", b""), (2, "text", b"Hello, world!"), (3, "no UTF-8", NOT_UTF8), (4, "125 bytes", b"\xfe" * 125))
    for number, what, payload in kinds:
        yield Case(f"2.{number}", "5.5.2", f"ping with {what}", [frame(PING, payload)], (Pong(payload),))
    yield broken("2.5", "5.5", "ping with 126 bytes", [frame(PING, b"\xfe" * 126)])
    yield Case("2.6", "5.5.2", "ping with 125 bytes by octet", octets(frame(PING, b"\xfe" * 125)), (Pong(b"\xfe" * 125),))
    yield Case("2.7", "5.5.3", "unsolicited pong without payload", [frame(PONG)])
    yield Case("2.8", "5.5.3", "unsolicited pong with payload", [frame(PONG, b"unsolicited pong payload")])
    yield Case("2.9", "5.5.3", "unsolicited pong, then a ping", [frame(PONG, b"unsolicited"), frame(PING, b"payload")], (Pong(b"payload"),))
    ten = [b"payload-%d" % n for n in range(10)]
    yield Case("2.10", "5.5.3", "10 pings", [frame(PING, payload) for payload in ten], tuple(map(Pong, ten)))
    yield Case("2.11", "5.5.3", "10 pings by octet", octets(*(frame(PING, payload) for payload in ten)), tuple(map(Pong, ten)))


def reserved_bits():
    """3: reserved bits without an extension that gives them a meaning. Nothing behind the broken frame is answered."""
    hello, after = frame(TEXT, HELLO), frame(PING, b"after")
    yield broken("3.1", "5.2", "text with RSV 1", [frame(TEXT, HELLO, reserved=1)])
    yield broken("3.2", "5.2", "text, text with RSV 2, ping in one write", one_write(hello, frame(TEXT, HELLO, reserved=2), after), (Reply(7),))
    yield broken("3.3", "5.2", "text, text with RSV 3, ping by frame", [hello, frame(TEXT, HELLO, reserved=3), after], (Reply(7),))
    yield broken("3.4", "5.2", "text, text with RSV 4, ping by octet", octets(hello, frame(TEXT, HELLO, reserved=4), after), (Reply(7),))
    yield broken("3.5", "5.2", "binary with RSV 5", [frame(BINARY, NOT_UTF8, reserved=5)])
    yield broken("3.6", "5.2", "ping with RSV 6", [frame(PING, b"Hello, world!", reserved=6)])
    yield broken("3.7", "5.2", "close with RSV 7", [frame(CLOSE, reserved=7)])


def reserved_opcodes():
    """4: opcodes that RFC 6455 keeps for later."""
    for group, first in (("4.1", 3), ("4.2", 11)):
        for number, payload in enumerate((b"", b"reserved opcode payload", b"", HELLO, HELLO)):
            bad = frame(first + number, payload)
            if number < 2:
                yield broken(f"{group}.{number + 1}", "5.2", f"opcode {first + number}", [bad])
            else:
                frames = (frame(TEXT, HELLO), bad, frame(PING))
                sent = octets(*frames) if number == 4 else one_write(*frames)
                yield broken(f"{group}.{number + 1}", "5.2", f"text, opcode {first + number}, ping", sent, (Reply(7),))


def fragmentation():
    """5: messages in fragments, with control frames between them; fragments of nothing."""
    yield broken("5.1", "5.5", "ping in two fragments", [frame(PING, b"fragment1", fin=False), frame(CONTINUATION, b"fragment2")])
    yield broken("5.2", "5.5", "pong in two fragments", [frame(PONG, b"fragment1", fin=False), frame(CONTINUATION, b"fragment2")])
    for number, ping, ways in ((3, None, (one_write, list, octets)), (6, frame(PING, b"ping payload"), (one_write, list, octets))):
        for place, way in enumerate(ways):
            data, echo = message("fragment1fragment2")
            frames = fragments([data[:-20], data[-20:]])
            answers = (echo,) if ping is None else (Pong(b"ping payload"), echo)
            frames[1:1] = [] if ping is None else [ping]
            sent = frames if way is list else way(*frames)
            what = f"text in two fragments{', a ping between them' if ping else ''}, {way.__name__}"
            yield Case(f"5.{number + place}", "5.4", what, sent, answers)
    for number, fin in ((9, True), (12, False)):
        frames = [frame(CONTINUATION, b"non-continuation payload", fin=fin), frame(TEXT, HELLO)]
        for place, sent in enumerate((one_write(*frames), frames, octets(*frames))):
            yield broken(f"5.{number + place}", "5.4", f"continuation of nothing with FIN {fin}, then a text", sent)
    lone = frame(CONTINUATION, b"fragment3", fin=False)
    yield broken("5.15", "5.4", "text in two fragments, continuation of nothing, text",
                 one_write(*fragments([HELLO[:9], HELLO[9:]]), lone, frame(TEXT, HELLO)), (Reply(7),))
    for number, fin in ((16, False), (17, True)):
        again = [frame(CONTINUATION, b"fragment1", fin=fin), *fragments([HELLO[:9], HELLO[9:]])]
        yield broken(f"5.{number}", "5.4", f"twice a continuation of nothing with FIN {fin}, then text in two fragments", again * 2)
    yield broken("5.18", "5.4", "both fragments are text frames", one_write(frame(TEXT, HELLO[:9], fin=False), frame(TEXT, HELLO[9:])))
    for number, way in ((19, one_write), (20, None)):
        parts = fragments(FRAGMENTS)
        first = [*parts[:2], frame(PING, b"pongme 1!")]
        second = [*parts[2:4], frame(PING, b"pongme 2!"), parts[4]]
        sent = [*way(*first), Pong(b"pongme 1!"), *way(*second)] if way else [*first, Pong(b"pongme 1!"), *second]
        yield Case(f"5.{number}", "5.4", "five fragments with two pings, the first of which is answered before more is sent", sent,
                   (Pong(b"pongme 2!"), Reply(7)))


def close(code=None, reason=b""):
    return frame(CLOSE, (b"" if code is None else struct.pack(">H", code)) + reason)


def closing():
    """7: close frames. The server answers a good one with 1000; nothing behind it is read."""
    hello, bye = frame(TEXT, HELLO), close(1000)
    yield Case("7.1.1", "5.5.1", "text, then close", one_write(hello, bye), (Reply(7),), 1000)
    yield Case("7.1.2", "5.5.1", "two closes", one_write(bye, close()), (), 1000)
    yield Case("7.1.3", "5.5.1", "a ping after the close", one_write(bye, frame(PING)), (), 1000)
    yield Case("7.1.4", "5.5.1", "text after the close", one_write(bye, hello), (), 1000)
    first, second = fragments([HELLO[:9], HELLO[9:]])
    yield Case("7.1.5", "5.5.1", "a fragment, close, the last fragment", one_write(first, bye, second), (), 1000)
    yield Case("7.1.6", "5.5.1", "the largest text, text, close, ping (the suite: 256 KiB)",
               one_write(frame(TEXT, ping_of(FRAME_BYTES_MAX)), hello, bye, frame(PING)), (Reply(7), Reply(7)), 1000)
    yield Case("7.3.1", "5.5.1", "close without a code", [close()], (), 1000)
    yield broken("7.3.2", "5.5.1", "close of one byte", [close(reason=b"a")])
    yield Case("7.3.3", "5.5.1", "close with a code", [bye], (), 1000)
    yield Case("7.3.4", "5.5.1", "close with a reason", [close(1000, b"Hello World!")], (), 1000)
    yield Case("7.3.5", "5.5.1", "close with a reason of 123 bytes", [close(1000, b"*" * 123)], (), 1000)
    yield broken("7.3.6", "5.5", "close with a reason of 124 bytes", [close(1000, b"*" * 124)])
    yield Case("7.5.1", "8.1", "close with a reason that is no UTF-8", [close(1000, SURROGATE)], (), 1007, "bad_text")
    for number, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999), 1):
        yield Case(f"7.7.{number}", "7.4", f"close with {code}", [close(code)], (), 1000)
    for number, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield broken(f"7.9.{number}", "7.4", f"close with {code}", [close(code)])
    for number, code in enumerate((5000, 65535), 1):
        yield broken(f"7.13.{number}", "7.4.2", f"close with {code}, which the RFC leaves undefined", [close(code)])


def limits():
    """9 and 10.1: large messages. What the suite sends is refused at its limit; its way of sending is tried on the largest that is taken."""
    data, echo = sized(FRAME_BYTES_MAX)
    yield Case("9.1.1", "5.2", "text of 64 KiB", [frame(TEXT, data)], (echo,))
    yield Case("9.2.1", "5.6", "binary of 64 KiB", [frame(BINARY, b"*" * FRAME_BYTES_MAX)], (), 4400, "binary_frame")
    too_large = (4400, "frame_too_large")
    for number, size in enumerate((256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB), 2):
        for group, opcode in (("9.1", TEXT), ("9.2", BINARY)):
            yield Case(f"{group}.{number}", "10.4", f"{size} bytes: refused by the head", [frame(opcode, b"*" * 100, announced=size)], (), *too_large)
    for number, size in enumerate((64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB), 1):
        yield Case(f"9.3.{number}", "5.4", f"text of 4 MiB in fragments of {size}", first_fragments(TEXT, size), (),
                   4400, "too_many_fragments" if size <= 4 * KIB else "frame_too_large")
        yield Case(f"9.4.{number}", "5.6", f"binary of 4 MiB in fragments of {size}", first_fragments(BINARY, size), (),
                   4400, "binary_frame" if size <= FRAME_BYTES_MAX else "frame_too_large")
    for number, size in enumerate((64, 128, 256, 512, 1024, 2048), 1):
        data, echo = sized(FRAME_BYTES_MAX)
        yield Case(f"9.5.{number}", "5.2", f"text of 64 KiB in chops of {size} (the suite: 1 MiB)", chops(frame(TEXT, data), size), (echo,))
        yield Case(f"9.6.{number}", "5.6", f"binary of 64 KiB in chops of {size} (the suite: 1 MiB)",
                   chops(frame(BINARY, b"\xfe" * FRAME_BYTES_MAX), size), (), 4400, "binary_frame")
    for number, size in enumerate((64, 256, 1024, 4096), 3):
        yield Case(f"9.7.{number}", "5.2", f"1000 texts of {size} bytes, each after the answer", [frame(TEXT, ping_of(size)), Reply(7)] * 1000)
    yield Case("10.1.1", "5.4", "text of 65536 bytes in fragments of 1300, 51 of them", fragments(chops(ping_of(65536), 1300)), (),
               4400, "too_many_fragments")
    data, echo = sized(65536)
    yield Case("10.1.1", "5.4", "text of 65536 bytes in 16 fragments", fragments(chops(data, 4096)), (echo,))


def first_fragments(opcode, size):
    """As much of an endless message in fragments as it takes to be refused; of a frame that is refused by its head, no more."""
    if size > FRAME_BYTES_MAX:
        return [frame(opcode, b"*" * 100, fin=False, announced=size)]
    return [frame(CONTINUATION if n else opcode, b"*" * size, fin=False) for n in range(FRAGMENTS_MAX + 1 if opcode == TEXT else 1)]


def frame_cases():
    """All groups but 6."""
    return [*payloads(), *pings(), *reserved_bits(), *reserved_opcodes(), *fragmentation(), *closing(), *limits()]


# How many cases the suite has in each group, as `wstest` numbers them.
SUITE = {
    "1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20, "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4,
    "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4, "6.10": 3, "6.11": 5, "6.12": 8, "6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3,
    "6.17": 5, "6.18": 5, "6.19": 5, "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
    "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
    "9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6, "10.1": 1,
    **{f"12.{group}": 18 for group in range(1, 6)}, **{f"13.{group}": 18 for group in range(1, 8)},
}

# What the suite has and this file does not send, and why.
LEFT_OUT = {
    "9.7.1": "an empty text is no envelope and closes the connection (1.1.1), so it has no round trip",
    "9.7.2": "the shortest envelope is longer than 16 bytes",
    **{f"9.8.{number}": "a binary message closes the connection (1.2), so it has no round trip" for number in range(1, 7)},
}
