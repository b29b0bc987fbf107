"""A recorded load on SQLite for power.py: the server's system calls, what was asked and answered, and the moments to cut at."""

import contextlib
import json
import random
import sys
import time
import uuid
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "checker"))

import syscalls
from history import History
from peer import dial
from platter import Platter
from rest import Rest, body_digest
from server import Server, ServerError

MEMBERS = ["u1", "u2", "u3", "u4"]
CONVERSATIONS = 3
TURNS = 100
BURST_MAX = 4
LARGE_SHARE = 0.1
LARGE_BYTES = (2_000, 12_000)
KINDS = ("ack", "sync", "checkpoint", "folder", "anywhere")
CHECKPOINTS_MIN = 3
REPLY_SECONDS = 60


class Load:
    """What was asked of the server and what it answered, as records of the history checker; times are of the host's clock."""

    def __init__(self, server, rng):
        self.server, self.rng, self.records, self.convs, self.bodies = server, rng, [], {}, {}

    def serve(self):
        """One time of service: new conversations, then turns in which every user sends a burst to one of all."""
        self.server.start()
        rest = Rest(self.server.url, self.server.identity["key"], self.server.private)
        for _ in range(CONVERSATIONS):
            conv = rest.create("group", MEMBERS)["id"]
            self.convs[conv] = time.time_ns()
        with contextlib.ExitStack() as open_peers:
            peers = {user: open_peers.enter_context(dial(self.server, rest.token(user), "d1", seconds=REPLY_SECONDS)[0]) for user in MEMBERS}
            for _ in range(TURNS):
                flying = {user: self.burst(user, peer) for user, peer in peers.items()}
                for user, peer in peers.items():
                    self.collect(user, peer, flying[user])

    def burst(self, user, peer):
        conv, opened = self.rng.choice(list(self.convs)), []
        for _ in range(self.rng.randint(1, BURST_MAX)):
            size = self.rng.randint(*LARGE_BYTES) if self.rng.random() < LARGE_SHARE else self.rng.randint(1, 200)
            cmid, body = str(uuid.uuid4()), {"text": "x" * size}
            self.bodies[cmid] = body
            about = {"dev": f"{user}/d1", "conv": conv, "cmid": cmid}
            self.records.append({"e": "invoke", "t": time.time_ns(), **about, "hash": body_digest(body)})
            opened.append((peer.write("send", {"conversation": conv, "client_msg_id": cmid, "kind": "text", "body": body}), about))
        return opened

    def collect(self, user, peer, opened):
        port = peer.ws.socket.getsockname()[1]
        for ident, about in opened:
            ok = peer.answer(ident)
            self.records.append({"e": "ok", "port": port, "ident": ident, **about, "seq": ok["seq"], "epoch": ok["epoch"],
                                 "dup": ok["duplicate"], "billed": ok["billed"], "id": ok["id"]})


def record(binary, root, seed):
    """Makes a recording: the tracer's log and what was asked and answered."""
    prefix = ["strace", *syscalls.options(f"{syscalls.CALLS},{syscalls.FILE_CALLS}"), "-A", "-o", str(root / "trace")]
    server = Server(binary, root, prefix=prefix)
    load = Load(server, random.Random(seed))
    try:
        identity, since = server.bootstrap(prefix=prefix), time.time_ns()
        load.serve()
        if server.terminate() != 0:
            raise ServerError(f"SIGTERM did not end in exit 0\n{server.tail()}")
        load.serve()
    finally:
        server.kill()
    facts = {"seed": seed, "identity": identity, "since": since, "port": server.port, "data": str(server.data), "made": load.convs,
             "records": load.records, "bodies": load.bodies}
    (root / "load.json").write_text(json.dumps(facts), encoding="utf-8")


class Recording:
    """A recording read back: the platter, when each acknowledgement left, and the moments at which the power may go."""

    def __init__(self, root):
        self.root, self.facts = root, json.loads((root / "load.json").read_text(encoding="utf-8"))
        calls = syscalls.read(root / "trace")
        self.platter, self.seed, self.made = Platter(self.facts["data"], calls), self.facts["seed"], self.facts["made"]
        self.records = [r if r["e"] == "invoke" else {**r, "t": at} for r, at in self._timed(calls)]
        self.records.sort(key=lambda r: r["t"])
        self.acks = [r for r in self.records if r["e"] == "ok"]
        self.key = self.platter.names[f"{self.facts['data']}/master.key"].content(calls[-1].end, random.Random(0))
        self.database, = (file for name, file in self.platter.files().items() if name.endswith("/tokenim.db"))
        self.moments = {kind: [at for at in found if at > self.facts["since"]] for kind, found in self._moments().items()}
        self.checkpoints = sum(sync.start > self.facts["since"] for sync in self.database.syncs)
        self._judge_validity()

    def _timed(self, calls):
        """Every record with its time: of an answer, when the call that sent its first byte began."""
        left = {}
        for stream in syscalls.streams(calls, self.facts["port"]):
            port = int(stream.target.rstrip("]").rsplit(":", 1)[1])
            left.update(((port, int(found[1])), stream.sent_at(found.start())) for found in stream.answers())
        for r in self.facts["records"]:
            at = r.get("t") or left.get((r["port"], r["ident"]))
            if at is None:
                raise syscalls.TraceError(f"answer {r['ident']} on port {r['port']} is not in the trace")
            yield r, at

    def _moments(self):
        files = self.platter.files().values()
        syncs = [sync for file in files for sync in file.syncs]
        changes = [change for file in files for change in file.changes]
        entries = self.platter.entries + self.platter.syncs
        return {"ack": [ack["t"] + 1 for ack in self.acks], "sync": [(s.start + s.end) // 2 for s in syncs],
                "checkpoint": [(c.start + c.end) // 2 for c in self.database.changes],
                "folder": [at for e in entries for at in (e.start, (e.start + e.end) // 2, e.end + 1)],
                "anywhere": [at for c in changes for at in (c.start, (c.start + c.end) // 2, c.end + 1)]}

    def _judge_validity(self):
        """A recording that does not hold what the cuts are for proves nothing."""
        if self.checkpoints < CHECKPOINTS_MIN:
            raise syscalls.TraceError(f"only {self.checkpoints} checkpoints in the recording, {CHECKPOINTS_MIN} wanted")
        empty = [kind for kind, found in self.moments.items() if not found]
        if empty:
            raise syscalls.TraceError(f"no moment to cut at: {empty}")

    def cut(self, number):
        """The seeded cut of a number: (kind, moment, the luck of what was not synced)."""
        rng, kind = random.Random(f"{self.seed}/{number}"), KINDS[number % len(KINDS)]
        return kind, rng.choice(self.moments[kind]), rng

    def history(self, cut, final, usage):
        """What the checker is to know of the time before a cut."""
        run = {"members": dict.fromkeys(self.made, MEMBERS), "devices": {f"{user}/d1": user for user in MEMBERS}, "app": self.facts["identity"]["app"]}
        return History({"load": [r for r in self.records if r["t"] < cut]}, final, [{"label": "after the cut", "items": usage}], run)
