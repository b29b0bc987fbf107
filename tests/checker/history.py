"""The recorded history of one run: loading it from a directory and indexing it for the checks.

Every JSONL record has `e` (its kind), `t` (monotonic ns) and `dev` (`user/device`); most have `conv`. Kinds and further fields:
`invoke` cmid, hash, and bytes where it may be amended · `ok` cmid, seq, epoch, dup, billed, id (an amendment's has no epoch and id)
· `fail` cmid, code (definitely refused) · `unknown` cmid (answer lost) · `wire` seq, epoch, id, hash (a push as it came) · `app`
seq, id, hash (handed to the application) · `read` after, begun (when it was asked for), items [[seq, id, hash]], head · `connect` w
(wall clock, ms), heads {conv: [epoch, seq]} · `connected` w (the server's), sync {conv: [outcome, head]} · `ack` n, seq (a
`received` or `read`) and one of `ack_ok`, `ack_fail`, else its outcome is open: n · `passive`, `open` head, `told` head (where it
is passive or paused) · `paused` lasts {conv: seq} (the connection acknowledges too little, and what it has) · `head` seq · `cursor`
seq (where the device starts, else 0) · `rewind` epoch, first (told to drop what it holds from `first` on) · `joined` seq (where it
goes on, as its user came again) · `canary` of (the app whose mark was in a payload; once for each app), text · `end` online. Of the
harness itself: `add`, `remove` conv, user (asked for the first time) and `changed` conv, user, change, seq (what came of it),
`held` seq, said, own, stored, hash (bytes and digest of what was acknowledged of a live message, and of what was read). Other kinds
are notes for people.

A run may hold one restore, `restore` of `run.json`: `begun` and `ended` (of the backup's command), `epoch` (as the restore said).
What a device recorded of a conversation before its `rewind` is of the log that the restore replaced. Both logs share their past,
the restored events: those of an epoch before the restore's.
"""

import json
from pathlib import Path

from amendments import Versions, measure
from membership import Membership

PARTS = ("final", "usage", "run", "deliveries")
WORDS = ("connect", "connected", "ack", "ack_ok", "ack_fail", "passive", "told", "open", "paused", "rewind")


class Message:
    """One client message or amendment (conversation, sender, client_msg_id) with every attempt to send it."""

    __slots__ = ("conv", "sender", "cmid", "device", "hash", "bytes", "invokes", "oks", "unknowns", "fails")

    def __init__(self, conv, sender, cmid, device, digest, size):
        self.conv, self.sender, self.cmid, self.device, self.hash, self.bytes = conv, sender, cmid, device, digest, size
        self.invokes, self.oks, self.unknowns, self.fails = [], [], 0, []

    @property
    def state(self):
        """`ok`, `unknown` (outcome open) or `fail` (every attempt was definitely refused)."""
        if self.oks:
            return "ok"
        if self.unknowns or len(self.fails) < len(self.invokes):
            return "unknown"
        return "fail"

    @property
    def name(self):
        return f"{self.conv}/{self.sender}/{self.cmid}"


class Lost:
    """What was recorded of the logs that a restore replaced: deliveries and heads whole, messages where the restored log lacks them."""

    def __init__(self):
        self.messages, self.wire, self.app, self.heads, self.reads = {}, {}, {}, {}, []


class History:
    """Indexes over one run: sends, deliveries and reads by device, the final logs and the usage readings.

    After a restore the tables hold what belongs to the final logs, their restored past included; `lost` holds the rest, `cuts` the
    seq each past ends with, and `rewinds` who was told. `words` holds by device what moves its cursors.

    Shapes: `procs` maps a process name to its records in recording order; `final` maps a conversation to `{"head", "epoch",
    "events"}`; `usage` is a list of `{"label", "items"}`; `run` holds the harness facts (`rounds`, `heal`, `members`, `devices`,
    `app`; `marked` where bodies carry canaries, `changing` where members come and go; `moves_may_fail` where commits failed by
    design); `deliveries` is `{"rows", "cursors"}` as the database has them in the end, or None where nobody could look.
    Units: all times are nanoseconds of the host's monotonic clock.
    """

    def __init__(self, procs, final, usage, run, deliveries=None):
        self.final, self.usage, self.run, self.deliveries = final, usage, run, deliveries
        self.words, self.handed, self.recount = {}, {}, None
        self.messages, self.ack_times, self.asked, self.changes, self.held = {}, [], {}, [], []
        self.wire, self.app, self.heads, self.cursors = {}, {}, {}, {}
        self.reads, self.online, self.broken, self.canaries = [], set(), [], []
        self.restore, self.lost, self.rewinds, self.cuts, self.past = run.get("restore"), Lost(), {}, {}, set()
        if self.restore is not None:
            self._find_past()
        devices = run.get("devices", {})
        for proc in sorted(procs):
            for record in procs[proc]:
                self._take(record, devices)
        measure(self)
        self.membership, self.versions = Membership(self), Versions(self)

    def stays(self, lane):
        """The times at which the user of a device was in a conversation."""
        return self.membership.of(lane[1], self.run.get("devices", {}).get(lane[0]))

    def _find_past(self):
        for conv, log in self.final.items():
            past = [e for e in log["events"] if e.get("epoch", log["epoch"]) < self.restore["epoch"]]
            self.cuts[conv] = len(past)
            self.past.update((conv, e["sender"], e["cmid"]) for e in past if e["type"] == "message")

    def start(self, lane):
        """The seq a device began after, of what the final log has."""
        return min(self.cursors.get(lane, 0), self.cuts.get(lane[1], 0)) if lane in self.rewinds else self.cursors.get(lane, 0)

    def _replaced(self, lane):
        """Whether a device still speaks of a log that a restore replaced."""
        return self.restore is not None and lane not in self.rewinds

    def _take(self, r, devices):
        kind, lane = r["e"], (r.get("dev"), r.get("conv"))
        if kind in WORDS:
            self.words.setdefault(lane[0], []).append(r)
        if kind in ("wire", "app"):
            if self._replaced(lane):
                getattr(self.lost, kind).setdefault(lane, []).append(r)
            if kind == "app":
                self.handed[lane] = r["seq"]
            if not self._replaced(lane) or r["seq"] <= self.cuts.get(lane[1], 0):
                getattr(self, kind).setdefault(lane, []).append(r)
        elif kind in ("invoke", "ok", "fail", "unknown"):
            self._take_send(kind, r, devices, lane)
        elif kind in ("read", "head"):
            of = self.lost if self._replaced(lane) else self
            of.heads.setdefault(lane, []).append((r["t"], r["head" if kind == "read" else "seq"]))
            if kind == "read":
                of.reads.append(r)
        elif kind == "cursor":
            self.cursors[lane] = self.handed[lane] = r["seq"]
        elif kind == "ack":
            if r["seq"] > self.handed.get(lane, 0):
                self.broken.append(f"{lane[0]} acknowledged {lane[1]} up to {r['seq']}, its application has {self.handed.get(lane, 0)}")
        elif kind == "rewind":
            self.handed[lane] = min(self.handed.get(lane, 0), r["first"] - 1)
            self.rewinds.setdefault(lane, []).append(r)
        elif kind == "joined":
            self.handed[lane] = max(self.handed.get(lane, 0), r["seq"] - 1)
        elif kind == "add":
            self.asked.setdefault((r["conv"], r["user"]), []).append(r["t"])
        elif kind == "held":
            self.held.append(r)
        elif kind == "changed":
            self.changes.append(r)
        elif kind == "canary":
            self.canaries.append(r)
        elif kind == "end":
            if r.get("online"):
                self.online.add(lane[0])

    def _take_send(self, kind, r, devices, lane):
        key = (r["conv"], devices.get(r["dev"], r["dev"]), r["cmid"])
        messages = self.lost.messages if self._replaced(lane) and key not in self.past else self.messages
        message = messages.get(key)
        if message is None:
            if kind != "invoke":
                self.broken.append(f"{kind} of {key} without an invoke")
                return
            message = messages[key] = Message(*key, r["dev"], r["hash"], r.get("bytes"))
        if kind == "invoke":
            message.invokes.append(r["t"])
        elif kind == "ok":
            message.oks.append(r)
            self.ack_times.append(r["t"])
        elif kind == "unknown":
            message.unknowns += 1
        else:
            message.fails.append(r["code"])

    def invalid_reasons(self):
        """Why this run proves nothing, however clean it looks; empty for a valid run."""
        reasons = list(self.broken[:3])
        if not self.ack_times:
            reasons.append("no message was acknowledged")
        if not any(self.app.values()):
            reasons.append("nothing was delivered to an application")
        if not self.usage or not any(reading["items"] for reading in self.usage):
            reasons.append("no usage figures")
        unread = sorted({m.conv for m in self.messages.values()} - set(self.final))
        if unread:
            reasons.append(f"no final read of {', '.join(unread[:5])}")
        blind = self.online - {r["dev"] for r in self.canaries if r["of"] == self.run.get("app")}
        if self.run.get("marked") and blind:
            reasons.append(f"no canary of its own app reached {', '.join(sorted(blind)[:5])}")
        if self.run.get("changing") and not self.membership.rejoined():
            reasons.append("nobody left and came again")
        if self.restore is not None and not (self.past and any(m.oks for m in self.lost.messages.values())):
            reasons.append("the restore kept nothing or lost nothing")
        return reasons + self._round_reasons()

    def _round_reasons(self):
        rounds, wanted = self.run.get("rounds", []), self.run.get("rounds_min", 1)
        if len(rounds) < wanted:
            return [f"{len(rounds)} kills, {wanted} wanted"]
        times, at = sorted(self.ack_times), 0
        for number, window in enumerate(sorted(rounds, key=lambda w: w["start"]), 1):
            while at < len(times) and times[at] < window["start"]:
                at += 1
            if at == len(times) or times[at] > window["kill"]:
                return [f"round {number} acknowledged nothing"]
        return []


def load(directory):
    """Reads `*.jsonl`, `final.json`, `usage.json`, `run.json` and, where it is there, `deliveries.json` of a run directory.

    Errors: `ValueError` for a line that is not JSON, `OSError` for a missing file; both make the run invalid.
    """
    root, procs = Path(directory), {}
    for path in sorted(root.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            procs[path.stem] = [json.loads(line) for line in lines]
    names = PARTS if (root / "deliveries.json").exists() else PARTS[:-1]
    return History(procs, *(json.loads((root / f"{name}.json").read_text(encoding="utf-8")) for name in names))


def save(directory, procs, *parts):
    """Writes a run directory that `load` reads back."""
    root = Path(directory)
    for name, records in procs.items():
        with (root / f"{name}.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    for name, value in zip(PARTS, parts):
        (root / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
