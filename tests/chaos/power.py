#!/usr/bin/env python3
"""RELIABILITY T10: the power is cut at seeded moments of a recorded load on SQLite; nothing that was acknowledged may be missing.

The server's system calls are recorded from the making of its data folder on: bootstrap, a load, a clean stop, a second load,
kill -9. For each cut the folder is rebuilt as a disk could hold it then (platter.py) and judged by the history checker: what
left as an acknowledgement before the cut is stored once, at its seq, in a dense log, billed, in a database that is sound.
Most cuts are read with Python's SQLite; each seventh starts the product, which must also take a repeat for one and go on.
The same cuts are then judged as under `synchronous=NORMAL`, by leaving the syncs of commits out: unless that loses
acknowledged messages, and still leaves every database sound, the instrument is blind and the run fails.
"""

import argparse
import base64
import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "checker"))

import checks
import syscalls
from history import History
from kill import Run
from peer import Answered, dial
from platter import Platter
from rest import Refused, Rest, body_digest
from server import Server, ServerError, exit_on_sigterm
from websockets.exceptions import WebSocketException

MEMBERS = ["u1", "u2", "u3", "u4"]
CONVERSATIONS = 3
TURNS = 100
BURST_MAX = 4
LARGE_SHARE = 0.1
LARGE_BYTES = (2_000, 12_000)
PRODUCT_EACH = 7
KINDS = ("ack", "sync", "checkpoint", "folder", "anywhere")
CHECKPOINTS_MIN = 3
REPLY_SECONDS = 60
SHOWN = 5
REASON_CHARS = 300
ALPHABET = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz")


class Load:
    """What was asked of the server and what it answered, as records of the history checker; times are of the host's clock."""

    def __init__(self, server, rng):
        self.server, self.rng, self.records, self.convs, self.bodies = server, rng, [], {}, {}

    def serve(self):
        """One time of service: new conversations, then turns in which every user sends a burst to one of all."""
        self.server.start()
        rest = Rest(self.server.url, self.server.identity["key"])
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


class Found(Exception):
    """What a cut left is not what was promised."""


def iso(at_ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms // 1000))


def message_id(raw):
    """The text of a message's id: 128 bits in 26 digits of 5 bits, the first of which are zero."""
    return "msg_" + base64.b32encode(bytes(4) + raw).decode()[6:].rstrip("=").translate(ALPHABET)


def read_file(data):
    """Reads a rebuilt database with Python's SQLite, which recovers it; returns (final, usage) as the checker wants them."""
    if not (data / "tokenim.db").exists():
        raise Found("the database is gone")
    with contextlib.closing(sqlite3.connect(data / "tokenim.db")) as database:
        rows = database.execute("PRAGMA integrity_check").fetchall() + database.execute("PRAGMA foreign_key_check").fetchall()
        if rows != [("ok",)]:
            raise Found(f"integrity check: {str(rows)[:REASON_CHARS]}")
        final = {conv: {"head": head, "epoch": epoch, "events": []}
                 for conv, head, epoch in database.execute("SELECT id, last_seq, epoch FROM conversation")}
        events = ("SELECT conversation_id, seq, epoch, type, id, sender, client_msg_id, body, at_ms FROM message "
                  "ORDER BY conversation_id, seq")
        for conv, seq, epoch, kind, ident, sender, cmid, body, at_ms in database.execute(events):
            final[conv]["events"].append({
                "seq": seq, "epoch": epoch, "type": "message" if kind == 1 else "member", "id": message_id(ident), "sender": sender or "",
                "cmid": cmid or "", "hash": body_digest(json.loads(body)), "at": iso(at_ms), "bytes": len(body.encode())})
        hours = ("SELECT hour_ms, quantity FROM usage_bucket WHERE meter = 'msg_sent' UNION ALL "
                 "SELECT event_ms, units FROM usage_append WHERE roll IS NULL")
        usage = [{"at": iso(at_ms), "meter": "msg_sent", "quantity": units} for at_ms, units in database.execute(hours) if units]
    return final, usage


def read_product(data, recording, binary, cut):
    """Starts the product on a rebuilt folder, repeats what was acknowledged last and sends anew; returns (final, usage) before that."""
    server = Server(binary, data.parent)
    try:
        server.start()
        rest = Rest(server.url, recording.facts["identity"]["key"])
        final = dict(read_conversations(rest, recording.made))
        usage = rest.usage()
        for conv in sorted({ack["conv"] for ack in recording.acks if ack["t"] < cut} & set(final)):
            go_on(rest, recording, conv, final[conv]["head"], cut)
        if server.terminate() != 0:
            raise Found(f"SIGTERM did not end in exit 0\n{server.tail()}")
    except (ServerError, Refused) as error:
        raise Found(f"the product: {error}") from error
    finally:
        server.kill()
    return final, usage


def read_conversations(rest, convs):
    """Reads those that there are, by REST."""
    for conv in convs:
        try:
            events, head, epoch = rest.read_log(conv)
        except Refused as refused:
            if refused.status != 404:
                raise
            continue
        yield conv, {"head": head, "epoch": epoch, "events": [Run.final_event(event) for event in events]}


def go_on(rest, recording, conv, head, cut):
    """A repeat of the last acknowledged message is one, and a new message is the next."""
    last = next(ack for ack in reversed(recording.acks) if ack["conv"] == conv and ack["t"] < cut)
    for cmid, duplicate, seq in ((last["cmid"], True, last["seq"]), (str(uuid.uuid4()), False, head + 1)):
        body = recording.facts["bodies"].get(cmid, {"text": "after the cut"})
        said = rest.call("POST", f"/v1/conversations/{conv}/messages",
                         {"sender": last["dev"].split("/")[0], "client_msg_id": cmid, "kind": "text", "body": body})
        if (said["duplicate"], said["seq"]) != (duplicate, seq):
            raise Found(f"{conv}: {'a repeat' if duplicate else 'a new message'} was answered {said}, seq {seq} was due")


def judge_cut(recording, number, folder, binary=None):
    """Rebuilds the folder of one cut and judges it; returns the violations as (code, text). With `binary` the product reads it."""
    kind, cut, rng = recording.cut(number)
    recording.platter.rebuild(folder / "data", cut, rng)
    key = folder / "data" / "master.key"
    try:
        if not key.exists() or key.read_bytes() != recording.key:
            raise Found("the master key is gone or another")
        final, usage = read_file(folder / "data") if binary is None else read_product(folder / "data", recording, binary, cut)
        gone = [("gone", f"conversation {conv}") for conv, at in recording.made.items() if at < cut and conv not in final]
        return gone + checks.check(recording.history(cut, final, usage)).found
    except (Found, sqlite3.Error, ValueError, KeyError) as error:
        return [("unsound", f"{type(error).__name__}: {error}")]


def judge_all(recording, numbers, root, binary=None):
    """Judges cuts; returns {number: violations} of those that have any. Their folders stay, unless no `binary` is given."""
    broken = {}
    for number in numbers:
        folder = root / f"cut-{number}"
        folder.mkdir()
        found = judge_cut(recording, number, folder, binary if number % PRODUCT_EACH == 0 else None)
        if found:
            broken[number] = found
        if not found or binary is None:
            shutil.rmtree(folder)
    return broken


def judge(recording, numbers, binary):
    """Prints both verdicts; returns whether the run failed."""
    (recording.root / "full").mkdir()
    broken = judge_all(recording, numbers, recording.root / "full", binary)
    for number, found in list(broken.items())[:SHOWN]:
        kind, cut, _ = recording.cut(number)
        print(f"power: cut {number} ({kind}, {sum(ack['t'] < cut for ack in recording.acks)} acknowledged before it)")
        for code, text in found[:SHOWN]:
            print(f"VIOLATION {code}: {text}")
    started = sum(number % PRODUCT_EACH == 0 for number in numbers)
    print(f"power: {len(broken)} of {len(numbers)} cuts broke the promise ({started} read by the product, the others by SQLite), "
          f"{len(recording.acks)} acknowledgements, {recording.checkpoints} checkpoints, seed {recording.seed}")
    return bool(broken)


def judge_normal(recording, numbers):
    """Judges the cuts once more as under `synchronous=NORMAL`; returns whether the instrument is blind."""
    recording.platter.forget_commit_syncs()
    (recording.root / "normal").mkdir()
    broken = judge_all(recording, numbers, recording.root / "normal")
    lost = {number: sum(code in ("C1", "gone") for code, _ in found) for number, found in broken.items()}
    unsound = Counter(text for found in broken.values() for code, text in found if code == "unsound")
    for text in list(unsound)[:SHOWN]:
        print(f"power: under NORMAL a database must stay sound: {text}")
    print(f"power with synchronous=NORMAL: {sum(map(bool, lost.values()))} of {len(numbers)} cuts lost what was acknowledged (must be some), "
          f"{sum(lost.values())} messages and conversations in all")
    if not any(lost.values()):
        print("FAILED: the instrument did not notice that commits were not synced")
    return bool(unsound) or not any(lost.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="the tokenim binary")
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the load and the cuts")
    parser.add_argument("--recording", type=Path, help="a folder that an earlier run left: judge that one, with its seed")
    parser.add_argument("--only", type=int, help="judge one cut, by its number")
    parser.add_argument("--keep", action="store_true", help="leave the recording for inspection")
    arguments = parser.parse_args()
    exit_on_sigterm()
    root = arguments.recording or Path(tempfile.mkdtemp(prefix="tokenim-power-"))
    failed, begun = True, time.monotonic()
    try:
        if arguments.recording is None:
            print(f"power: seed {arguments.seed}")
            record(arguments.bin, root, arguments.seed)
        for name in ("full", "normal"):
            shutil.rmtree(root / name, ignore_errors=True)
        recording = Recording(root)
        numbers = range(arguments.cuts) if arguments.only is None else [arguments.only]
        failed = judge(recording, numbers, arguments.bin)
        if arguments.only is None:
            failed = judge_normal(recording, numbers) or failed
    except (ServerError, syscalls.TraceError, Answered, Refused, WebSocketException, OSError, subprocess.SubprocessError) as error:
        print(f"power: {type(error).__name__}: {error}")
    if arguments.keep or failed or arguments.recording:
        print(f"power: the recording stays in {root}; judge a cut of it again with --recording {root} --only N")
    else:
        shutil.rmtree(root)
    print(f"power: {'FAILED' if failed else 'clean'} in {time.monotonic() - begun:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
