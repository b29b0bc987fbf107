#!/usr/bin/env python3
"""A backup under load, more load, kill -9, its restore and more load, among other kills; then the history checker's verdict."""

import subprocess
import sys
import time

from kill import FIRST_ACK_SECONDS, LIVE_SECONDS, Run, arguments_of, judge
from server import ServerError, exit_on_sigterm, new_database

COMMAND_SECONDS = 60
LOST_SECONDS = 1.0
# What devices have to read the restored log: those that are cut off before are sent again what they hold above a gap.
TOLD_SECONDS = (1.0, 2.0)


class RestoreRun(Run):
    """One campaign whose middle round restores the backup that it made."""

    amends, has_other, changing = None, False, {}

    def one_round(self, fleet):
        if len(self.rounds) == self.rounds_wanted // 2:
            self.restore_round(fleet)
        else:
            super().one_round(fleet)

    def restore_round(self, fleet):
        start = time.monotonic_ns()
        fleet.wait_for_ack(start, FIRST_ACK_SECONDS)
        self.live(self.rng.uniform(*LIVE_SECONDS))
        begun = time.monotonic_ns()
        backup = str(self.root / "backup")
        self.command("backup", "--to", backup)
        ended = time.monotonic_ns()
        self.live(LOST_SECONDS + self.rng.uniform(*LIVE_SECONDS))
        self.rounds.append({"start": start, "kill": time.monotonic_ns()})
        self.server.kill()
        said = self.command("restore", "--from", backup, *self.place())
        epoch = next(line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("epoch "))
        self.facts["restore"] = {"begun": begun, "ended": ended, "epoch": int(epoch)}
        self.server.start()
        self.live_seconds = TOLD_SECONDS

    def live(self, seconds):
        if self.server.died_within(seconds):
            raise ServerError(f"the server ended by itself\n{self.server.tail()}")

    def place(self):
        """Where the restore goes: over the file that is set aside, or into a new database of the same server."""
        url = self.server.env.get("TOKENIM_DATABASE__URL")
        if url is None:
            return ["--replace"]
        self.server.env["TOKENIM_DATABASE__URL"] = new_database(url)
        return []

    def command(self, *words):
        """Runs a command of the program on the data of the server."""
        command = [self.server.binary, *words, "--data", str(self.server.data)]
        done = subprocess.run(command, env=self.server.env, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        if done.returncode != 0:
            raise ServerError(f"{words[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


def main():
    arguments = arguments_of(__doc__, 5)
    exit_on_sigterm()
    return judge(RestoreRun, arguments, "restore")


if __name__ == "__main__":
    sys.exit(main())
