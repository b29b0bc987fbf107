"""Mutants of the bill (C13), and runs that prove nothing and must be called invalid."""

from mutants import mutant


@mutant("C13")
def over_billed(case):
    case.bill(case.acked()[2]["at"], 1)


@mutant("C13")
def under_billed(case):
    case.bill(case.acked()[2]["at"], -1)


@mutant("C13")
def billed_in_another_hour(case):
    event = case.acked()[2]
    case.bill(event["at"], -1)
    case.bill("2026-11-26T23:00:00Z", 1)


@mutant("C13")
def large_message_billed_once(case):
    event = case.pick(e for log in case.final.values() for e in log["events"] if e["bytes"] > 5120)
    if event is None:
        return False
    case.bill(event["at"], 1 - -(-event["bytes"] // 5120))


@mutant("C13")
def member_events_billed(case):
    for log in case.final.values():
        for event in log["events"]:
            if event["type"] == "member":
                case.bill(event["at"], 1)


@mutant("C13")
def usage_lost_in_the_restart(case):
    for item in case.usage[-1]["items"]:
        if item["meter"] == "msg_sent":
            item["quantity"] -= 1
            return


@mutant("C13")
def ack_says_another_bill(case):
    ok = case.pick(r for r in case.records("ok") if not r["dup"])
    ok["billed"] += 1


@mutant("invalid")
def nobody_was_killed(case):
    case.run["rounds"] = []


@mutant("invalid")
def a_round_without_acks(case):
    end = case.run["rounds"][-1]["kill"]
    case.run["rounds"].append({"start": end + 10**15, "kill": end + 10**15 + 5})


@mutant("invalid")
def nothing_acked(case):
    for records in case.procs.values():
        records[:] = [r for r in records if r["e"] not in ("ok", "wire")]


@mutant("invalid")
def nothing_delivered(case):
    for records in case.procs.values():
        records[:] = [dict(r, online=False) if r["e"] == "end" else r for r in records if r["e"] != "app"]


@mutant("invalid")
def usage_not_read(case):
    case.usage.clear()
