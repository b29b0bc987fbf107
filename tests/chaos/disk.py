#!/usr/bin/env python3
"""RELIABILITY T9 on SQLite: the disk fills under load and is freed, then kill -9; nothing acknowledged may be missing.

The data folder lies on a small tmpfs. Every round fills it, keeps sending while it is full and frees it, twice; sends must
work again unattended and reads throughout. Then it kills the server and compares what REST shows before and after with
every answer that was given; the history checker judges the whole run. Where nobody may mount, the test fails.
"""

import argparse
import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fleet import Fleet
from kill import CHECKER, DEVICES, FIRST_ACK_SECONDS, QUIET_SECONDS, Run
from rest import Refused
from restload import OPEN_OUTCOME, Mailbox, Reader, Sender
from server import ServerError, exit_on_sigterm
from smalldisk import DiskError, SmallDisk, enter_namespace

DISK_BYTES = 16 * 1024 * 1024
ROOM_BYTES_MIN = 1024 * 1024
LEFT_BYTES = (64 * 1024, 2 * 1024 * 1024)
FILLS = 2
SENDERS = 4
RATE = 8.0
FILL_SECONDS = 20
FULL_SECONDS = 2.0
FULL_PAUSE_SECONDS = 0.02
RECOVER_SECONDS = 10
AFTER_SENDS = 50
REPEATS = 50
READ_SECONDS_MAX = 5
REFUSALS = (OPEN_OUTCOME, "unavailable", "overloaded")
SHOWN = 10
CHECKER_SECONDS = 60


class DiskRun(Run):
    """One campaign on one small disk; the preparation, the load by socket and the final reads are those of kill.py."""

    drops = looks = 0
    amends, has_other, changing = None, False, {}

    def __init__(self, arguments, root, disk):
        super().__init__(arguments, root)
        self.disk, self.findings, self.freed = disk, [], []
        self.server.data = disk.folder / "data"
        self.mailbox, self.counts = None, Counter()

    def fault(self, text):
        self.findings.append(f"after fill {len(self.freed)}: {text}")

    def one_round(self, fleet):
        start = time.monotonic_ns()
        fleet.wait_for_ack(self.up_since, FIRST_ACK_SECONDS)
        if self.disk.free_bytes() < ROOM_BYTES_MIN:
            raise ServerError(f"only {self.disk.free_bytes()} B free before the round; the test needs a larger disk")
        for _ in range(FILLS):
            self.one_fill()
        for answer in (self.mailbox.send_new().answers[-1] for _ in range(AFTER_SENDS)):
            if not isinstance(answer, dict):
                self.fault(f"a send after the recovery was answered {answer}")
        unknown = [message for message in self.mailbox.sent if message.open and len(message.answers) == 1]
        self.rng.shuffle(unknown)  # some are repeated now, some after the kill, the others never
        self.repeat(unknown[:REPEATS])
        before = self.look("before the kill")
        self.rounds.append({"start": start, "kill": time.monotonic_ns()})
        self.server.kill()
        self.up_since = time.monotonic_ns()
        self.server.start()
        after = self.look("after the kill")
        for conv, log in before.items():
            if after[conv]["events"][:len(log["events"])] != log["events"]:
                self.fault(f"{conv} ended at seq {log['head']} before the kill and is another log at {after[conv]['head']} after it")
        self.repeat(unknown[REPEATS:2 * REPEATS])

    def one_fill(self):
        """Fills and frees the disk once under senders and a reader, and judges what they met."""
        with contextlib.ExitStack() as crew:
            reader = crew.enter_context(Reader(self.mailbox, f"reader/{len(self.freed)}"))
            senders = [crew.enter_context(Sender(self.mailbox)) for _ in range(SENDERS)]
            self.fill_and_free(senders)
        self.judge_crew(senders, reader)

    def fill_and_free(self, senders):
        """Takes the space away, keeps it away for a while and gives it back; the senders go on throughout."""
        self.disk.fill(self.rng.randint(*LEFT_BYTES))
        end = time.monotonic() + FILL_SECONDS
        for sender in senders:
            if not sender.wait_for(sender.refusals, max(0, end - time.monotonic())):
                self.fault(f"no send was refused within {FILL_SECONDS} s, {self.disk.free_bytes()} B free: {dict(sender.counts)}")
            sender.pause = FULL_PAUSE_SECONDS
        if len(self.freed) % 2:
            self.disk.fill(0)  # at the other fills what a refused batch left free may still take small ones
        if self.server.died_within(FULL_SECONDS):
            raise ServerError(f"the server ended by itself\n{self.server.tail()}")
        self.disk.free()
        freed = time.monotonic()
        self.freed.append(time.monotonic_ns())
        for number, sender in enumerate(senders):
            if not sender.wait_for(lambda one=sender: one.ok_after(freed), max(0, freed + RECOVER_SECONDS - time.monotonic())):
                self.fault(f"sender {number} had no ok within {RECOVER_SECONDS} s after space was free: {dict(sender.counts)}")

    def judge_crew(self, senders, reader):
        """What the senders were told besides ok, and whether reads worked all the time."""
        counts = sum((sender.counts for sender in senders), Counter())
        self.counts += counts
        print(f"disk: fill {len(self.freed)}: answers {dict(counts)}, {reader.reads} reads, slowest turn {reader.slowest:.2f} s")
        for kind in set(counts) - {"ok", *REFUSALS}:
            self.fault(f"{counts[kind]} sends were answered {kind}")
        for worker in (*senders, reader):
            if worker.broken is not None:
                raise worker.broken
        for text in reader.failures[:SHOWN]:
            self.fault(f"a read failed: {text}")
        if reader.slowest > READ_SECONDS_MAX or not reader.reads:
            self.fault(f"{reader.reads} reads, the slowest turn took {reader.slowest:.1f} s")

    def repeat(self, messages):
        """Repeats messages with an open outcome, twice each: both answers name one seq, and the second is a duplicate."""
        for message in messages:
            first, second = self.mailbox.attempt(message), self.mailbox.attempt(message)
            if not isinstance(first, dict) or not isinstance(second, dict):
                self.fault(f"a repeat of {message.cmid} was answered {first}, {second}")
            elif first["seq"] != second["seq"] or not second["duplicate"]:
                self.fault(f"two repeats of {message.cmid} gave {first} and {second}")

    def look(self, when):
        """Reads all by REST, as any other process would, and holds it against every answer so far."""
        logs, seqs = self.own.read_final(), {}
        for conv, log in logs.items():
            if [event["seq"] for event in log["events"]] != list(range(1, log["head"] + 1)):
                self.fault(f"{when}: {conv} is not dense up to its head {log['head']}")
            for event in log["events"]:
                seqs.setdefault((conv, event["sender"], event["cmid"]), []).append(event["seq"])
        wrong = Counter()
        for message in self.mailbox.sent:
            stored = seqs.get((message.conv, message.user, message.cmid), [])
            if message.acks:
                wrong["acked messages missing"] += not stored
                wrong["acked messages at another seq or twice"] += bool(stored) and stored != [message.acks[0]["seq"]]
            elif message.open:
                wrong["messages of unknown outcome stored twice"] += len(stored) > 1
            else:
                wrong["definitely refused messages stored"] += bool(stored)
        for what, count in (+wrong).items():
            self.fault(f"{when}: {count} {what} (of {len(self.mailbox.sent)})")
        return logs

    def run(self):
        """All rounds up to the recorded history, then a clean stop, the integrity check and the same reads again."""
        configs = self.prepare()
        self.mailbox = Mailbox(self.own, self.rng)
        self.up_since, begun = time.monotonic_ns(), time.monotonic()
        with Fleet(configs, self.root) as fleet:
            while len(self.rounds) < self.rounds_wanted and not self.findings:
                self.one_round(fleet)
            heal = time.monotonic_ns()
            fleet.ask("quiesce", "quiet", QUIET_SECONDS)
            final = self.look("at the end")
            fleet.ask("converge " + json.dumps({conv: log["head"] for conv, log in final.items()}), None, QUIET_SECONDS)
            usage = [self.own.read_usage("live")]
            fleet.end(QUIET_SECONDS)
        self.mailbox.close()
        if self.server.terminate() != 0:
            self.fault("SIGTERM did not end in exit 0")
        self.check_integrity()
        self.server.start()
        durable = self.look("after a clean restart")
        usage.append(self.own.read_usage("after restart"))
        if durable != final:
            self.fault("the log read after the clean restart differs from the log before it")
        self.check_sockets()
        self.facts.update(devices={**DEVICES, **self.mailbox.devices()}, moves_may_fail=True)
        self.record(durable, usage, heal)
        print(f"disk: {len(self.rounds)} rounds, {len(self.freed)} fills in {time.monotonic() - begun:.1f} s, answers to REST sends {dict(self.counts)}, "
              f"{self.disk.free_bytes()} of {DISK_BYTES} B free at the end, seed {self.seed}")

    def check_integrity(self):
        """No half commit in the file: SQLite's own check, while no server runs."""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data / 'tokenim.db'}?mode=ro", uri=True)) as database:
            rows = database.execute("PRAGMA integrity_check").fetchall() + database.execute("PRAGMA foreign_key_check").fetchall()
        if rows != [("ok",)]:
            self.fault(f"integrity check: {rows[:SHOWN]}")

    def check_sockets(self):
        """Every device that had something to send by socket after space was free was acknowledged in time."""
        times = {(kind, device): [] for kind in ("invoke", "ok") for device in DEVICES}
        for path in self.history.glob("client-*.jsonl"):
            for record in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
                if record["e"] in ("invoke", "ok"):
                    times[(record["e"], record["dev"])].append(record["t"])
        for number, freed in enumerate(self.freed, 1):
            def any_within(kind, device, seconds, since=freed):
                return any(0 < t - since < seconds * 10**9 for t in times[(kind, device)])
            asked = [device for device in DEVICES if any_within("invoke", device, RECOVER_SECONDS / 2)]
            late = [device for device in asked if not any_within("ok", device, RECOVER_SECONDS)]
            if late or not asked:
                self.fault(f"fill {number}: no ack by socket within {RECOVER_SECONDS} s after space was free: {late} of {asked}")


def judge(run):
    """Prints the findings and the checker's verdict; returns the exit status."""
    for text in run.findings[:SHOWN]:
        print(f"FINDING: {text}")
    if not (run.history / "run.json").exists():
        return 1
    verdict = subprocess.run([sys.executable, str(CHECKER), str(run.history)], timeout=CHECKER_SECONDS, check=False)
    return verdict.returncode or int(bool(run.findings))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="the tokenim binary")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=RATE, help="messages per second and device by socket")
    parser.add_argument("--keep", action="store_true", help="leave the history and a copy of the data for inspection")
    arguments = parser.parse_args()
    exit_on_sigterm()
    try:
        enter_namespace()
    except DiskError as error:
        print(f"disk: FAILED: {error}")
        return 1
    root = Path(tempfile.mkdtemp(prefix="tokenim-disk-"))
    disk, status = SmallDisk(root / "disk", DISK_BYTES), 1
    run = DiskRun(arguments, root, disk)
    try:
        disk.mount()
        run.run()
        status = judge(run)
    except (DiskError, ServerError, Refused, OSError, subprocess.SubprocessError) as error:
        judge(run)
        print(f"disk: {type(error).__name__}: {error}")
    finally:
        put_away(run, disk, root, arguments.keep or status != 0)
    print("disk: clean" if status == 0 else f"disk: FAILED, exit {status}, seed {arguments.seed}")
    return status


def put_away(run, disk, root, keep):
    """Ends the server, unmounts and removes; what is kept is copied off the small disk first."""
    try:
        run.server.kill()
        if keep and run.server.data.exists():
            shutil.copytree(run.server.data, root / "data")
    finally:
        disk.close()
    if keep:
        print(f"disk: history and data stay in {root}")
    else:
        shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(main())
