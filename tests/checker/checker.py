#!/usr/bin/env python3
"""Independent history checker: `checker.py DIR` judges one recorded run, exit 0 clean, 1 violation, 2 invalid run."""

import argparse
import json
import sys
from collections import Counter

import checks
import deliveries
import history as histories

SHOWN_PER_CODE = 10


def summary(history, found):
    """Counts that a report quotes, as one JSON object."""
    repeated, total = checks.wire_duplicates(history)
    states = [message.state for message in history.messages.values()]
    return {
        "rounds": len(history.run.get("rounds", [])),
        "messages": len(states),
        "acked": states.count("ok"),
        "unknown_attempts": sum(message.unknowns for message in history.messages.values()),
        "unknown_left": states.count("unknown"),
        "refused": states.count("fail"),
        "lost_in_restore": sum(bool(message.oks) for message in history.lost.messages.values()),
        "stored_events": sum(len(log["events"]) for log in history.final.values()),
        "app_deliveries": sum(len(records) for records in history.app.values()),
        "wire_deliveries": total,
        "wire_duplicates": repeated,
        **delivered(history),
        "violations": dict(found.codes()),
    }


def delivered(history):
    """What devices said they have, what was counted for it in the end, and between what the recount puts it."""
    words = Counter(r["e"] for records in history.words.values() for r in records)
    lanes = history.recount.last
    return {
        "device_connects": words["connect"],
        "device_acks": words["ack"],
        "acks_unanswered": words["ack"] - words["ack_ok"] - words["ack_fail"],
        "units_delivered": sum(deliveries.delivered(history, history.usage[-1]).values()) if history.usage else None,
        "units_recounted": deliveries.total_bounds(lanes),
        "devices_exact": sum(low == high for low, high in map(deliveries.bounds, lanes.values())),
        "devices_in_conversations": len(lanes),
    }


def judge(history, out=sys.stdout):
    """Prints the verdict on one history and returns the exit status."""
    found, reasons = checks.check(history), history.invalid_reasons()
    shown = {}
    for code, text in found.found:
        shown[code] = shown.get(code, 0) + 1
        if shown[code] <= SHOWN_PER_CODE:
            print(f"VIOLATION {code}: {text}", file=out)
    for reason in reasons:
        print(f"INVALID: {reason}", file=out)
    print(json.dumps(summary(history, found)), file=out)
    if found.found:
        return 1
    return 2 if reasons else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", help="holds *.jsonl, final.json, usage.json and run.json")
    arguments = parser.parse_args()
    try:
        history = histories.load(arguments.directory)
    except (OSError, ValueError, KeyError) as error:
        print(f"INVALID: {type(error).__name__}: {error}")
        return 2
    return judge(history)


if __name__ == "__main__":
    sys.exit(main())
