"""Group 6 of the cases: text that is UTF-8 and text that is not, whole, in fragments and in chops; see conformance.py."""

from conformance import FRAGMENTS_MAX, HELLO, Case, Reply, chops, fragments, message
from sequences import KOSME, SEQUENCES, SURROGATE
from wire import TEXT, frame

UMLAUTS = "Hello-µ@ßöäüàá-UTF-8!!"
OUT_OF_RANGE = KOSME + b"\xf4\x90\x80\x80" + b"edited"


def valid(sequence):
    try:
        return sequence.decode()
    except UnicodeDecodeError:
        return None


def with_text(sequence):
    """A `send` whose text holds these bytes, whatever they are."""
    data, _ = message("@")
    return data.replace(b'"@"', b'"' + sequence + b'"')


def utf8():
    """6: text that is UTF-8 and text that is not, whole, in fragments and in chops."""
    yield Case("6.1.1", "5.6", "text of 0 bytes: whole, but no envelope", [frame(TEXT)], (), 4400, "invalid_request")
    yield Case("6.1.2", "5.4", "three empty fragments: whole, but no envelope", fragments([b"", b"", b""]), (), 4400, "invalid_request")
    yield Case("6.1.3", "5.4", "three fragments, the first and the last empty", fragments([b"", HELLO, b""]), (Reply(7),))
    data, echo = message(UMLAUTS)
    yield Case("6.2.1", "5.6", "valid text whole", [frame(TEXT, data)], (echo,))
    data, echo = message(UMLAUTS)
    cut = data.index("ü".encode())
    yield Case("6.2.2", "5.4", "valid text cut between two characters", fragments([data[:cut], data[cut:]]), (echo,))
    for number, text in ((3, UMLAUTS), (4, KOSME.decode())):
        yield from within_characters(f"6.2.{number}", text)
    bad = (1007, "bad_text")
    yield Case("6.3.1", "8.1", "a surrogate", [frame(TEXT, SURROGATE)], (), *bad)
    yield Case("6.3.2", "8.1", "a surrogate, in the most fragments that are taken", fragments([SURROGATE[:5], *chops(SURROGATE[5:])]), (), *bad)
    late = "closed at the last part at the latest (non-strict): beyond U+10FFFF in the second of three"
    for number, (cut, again) in enumerate(((11, 15), (12, 13)), 1):
        first, second, third = OUT_OF_RANGE[:cut], OUT_OF_RANGE[cut:again], OUT_OF_RANGE[again:]
        parts = fragments([first, second, third])
        yield Case(f"6.4.{number}", "8.1", f"{late} fragments", parts, (), *bad)
        whole = frame(TEXT, OUT_OF_RANGE)
        head = len(whole) - len(OUT_OF_RANGE)
        writes = [whole[:head + len(first)], whole[head + len(first):-len(third)], whole[-len(third):]]
        yield Case(f"6.4.{number + 2}", "8.1", f"{late} chops", writes, (), *bad)
    for group, (what, sequences) in SEQUENCES.items():
        for number, sequence in enumerate(sequences, 1):
            yield from sequence_cases(f"6.{group}.{number}", f"{what}: {sequence.hex()}", sequence)


def within_characters(number, text):
    """The suite cuts at every byte, more often than the 16 fragments that are taken: so 15 bytes at a time, until each was the border."""
    size = len(text.encode())
    for start in range(0, size, FRAGMENTS_MAX - 2):
        data, echo = message(text)
        at = data.index(text.encode()) + start
        pieces = [data[:at], *chops(data[at:at + FRAGMENTS_MAX - 2]), data[at + FRAGMENTS_MAX - 2:]]
        yield Case(number, "5.4", f"valid text cut at each byte from {start} on", fragments(pieces), (echo,))


def sequence_cases(number, what, sequence):
    """A sequence as the whole message, as the suite has it, and as the text of a `send`."""
    text = valid(sequence)
    if text is None:
        for name, data in (("alone", sequence), ("within", with_text(sequence))):
            yield Case(number, "8.1", f"{what}, {name}", [frame(TEXT, data)], (), 1007, "bad_text")
        return
    yield Case(number, "5.6", f"{what}, alone: valid, but no envelope", [frame(TEXT, sequence)], (), 4400, "invalid_request")
    if text >= " ":  # JSON wants control characters escaped
        data, echo = message(text)
        yield Case(number, "5.6", f"{what}, within", [frame(TEXT, data)], (echo,))
