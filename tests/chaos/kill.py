#!/usr/bin/env python3
"""RELIABILITY T2 on one node: kill -9 of the server at random moments under load, then the history checker's verdict."""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rows
from fleet import Fleet
from rest import Refused, Rest, compact, event_digest, sign_token
from server import Server, ServerError, exit_on_sigterm, wait_until

CHECKER = Path(__file__).resolve().parent.parent / "checker" / "checker.py"
USERS = ["u1", "u2", "u3", "u4", "u5", "u6", "u7"]
GROUPS = {"g-all": USERS, "g-left": ["u1", "u2", "u3", "u4"], "g-right": ["u3", "u4", "u5", "u6"]}
PAIRS = [("u1", "u2"), ("u3", "u4"), ("u5", "u6")]
DEVICES = {"u1/d1": "u1", "u1/d2": "u1", "u2/d1": "u2", "u3/d1": "u3", "u4/d1": "u4", "u5/d1": "u5", "u6/d1": "u6", "u7/d1": "u7"}
PROCESSES = 4
LIVE_SECONDS = (0.05, 1.0)
BOOT_KILL_SHARE = 0.2
BOOT_KILL_SECONDS = (0.0, 0.15)
FIRST_ACK_SECONDS = 30
QUIET_SECONDS = 70
USAGE_SECONDS = 10
# How often a device that says what it has leaves without the answer.
DROPS_SHARE = 0.01
# Devices that are passive in a conversation now and then, and how often they change that when they have said what they have.
LOOKERS = ("u1/d2", "u4/d1", "u7/d1")
LOOKS_SHARE = 0.4


class Run:
    """One campaign on one data folder."""

    drops, looks, live_seconds = DROPS_SHARE, LOOKS_SHARE, LIVE_SECONDS

    def __init__(self, arguments, root):
        self.rounds_wanted, self.rng = arguments.rounds, random.Random(arguments.seed)
        self.seed, self.rate, self.root = arguments.seed, arguments.rate, Path(root)
        self.history = self.root / "history"
        self.history.mkdir()
        self.server = Server(arguments.bin, root)
        self.rounds, self.boot_kills, self.members, self.facts = [], 0, {}, {}

    def prepare(self):
        """Bootstraps, creates the conversations and hands every device its token (half minted, half self-signed)."""
        identity = self.server.bootstrap()
        self.server.start()
        self.rest = Rest(self.server.url, identity["key"], self.server.private)
        tokens = {}
        for number, user in enumerate(USERS):
            minted = number % 2 == 0
            tokens[user] = self.rest.token(user) if minted else sign_token(identity["signing"], identity["app"], user)
            self.rest.token(user)
        for ident, members in GROUPS.items():
            self.members[self.rest.create("group", members, ident)["id"]] = members
        for pair in PAIRS:
            self.members[self.rest.create("direct", list(pair))["id"]] = list(pair)
        homes = [[] for _ in range(PROCESSES)]
        for number, (device, user) in enumerate(DEVICES.items()):
            convs = [conv for conv, members in self.members.items() if user in members]
            looks = self.looks if device in LOOKERS else 0
            homes[number % PROCESSES].append({"dev": device, "token": tokens[user], "convs": convs, "seed": f"{self.seed}/{device}",
                                              "drops": self.drops, "looks": looks})
        self.app = identity["app"]
        return [{"url": self.server.socket_url, "devices": devices, "rate": self.rate, "seed": self.seed * 100 + number,
                 "out": str(self.history / f"client-{number}.jsonl")} for number, devices in enumerate(homes)]

    def one_round(self, fleet):
        """Lets the load run, kills at a random moment after the first ack, restarts on the same port and folder."""
        start = time.monotonic_ns()
        fleet.wait_for_ack(start, FIRST_ACK_SECONDS)
        if self.server.died_within(self.rng.uniform(*self.live_seconds)):
            raise ServerError(f"the server ended by itself\n{self.server.tail()}")
        self.rounds.append({"start": start, "kill": time.monotonic_ns()})
        self.server.kill()
        while self.rng.random() < BOOT_KILL_SHARE:
            self.server.spawn()
            self.server.died_within(self.rng.uniform(*BOOT_KILL_SECONDS))
            self.server.kill()
            self.boot_kills += 1
        self.server.start()

    @staticmethod
    def healed(fleet, heal):
        """Waits until sends work again."""
        fleet.wait_for_ack(heal, FIRST_ACK_SECONDS)

    def read_final(self):
        """Reads every conversation in full by REST."""
        final = {}
        for conv in self.members:
            events, head, epoch = self.rest.read_log(conv)
            final[conv] = {"head": head, "epoch": epoch, "events": [self.final_event(event) for event in events]}
        return final

    @staticmethod
    def final_event(event):
        message = event["type"] == "message"
        return {"seq": event["seq"], "epoch": event["epoch"], "type": event["type"], "id": event.get("id", ""), "sender": event.get("sender", ""),
                "cmid": event.get("client_msg_id", ""), "hash": event_digest(event), "at": event["at"],
                "bytes": len(compact(event["body"]).encode()) if message else 0}

    def read_usage(self, label):
        """Reads usage once two readings agree, because a roll-up may still be running."""
        last = [None]

        def settled():
            begun, items = time.monotonic_ns(), self.rest.usage()
            before, last[0] = last[0], items
            return {"label": label, "items": items, "begun": begun, "ended": time.monotonic_ns()} if before == items and items else None
        return wait_until(settled, USAGE_SECONDS, "usage did not settle")

    def record(self, final, usage, heal):
        facts = {"rounds": self.rounds, "rounds_min": self.rounds_wanted, "heal": heal, "members": self.members,
                 "devices": DEVICES, "app": self.app, **self.facts}
        deliveries = rows.read(self.server)
        for name, value in (("final", final), ("usage", usage), ("run", facts), ("deliveries", deliveries)):
            (self.history / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")

    def run(self):
        """Everything up to the recorded history; returns the time the kills took and whether the log outlived a clean restart."""
        with Fleet(self.prepare(), self.root) as fleet:
            begun = time.monotonic()
            for _ in range(self.rounds_wanted):
                self.one_round(fleet)
            took, heal = time.monotonic() - begun, time.monotonic_ns()
            self.healed(fleet, heal)
            fleet.ask("quiesce", "quiet", QUIET_SECONDS)
            final = self.read_final()
            heads = {conv: log["head"] for conv, log in final.items()}
            fleet.ask("converge " + json.dumps(heads), None, QUIET_SECONDS)  # who stays behind is a finding of C10
            usage = [self.read_usage("live")]
            fleet.end(QUIET_SECONDS)
        status = self.server.terminate()
        if status != 0:
            raise ServerError(f"SIGTERM: exit {status} instead of 0\n{self.server.tail()}")
        self.server.start()
        durable = self.read_final()
        usage.append(self.read_usage("after restart"))
        self.record(durable, usage, heal)
        if durable != final:
            print("kill: the log read after the clean restart differs from the log before it")
        return took, durable == final


def arguments_of(description, rounds):
    """The command line that the campaigns share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bin", required=True, help="the tokenim binary")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=100.0, help="messages per second and device")
    parser.add_argument("--keep", action="store_true", help="leave the data folder and the history for inspection")
    return parser.parse_args()


def judge(campaign, arguments, name):
    """Runs a campaign in a folder of its own and prints the checker's verdict; returns the exit status."""
    root = tempfile.mkdtemp(prefix=f"tokenim-{name}-")
    run, status = campaign(arguments, root), 1
    try:
        took, same = run.run()
        print(f"{name}: {len(run.rounds)} rounds in {took:.1f} s, {run.boot_kills} more kills during start, seed {arguments.seed}")
        status = subprocess.run([sys.executable, str(CHECKER), str(run.history)], timeout=120, check=False).returncode
        status = status or int(not same)
        bound = min(1, 3 / len(run.rounds))
        print(f"{name}: clean; 0 failures in {len(run.rounds)} kills: failure rate below {bound:.2f} (95 %)" if status == 0
              else f"{name}: FAILED, exit {status}")
    except (ServerError, Refused, OSError) as error:
        print(f"{name}: FAILED after {len(run.rounds)} rounds, seed {arguments.seed}: {error}")
    finally:
        run.server.kill()
        if arguments.keep or status != 0:
            print(f"{name}: history and data stay in {root}")
        else:
            shutil.rmtree(root)
    return status


def main():
    arguments = arguments_of(__doc__, 30)
    exit_on_sigterm()
    return judge(Run, arguments, "kill")


if __name__ == "__main__":
    sys.exit(main())
