"""Mutants of a restore (C14): what it must bring back, what it may lose, the epoch, and what devices are told."""

from functools import partial

import generate
from mutants import mutant

planted = partial(mutant, into=generate.restored)


def cut_of(case, conv):
    """How many events of a log were restored."""
    return sum(event["epoch"] < case.run["restore"]["epoch"] for event in case.final[conv]["events"])


def rewound(case, conv):
    """When each device was told of a conversation's restore."""
    return {r["dev"]: r["t"] for r in case.records("rewind") if r["conv"] == conv}


def old_acks(case, kept):
    """Acks of before the restore whose events it brought back, or lost."""
    found = []
    for r in case.records("ok"):
        if r["t"] < rewound(case, r["conv"])[r["dev"]] and (r["seq"] <= cut_of(case, r["conv"])) is kept:
            found.append(r)
    return found


def forget(case, conv, count):
    """The restore brings back fewer events of one log, and says so to everybody in agreement."""
    log, cut = case.final[conv], cut_of(case, conv)
    for event in log["events"][cut - count:cut]:
        if event["type"] == "message":
            case.bill(event["at"], -max(1, -(-event["bytes"] // 5120)))
    del log["events"][cut - count:cut]
    case.renumber(log)
    told = rewound(case, conv)
    for kind in ("ok", "wire", "app", "rewind", "head", "read"):
        for r in [r for r in case.records(kind) if r["conv"] == conv and r["t"] >= told[r["dev"]]]:
            if kind == "rewind":
                r["first"] -= count
            elif kind == "read":
                r["after"], r["head"] = r["after"] - count, r["head"] - count
                r["items"] = [[seq - count, ident, digest] for seq, ident, digest in r["items"]]
            else:
                r["seq"] -= count


@planted("C14")
def acked_before_the_backup_is_lost(case):
    early = [r for r in old_acks(case, True) if r["t"] < case.run["restore"]["begun"]]
    r = case.pick(r for r in early if case.final[r["conv"]]["events"][cut_of(case, r["conv"]) - 1]["seq"] == r["seq"])
    if r is None:
        return False
    forget(case, r["conv"], 1)


@planted("C14")
def one_log_is_of_an_earlier_moment_than_another(case):
    run = case.run["restore"]
    late = [r for r in old_acks(case, True) if r["t"] > run["begun"]]
    r = case.pick(r for r in late if r["seq"] == cut_of(case, r["conv"]))
    if r is None:
        return False
    after = [i for i in case.records("invoke") if r["t"] < i["t"] < run["ended"] and i["conv"] != r["conv"]]
    stored = {(e["cmid"], e["sender"]) for conv in case.final for e in case.final[conv]["events"][:cut_of(case, conv)]}
    if not any((i["cmid"], case.run["devices"][i["dev"]]) in stored for i in after):
        return False
    forget(case, r["conv"], 1)


@planted("C1", "C14")
def restored_event_lost_from_the_middle(case):
    r = case.pick(old_acks(case, True))
    log = case.final[r["conv"]]
    del log["events"][r["seq"] - 1]
    case.renumber(log)


@planted("C2")
def restored_event_stored_again(case):
    r = case.pick(old_acks(case, True))
    event = case.final[r["conv"]]["events"][r["seq"] - 1]
    case.append(r["conv"], **{k: event[k] for k in ("sender", "cmid", "hash", "bytes", "at")})


@planted("C2")
def retry_of_a_restored_event_acked_as_new(case):
    r = case.pick(r for r in case.records("ok") if r["dup"] and r["t"] > rewound(case, r["conv"])[r["dev"]]
                  and any(o["cmid"] == r["cmid"] and o["dev"] == r["dev"] and not o["dup"] for o in case.records("ok")))
    if r is None:
        return False
    r["dup"] = False


@planted("C1", "C6", "C14")
def restored_events_change_places(case):
    r = case.pick(r for r in old_acks(case, True) if 1 < r["seq"])
    log = case.final[r["conv"]]
    events, at = log["events"], r["seq"] - 1
    events[at - 1], events[at] = events[at], events[at - 1]
    case.renumber(log)


@planted("C3", "C14")
def epoch_not_raised(case):
    for log in case.final.values():
        log["epoch"] = 1
        for event in log["events"]:
            event["epoch"] = 1
    for kind in ("ok", "wire"):
        for r in case.records(kind):
            r["epoch"] = 1


@planted("C3", "C14")
def one_log_keeps_its_epoch(case):
    conv = case.pick(c for c, log in case.final.items() if len(log["events"]) > cut_of(case, c))
    log = case.final[conv]
    log["epoch"] = 1
    for event in log["events"]:
        event["epoch"] = 1


@planted("C3")
def restored_events_take_the_new_epoch(case):
    r = case.pick(old_acks(case, True))
    for event in case.final[r["conv"]]["events"]:
        event["epoch"] = case.run["restore"]["epoch"]


@planted("C14")
def told_to_keep_too_much(case):
    case.pick(case.records("rewind"))["first"] += 1


@planted("C14")
def told_another_epoch(case):
    case.pick(case.records("rewind"))["epoch"] -= 1


@planted("C14")
def a_device_is_never_told(case):
    ends = {r["dev"] for r in case.records("end") if r["online"]}
    told = case.pick(r for r in case.records("rewind") if r["dev"] in ends)
    for records in case.procs.values():
        if told in records:
            records.remove(told)


@planted("C14")
def told_twice(case):
    told = case.pick(case.records("rewind"))
    for records in case.procs.values():
        if told in records:
            records.insert(records.index(told) + 1, dict(told))


@planted("C7")
def a_device_keeps_what_was_lost(case):
    app = [r for r in case.records("app") if r["seq"] > cut_of(case, r["conv"]) and r["t"] > rewound(case, r["conv"])[r["dev"]]]
    r = case.pick(r for r in app if r["seq"] == cut_of(case, r["conv"]) + 1)
    if r is None:
        return False
    for records in case.procs.values():
        if r in records:
            records.remove(r)


@planted("C14")
def the_backup_holds_the_future(case):
    invoked = {(r["conv"], r["dev"], r["cmid"]): r["t"] for r in reversed(case.records("invoke"))}
    r = case.pick(r for r in old_acks(case, True))
    case.run["restore"]["begun"] = case.run["restore"]["ended"] = invoked[(r["conv"], r["dev"], r["cmid"])] - 1


@planted("C14")
def two_devices_saw_different_lost_events(case):
    lost = [r for r in case.records("app") if r["seq"] > cut_of(case, r["conv"]) and r["t"] < rewound(case, r["conv"])[r["dev"]]]
    r = case.pick(r for r in lost if any((o["conv"], o["seq"]) == (r["conv"], r["seq"]) and o["dev"] != r["dev"] for o in lost))
    if r is None:
        return False
    r["id"] = "msg_other"


@planted("invalid")
def nothing_was_lost(case):
    for r in old_acks(case, False):
        for records in case.procs.values():
            if r in records:
                records.remove(r)
