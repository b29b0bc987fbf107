"""One device of a chaos client: pipelined sends with retries, the SDK's gap rule, reconnects with heads."""

import asyncio
import json
import random
import time
import uuid

from amend import OPEN_OUTCOMES, REPLY_SECONDS, Amender
from canary import Seen
from rest import body_digest, compact, event_digest, millis
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

GAP_SECONDS = 0.2
RECEIVED_SECONDS = 0.2
PAGE = 200
WINDOW = 24
CONNECT_SECONDS = 10
# How often a device says all it has where there is news, and how often it says some place it has passed.
ALL_SHARE = 0.7
ODD_SHARE = 0.1


class CallRefused(OSError):
    """A command other than a send was answered with an error; `code` is its code."""

    def __init__(self, command, error):
        super().__init__(f"{command}: {error}")
        self.code = error["code"]


class Pending:
    """One message that has no final answer yet."""

    __slots__ = ("cmid", "text", "digest", "flying")

    def __init__(self, cmid, body):
        self.cmid, self.text, self.digest, self.flying = cmid, compact(body), body_digest(body), False


class Lane:
    """What a device knows of one conversation: its cursor, events held over a gap, messages to send in order."""

    def __init__(self, conv, device):
        self.out, self.first = False, 1  # as far as it was told: whether its user left, and where it came last
        self.ids = random.Random(f"{device} in {conv}")
        self.conv, self.epoch, self.last, self.received = conv, 1, 0, 0
        self.held, self.waiting, self.known_head = {}, None, 0
        self.queue, self.stalled_until = [], None


class Device:
    """Speaks the protocol for one (user, device) and records what it invoked, learned and delivered."""

    def __init__(self, config, url, note, on_ack):
        self.name, self.token, self.url = config["dev"], config["token"], url
        self.user, self.short = self.name.split("/")
        self.lanes = {conv: Lane(conv, self.name) for conv in config["convs"]}
        self._note, self.on_ack = note, on_ack
        self.ws, self.up, self.stopping, self.connects = None, False, False, 0
        self.calls, self.next_id, self.first_ack = {}, 1, False
        self.rng, self.words = random.Random(config.get("seed", 0)), 0
        self.seen = Seen(self.note)
        self.amender = Amender(self, config.get("amends"), config.get("mark"))
        self.drops, self.looks = config.get("drops", 0), config.get("looks", 0)

    def note(self, kind, **fields):
        self._note({"e": kind, "t": time.monotonic_ns(), "dev": self.name, **fields})

    def idle(self):
        return not self.amender.open and not any(lane.queue for lane in self.lanes.values())

    # --- connection

    async def run(self, rng):
        while not self.stopping:
            try:
                async with connect(self.url, subprotocols=["tokenim.v1.json"], compression=None, ping_interval=None,
                                   open_timeout=CONNECT_SECONDS, close_timeout=1, max_size=2**20) as ws:
                    self.ws = ws
                    await self.session()
            except (OSError, WebSocketException, asyncio.TimeoutError) as error:
                self.note("down", why=type(error).__name__)
            self.lost()
            if not self.stopping:
                await asyncio.sleep(rng.uniform(0.02, 0.12))

    async def session(self):
        tasks = [asyncio.create_task(part) for part in (self.read(), self.keep(), self.amender.run())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def lost(self):
        """Every unanswered send has an open outcome now; it is repeated with the same id on the next connection."""
        self.ws, self.up, self.first_ack = None, False, False
        for future in self.calls.values():
            if isinstance(future, asyncio.Future) and not future.done():
                future.cancel()
        self.calls = {}
        self.amender.lost()
        for lane in self.lanes.values():
            for pending in lane.queue:
                if pending.flying:
                    pending.flying = False
                    self.note("unknown", conv=lane.conv, cmid=pending.cmid)
            lane.stalled_until = None

    async def read(self):
        async for text in self.ws:
            self.seen.look(text)
            self.take(json.loads(text))

    async def keep(self):
        """Connects, then says what it has until the connection ends."""
        heads = {lane.conv: [lane.epoch, lane.last] for lane in self.lanes.values()}
        self.note("connect", w=time.time_ns() // 10**6, heads=heads)
        await self.call("connect", {"token": self.token, "device": self.short, "heads": heads})
        self.connects += 1
        self.up = True
        for lane in self.lanes.values():
            self.pump(lane)
        passive = set()
        while True:
            await asyncio.sleep(RECEIVED_SECONDS)
            for lane in self.lanes.values():
                await self.tell(lane)
            if self.rng.random() < self.looks:
                await self.look(self.rng.choice(list(self.lanes.values())), passive)

    async def look(self, lane, passive):
        """Makes a conversation passive, or opens it again; what it is not sent meanwhile it reads where a head tells of it."""
        command = "open" if lane.conv in passive else "passive"
        reply = await asyncio.wait_for(self.begin(command, {"conversation": lane.conv}), REPLY_SECONDS)
        if "ok" in reply:
            passive ^= {lane.conv}
            self.note(command, conv=lane.conv, head=reply["ok"]["head"])
            self.saw_head(lane.conv, reply["ok"]["head"], 0)

    async def tell(self, lane):
        """Mostly all it has of a conversation, or less, or what it said before; now and then it leaves without the answer."""
        luck, news = self.rng.random(), lane.last > lane.received
        if news and luck < ALL_SHARE:
            seq = lane.last
        elif lane.last and luck > 1 - ODD_SHARE:
            seq = self.rng.randint(1, lane.last)
        else:
            return
        self.words += 1
        word = {"conv": lane.conv, "n": self.words}
        self.note("ack", seq=seq, **word)
        answer = self.begin(self.rng.choice(("received", "received", "read")), {"conversation": lane.conv, "seq": seq})
        if self.rng.random() < self.drops:
            await asyncio.sleep(self.rng.choice((0, 0.001, 0.005)))
            self.ws.transport.abort()
        reply = await asyncio.wait_for(answer, REPLY_SECONDS)
        if "ok" in reply:
            self.note("ack_ok", **word)
            lane.received = max(lane.received, seq)
        else:  # it is told again later
            kind = "ack_unknown" if reply["error"]["code"] in OPEN_OUTCOMES else "ack_fail"
            self.note(kind, code=reply["error"]["code"], **word)

    def synced(self, outcome):
        conv = outcome["conversation"]
        lane = self.lanes[conv]
        self.note("sync", conv=conv, outcome=outcome["outcome"])
        if outcome["outcome"] == "epoch_changed":
            self.rewind(lane, outcome["epoch"], outcome["epoch_first"])
        if "head" in outcome:
            self.note("head", conv=conv, seq=outcome["head"], epoch=outcome.get("epoch", 1))
            lane.known_head = max(lane.known_head, outcome["head"])
        lane.out = outcome["outcome"] == "not_member"
        if not lane.out:
            self.joined(lane, outcome["first"])
        if outcome["outcome"] not in ("recovered", "not_member"):
            lane.known_head = max(lane.known_head, lane.last + 1)
            self.look_again(lane, 0)

    def rewind(self, lane, epoch, first):
        """Drops what a restore took back."""
        self.note("rewind", conv=lane.conv, epoch=epoch, first=first)
        lane.epoch, lane.last = epoch, min(lane.last, first - 1)
        lane.received, lane.known_head, lane.held = min(lane.received, lane.last), 0, {}

    def moved(self, lane, event):
        """Follows what an event of membership says of its own user."""
        if any(one["user"] == self.user for one in event["users"]):
            lane.out = event["change"] == "removed"
            if event["change"] in ("created", "added"):
                self.joined(lane, event["seq"])

    def joined(self, lane, first):
        """Goes on from the first seq that its user may see; what it lacks of before is not its any more."""
        lane.first = first
        if first - 1 > lane.last:
            self.note("joined", conv=lane.conv, seq=first)
            lane.last = first - 1
            lane.held = {seq: event for seq, event in lane.held.items() if seq >= first}

    def write(self, command, fields, answer):
        """Queues one frame; the transport keeps the order of calls."""
        ident, self.next_id = self.next_id, self.next_id + 1
        self.calls[ident] = answer
        body = fields if isinstance(fields, str) else compact(fields)
        self.post(f'{{"id":{ident},"{command}":{body}}}')

    def post(self, text):
        """Hands one frame to the transport at once, so that frames of one device keep their order."""
        asyncio.ensure_future(self._post(self.ws, text))

    @staticmethod
    async def _post(ws, text):
        try:
            await ws.send(text)
        except (OSError, WebSocketException):
            pass  # the reader sees the end of the connection and settles every open call

    def begin(self, command, fields):
        """Asks; returns the future of the reply."""
        answer = asyncio.get_running_loop().create_future()
        self.write(command, fields, answer)
        return answer

    async def call(self, command, fields):
        reply = await asyncio.wait_for(self.begin(command, fields), REPLY_SECONDS)
        if "ok" not in reply:
            raise CallRefused(command, reply["error"])
        return reply["ok"]

    # --- incoming

    def take(self, frame):
        push = frame.get("push")
        if push is not None:
            self.pushed(push)
            return
        answer = self.calls.pop(frame["id"])
        if isinstance(answer, asyncio.Future):
            if not answer.done():
                ok = frame.get("ok", {})
                if "sync" in ok:
                    sync = {one["conversation"]: [one["outcome"], one.get("head", 0)] for one in ok["sync"]}
                    self.note("connected", w=millis(ok["server_time"]), sync=sync)
                for outcome in ok.get("sync", ()):
                    self.synced(outcome)  # before the pushes that follow
                answer.set_result(frame)
        else:
            self.answered(*answer, frame)

    def pushed(self, push):
        kind = push["type"]
        if kind == "head":
            self.note("told", conv=push["conversation"], head=push["seq"])
            self.saw_head(push["conversation"], push["seq"], 0)
        elif "seq" in push and "conversation" in push and kind != "receipt":
            lane, digest = self.lanes.get(push["conversation"]), event_digest(push)
            self.note("wire", conv=push["conversation"], seq=push["seq"], epoch=push["epoch"], id=push.get("id", ""), hash=digest)
            if lane is None:  # of a conversation that is not its user's, which the checker finds
                return
            lane.epoch = push["epoch"]
            if kind == "member":
                self.moved(lane, push)
            self.apply(lane, push["seq"], push.get("id", ""), digest)
        elif kind == "notice" and push["kind"] == "unacknowledged":
            self.note("paused", lasts={conv: lane.last for conv, lane in self.lanes.items()})
        elif kind == "ping":
            self.post('{"pong":{}}')
            for conv, (_, seq) in push.get("heads", {}).items():
                if conv in self.lanes:
                    self.saw_head(conv, seq)
        elif kind == "resync":
            self.note("resync", conv=push["conversation"])
            lane = self.lanes[push["conversation"]]
            lane.out, lane.known_head = False, max(lane.known_head, lane.last + 1)
            self.look_again(lane)

    def saw_head(self, conv, seq, wait=GAP_SECONDS):
        lane = self.lanes[conv]
        lane.known_head = max(lane.known_head, seq)
        self.look_again(lane, wait)

    def apply(self, lane, seq, ident, digest):
        """The gap rule: next is delivered, older is dropped, later is held and the gap is read after 200 ms."""
        if seq <= lane.last:
            return
        lane.held[seq] = (ident, digest)
        while lane.last + 1 in lane.held:
            lane.last += 1
            ident, digest = lane.held.pop(lane.last)
            self.note("app", conv=lane.conv, seq=lane.last, id=ident, hash=digest)
        self.look_again(lane)

    def look_again(self, lane, wait=GAP_SECONDS):
        if (lane.held or lane.known_head > lane.last) and lane.waiting is None and not lane.out:
            lane.waiting = asyncio.create_task(self.fill(lane, wait))

    async def fill(self, lane, wait):
        """Waits out the gap, then reads the missing range; a lost connection leaves it to the next one."""
        first = lane.first
        try:
            await asyncio.sleep(wait)
            while self.up and not lane.out and (lane.held or lane.known_head > lane.last):
                after, begun = lane.last, time.monotonic_ns()
                page = await self.call("history", {"conversation": lane.conv, "after": after, "limit": PAGE})
                items = [[e["seq"], e.get("id", ""), event_digest(e)] for e in page["items"]]
                self.note("read", conv=lane.conv, after=after, begun=begun, items=items, head=page["head"])
                lane.epoch, lane.known_head = page["epoch"], page["head"]
                self.joined(lane, max(page["first"], lane.first))
                for seq, ident, digest in items:
                    self.apply(lane, seq, ident, digest)
                if not items:
                    return
        except (OSError, WebSocketException, asyncio.CancelledError, asyncio.TimeoutError) as error:
            self.note("read_failed", conv=lane.conv, why=str(error)[:200])
            if getattr(error, "code", None) == "not_found" and lane.first == first:
                lane.out = True
        finally:
            lane.waiting = None
            if lane.first != first and self.up:
                self.look_again(lane)

    # --- outgoing

    def send(self, conv, body):
        """Accepts one message for sending; it stays queued until it has a definite answer."""
        lane = self.lanes[conv]
        lane.queue.append(Pending(str(uuid.UUID(int=lane.ids.getrandbits(128))), body))
        self.pump(lane)

    def pump(self, lane):
        """Puts queued messages on the wire in order, at most WINDOW unanswered per conversation."""
        if not self.up or lane.stalled_until is not None:
            return
        flying, before = sum(p.flying for p in lane.queue), None
        for pending in lane.queue:
            if not pending.flying:
                if flying >= WINDOW:
                    return
                flying += 1
                self.launch(lane, pending, before)
            before = pending

    def launch(self, lane, pending, before):
        pending.flying = True
        prev = f',"prev":"{before.cmid}"' if before is not None else ""
        self.note("invoke", conv=lane.conv, cmid=pending.cmid, hash=pending.digest, bytes=len(pending.text.encode()))
        self.write("send", f'{{"conversation":"{lane.conv}","client_msg_id":"{pending.cmid}","kind":"text"{prev},'
                           f'"body":{pending.text}}}', (lane, pending))

    def answered(self, lane, pending, frame):
        pending.flying, ok = False, frame.get("ok")
        if ok is not None:
            lane.queue.remove(pending)
            self.note("ok", conv=lane.conv, cmid=pending.cmid, seq=ok["seq"], epoch=ok["epoch"], dup=ok["duplicate"],
                      billed=ok["billed"], id=ok["id"])
            if not self.first_ack:
                self.first_ack = True
                self.on_ack()
            self.amender.said(lane.conv, ok["seq"])
            self.apply(lane, ok["seq"], ok["id"], pending.digest)
        else:
            self.refused(lane, pending, frame["error"])
        if lane.stalled_until is None:
            self.pump(lane)
        elif not any(p.flying for p in lane.queue):
            asyncio.create_task(self.resume(lane, lane.stalled_until))

    def refused(self, lane, pending, error):
        kind = "unknown" if error["code"] in OPEN_OUTCOMES else "fail"
        self.note(kind, conv=lane.conv, cmid=pending.cmid, code=error["code"], retry_ms=error.get("retry_after_ms"))
        if error["retryable"]:
            lane.stalled_until = max(lane.stalled_until or 0, time.monotonic() + error.get("retry_after_ms", 50) / 1000)
        else:
            lane.queue.remove(pending)

    async def resume(self, lane, until):
        await asyncio.sleep(max(0, until - time.monotonic()))
        if lane.stalled_until == until:
            lane.stalled_until = None
            self.pump(lane)
