"""What a client of the wire protocol must do by itself, as docs/PROTOCOL.md §6 and §7 say it: pure functions and one small state."""

import json

GAP_MS, TOLD_MS_MAX, WAIT_MS_MIN = 200, 120_000, 100


class Reader:
    """One conversation: the epoch, the last seq held without a gap, and the seqs that wait behind one."""

    def __init__(self, epoch, last):
        self.epoch, self.last, self.waiting = epoch, last, set()
        self.is_timed = self.is_fetching = False

    def step(self, kind, value):
        """What to do about one thing that was read, or that a wait is over."""
        return getattr(self, kind)(value)

    def event(self, place):
        epoch, seq = place
        if epoch > self.epoch:
            return "sync"
        if seq <= self.last or seq in self.waiting:
            return "drop"
        self.waiting.add(seq)
        return self._go_on(self._apply()) or "hold"

    def page(self, seqs):
        """A page of `history`; what it does not close is fetched next."""
        self.is_fetching = False
        self.waiting |= {seq for seq in seqs if seq > self.last}
        applied = self._apply()
        if self.waiting:
            return self._both(applied, self._fetch())
        return applied or "nothing"

    def head(self, place):
        """A head in a ping finds a lost last message; what waits behind a gap is fetched when its time is over."""
        epoch, seq = place
        if epoch > self.epoch:
            return "sync"
        is_behind = seq > self.last and not self.waiting and not self.is_fetching
        return self._fetch() if is_behind else "nothing"

    def timeout(self, _):
        self.is_timed = False
        return self._fetch() if self.waiting and not self.is_fetching else "nothing"

    def resync(self, _):
        return self._fetch()

    def _apply(self):
        first = self.last + 1
        while self.last + 1 in self.waiting:
            self.last += 1
            self.waiting.remove(self.last)
        if not self.waiting:
            self.is_timed = False
        return {"apply": list(range(first, self.last + 1))} if self.last >= first else None

    def _go_on(self, applied):
        """Behind a gap that nothing is done about yet: a wait begins. One that closed takes its wait with it."""
        if applied:
            self.is_timed = False
        if not self.waiting or self.is_timed or self.is_fetching:
            return applied
        self.is_timed = True
        return self._both(applied, {"wait_ms": GAP_MS})

    def _fetch(self):
        self.is_fetching = True
        return {"fetch": {"after": self.last}}

    @staticmethod
    def _both(one, two):
        return [one, two] if one else two


def resume(held, entry):
    """What an entry of `sync` asks for, of a conversation the client sent a head for."""
    if entry["outcome"] == "not_member":
        return {"forget": True}
    _, last = held
    done = {"epoch": entry["epoch"]}
    if entry["outcome"] == "epoch_changed":
        done["drop_from"] = entry["epoch_first"]
        last = min(last, entry["epoch_first"] - 1)
    done["last"] = max(last, entry["first"] - 1)
    if entry["outcome"] != "recovered":
        done["page_after"] = done["last"]
    return done


def count(types):
    """`msg_no` of each event: how many messages there are up to it."""
    numbers, messages = [], 0
    for kind in types:
        messages += kind == "message"
        numbers.append(messages)
    return numbers


def unread(numbers, read):
    """Messages above the read seq, from positions alone."""
    return numbers[-1] - (numbers[read - 1] if read else 0)


def told(value):
    """A `retry_after_ms` that may be believed, in its bounds; else None."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return min(value, TOLD_MS_MAX) if is_number else None


def backoff(attempt, random, timings):
    return max(WAIT_MS_MIN, random * min(timings["cap_ms"], timings["base_ms"] * 2 ** min(attempt, 32)))


def wait(timings, attempt, random, healthy_ms=None, retry_after_ms=None):
    """Milliseconds to wait before the next attempt to connect, and its number."""
    after = told(retry_after_ms)
    if after is not None:
        return {"wait_ms": int(after + random * timings["base_ms"]), "attempt": attempt}
    if healthy_ms is not None and healthy_ms >= timings["stable_ms"]:
        return {"wait_ms": int(max(WAIT_MS_MIN, random * timings["first_ms"])), "attempt": 1}
    return {"wait_ms": int(backoff(attempt, random, timings)), "attempt": attempt + 1}


def retry(error, attempt, random, timings):
    """Whether and when the same command is sent again."""
    if not error["retryable"]:
        return {"give_up": True}
    after = told(error.get("retry_after_ms"))
    return {"wait_ms": int(backoff(attempt, random, timings) if after is None else after + random * timings["base_ms"])}


def closed(code, reason):
    """What the range of a close code asks for."""
    do = "new_token" if 4100 <= code < 4200 else "stop" if 4400 <= code < 4500 else "reconnect"
    try:
        after = told(json.loads(reason)["retry_after_ms"])
    except (ValueError, TypeError, KeyError):
        after = None
    return {"do": do} if after is None else {"do": do, "retry_after_ms": after}


def units(size):
    """Message units of a body of so many bytes."""
    return max(1, -(-size // 5_120))


def is_id(text):
    return 1 <= len(text) <= 64 and all(char.isascii() and (char.isalnum() or char in "_-.:@") for char in text)


def place_of(event_id):
    """Conversation, epoch and seq of a server-sent event's id."""
    parts = event_id.split(".", 2)
    if len(parts) < 3 or not (parts[0].isdecimal() and parts[1].isdecimal() and is_id(parts[2])):
        return None
    return [parts[2], int(parts[0]), int(parts[1])]


def heads(text):
    """Conversation, epoch and seq of each head, by the ids; None where it is no text of heads."""
    read = json.loads(text)
    is_number = lambda value: type(value) is int and -2**63 <= value < 2**63  # noqa: E731
    is_head = lambda value: isinstance(value, list) and len(value) == 2 and all(map(is_number, value))  # noqa: E731
    if not isinstance(read, dict) or not all(map(is_head, read.values())):
        return None
    return [[name, *read[name]] for name in sorted(read)]
