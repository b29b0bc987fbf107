"""The recorded history of one run: loading it from a directory and indexing it for the checks.

Every JSONL record has `e` (its kind), `t` (monotonic ns) and `dev` (`user/device`); most have `conv`. Kinds and further fields:
`invoke` cmid, hash · `ok` cmid, seq, epoch, dup, billed, id · `fail` cmid, code (definitely refused) · `unknown` cmid (answer lost) ·
`wire` seq, epoch, id, hash (a push as it came) · `app` seq, id, hash (handed to the application) · `read` after, items [[seq, id,
hash]], head · `head` seq · `cursor` seq (where the device starts, else 0) · `end` online. Other kinds are notes for people.
"""

import json
from pathlib import Path


class Message:
    """One client message (conversation, sender, client_msg_id) with every attempt to send it."""

    __slots__ = ("conv", "sender", "cmid", "device", "hash", "invokes", "oks", "unknowns", "fails")

    def __init__(self, conv, sender, cmid, device, digest):
        self.conv, self.sender, self.cmid, self.device, self.hash = conv, sender, cmid, device, digest
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


class History:
    """Indexes over one run: sends, deliveries and reads by device, the final logs and the usage readings.

    Shapes: `procs` maps a process name to its records in recording order; `final` maps a conversation to
    `{"head", "epoch", "events"}`; `usage` is a list of `{"label", "items"}`; `run` holds the harness facts
    (`rounds`, `heal`, `members`, `devices`, `app`).
    Units: all times are nanoseconds of the host's monotonic clock.
    """

    def __init__(self, procs, final, usage, run):
        self.final, self.usage, self.run = final, usage, run
        self.messages, self.ack_times = {}, []
        self.wire, self.app, self.heads, self.cursors = {}, {}, {}, {}
        self.reads, self.online, self.broken = [], set(), []
        devices = run.get("devices", {})
        for proc in sorted(procs):
            for record in procs[proc]:
                self._take(record, devices)

    def _take(self, r, devices):
        kind, dev, conv = r["e"], r.get("dev"), r.get("conv")
        if kind == "wire":
            self.wire.setdefault((dev, conv), []).append(r)
        elif kind == "app":
            self.app.setdefault((dev, conv), []).append(r)
        elif kind in ("invoke", "ok", "fail", "unknown"):
            self._take_send(kind, r, devices)
        elif kind == "read":
            self.reads.append(r)
            self.heads.setdefault((dev, conv), []).append((r["t"], r["head"]))
        elif kind == "head":
            self.heads.setdefault((dev, conv), []).append((r["t"], r["seq"]))
        elif kind == "cursor":
            self.cursors[(dev, conv)] = r["seq"]
        elif kind == "end":
            if r.get("online"):
                self.online.add(dev)

    def _take_send(self, kind, r, devices):
        key = (r["conv"], devices.get(r["dev"], r["dev"]), r["cmid"])
        message = self.messages.get(key)
        if message is None:
            if kind != "invoke":
                self.broken.append(f"{kind} of {key} without an invoke")
                return
            message = self.messages[key] = Message(*key, r["dev"], r["hash"])
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
    """Reads `*.jsonl`, `final.json`, `usage.json` and `run.json` of a run directory.

    Errors: `ValueError` for a line that is not JSON, `OSError` for a missing file; both make the run invalid.
    """
    root, procs = Path(directory), {}
    for path in sorted(root.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            procs[path.stem] = [json.loads(line) for line in lines]
    parts = [json.loads((root / f"{name}.json").read_text(encoding="utf-8")) for name in ("final", "usage", "run")]
    return History(procs, *parts)


def save(directory, procs, final, usage, run):
    """Writes a run directory that `load` reads back."""
    root = Path(directory)
    for name, records in procs.items():
        with (root / f"{name}.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    for name, value in (("final", final), ("usage", usage), ("run", run)):
        (root / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
