"""Mutants of what readers saw: wire, application, reads and convergence (C6 to C12)."""

from checks import TEN_SECONDS_NS
from mutants import mutant


@mutant("C6")
def body_changed_on_the_wire(case):
    case.pick(case.records("wire") or case.records("app"))["hash"] = "changed"


@mutant("C6")
def body_changed_for_the_application(case):
    case.pick(case.records("app"))["hash"] = "changed"


@mutant("C6")
def body_changed_in_a_read(case):
    r = case.pick(r for r in case.records("read") if r["items"])
    if r is None:
        return False
    case.pick(r["items"])[2] = "changed"


@mutant("C6")
def id_changed_on_the_wire(case):
    case.pick(case.records("wire") or case.records("app"))["id"] = "msg_other"


@mutant("C6")
def event_of_another_conversation(case):
    r = case.pick(case.records("app"))
    other = case.pick(c for c in case.final if c != r["conv"])
    if other is None:
        return False
    stranger = case.final[other]["events"][-1]
    r["id"], r["hash"] = stranger["id"], stranger["hash"]


@mutant("C6")
def delivered_beyond_the_log(case):
    r = case.pick(case.records("wire"))
    if r is None:
        return False
    r["seq"] = case.final[r["conv"]]["head"] + 5


@mutant("C7")
def delivery_skipped(case):
    lane = case.lane("app", 3)
    if lane is None:
        return False
    records, at = lane[1]
    del records[at]


@mutant("C7")
def delivered_twice(case):
    records, at = case.pick(case.lane("app", 1))
    records.insert(at + 1, dict(records[at]))


@mutant("C7")
def delivered_out_of_order(case):
    lane = case.lane("app")
    if lane is None:
        return False
    (records, a), (_, b) = lane[:2]
    records[a], records[b] = records[b], records[a]


@mutant("C7")
def delivery_starts_late(case):
    lane = case.lane("app")
    if lane is None:
        return False
    records, at = lane[0]
    del records[at]


@mutant("C7")
def delivery_starts_over(case):
    lane = case.lane("app")
    if lane is None:
        return False
    records, end = lane[-1]
    records[end + 1:end + 1] = [dict(records[at]) for _, at in lane]


@mutant("C7", "C10")
def cursor_acked_early(case):
    lane = case.lane("app", 3, online=True)
    if lane is None:
        return False
    records, at = lane[0]
    first = records[at]
    records.insert(0, {"e": "cursor", "t": 0, "dev": first["dev"], "conv": first["conv"], "seq": first["seq"] + 1})
    for r in [r for r in records[1:] if r["e"] == "cursor" and (r["dev"], r["conv"]) == (first["dev"], first["conv"])]:
        records.remove(r)


@mutant("C8")
def wire_repeats_itself(case):
    records, at = case.pick(case.lane("wire", 1) or case.lane("app", 1))
    if records[at]["e"] != "wire":
        return False
    records[at + 1:at + 1] = [dict(records[at]) for _ in range(len(case.records("wire")) // 50 + 1)]


@mutant("C9")
def read_skips_an_event(case):
    r = case.pick(r for r in case.records("read") if len(r["items"]) > 2)
    if r is None:
        return False
    del r["items"][1]


@mutant("C9")
def read_runs_backwards(case):
    r = case.pick(r for r in case.records("read") if len(r["items"]) > 1)
    if r is None:
        return False
    r["items"].reverse()


@mutant("C9")
def read_starts_elsewhere(case):
    r = case.pick(r for r in case.records("read") if r["items"])
    if r is None:
        return False
    r["after"] += 1


@mutant("C9")
def head_moves_back(case):
    r = case.pick(r for r in case.records("read") if r["head"] > 1)
    if r is None:
        return False
    for records in case.procs.values():
        if r in records:
            records.insert(records.index(r) + 1, {"e": "head", "t": r["t"], "dev": r["dev"], "conv": r["conv"], "seq": r["head"] - 1})
            return


@mutant("C10")
def online_device_misses_the_last(case):
    lane = case.lane("app", 2, online=True)
    if lane is None:
        return False
    records, at = lane[-1]
    del records[at]


@mutant("C10")
def online_device_stops_early(case):
    lane = case.lane("app", 3, online=True)
    if lane is None:
        return False
    for records, at in reversed(lane[len(lane) // 2:]):
        del records[at]


@mutant("C10")
def last_message_comes_late(case):
    lane = case.lane("app", 1, online=True)
    if lane is None:
        return False
    records, at = lane[-1]
    done = [r["t"] for r in case.records("ok") if (r["conv"], r["seq"]) == (records[at]["conv"], records[at]["seq"])]
    records[at]["t"] = max(case.run["heal"], *done, 0) + TEN_SECONDS_NS + 1_000_000


@mutant("C11")
def delivered_to_a_stranger(case):
    r = case.pick(case.records("app"))
    user = case.run["devices"][r["dev"]]
    if len(case.run["members"][r["conv"]]) < 2:
        return False
    case.run["members"][r["conv"]].remove(user)


@mutant("C12")
def body_of_another_app(case):
    records = case.pick(case.procs.values())
    records.append(dict(case.pick(case.records("canary")), of="app_2"))


@mutant("invalid")
def nobody_was_given_a_canary(case):
    for records in case.procs.values():
        records[:] = [r for r in records if r["e"] != "canary"]
