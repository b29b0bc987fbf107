"""REST senders and a reader that record like the chaos clients, and keep a definite refusal apart from an open outcome."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter

from canary import mark
from client import body
from rest import Refused, body_digest, event_digest

OPEN_OUTCOME = "outcome_unknown"
LOST = "no answer"
PAGE = 200
AGAIN_SECONDS = 0.02
ANSWER_SECONDS = 20


class Sent:
    """One message with everything it was answered, in order: an ok value or the code of an error."""

    def __init__(self, conv, user, content):
        self.conv, self.user, self.body = conv, user, content
        self.cmid, self.answers = str(uuid.uuid4()), []

    @property
    def device(self):
        """Every message is a lane of its own, because only a connection's sends have an order among them."""
        return f"{self.user}/rest-{self.cmid}"

    @property
    def acks(self):
        return [answer for answer in self.answers if isinstance(answer, dict)]

    @property
    def open(self):
        return not self.acks and any(answer in (OPEN_OUTCOME, LOST) for answer in self.answers)


class Mailbox:
    """Sends messages of an org's members, keeps them and records every attempt; used by many threads."""

    def __init__(self, tenant, rng):
        self.rest, self.members, self.rng, self.mark = tenant.rest, tenant.members, rng, mark(tenant.app)
        self.out = (tenant.history / "rest.jsonl").open("w", encoding="utf-8")
        self.lock, self.sent = threading.Lock(), []

    def note(self, kind, device, **fields):
        with self.lock:
            record = {"e": kind, "t": time.monotonic_ns(), "dev": device, **fields}
            self.out.write(json.dumps(record, separators=(",", ":")) + "\n")

    def send_new(self):
        """Sends a new message of a random member; returns it."""
        with self.lock:
            conv = self.rng.choice(list(self.members))
            message = Sent(conv, self.rng.choice(self.members[conv]), body(self.rng, len(self.sent), self.mark))
            self.sent.append(message)
        self.attempt(message)
        return message

    def attempt(self, message):
        """Sends a message once, also again; returns the ok value or the error code."""
        place = {"conv": message.conv, "cmid": message.cmid}
        self.note("invoke", message.device, **place, hash=body_digest(message.body))
        fields = {"sender": message.user, "client_msg_id": message.cmid, "kind": "text", "body": message.body}
        told = {}
        try:
            answer = self.rest.call("POST", f"/v1/conversations/{message.conv}/messages", fields)
        except Refused as refusal:
            answer = f"HTTP {refusal.status} {refusal.code}" if refusal.status != 503 else refusal.code
            told = {"code": answer, "retry_ms": refusal.retry_ms}
        except (OSError, ValueError, http.client.HTTPException):
            answer = LOST
        message.answers.append(answer)
        if isinstance(answer, dict):
            self.note("ok", message.device, **place, seq=answer["seq"], epoch=answer["epoch"], dup=answer["duplicate"],
                      billed=answer["billed"], id=answer["id"])
        elif answer in (OPEN_OUTCOME, LOST):
            self.note("unknown", message.device, **place, **told)
        else:
            self.note("fail", message.device, **place, **told)
        return answer

    def devices(self):
        """Which user each recorded device belongs to, as the checker wants to know."""
        return {message.device: message.user for message in self.sent}

    def close(self):
        self.out.close()


def insist(ask, on_lost=lambda: None):
    """Asks until there is an answer that is final, through kills and restarts."""
    last = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return ask()
        except (Refused, OSError, ValueError, http.client.HTTPException) as error:
            on_lost()
            if time.monotonic() > last or (isinstance(error, Refused) and error.status < 500 and error.status != 429):
                raise
        time.sleep(AGAIN_SECONDS)


class Worker(threading.Thread):
    """Repeats one step until told to stop; as a context manager it is over at the end of the block.

    `broken` holds what ended it early, which is a fault of the test and not of the server.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping, self.broken = threading.Event(), None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.stopping.wait(self.step())
        except Exception as error:  # raised again by whoever judges this worker
            self.broken = error


class Sender(Worker):
    """Sends one message after the other; `pause` is the seconds between two, `answered` when each answer came last."""

    def __init__(self, mailbox):
        super().__init__()
        self.mailbox, self.pause = mailbox, 0.0
        self.changed, self.answered, self.counts = threading.Condition(), {}, Counter()

    def step(self):
        answer = self.mailbox.send_new().answers[-1]
        kind = "ok" if isinstance(answer, dict) else answer
        with self.changed:
            self.answered[kind] = time.monotonic()
            self.counts[kind] += 1
            self.changed.notify_all()
        return self.pause

    def refusals(self):
        return sum(count for kind, count in self.counts.items() if kind != "ok")

    def wait_for(self, condition, seconds):
        """Waits for a condition of this sender; returns its value."""
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def ok_after(self, since):
        return self.answered.get("ok", 0.0) > since


class Reader(Worker):
    """Follows every conversation page by page and looks at usage; each read is recorded, each failure kept."""

    PAUSE_SECONDS = 0.02

    def __init__(self, mailbox, device):
        super().__init__()
        self.mailbox, self.device = mailbox, device
        self.cursors = {conv: 0 for conv in mailbox.members}
        self.reads, self.slowest, self.failures = 0, 0.0, []

    def step(self):
        begun = time.monotonic()
        try:
            for conv in self.cursors:
                self.read(conv)
            self.mailbox.rest.usage()
        except (Refused, OSError, ValueError, http.client.HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
        self.reads, self.slowest = self.reads + len(self.cursors) + 1, max(self.slowest, time.monotonic() - begun)
        return self.PAUSE_SECONDS

    def read(self, conv):
        after = self.cursors[conv]
        page = self.mailbox.rest.call("GET", f"/v1/conversations/{conv}/messages?after={after}&limit={PAGE}")
        items = [[event["seq"], event.get("id", ""), event_digest(event)] for event in page["items"]]
        self.mailbox.note("read", self.device, conv=conv, after=after, items=items, head=page["head"])
        if items:
            self.cursors[conv] = items[-1][0]
