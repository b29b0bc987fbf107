#!/usr/bin/env python3
"""Proves from a system call trace that no acknowledgement leaves the server before its message is synced to disk (G1).

Every message carries a marker. In the trace, the write of the WAL frame with that marker, the commit frame of the same
transaction, a completed fdatasync of that WAL and the bytes of the acknowledgement must follow each other in this order;
the same holds for every push and REST reply that shows the message. With `--sabotaged-bin` the proof is repeated on a
server that does not sync, where it must fail: a proof that cannot fail proves nothing.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import syscalls
from rest import Refused, Rest, compact
from server import Server, ServerError, exit_on_sigterm
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

SINGLE = 60
PIPELINED = 200
REST_SENDS = 20
REPLY_SECONDS = 60
SHOWN = 5


class Sender:
    """A socket with a reply for every id and the pushes counted."""

    def __init__(self, url, token, device):
        opening = connect(url, subprotocols=["tokenim.v1.json"], compression=None, open_timeout=REPLY_SECONDS,
                          close_timeout=2, max_size=2**20)
        self.closing = contextlib.ExitStack()
        self.ws = self.closing.enter_context(opening)
        self.next_id, self.pushed = 1, set()
        self.call("connect", {"token": token, "device": device})

    def write(self, command, fields):
        ident, self.next_id = self.next_id, self.next_id + 1
        self.ws.send(compact({"id": ident, command: fields}))
        return ident

    def reply(self, ident):
        while True:
            frame = json.loads(self.ws.recv(timeout=REPLY_SECONDS))
            if self.push(frame):
                continue
            if frame["id"] != ident or "ok" not in frame:
                raise ServerError(f"reply {ident} was due: {frame}")
            return frame["ok"]

    def push(self, frame):
        if "push" not in frame:
            return False
        if frame["push"]["type"] == "message":
            self.pushed.add(frame["push"]["body"]["text"])
        elif frame["push"]["type"] == "ping":
            self.ws.send('{"pong":{}}')
        return True

    def call(self, command, fields):
        return self.reply(self.write(command, fields))

    def wait_pushed(self, count):
        while len(self.pushed) < count:
            self.push(json.loads(self.ws.recv(timeout=REPLY_SECONDS)))


def message(conv):
    marker = f"marker-{uuid.uuid4().hex}"
    return marker, {"conversation": conv, "client_msg_id": str(uuid.uuid4()), "kind": "text", "body": {"text": marker}}


def exercise(server):
    """Sends one at a time, pipelined and by REST; returns {marker: message id} and the sender's replies by id."""
    rest = Rest(server.url, server.identity["key"])
    tokens = {user: rest.token(user) for user in ("alice", "bob")}
    conv = rest.create("group", ["alice", "bob"])["id"]
    alice, bob = Sender(server.socket_url, tokens["alice"], "d1"), Sender(server.socket_url, tokens["bob"], "d1")
    acks = {}
    for _ in range(SINGLE):
        marker, fields = message(conv)
        ident = alice.write("send", fields)
        acks[marker] = (ident, alice.reply(ident)["id"])
    batch = []
    for _ in range(PIPELINED):
        marker, fields = message(conv)
        batch.append((marker, alice.write("send", fields)))
    for marker, ident in batch:
        acks[marker] = (ident, alice.reply(ident)["id"])
    for _ in range(REST_SENDS):
        marker, fields = message(conv)
        del fields["conversation"]
        acks[marker] = (None, rest.call("POST", f"/v1/conversations/{conv}/messages", {"sender": "alice", **fields})["id"])
    bob.wait_pushed(len(acks))
    alice_port = alice.ws.socket.getsockname()[1]
    for sender in (alice, bob):
        sender.closing.close()
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
    except (ServerError, syscalls.TraceError, Refused, WebSocketException, OSError, subprocess.SubprocessError) as error:
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
