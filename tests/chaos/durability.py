#!/usr/bin/env python3
"""Proves from a system call trace that no acknowledgement leaves the server before its message is synced to disk (G1).

Every message carries a marker. In the trace, the write of the WAL frame with that marker, the commit frame of the same
transaction, a completed fdatasync of that WAL and the bytes of the acknowledgement must follow each other in this order;
the same holds for every push and REST reply that shows the message. With `--sabotaged-bin` the proof is repeated on a
server that does not sync, where it must fail: a proof that cannot fail proves nothing.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import syscalls
from peer import Answered, dial
from rest import Refused, Rest
from server import Server, ServerError, exit_on_sigterm
from websockets.exceptions import WebSocketException

SINGLE = 60
PIPELINED = 200
REST_SENDS = 20
REPLY_SECONDS = 60
SHOWN = 5


def message(conv):
    marker = f"marker-{uuid.uuid4().hex}"
    return marker, {"conversation": conv, "client_msg_id": str(uuid.uuid4()), "kind": "text", "body": {"text": marker}}


def exercise(server):
    """Sends one at a time, pipelined and by REST; returns {marker: message id} and the sender's replies by id."""
    rest = Rest(server.url, server.identity["key"], server.private)
    tokens = {user: rest.token(user) for user in ("alice", "bob")}
    conv = rest.create("group", ["alice", "bob"])["id"]
    (alice, _), (bob, _) = (dial(server, tokens[user], "d1", seconds=REPLY_SECONDS) for user in ("alice", "bob"))
    acks = {}
    for _ in range(SINGLE):
        marker, fields = message(conv)
        ident = alice.write("send", fields)
        acks[marker] = (ident, alice.answer(ident)["id"])
    batch = []
    for _ in range(PIPELINED):
        marker, fields = message(conv)
        batch.append((marker, alice.write("send", fields)))
    for marker, ident in batch:
        acks[marker] = (ident, alice.answer(ident)["id"])
    for _ in range(REST_SENDS):
        marker, fields = message(conv)
        del fields["conversation"]
        acks[marker] = (None, rest.call("POST", f"/v1/conversations/{conv}/messages", {"sender": "alice", **fields})["id"])
    pushed = [bob.push()["body"]["text"] for _ in acks]
    assert pushed == list(acks), "bob hears every message, in the order of the acks"
    alice_port = alice.ws.socket.getsockname()[1]
    for peer in (alice, bob):
        peer.stack.close()
    return acks, alice_port


def violations(calls, acks, port, sender_port):
    """Every place where bytes about a message left before it was durable; empty is the proof."""
    found, logs, sent = [], syscalls.wals(calls), syscalls.streams(calls, port)
    own = [s for s in sent if s.target.endswith(f":{sender_port}]")]
    if len(own) != 1:
        raise syscalls.TraceError(f"the sender's connection is not in the trace: {[s.target for s in sent]}")
    for marker, (ident, message_id) in acks.items():
        synced = [log.durable_at(marker.encode()) for log in logs]
        on_disk = [sync for written, sync in synced if written is not None]
        if not on_disk:
            found.append(f"{marker}: never committed to a write-ahead log")
            continue
        durable = min((sync for sync in on_disk if sync is not None), default=None)
        if ident is not None and own[0].find(f'{{"id":{ident},"ok":'.encode()) is None:
            raise syscalls.TraceError(f"ack {ident} is not in the trace")
        tokens = [marker, f'"{message_id}"'] + ([] if ident is None else [f'{{"id":{ident},"ok":'])
        for stream in sent:
            for token in tokens if stream is own[0] else tokens[:2]:
                at = stream.find(token.encode())
                if at is not None and (durable is None or at < durable):
                    early = "no sync ever followed" if durable is None else f"{(durable - at) / 1000:.0f} µs before the sync ended"
                    found.append(f"{token} left on {stream.target}: {early}")
    return found


def run(binary, root, env=None):
    """Runs the exercise under the tracer; returns (violations, counts)."""
    root.mkdir()
    log = root / "trace"
    server = Server(binary, root, prefix=["strace", *syscalls.OPTIONS, "-o", str(log)], env=env)
    try:
        server.bootstrap()
        server.start()
        port = server.port
        acks, sender_port = exercise(server)
        server.terminate()
    finally:
        server.kill()
    calls = syscalls.read(log)
    logs = syscalls.wals(calls)
    counts = {"acks": len(acks), "calls": len(calls), "wal_frames": sum(len(w.frames) for w in logs),
              "wal_syncs": sum(len(w.syncs) for w in logs)}
    return violations(calls, acks, port, sender_port), counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="the tokenim binary")
    parser.add_argument("--sabotaged-bin", help="a binary built with `--features sabotage`")
    parser.add_argument("--sabotage", default="synchronous_off", help="the seeded bug that the proof must find")
    parser.add_argument("--keep", action="store_true", help="leave traces and data for inspection")
    arguments = parser.parse_args()
    exit_on_sigterm()
    root, failed = Path(tempfile.mkdtemp(prefix="tokenim-durability-")), True
    try:
        found, counts = run(arguments.bin, root / "clean")
        for text in found[:SHOWN]:
            print(f"VIOLATION: {text}")
        print(f"durability: {len(found)} violations in {json.dumps(counts)}")
        failed = bool(found)
        if arguments.sabotaged_bin:
            found, counts = run(arguments.sabotaged_bin, root / "sabotaged", {"TOKENIM_SABOTAGE": arguments.sabotage})
            print(f"durability with {arguments.sabotage}: {len(found)} violations (must be some) in {json.dumps(counts)}")
            if not found:
                print("FAILED: the proof did not notice the seeded bug")
            failed = failed or not found
    except (ServerError, syscalls.TraceError, Answered, Refused, WebSocketException, OSError, subprocess.SubprocessError) as error:
        print(f"durability: FAILED: {type(error).__name__}: {error}")
        failed = True
    finally:
        if arguments.keep or failed:
            print(f"durability: traces and data stay in {root}")
        else:
            shutil.rmtree(root)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
