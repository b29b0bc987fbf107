#!/usr/bin/env python3
"""PostgreSQL is away for 30 s under load: what clients and probes are told meanwhile, how soon all goes on, then the history
checker's verdict. Runs under scripts/postgres, whose server it stops as a crash would and starts again.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from kill import DEVICES, FIRST_ACK_SECONDS, Run, arguments_of, judge
from restload import OPEN_OUTCOME, Mailbox, Sender
from server import ServerError, exit_on_sigterm, wait_until

AWAY_SECONDS = 30
BEFORE_SECONDS = 2
AFTER_SECONDS = 3
NOTICED_SECONDS = 10
RECOVER_SECONDS = 10
STOP_SECONDS = 10
PROBE_SECONDS = 15
SENDERS = 2
REFUSALS = (OPEN_OUTCOME, "unavailable", "overloaded")
# What follows a refused message of the same device; it comes again after that one, whenever that is.
FOLLOWS = "previous_refused"
SHOWN = 10


class Database:
    """The throw-away server of scripts/postgres."""

    def __init__(self):
        self.data = Path(os.environ["TIM_TEST_POSTGRES_DATA"])

    def stop(self):
        """Ends it at once, without goodbyes (SIGQUIT, `immediate`)."""
        pid = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not (self.data / "postmaster.pid").exists(), STOP_SECONDS, "PostgreSQL did not stop")

    def start(self):
        """Starts it on the same files and waits until it takes connections."""
        owner = self.data.stat()
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        log = self.data.parent / "server.log"
        subprocess.run([programs / "pg_ctl", "start", "-D", self.data, "-w", "-s", "-l", log], user=owner.st_uid, group=owner.st_gid,
                       extra_groups=[], cwd=self.data, check=True, timeout=60)


class OutageRun(Run):
    """One campaign with one outage; the preparation, the load by socket and the final reads are those of kill.py."""

    drops = looks = 0
    amends, has_other, changing = None, False, {}

    def __init__(self, arguments, root):
        super().__init__(arguments, root)
        self.rounds_wanted, self.database, self.findings = 1, Database(), []

    def one_round(self, fleet):
        mailbox = Mailbox(self.own, self.rng)
        start = time.monotonic_ns()
        with contextlib.ExitStack() as crew:
            senders = [crew.enter_context(Sender(mailbox)) for _ in range(SENDERS)]
            fleet.wait_for_acks(len(DEVICES), FIRST_ACK_SECONDS)
            self.live(BEFORE_SECONDS)
            self.database.stop()
            away = time.monotonic_ns()
            self.rounds.append({"start": start, "kill": away})
            self.probe_while_away(away)
            self.database.start()
            back = time.monotonic()
            self.probe_when_back(back, senders)
            self.live(AFTER_SECONDS)
        for sender in senders:
            if sender.broken is not None:
                raise sender.broken
        mailbox.close()
        self.facts.update(devices={**DEVICES, **mailbox.devices()}, moves_may_fail=True)
        self.window = (away, int(back * 1e9))

    def live(self, seconds):
        if self.server.died_within(seconds):
            raise ServerError(f"the server ended by itself\n{self.server.tail()}")

    def status(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.server.private}{path}", timeout=PROBE_SECONDS) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def probe_while_away(self, away):
        """Not ready soon and all the time after, but alive."""
        wait_until(lambda: self.status("/readyz") == 503, NOTICED_SECONDS, "/readyz did not tell that the database is away")
        noticed = (time.monotonic_ns() - away) / 1e9
        while time.monotonic_ns() < away + AWAY_SECONDS * 10**9:
            found = self.status("/readyz"), self.status("/healthz")
            if found != (503, 200):
                self.findings.append(f"/readyz and /healthz answered {found} while the database was away")
            self.live(1)
        print(f"outage: /readyz told after {noticed:.1f} s")

    def probe_when_back(self, back, senders):
        wait_until(lambda: self.status("/readyz") == 200, RECOVER_SECONDS, "/readyz did not tell that the database is back")
        ready = time.monotonic() - back
        for number, sender in enumerate(senders):
            if not sender.wait_for(lambda one=sender: one.answered.get("ok", 0) > back, max(0, back + RECOVER_SECONDS - time.monotonic())):
                self.findings.append(f"sender {number} had no ok within {RECOVER_SECONDS} s: {dict(sender.counts)}")
        print(f"outage: ready {ready:.1f} s after the database, REST answers {[dict(sender.counts) for sender in senders]}")

    def healed(self, fleet, heal):
        """The sockets stayed, so there is no new first ack to wait for; `judge_answers` looks at each device."""

    def record(self, final, usage, heal):
        super().record(final, usage, heal)
        self.judge_answers()
        if self.findings:
            raise ServerError("\n".join(self.findings[:SHOWN]))

    def judge_answers(self):
        """What was answered in the outage, that no socket was closed, and when each device was acknowledged again."""
        (away, back), counts, acked = self.window, {}, {}
        for path in self.history.glob("*.jsonl"):
            for r in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
                if r["e"] == "down":
                    self.findings.append(f"{r['dev']} lost its socket {(r['t'] - away) / 1e9:.1f} s after the outage began")
                elif r["e"] in ("fail", "unknown"):
                    counts[r.get("code")] = counts.get(r.get("code"), 0) + 1
                    told = r.get("code") in REFUSALS and (r.get("retry_ms") or 0) > 0
                    if not told and r.get("code") != FOLLOWS:
                        self.findings.append(f"a send of {r['dev']} was answered {r.get('code')}, come back in {r.get('retry_ms')} ms")
                elif r["e"] == "ok" and r["t"] > back and r["dev"] in DEVICES:
                    acked.setdefault(r["dev"], (r["t"] - back) / 1e9)
        late = [device for device in DEVICES if acked.get(device, RECOVER_SECONDS) >= RECOVER_SECONDS]
        if late:
            self.findings.append(f"no ack by socket within {RECOVER_SECONDS} s after the database was back: {late}")
        print(f"outage: refusals {counts}, devices acknowledged again after {min(acked.values()):.1f} to {max(acked.values()):.1f} s")


def main():
    arguments = arguments_of(__doc__.splitlines()[0], 1)
    exit_on_sigterm()
    return judge(OutageRun, arguments, "outage")


if __name__ == "__main__":
    sys.exit(main())
