#!/usr/bin/env python3
"""Sees the kill -9 campaign and its checker turn red: each of these bugs, seeded into the server, must be found by its property."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from server import exit_on_sigterm

ROUNDS = 4
SECONDS = 180
# Seeds a bug is given to show itself.
TRIES = 8
# A bug of domain/src/sabotage.rs, and the properties that it breaks.
BUGS = {
    "repeat_has_new_seq": {"C1"},
    "usage_doubled": {"C13"},
    "usage_lost": {"C13"},
    "delivered_twice": {"C13"},
    "cursor_behind": {"C13"},
    "backlog_skips_first": {"C8"},
}


def found(binary, bug, seed):
    """The properties that a campaign on a server with that bug finds broken, and what it printed."""
    kill = Path(__file__).with_name("kill.py")
    with tempfile.TemporaryDirectory(prefix="tokenim-sabotaged-") as root:
        env = {**os.environ, "TOKENIM_SABOTAGE": bug, "TMPDIR": root}
        run = subprocess.run([sys.executable, str(kill), "--bin", binary, "--rounds", str(ROUNDS), "--seed", str(seed)],
                             capture_output=True, text=True, timeout=SECONDS, env=env, check=False)
    return set(re.findall(r"^VIOLATION (C\d+):", run.stdout, re.MULTILINE)), run.stdout + run.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="a binary built with `--features sabotage`")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    exit_on_sigterm()
    unfound = []
    for bug, wanted in BUGS.items():
        for seed in range(arguments.seed, arguments.seed + TRIES):
            codes, text = found(arguments.bin, bug, seed)
            if codes & wanted:
                break
        else:
            print(text)
            unfound.append(bug)
        print(f"{bug}: {sorted(codes)}", flush=True)
    print(f"sabotaged: {len(BUGS) - len(unfound)} of {len(BUGS)} seeded bugs found by kill -9 and the checker, seed {arguments.seed}")
    return 1 if unfound else 0


if __name__ == "__main__":
    sys.exit(main())
