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
import contextlib
import json
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
from peer import Answered
from recording import Recording, record
from rest import Refused, Rest, body_digest
from rows import text_id
from server import Server, ServerError, exit_on_sigterm
from tenant import final_event
from websockets.exceptions import WebSocketException

PRODUCT_EACH = 7
SHOWN = 5
REASON_CHARS = 300


class Found(Exception):
    """What a cut left is not what was promised."""


def iso(at_ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms // 1000))


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
                "seq": seq, "epoch": epoch, "type": "message" if kind == 1 else "member", "id": text_id("msg", ident), "sender": sender or "",
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
        yield conv, {"head": head, "epoch": epoch, "events": [final_event(event) for event in events]}


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
