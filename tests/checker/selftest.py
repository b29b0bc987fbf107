#!/usr/bin/env python3
"""Scores the checker: every seeded mutant must be found by the right check, no clean history may raise an alarm."""

import copy
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import checker
import checks
import generate
import generate_amendments
import history as histories
import mutants
import mutants_amendments  # noqa: F401 - importing registers the mutants
import mutants_cursor  # noqa: F401
import mutants_delivery  # noqa: F401
import mutants_log  # noqa: F401
import mutants_membership  # noqa: F401
import mutants_restore  # noqa: F401
import mutants_usage  # noqa: F401

CLEAN_HISTORIES = 1000
SEEDS_PER_MUTANT = 5
TRIES_MAX = 200
MUTANTS_MIN = 100


def judge(parts):
    """Returns (exit status, codes found, printed text) of the checker on one history."""
    history, text = histories.History(*parts), io.StringIO()
    status = checker.judge(history, text)
    codes = {line.split()[1].rstrip(":") for line in text.getvalue().splitlines() if line.startswith("VIOLATION")}
    return status, codes, text.getvalue()


def score_clean(failures):
    sends = retried = 0
    for seed in range(CLEAN_HISTORIES):
        made = (generate.restored, generate.changing, generate.clean, generate_amendments.amended)[seed % 4]
        status, _, text = judge(made(seed))
        if status != 0:
            failures.append(f"{made.__name__} history {seed}: exit {status}\n{text}")
        counts = json.loads(text.splitlines()[-1])
        sends, retried = sends + counts["messages"], retried + counts["unknown_attempts"]
    return sends, retried


def plant(function, codes, into, seed):
    """Plants one mutant at one seed; None where it does not apply, else the text of a miss or an empty string."""
    rng = random.Random(seed)
    parts = into(10_000 + seed)
    case = mutants.Case(parts, rng)
    if function(case) is False:
        return None
    status, found, text = judge((*parts[:-1], case.deliveries))
    if "invalid" in codes:
        return "" if status == 2 else f"exit {status} instead of 2\n{text}"
    return "" if status == 1 and found & set(codes) else f"exit {status}, found {sorted(found)} instead of {codes}\n{text}"


def score_mutants(failures):
    planted = 0
    for name, codes, into, function in mutants.MUTANTS:
        hits = 0
        for seed in range(TRIES_MAX):
            miss = plant(function, codes, into, seed)
            if miss is None:
                continue
            hits += 1
            if miss:
                failures.append(f"mutant {name}, seed {seed}: {miss}")
            if hits == SEEDS_PER_MUTANT:
                break
        if hits < SEEDS_PER_MUTANT:
            failures.append(f"mutant {name} found a place in only {hits} of {TRIES_MAX} histories")
        planted += hits
    return planted


def exit_statuses(failures):
    """The program itself, from files: 0, 1, 2, and 2 for a directory that is incomplete or damaged."""
    script = Path(__file__).with_name("checker.py")
    clean = generate.clean(1)
    broken = copy.deepcopy(clean)
    next(iter(broken[1].values()))["events"].pop()
    unkilled = copy.deepcopy(clean)
    unkilled[3]["rounds"] = []
    with tempfile.TemporaryDirectory(prefix="tokenim-checker-") as root:
        for name, parts, expected in (("clean", clean, 0), ("broken", broken, 1), ("unkilled", unkilled, 2),
                                      ("empty", None, 2), ("damaged", clean, 2)):
            directory = Path(root, name)
            directory.mkdir()
            if parts is not None:
                histories.save(directory, *parts)
            if name == "damaged":
                with next(directory.glob("*.jsonl")).open("a", encoding="utf-8") as out:
                    out.write('{"e":"ok","t":')
            run = subprocess.run([sys.executable, str(script), str(directory)], capture_output=True, text=True, check=False)
            if run.returncode != expected:
                failures.append(f"checker.py on {name}: exit {run.returncode} instead of {expected}\n{run.stdout}{run.stderr}")


def lines_of(work):
    """How many lines of Python `work` runs: the same on every machine, unlike its time."""
    lines = 0

    def trace(_frame, event, _argument):
        nonlocal lines
        lines += event == "line"
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return lines


def linear_work(failures):
    """A history ten times as long may take at most twenty times as many steps."""
    def one(factor):
        parts = generate.clean(7)
        conv, log = next(iter(parts[1].items()))
        template, users = log["events"][-1], parts[3]["members"][conv]
        records = parts[0]["client-0"]
        for number in range(4000 * factor):
            event = dict(template, type="member", seq=log["head"] + 1, id="", hash="h", cmid="", sender=users[0])
            log["events"].append(event)
            log["head"] += 1
            for device in parts[3]["devices"]:
                records.append({"e": "wire", "t": 1, "dev": device, "conv": conv, "seq": event["seq"], "id": "", "hash": "h"})
        return lines_of(lambda: checks.check(histories.History(*parts)))
    small, large = one(1), one(10)
    if large > 20 * small:
        failures.append(f"not linear: {small} steps for one part, {large} for ten")


def main():
    start, failures = time.perf_counter(), []
    sends, retried = score_clean(failures)
    planted = score_mutants(failures)
    exit_statuses(failures)
    linear_work(failures)
    if len(mutants.MUTANTS) < MUTANTS_MIN:
        failures.append(f"{len(mutants.MUTANTS)} mutants, at least {MUTANTS_MIN} wanted")
    for failure in failures:
        print(f"FAIL {failure}")
    print(f"checker: {len(mutants.MUTANTS)} mutants planted {planted} times, {CLEAN_HISTORIES} clean histories "
          f"({sends} messages, {retried} unknown attempts), {len(failures)} failures, {time.perf_counter() - start:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
