"""Mutants of deliveries: cursors, their rows and `msg_delivered` (C13), and words that prove nothing."""

from functools import partial

import generate
from deliveries import Recount, bounds
from history import WORDS, History
from mutants import mutant
from units import units

FAR = 10**6


def lane_of(row):
    return row["user"], row["device"], row["conv"]


def lanes(case):
    """The rows of each device in each conversation, in order."""
    found = {}
    for row in case.deliveries["rows"]:
        found.setdefault(lane_of(row), []).append(row)
    return found


def cursor_of(case, row):
    return next(c for c in case.deliveries["cursors"] if lane_of(c) == lane_of(row))


def count(case, row, delta):
    """Counts more or less of a row, there and in every reading."""
    row["units"] += delta
    case.bill(row["at"], delta, "msg_delivered")


def recount(case, row):
    """Makes a row and the readings right for its range and kind."""
    events = case.final[row["conv"]]["events"][row["from"] - 1:row["to"]]
    own = sum(units(e) for e in events if e["sender"] == row["user"])
    received = row["kind"] == "received"
    row["own"] = own if received else 0
    count(case, row, (sum(map(units, events)) - own if received else 0) - row["units"])


def drop(case, row):
    count(case, row, -row["units"])
    case.deliveries["rows"].remove(row)


def answered(case, row):
    """Whether a word for the end of a row was answered: then it must count."""
    ok = {(r["dev"], r["n"]) for r in case.records("ack_ok")}
    return any((r["dev"], r["conv"], r["seq"]) == (f"{row['user']}/{row['device']}", row["conv"], row["to"]) and (r["dev"], r["n"]) in ok
               for r in case.records("ack"))


def some(case, condition):
    return case.pick(row for row in case.deliveries["rows"] if condition(row))


@mutant("C13")
def delivery_counted_twice(case):
    row = some(case, lambda row: row["units"])
    if row is None:
        return False
    case.bill(row["at"], row["units"], "msg_delivered")


@mutant("C13")
def delivery_row_written_twice(case):
    row = some(case, lambda row: row["units"])
    if row is None:
        return False
    case.deliveries["rows"].append(dict(row))
    case.bill(row["at"], row["units"], "msg_delivered")


@mutant("C13")
def every_delivery_counted_for_every_device(case):
    """Found without a look at the rows."""
    case.deliveries = None
    at = case.acked()[2]["at"]
    case.bill(at, len(case.run["devices"]) * sum(units(e) for log in case.final.values() for e in log["events"]) + 1, "msg_delivered")


@mutant("C13")
def no_delivery_counted(case):
    """Found without a look at the rows."""
    if not any(answered(case, row) and row["units"] and row["from"] == 1 for row in case.deliveries["rows"]):
        return False
    case.deliveries = None
    for reading in case.usage:
        reading["items"] = [item for item in reading["items"] if item["meter"] != "msg_delivered"]


@mutant("C13")
def delivery_counted_in_another_hour(case):
    row = some(case, lambda row: row["units"])
    if row is None:
        return False
    case.bill(row["at"], -row["units"], "msg_delivered")
    case.bill("2026-11-25T23:00:00Z", row["units"], "msg_delivered")


@mutant("C13")
def cursor_moved_without_its_row(case):
    last = case.pick(rows[-1] for rows in lanes(case).values())
    if last is None:
        return False
    drop(case, last)


@mutant("C13")
def cursor_without_any_row(case):
    rows = case.pick(lanes(case).values())
    if rows is None:
        return False
    for row in rows:
        drop(case, row)


@mutant("C13")
def rows_without_a_cursor(case):
    cursor = case.pick(case.deliveries["cursors"])
    if cursor is None:
        return False
    case.deliveries["cursors"].remove(cursor)


@mutant("C13")
def two_cursors_of_one_device(case):
    cursor = case.pick(case.deliveries["cursors"])
    if cursor is None:
        return False
    case.deliveries["cursors"].append(dict(cursor))


@mutant("C13")
def own_message_counted(case):
    row = some(case, lambda row: row["own"])
    if row is None:
        return False
    count(case, row, row["own"])


@mutant("C13")
def own_message_counted_and_called_anothers(case):
    row = some(case, lambda row: row["own"])
    if row is None:
        return False
    count(case, row, row["own"])
    row["own"] = 0


def counted_after_all(case, row):
    """Makes a passed row a received one; False where the words leave it open whether that is wrong."""
    history = History(case.procs, case.final, case.usage, case.run, case.deliveries)
    least, most = bounds(Recount(history).last[(f"{row['user']}/{row['device']}", row["conv"])])
    row["kind"] = "received"
    recount(case, row)
    return row["units"] > most - least


@mutant("C13")
def time_before_the_device_counted(case):
    """A device whose first word named what it held: that is none of this server's deliveries."""
    held = {(r["dev"], r["conv"]): r["seq"] for r in case.records("cursor")}
    row = some(case, lambda row: row["kind"] == "passed" and row["from"] == 1
               and held.get((f"{row['user']}/{row['device']}", row["conv"])) == row["to"])
    return row is not None and counted_after_all(case, row)


@mutant("C13")
def time_before_the_connection_counted(case):
    row = some(case, lambda row: row["kind"] == "passed" and row["from"] > 1)
    return row is not None and counted_after_all(case, row)


@mutant("C13")
def withheld_from_a_paused_connection_yet_counted(case):
    lasts = {(r["dev"], conv): last for r in case.records("paused") for conv, last in r["lasts"].items()}
    row = some(case, lambda row: row["kind"] == "passed" and row["from"] > lasts.get((f"{row['user']}/{row['device']}", row["conv"]), row["to"]) > 0)
    return row is not None and counted_after_all(case, row)


@mutant("C13")
def withheld_from_a_passive_connection_yet_counted(case):
    opened = {(r["dev"], r["conv"], r["head"]) for r in case.records("open")}
    row = some(case, lambda row: row["kind"] == "passed" and (f"{row['user']}/{row['device']}", row["conv"], row["to"]) in opened)
    return row is not None and counted_after_all(case, row)


@mutant("C13")
def gap_between_rows(case):
    rows = case.pick(rows for rows in lanes(case).values() if len(rows) > 2)
    if rows is None:
        return False
    drop(case, case.pick(rows[1:-1]))


@mutant("C13")
def row_begins_late(case):
    row = some(case, lambda row: row["from"] < row["to"])
    if row is None:
        return False
    row["from"] += 1
    recount(case, row)


@mutant("C13")
def rows_overlap(case):
    row = some(case, lambda row: row["from"] > 1)
    if row is None:
        return False
    row["from"] -= 1
    recount(case, row)


@mutant("C13")
def wrong_running_total(case):
    rows = case.pick(lanes(case).values())
    if rows is None:
        return False
    for row in rows:
        row["cum_from"] += row["from"] > 1
        row["cum_to"] += 1
    cursor_of(case, rows[0])["cum"] += 1


@mutant("C13")
def large_delivery_counted_once(case):
    row = some(case, lambda row: row["units"] > row["to"] - row["from"] + 1)
    if row is None:
        return False
    count(case, row, -1)


@mutant("C13")
def passed_yet_counted(case):
    row = some(case, lambda row: row["kind"] == "passed")
    if row is None:
        return False
    count(case, row, 1)


@mutant("C13")
def cursor_went_back(case):
    rows = case.pick(rows for rows in lanes(case).values() if len(rows) > 1)
    if rows is None:
        return False
    cursor_of(case, rows[0]).update(seq=rows[-2]["to"], cum=rows[-2]["cum_to"])


@mutant("C13")
def answered_word_lost(case):
    rows = case.pick(rows for rows in lanes(case).values() if len(rows) > 1 and answered(case, rows[-1]))
    if rows is None:
        return False
    drop(case, rows[-1])
    cursor_of(case, rows[0]).update(seq=rows[-2]["to"], cum=rows[-2]["cum_to"])


@mutant("C13")
def answered_device_lost(case):
    rows = case.pick(rows for rows in lanes(case).values() if answered(case, rows[-1]))
    if rows is None:
        return False
    case.deliveries["cursors"].remove(cursor_of(case, rows[0]))
    for row in rows:
        drop(case, row)


@mutant("C13")
def cursor_beyond_every_word(case):
    rows = case.pick(rows for rows in lanes(case).values() if rows[-1]["to"] < case.final[rows[-1]["conv"]]["head"] and answered(case, rows[-1]))
    if rows is None:
        return False
    row, log = rows[-1], case.final[rows[-1]["conv"]]
    if any(r["seq"] == log["head"] and r["conv"] == row["conv"] for r in case.records("ack")):
        return False
    if any(r["heads"].get(row["conv"], [0, 0])[1] == log["head"] for r in case.records("connect")):
        return False
    if any(r["sync"].get(row["conv"], ["", 0])[1] == log["head"] for r in case.records("connected")):
        return False
    row["cum_to"] += sum(map(units, log["events"][row["to"]:]))
    row["to"] = log["head"]
    recount(case, row)
    cursor_of(case, row).update(seq=row["to"], cum=row["cum_to"])


@mutant("C13")
def refused_word_moved_a_cursor(case):
    row = case.pick(rows[-1] for rows in lanes(case).values() if rows[-1]["kind"] == "received")
    if row is None:
        return False
    dev = f"{row['user']}/{row['device']}"
    named = [r for r in case.records("connect") if r["dev"] == dev and r["heads"].get(row["conv"], [0, 0])[1] >= row["to"]]
    said = [r for r in case.records("ack") if (r["dev"], r["conv"]) == (dev, row["conv"]) and r["seq"] >= row["to"]]
    answers = [r for r in case.records("ack_ok") if r["dev"] == dev and r["n"] in {word["n"] for word in said}]
    if named or not said or len(answers) != len(said):
        return False
    for r in answers:
        r["e"] = "ack_fail"


@mutant("C13")
def rows_of_another_apps_device(case):
    rows = case.pick(lanes(case).values())
    if rows is None:
        return False
    for row in [cursor_of(case, rows[0]), *rows]:
        row["app"] = "app_2"


@mutant("C13")
def word_of_another_apps_device_counted_here(case):
    row = some(case, lambda row: row["units"])
    if row is None:
        return False
    case.deliveries["rows"].append(dict(row, app="app_2"))
    case.bill(row["at"], row["units"], "msg_delivered")


@mutant("C13")
def device_nobody_connected(case):
    rows = case.pick(lanes(case).values())
    if rows is None:
        return False
    cursor = cursor_of(case, rows[0])
    for of, kind in (("rows", rows), ("cursors", [cursor])):
        case.deliveries[of] += [dict(row, device="d9") for row in kind]
    for row in rows:
        case.bill(row["at"], row["units"], "msg_delivered")


@mutant("C13")
def counted_though_nobody_said_so(case):
    if not any(row["units"] for row in case.deliveries["rows"]):
        return False
    for records in case.procs.values():
        records[:] = [r for r in records if r["e"] not in WORDS or r["e"] == "rewind"]


@mutant("invalid")
def acknowledged_what_it_never_had(case):
    ended = {(r["dev"], r["n"]) for kind in ("ack_ok", "ack_fail") for r in case.records(kind)}
    counted = {(f"{row['user']}/{row['device']}", row["conv"], row["to"]) for row in case.deliveries["rows"]}
    word = case.pick(r for r in case.records("ack") if (r["dev"], r["n"]) not in ended and (r["dev"], r["conv"], r["seq"]) not in counted)
    if word is None:
        return False
    word["seq"] += FAR


planted = partial(mutant, into=generate.restored)


@planted("C13")
def restore_forgot_the_deliveries(case):
    ok = {(r["dev"], r["n"]) for r in case.records("ack_ok") if r["t"] < case.run["restore"]["begun"]}
    early = {(r["dev"], r["conv"], r["seq"]) for r in case.records("ack") if (r["dev"], r["n"]) in ok}
    rows = case.pick(rows for rows in lanes(case).values()
                     if any((f"{r['user']}/{r['device']}", r["conv"], r["to"]) in early for r in rows))
    if rows is None:
        return False
    case.deliveries["cursors"].remove(cursor_of(case, rows[0]))
    for row in rows:
        drop(case, row)


@planted("C13")
def deliveries_outlived_the_restore(case):
    """A cursor beyond the restored log."""
    rows = case.pick(rows for rows in lanes(case).values())
    if rows is None:
        return False
    cursor, log = cursor_of(case, rows[0]), case.final[rows[0]["conv"]]
    row = dict(rows[-1], **{"from": cursor["seq"] + 1, "to": log["head"] + 2, "cum_from": cursor["cum"], "cum_to": cursor["cum"] + 5,
                            "own": 0, "units": 0, "kind": "received"})
    case.deliveries["rows"].append(row)
    count(case, row, 5)
    cursor.update(seq=row["to"], cum=row["cum_to"])

