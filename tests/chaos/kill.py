#!/usr/bin/env python3
"""RELIABILITY T2 on one node: kill -9 of the server at random moments under load, then the history checker's verdict."""

import argparse
import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from changes import Changes
from fleet import Fleet
from live import LiveWriter
from rest import Refused
from server import Server, ServerError, exit_on_sigterm
from tenant import Tenant

CHECKER = Path(__file__).resolve().parent.parent / "checker" / "checker.py"
USERS = ["u1", "u2", "u3", "u4", "u5", "u6", "u7"]
GROUPS = {"g-all": USERS, "g-left": ["u1", "u2", "u3", "u4"], "g-right": ["u3", "u4", "u5", "u6"]}
PAIRS = [("u1", "u2"), ("u3", "u4"), ("u5", "u6")]
DEVICES = {"u1/d1": "u1", "u1/d2": "u1", "u2/d1": "u2", "u3/d1": "u3", "u4/d1": "u4", "u5/d1": "u5", "u6/d1": "u6", "u7/d1": "u7"}
# Another org whose app has the same names of conversations, users and devices: what crosses has a place to go to.
OTHER = {"email": "other@example.com", "org": "Other org", "groups": {"g-all": ["u1", "u2"], "g-left": ["u1", "u3"]}, "pairs": [("u1", "u2")],
         "devices": {"u1/d1": "u1", "u2/d1": "u2", "u3/d1": "u3"}}
OTHER_RATE = 20.0
PROCESSES = 4
# Writes live messages, by REST.
WRITER = "u1/live"
LIVE_SECONDS = (0.05, 1.0)
BOOT_KILL_SHARE = 0.2
BOOT_KILL_SECONDS = (0.0, 0.15)
FIRST_ACK_SECONDS = 30
QUIET_SECONDS = 70
# How often a device that says what it has leaves without the answer.
DROPS_SHARE = 0.01
# Devices that are passive in a conversation now and then, and how often they change that when they have said what they have.
LOOKERS = ("u1/d2", "u4/d1", "u7/d1")
LOOKS_SHARE = 0.4
# What a device waits, about, before it edits or deletes something its user said.
AMEND_SECONDS = 0.05
# Who is taken out of a group and let in again all the time.
CHANGING = {"g-left": ["u2", "u3"], "g-right": ["u5"]}


class Run:
    """One campaign on one data folder."""

    drops, looks, live_seconds, amends, has_other, changing = DROPS_SHARE, LOOKS_SHARE, LIVE_SECONDS, AMEND_SECONDS, True, CHANGING

    def __init__(self, arguments, root):
        self.rounds_wanted, self.rng = arguments.rounds, random.Random(arguments.seed)
        self.seed, self.rate, self.root = arguments.seed, arguments.rate, Path(root)
        self.server = Server(arguments.bin, root)
        self.own = Tenant(self.server, root, GROUPS, PAIRS, DEVICES)
        self.other = Tenant(self.server, self.root / "other", **OTHER) if self.has_other else None
        self.tenants = [tenant for tenant in (self.own, self.other) if tenant]
        self.history, self.rounds, self.boot_kills, self.facts = self.own.history, [], 0, {}

    def prepare(self):
        """Bootstraps and creates the conversations; returns the configs of the clients of the org under test."""
        for tenant in self.tenants:
            tenant.register()
        self.server.start()
        return self.own.configs(PROCESSES, self.seed, self.rate, self.settings)

    def settings(self, device):
        return {"drops": self.drops, "looks": self.looks if device in LOOKERS else 0, "amends": self.amends}

    def crew(self):
        """Who else does something to the org under test while the server is killed."""
        live = LiveWriter(self.own, "g-all", WRITER, random.Random(self.seed))
        return [Changes(self.own, self.changing, random.Random(self.seed)), live] if self.changing else []

    def prepare_other(self):
        """Its clients have the same seeds, and so the same ids of messages."""
        return self.other.configs(1, self.seed, OTHER_RATE, lambda _: {"amends": self.amends}) if self.other else []

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

    def record(self, final, usage, heal):
        others = [tenant.app for tenant in self.tenants if tenant is not self.own]
        self.own.record(final, usage, {"rounds": self.rounds, "rounds_min": self.rounds_wanted, "heal": heal, "changing": self.changing,
                                        "devices": {**DEVICES, WRITER: WRITER.split("/")[0]}, **self.facts}, others)

    def record_other(self, final, usage, heal):
        """Its load is thin, so all kills are one round of it."""
        rounds = [{"start": self.rounds[0]["start"], "kill": self.rounds[-1]["kill"]}]
        self.other.record(final, usage, {"rounds": rounds, "heal": heal}, [self.own.app])

    def run(self):
        """Everything up to the recorded history; returns the time the kills took and whether the log outlived a clean restart."""
        with Fleet(self.prepare(), self.root) as fleet, Fleet(self.prepare_other(), self.root / "other") as other:
            with contextlib.ExitStack() as crew:
                for worker in self.crew():
                    crew.enter_context(worker)
                begun = time.monotonic()
                for _ in range(self.rounds_wanted):
                    self.one_round(fleet)
                took, heal = time.monotonic() - begun, time.monotonic_ns()
                self.healed(fleet, heal)
            for clients in (fleet, other):
                clients.ask("quiesce", "quiet", QUIET_SECONDS)
            final = [tenant.read_final() for tenant in self.tenants]
            for clients, logs in zip((fleet, other), final):
                heads = {conv: log["head"] for conv, log in logs.items()}
                clients.ask("converge " + json.dumps(heads), None, QUIET_SECONDS)  # who stays behind is a finding of C10
            usage = [[tenant.read_usage("live")] for tenant in self.tenants]
            for clients in (fleet, other):
                clients.end(QUIET_SECONDS)
        status = self.server.terminate()
        if status != 0:
            raise ServerError(f"SIGTERM: exit {status} instead of 0\n{self.server.tail()}")
        self.server.start()
        durable = [tenant.read_final() for tenant in self.tenants]
        for tenant, readings in zip(self.tenants, usage):
            readings.append(tenant.read_usage("after restart"))
        self.record(durable[0], usage[0], heal)
        if self.other:
            self.record_other(durable[1], usage[1], heal)
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
        found = [subprocess.run([sys.executable, str(CHECKER), str(tenant.history)], timeout=120, check=False).returncode for tenant in run.tenants]
        status = next(filter(None, found), int(not same))
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
