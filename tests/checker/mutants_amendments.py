"""Mutants of edits, deletions and live messages (C1, C6, C13, C15)."""

from functools import partial

from amendments import GONE
from generate_amendments import amended
from mutants import mutant


def amendments(case, kind):
    """(conversation, amendment, what it amends) of those of a kind that were acknowledged and that nothing amends again."""
    acked = {(r["conv"], r["seq"]): r["t"] for r in case.records("ok")}
    for conv, log in sorted(case.final.items()):
        last = {e["target"]: e for e in log["events"] if "target" in e}
        for target, e in last.items():
            if e["type"] == kind and (conv, e["seq"]) in acked:
                yield conv, e, log["events"][target - 1], acked[(conv, e["seq"])]


def original(case, conv, event):
    """What was sent first."""
    return next(r for r in case.records("invoke") if (r["conv"], r["cmid"]) == (conv, event["cmid"]))


def undone(kind, case):
    """The log has the amendment, and the message as it was."""
    conv, _, target, _ = case.pick(amendments(case, kind)) or (None,) * 4
    if conv is None:
        return False
    target["hash"] = original(case, conv, target)["hash"]


def lost(kind, case):
    conv, amendment, target, _ = case.pick(amendments(case, kind)) or (None,) * 4
    if conv is None:
        return False
    amendment.update(type="member", cmid="", sender="", hash="h")
    target["hash"] = original(case, conv, target)["hash"]


def read_as_before(kind, case):
    """Somebody asks after the acknowledgement and is given what was said first."""
    conv, _, target, acked = case.pick(amendments(case, kind)) or (None,) * 4
    if conv is None:
        return False
    records = case.pick(records for records in case.procs.values() if records)
    items = [[target["seq"], target["id"], original(case, conv, target)["hash"]]]
    records.append({"e": "read", "t": acked + 3, "begun": acked + 1, "dev": "reader/1", "conv": conv, "after": target["seq"] - 1,
                    "items": items, "head": case.final[conv]["head"]})


def resumed_as_before(kind, case):
    """Who connects after the acknowledgement finds in its backlog what was said first."""
    conv, _, target, acked = case.pick(amendments(case, kind)) or (None,) * 4
    found = conv and case.pick((records, at, r, told) for records in case.procs.values() for at, r in enumerate(records)
                               if r["e"] == "connect" and r["t"] > acked for told in records[at + 1:at + 2]
                               if told["e"] == "connected" and told["sync"].get(conv, ["", 0])[0] == "recovered"
                               and told["sync"][conv][1] >= target["seq"])
    if not found:
        return False
    records, at, r, told = found
    records.insert(at + 2, {"e": "wire", "t": told["t"], "dev": r["dev"], "conv": conv, "seq": target["seq"], "epoch": 1, "id": target["id"],
                            "hash": original(case, conv, target)["hash"]})


for kind in ("edited", "deleted", "ended"):
    for codes, fault in ((("C1",), undone), (("C1",), lost), (("C15",), read_as_before), (("C15",), resumed_as_before)):
        one = partial(fault, kind)
        one.__name__ = f"{kind}_{fault.__name__}"
        mutant(*codes, into=amended)(one)


@mutant("C6", into=amended)
def shown_what_it_never_was(case):
    conv, _, target, _ = case.pick(amendments(case, "edited")) or (None,) * 4
    r = case.pick(r for r in case.records("app") if conv and (r["conv"], r["seq"]) == (conv, target["seq"]))
    if r is None:
        return False
    r["hash"] = "changed"


@mutant("C1", "C6", into=amended)
def edits_changed_places(case):
    """Two edits of one message, the first of which is the last."""
    edits = {}
    for conv, log in sorted(case.final.items()):
        for e in log["events"]:
            if e["type"] == "edited" and e["hash"] != GONE:
                edits.setdefault((conv, e["target"]), []).append(e)
    (conv, target), found = case.pick(item for item in edits.items() if len(item[1]) > 1) or ((None, None), None)
    if found is None:
        return False
    case.final[conv]["events"][target - 1]["hash"] = found[-2]["hash"]


@mutant("C13", into=amended)
def edit_not_billed(case):
    _, edit, _, _ = case.pick(amendments(case, "edited")) or (None,) * 4
    if edit is None:
        return False
    case.bill(edit["at"], -max(1, -(-edit["bytes"] // 5120)))


@mutant("C13", into=amended)
def what_is_deleted_is_not_billed(case):
    conv, _, target, _ = case.pick(amendments(case, "deleted")) or (None,) * 4
    if conv is None:
        return False
    case.bill(target["at"], -max(1, -(-original(case, conv, target)["bytes"] // 5120)))


@mutant("C1", into=amended)
def acked_piece_lost(case):
    r = case.pick(case.records("held"))
    if r is None:
        return False
    r["stored"] -= 1


@mutant("C1", into=amended)
def acked_piece_is_another(case):
    r = case.pick(case.records("held"))
    if r is None:
        return False
    r["hash"] = "changed"


@mutant("C13", into=amended)
def live_message_billed_when_begun(case):
    event = case.pick(e for log in case.final.values() for e in log["events"] if e.get("live"))
    if event is None:
        return False
    case.bill(event["at"], 1)


@mutant("C13", into=amended)
def end_not_billed(case):
    _, end, _, _ = case.pick(amendments(case, "ended")) or (None,) * 4
    if end is None:
        return False
    case.bill(end["at"], -max(1, -(-end["bytes"] // 5120)))
