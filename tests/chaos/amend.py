"""Edits and deletions of what a device's own user said: one at a time in each conversation, asked for again until it is answered."""

import asyncio
import uuid

from rest import body_digest, compact

REPLY_SECONDS = 30
DELETE_SHARE = 0.3
LONG_SHARE = 0.1
# How often it is something that was said just now, which others may not have yet, and what that is.
RECENT_SHARE, RECENT = 0.7, 10
IDLE_SECONDS = 0.1
OPEN_OUTCOMES = ("outcome_unknown", "internal", "unavailable")


class Amendment:
    """One that has no final answer yet."""

    def __init__(self, command, conv, target, body):
        self.place = {"conv": conv, "cmid": str(uuid.uuid4())}
        self.command, self.flying = command, False
        self.fields = {"conversation": conv, "target": target, "client_msg_id": self.place["cmid"]}
        if body is not None:
            self.fields.update(kind="text", body=body)
        self.digest = body_digest({"deleted": target} if body is None else body)
        self.bytes = 0 if body is None else len(compact(body).encode())


class Amender:
    """What a device amends; `pause` are the seconds it waits before each, None for a device that amends nothing."""

    def __init__(self, device, pause, mark):
        self.device, self.pause, self.mark, self.own, self.open = device, pause, mark, {}, {}

    async def run(self):
        """Amends one thing after the other until the connection ends; without a pause only what is open."""
        device = self.device
        while True:
            await asyncio.sleep(IDLE_SECONDS if self.pause is None else device.rng.uniform(0, 2 * self.pause))
            if device.up:
                lane = device.lanes[device.rng.choice(list(self.open or device.lanes))]
                await self.step(lane)

    def said(self, conv, seq):
        self.own.setdefault(conv, []).append(seq)

    def lost(self):
        """The connection is gone: what was asked for has an open outcome."""
        for change in self.open.values():
            if change.flying:
                change.flying = False
                self.device.note("unknown", **change.place)

    def choose(self, conv):
        rng, own = self.device.rng, self.own.get(conv)
        if not own:
            return None
        place = rng.randrange(max(0, len(own) - RECENT), len(own)) if rng.random() < RECENT_SHARE else rng.randrange(len(own))
        if rng.random() < DELETE_SHARE:
            return Amendment("delete", conv, own.pop(place), None)
        text = f"edited {rng.random()} " * (300 if rng.random() < LONG_SHARE else 1)
        return Amendment("edit", conv, own[place], {"text": text, "of": self.mark})

    async def step(self, lane):
        change = self.open.get(lane.conv) or (self.choose(lane.conv) if self.pause is not None else None)
        if change is None:
            return
        self.open[lane.conv], change.flying = change, True
        self.device.note("invoke", hash=change.digest, bytes=change.bytes, **change.place)
        reply = await asyncio.wait_for(self.device.begin(change.command, change.fields), REPLY_SECONDS)
        change.flying, ok, error = False, reply.get("ok"), reply.get("error")
        if ok is not None:
            self.device.note("ok", seq=ok["seq"], dup=ok["duplicate"], billed=ok["billed"], **change.place)
            self.device.apply(lane, ok["seq"], "", change.digest)
        else:
            kind = "unknown" if error["code"] in OPEN_OUTCOMES else "fail"
            self.device.note(kind, code=error["code"], retry_ms=error.get("retry_after_ms"), **change.place)
        if ok is not None or not error["retryable"]:
            del self.open[lane.conv]
