"""Mutants of who was given what while members come and go (C7, C9 to C11, C13)."""

import generate
from deliveries import Recount, bounds
from history import History
from membership import stays_of
from mutants import mutant
from mutants_cursor import recount, some


def comers(case, now=None):
    """(conversation, user, stays) of who left; `now`: whether it is a member in the end."""
    for conv, log in sorted(case.final.items()):
        for user, stays in sorted(stays_of(log, ()).items()):
            if stays.firsts and (len(stays.firsts) > 1 or stays.now is None) and now in (None, stays.now is not None):
                yield conv, user, stays


def between(case):
    """(conversation, device, seq) of an event at which the user of the device is no member, though it was one before."""
    found = [(conv, user, event["seq"]) for conv, user, stays in comers(case) for event in case.final[conv]["events"]
             if stays.at(event["seq"]) is None and event["seq"] > stays.firsts[0]]
    conv, user, seq = case.pick(found) or (None, None, None)
    return conv and (conv, case.pick(device for device, of in case.run["devices"].items() if of == user), seq)


def tell(case, kind, device, **fields):
    """Adds a record to those of a device."""
    records = next(records for records in case.procs.values() if any(r["dev"] == device for r in records))
    records.append({"e": kind, "t": case.run["heal"], "dev": device, **fields})


@mutant("C11", into=generate.changing)
def pushed_to_who_was_removed(case):
    place = between(case)
    if place is None:
        return False
    conv, device, seq = place
    event = case.final[conv]["events"][seq - 1]
    tell(case, "wire", device, conv=conv, seq=seq, epoch=1, id=event["id"], hash=event["hash"])


@mutant("C11", into=generate.changing)
def read_by_who_was_removed(case):
    place = between(case)
    if place is None:
        return False
    conv, device, seq = place
    event = case.final[conv]["events"][seq - 1]
    tell(case, "read", device, conv=conv, after=seq - 1, items=[[seq, event["id"], event["hash"]]], head=case.final[conv]["head"])


@mutant("C11", into=generate.changing)
def read_across_an_absence(case):
    """As a member again, with what was said meanwhile."""
    conv, user, stays = case.pick(comers(case, now=True)) or (None, None, None)
    if conv is None or stays.now == stays.lasts[-2] + 1:
        return False
    device = case.pick(device for device, of in case.run["devices"].items() if of == user)
    events = case.final[conv]["events"][stays.lasts[-2]:]
    items = [[event["seq"], event["id"], event["hash"]] for event in events]
    tell(case, "read", device, conv=conv, after=stays.lasts[-2], items=items, head=case.final[conv]["head"])


@mutant("C11", into=generate.changing)
def acked_change_is_of_another_user(case):
    r = case.pick(case.records("changed"))
    if r is None:
        return False
    case.final[r["conv"]]["events"][r["seq"] - 1]["users"] = ["mallory"]


@mutant("C11", into=generate.changing)
def change_acked_at_another_seq(case):
    r = case.pick(case.records("changed"))
    if r is None:
        return False
    r["seq"] -= 1


@mutant("C10", into=generate.changing)
def who_came_again_is_told_nothing(case):
    found = [(device, conv, stays.now) for conv, user, stays in comers(case, now=True) for device, of in case.run["devices"].items()
             if of == user and any(r["dev"] == device and r["online"] for r in case.records("end"))]
    device, conv, first = case.pick(found) or (None, None, None)
    if device is None:
        return False
    for records in case.procs.values():
        records[:] = [r for r in records if (r["e"], r["dev"], r.get("conv")) != ("app", device, conv) or r["seq"] < first]


@mutant("C7", into=generate.changing)
def who_came_again_begins_late(case):
    """It is handed all but the event that let it in."""
    found = [(records, r) for conv, user, stays in comers(case) for records in case.procs.values() for r in records
             if r["e"] == "app" and r["conv"] == conv and case.run["devices"][r["dev"]] == user and r["seq"] in stays.firsts[1:]
             and any(o["e"] == "app" and (o["dev"], o["conv"], o["seq"]) == (r["dev"], conv, r["seq"] + 1) for o in records)]
    records, r = case.pick(found) or (None, None)
    if r is None:
        return False
    records.remove(r)


@mutant("C13", into=generate.changing)
def counted_while_no_member(case):
    """The row of an absence is of the kind that counts, and counts."""
    stays = {(conv, user): stays for conv, user, stays in comers(case)}
    row = some(case, lambda row: row["kind"] == "passed" and row["cum_to"] > row["cum_from"] and (row["conv"], row["user"]) in stays
               and stays[(row["conv"], row["user"])].at(row["from"]) is None)
    if row is None:
        return False
    row["kind"] = "received"
    recount(case, row)


@mutant("C13", into=generate.changing)
def who_came_again_is_counted_nothing(case):
    """Where the recount knows to the unit what it was given."""
    known = Recount(History(case.procs, case.final, case.usage, case.run)).last
    comes = {(conv, user) for conv, user, _ in comers(case, now=True)}
    row = some(case, lambda row: row["units"] and (row["conv"], row["user"]) in comes
               and len(set(bounds(known[(f"{row['user']}/{row['device']}", row["conv"])]))) == 1)
    if row is None:
        return False
    row["kind"] = "passed"
    recount(case, row)


@mutant("invalid")
def nobody_left(case):
    case.run["changing"] = True
