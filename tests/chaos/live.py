"""Writes live messages by REST, one after the other, under load and kills: each is begun, grows by pieces, is looked at and ended."""

import uuid

from canary import mark
from restload import Worker, insist
from rest import Refused, body_digest, compact

PAUSE_SECONDS = 0.02
PIECES = (1, 30)
LOOK_SHARE = 0.2
WORDS = ("one ", "später ", "好的 ", "👍 ", "and so on, and on, ")


class LiveWriter(Worker):
    """`device` is the name under which it is recorded, of a user who stays in the conversation."""

    def __init__(self, tenant, conv, device, rng):
        super().__init__()
        self.tenant, self.conv, self.device, self.user, self.rng = tenant, conv, device, device.split("/")[0], rng
        self.seq, self.text, self.left = None, "", 0

    def __exit__(self, kind, *_):
        super().__exit__()
        if kind is not None:  # there is another fault to tell
            return
        if self.broken is not None:
            raise self.broken
        if self.seq is not None:
            self.end()

    def step(self):
        if self.seq is None:
            self.begin()
        elif self.rng.random() < LOOK_SHARE:
            self.look()
        elif self.left:
            self.append()
        else:
            self.end()
        return PAUSE_SECONDS

    def note(self, kind, **fields):
        self.tenant.note(kind, dev=self.device, conv=self.conv, **fields)

    def call(self, method, path, body=None):
        return self.tenant.rest.call(method, f"/v1/conversations/{self.conv}/streams{path}", body)

    def say(self, path, fields, body):
        """What takes a seq, asked for until it is answered."""
        cmid = str(uuid.uuid4())

        def ask():
            self.note("invoke", cmid=cmid, hash=body_digest(body), bytes=len(compact(body).encode()))
            return self.call("POST", path, {**fields, "client_msg_id": cmid})
        ok = insist(ask, lambda: self.note("unknown", cmid=cmid))
        more = {name: ok[name] for name in ("id", "epoch") if ok.get(name) and path == ""}
        self.note("ok", cmid=cmid, seq=ok["seq"], dup=ok["duplicate"], billed=ok["billed"], **more)
        return ok["seq"]

    def begin(self):
        self.text, self.left = mark(self.tenant.app) + " ", self.rng.randint(*PIECES)
        self.seq = self.say("", {"sender": self.user, "text": self.text}, {"text": self.text})

    def append(self):
        piece, offset = self.rng.choice(WORDS) * self.rng.randint(1, 40), len(self.text.encode())
        try:
            insist(lambda: self.call("POST", f"/{self.seq}/append", {"user": self.user, "offset": offset, "text": piece}))
            self.text += piece
        except Refused:  # it holds other text than was acknowledged, which is seen where it is looked at
            self.look()
            raise
        self.left -= 1

    def look(self):
        """Reads what is stored; all that was acknowledged must be there."""
        text = insist(lambda: self.call("GET", f"/{self.seq}?offset=0"))["text"]
        said = self.text.encode()
        self.note("held", seq=self.seq, said=len(said), stored=len(text.encode()), hash=body_digest(text), own=body_digest(self.text))

    def end(self):
        fields = {"user": self.user, "offset": len(self.text.encode())}
        self.say(f"/{self.seq}/end", fields, {"text": self.text})
        self.seq = None
