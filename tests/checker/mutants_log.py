"""Mutants of the log and the acks: loss, repeats, numbers, order and outcomes (C1 to C6)."""

from mutants import mutant


@mutant("C1", "C3")
def acked_lost(case):
    ok, log, event = case.acked()
    log["events"].remove(event)


@mutant("C1")
def acked_lost_and_renumbered(case):
    ok, log, event = case.acked()
    log["events"].remove(event)
    case.renumber(log)


@mutant("C1", "C6", "C10")
def last_acked_lost(case):
    ok = case.pick(r for r in case.records("ok") if r["seq"] == case.final[r["conv"]]["head"])
    if ok is None:
        return False
    case.final[ok["conv"]]["events"].pop()
    case.final[ok["conv"]]["head"] -= 1


@mutant("C3")
def member_event_lost(case):
    log = case.final[case.pick(case.final)]
    del log["events"][0]


@mutant("C3")
def gap_in_numbers(case):
    ok, log, event = case.acked()
    for later in log["events"][event["seq"] - 1:]:
        later["seq"] += 1


@mutant("C3")
def seq_reused(case):
    ok, log, event = case.acked()
    event["seq"] -= 1


@mutant("C3")
def log_starts_at_zero(case):
    for event in case.final[case.pick(case.final)]["events"]:
        event["seq"] -= 1


@mutant("C3")
def head_ahead_of_log(case):
    case.final[case.pick(case.final)]["head"] += 1


@mutant("C3")
def epoch_raised_in_silence(case):
    case.acked()[1]["epoch"] = 2


@mutant("C3")
def ack_from_another_epoch(case):
    case.acked()[0]["epoch"] += 1


@mutant("C1")
def final_log_swapped(case):
    conv = case.pick(c for c, log in case.final.items() if sum(e["type"] == "message" for e in log["events"]) > 1)
    if conv is None:
        return False
    acked = sorted({r["seq"] for r in case.records("ok") if r["conv"] == conv})
    if len(acked) < 2:
        return False
    a, b = acked[0], acked[-1]
    events = case.final[conv]["events"]
    events[a - 1], events[b - 1] = events[b - 1], events[a - 1]
    case.renumber(case.final[conv])


@mutant("C1")
def ack_moved_up(case):
    case.acked()[0]["seq"] += 1


@mutant("C1")
def ack_moved_down(case):
    case.acked()[0]["seq"] -= 1


@mutant("C1")
def retry_answers_another_seq(case):
    ok = case.pick(r for r in case.records("ok") if r["dup"])
    if ok is None:
        return False
    ok["seq"] = case.final[ok["conv"]]["head"] + 1


@mutant("C6")
def ack_names_another_id(case):
    case.acked()[0]["id"] = "msg_other"


@mutant("C2")
def stored_twice(case):
    ok, _, event = case.acked()
    case.append(ok["conv"], **{k: event[k] for k in ("id", "sender", "cmid", "hash", "bytes", "at")})


@mutant("C2")
def stored_twice_under_a_new_id(case):
    ok, _, event = case.acked()
    case.append(ok["conv"], **{k: event[k] for k in ("sender", "cmid", "hash", "bytes", "at")})


@mutant("C2")
def unknown_stored_twice(case):
    r = case.pick(case.records("unknown"))
    sender = r and case.run["devices"][r["dev"]]
    event = r and case.pick(e for e in case.final[r["conv"]]["events"] if (e["cmid"], e["sender"]) == (r["cmid"], sender))
    if not event:
        return False
    case.append(r["conv"], **{k: event[k] for k in ("sender", "cmid", "hash", "bytes", "at")})


@mutant("C2")
def message_id_reused(case):
    first, second = case.acked()[2], case.acked()[2]
    if first is second:
        return False
    second["id"] = first["id"]


@mutant("C2")
def retry_acked_as_new(case):
    done = {}
    for r in case.records("ok"):
        done[(r["dev"], r["conv"], r["cmid"])] = r
    r = case.pick(r for r in done.values() if not r["dup"])
    for records in case.procs.values():
        if r in records:
            place = records.index(r)
            records.insert(place + 1, dict(r, t=r["t"] + 1))
            records.insert(place + 1, {**r, "e": "invoke", "hash": case.final[r["conv"]]["events"][r["seq"] - 1]["hash"]})
            return


@mutant("C2")
def first_attempt_called_duplicate(case):
    ok = case.pick(case.fresh())
    if ok is None:
        return False
    ok["dup"] = True


@mutant("C2")
def id_taken_for_that_of_another(case):
    r = case.pick(case.records("fail"))
    if r is None:
        return False
    r["code"] = "conflict"


@mutant("C4")
def real_time_order_broken(case):
    invoked = {(r["conv"], r["dev"], r["cmid"]): r["t"] for r in reversed(case.records("invoke"))}
    acks = case.fresh()
    for early in case.rng.sample(acks, len(acks)):
        for late in acks:
            key = (late["conv"], late["dev"], late["cmid"])
            if late["conv"] == early["conv"] and late["dev"] != early["dev"] and early["t"] < invoked[key]:
                case.exchange(early["conv"], early["seq"], late["seq"])
                return
    return False


@mutant("C4-lane")
def lane_order_broken(case):
    acks = case.fresh()
    for first in case.rng.sample(acks, len(acks)):
        for second in acks:
            if (second["dev"], second["conv"], second["seq"]) == (first["dev"], first["conv"], first["seq"] + 1):
                case.exchange(first["conv"], first["seq"], second["seq"])
                return
    return False


@mutant("C5")
def refused_message_stored(case):
    r = case.pick(case.records("fail"))
    if r is None:
        return False
    sent = next(i for i in case.records("invoke") if (i["dev"], i["conv"], i["cmid"]) == (r["dev"], r["conv"], r["cmid"]))
    case.append(r["conv"], sender=case.run["devices"][r["dev"]], cmid=r["cmid"], hash=sent["hash"])


@mutant("C5")
def message_from_nobody(case):
    case.append(case.pick(case.final), cmid="phantom")


@mutant("C1", "C5")
def sender_changed(case):
    case.acked()[2]["sender"] = "mallory"


@mutant("C1", "C3")
def moved_to_another_conversation(case):
    ok, log, event = case.acked()
    other = case.pick(c for c in case.final if c != ok["conv"])
    if other is None:
        return False
    log["events"].remove(event)
    case.renumber(log)
    case.append(other, **{k: event[k] for k in ("id", "sender", "cmid", "hash", "bytes", "at")})


@mutant("C1")
def body_changed_in_the_log(case):
    case.acked()[2]["hash"] = "changed"
