"""C13 of deliveries (PROTOCOL section 10): what devices said they have, replayed over the final log, against usage and its rows.

A device's cursor in a conversation is moved by what it acknowledged and by the heads it named at its connects. Each such move is
certain where its answer came, else open: it may have happened, at any time until a certain one overtakes it. So a replay keeps
every place where a cursor may stand, with the least and the most units that may have been counted on the way there.
"""

from collections import Counter
from datetime import datetime

from units import units

EVENTS_MAX = 10_000
FOREVER = float("inf")
FIELDS = ("from", "to", "cum_from", "cum_to", "own", "units", "kind")


def millis(text):
    """Milliseconds since 1970 of an RFC 3339 time in UTC."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Ledger:
    """Running sums of one final log: all units, and those of each user's own events."""

    def __init__(self, log):
        self.events, self.at, self.total, self.own = log["events"], [0], [0], {}
        for event in self.events:
            self.at.append(millis(event["at"]))
            self.total.append(self.total[-1] + units(event))

    def of(self, user):
        if user not in self.own:
            sums = [0]
            for event in self.events:
                sums.append(sums[-1] + (units(event) if event["sender"] == user else 0))
            self.own[user] = sums
        return self.own[user]

    def received(self, user, above, to):
        """Units of others' events above one seq up to another."""
        own = self.of(user)
        return self.total[to] - self.total[above] - own[to] + own[above]

    def older(self, above, to, ms):
        """The last seq of a range whose event is older than a time; the seq before the range where none is."""
        while to > above and self.at[to] >= ms:
            to -= 1
        return to


class Move:
    """One word about a cursor: up to which seq, what the connection had been sent, when it was said and when answered (ns)."""

    __slots__ = ("seq", "since", "said", "answered")

    def __init__(self, seq, since, said):
        self.seq, self.since, self.said, self.answered = seq, since, said, FOREVER


class Session:
    """One connection: since when, and per conversation what it resumed from, what was withheld from it while it was passive, and
    above which seq it was sent events only by and by as it was paused."""

    def __init__(self, record, until):
        self.said, self.until = record["t"], until
        self.began = self.ended = record["w"]
        self.heads, self.moves, self.resumed, self.withheld, self.paused = {}, {}, {}, {}, {}

    def since(self, conv, seq):
        """((seq it resumed from, whether it may have had no cursor) or None, earliest and latest time it began, least and most that
        was withheld up to `seq`)."""
        least, most = 0, 0
        for _, last, missed in self.withheld.get(conv, ()):
            most, least = max(most, seq if last is None else last), max([least, *missed])
        return self.resumed.get(conv), self.began, self.ended, least, most


class Words:
    """Every move of every device of a history: per (device, conversation) in the order said, and where a restore parts them."""

    def __init__(self, history):
        self.history, self.moves, self.parted = history, {}, {}
        for device, records in history.words.items():
            self._device(device, records)

    def _say(self, session, device, conv, seq, since, said):
        move = Move(seq, since, said)
        self.moves.setdefault((device, conv), []).append(move)
        return move

    def _is_first(self, device, conv, at):
        """Whether a connect may find no cursor: nothing before it is known to have begun one."""
        return all(move.answered > at for move in self.moves.get((device, conv), ()))

    def _device(self, device, records):
        session, flying = None, {}
        ends = [r["t"] for r in records if r["e"] == "connect"][1:] + [FOREVER]
        for r in records:
            kind = r["e"]
            if kind == "connect":
                session = Session(r, ends.pop(0))
                session.heads = {conv: self._say(session, device, conv, seq, ((seq, self._is_first(device, conv, r["t"])), 0, 0, 0, 0), r["t"])
                                 for conv, (_, seq) in r["heads"].items()}
            elif kind == "connected":
                self._connected(session, device, r)
            elif kind == "ack":
                flying[r["n"]] = r["conv"], self._acknowledge(session, device, r)
            elif kind == "ack_ok":
                conv, moves = flying.pop(r["n"])
                for move in moves:
                    move.answered = r["t"]
                if not self.history.run.get("moves_may_fail"):
                    for move in session.moves.pop(conv, ()):  # a node commits them before, though it may be too busy to until then
                        move.answered = r["t"]
            elif kind == "ack_fail":
                for move in flying.pop(r["n"])[1]:
                    move.seq = 0
            elif kind == "paused":
                session.paused = {**r["lasts"], **session.paused}
            elif kind == "passive":
                session.withheld.setdefault(r["conv"], []).append([r["head"], None, []])
            elif kind in ("told", "open"):
                self._told(session, device, r)
            elif kind == "rewind":
                self.parted[(device, r["conv"])] = len(self.moves.get((device, r["conv"]), ()))

    def _connected(self, session, device, r):
        session.ended = r["w"]
        for conv, (outcome, head) in r["sync"].items():
            move = session.heads.get(conv)
            if move is None:
                continue
            if outcome in ("recovered", "too_far"):
                session.moves[conv] = [move]
                if outcome == "recovered" and move.seq < head:
                    session.resumed[conv] = move.since[0]
                elif outcome == "too_far":
                    session.moves[conv].append(self._say(session, device, conv, head, session.since(conv, head), session.said))
            else:
                move.seq = 0

    def _acknowledge(self, session, device, r):
        """The moves of an acknowledgement: up to each gap that a pause made, and on from behind it."""
        conv, seq = r["conv"], r["seq"]
        since, moves = session.since(conv, seq), []
        for first, last, is_sure in self._gaps(session, device, conv, seq):
            moves.append(self._say(session, device, conv, first - 1, since, r["t"]))
            since = (*since[:3], last if is_sure else 0, last)
        return [*moves, self._say(session, device, conv, seq, since, r["t"])]

    def _gaps(self, session, device, conv, seq):
        """What of others a paused connection was not sent up to a seq: first, last, and whether something that came later proves it."""
        if conv not in session.paused or conv in session.withheld:
            return
        wire, user, first, last = self._wire(session, (device, conv)), self.history.run["devices"].get(device), None, None
        events = self.history.final.get(conv, {"events": []})["events"][:seq]
        for at, event in enumerate(events[session.paused[conv]:], session.paused[conv] + 1):
            if at in wire and first is not None:
                yield first, last, True
                first = None
            elif at not in wire and event["sender"] != user:
                first, last = at if first is None else first, at
        if first is not None:
            yield first, last, last < max(wire, default=0)

    def _wire(self, session, lane):
        """What came on the wire of a connection."""
        return {w["seq"] for of in (self.history.wire, self.history.lost.wire) for w in of.get(lane, ())
                if session.said <= w["t"] < session.until}

    def _told(self, session, device, r):
        """Of what others said since a connection is passive, all up to a head that it is told was withheld, but for what came on
        the wire; up to that of an `open` only where something above it has come."""
        views, lane, conv = session.withheld.get(r["conv"], ()), (device, r["conv"]), r["conv"]
        if not views or views[-1][1] is not None:
            return
        wire = self._wire(session, lane)
        if r["e"] == "open":
            views[-1][1] = r["head"]
        if r["e"] == "told" or max(wire, default=0) > r["head"]:
            user, events = self.history.run["devices"].get(device), self.history.final.get(conv, {"events": []})["events"]
            below = range(min(r["head"], len(events)), views[-1][0], -1)
            views[-1][2] += next(([seq] for seq in below if seq not in wire and events[seq - 1]["sender"] != user), [])


def floors(ledger, cursor, move, before):
    """The least and the most seq up to which a move from a cursor passes without counting; `before` are those up to which the user
    was no member."""
    resumed, began, ended, least, most = move.since
    if resumed is not None:
        seq, is_first = resumed
        low, high = 0 if cursor else seq, seq if is_first or not cursor else 0
    else:
        low, high = (ledger.older(cursor, move.seq, ms) for ms in (began, ended))
    if most:
        low, high = (least, most) if least else (low, max(high, most))
    return [min(max(at, no_member, cursor, move.seq - EVENTS_MAX), move.seq) for at, no_member in zip((low, high), before)]


class Replay:
    """Where the cursor of one user's device may stand: {seq: (least, most) units counted on the way}. `pins` says for some
    places how many it was, as the rows that end there have it: other ways to them did not happen."""

    def __init__(self, ledger, user, before, pins=None):
        self.ledger, self.user, self.before, self.pins, self.states = ledger, user, before, pins or {}, {0: (0, 0)}

    def step(self, states, move):
        """Where cursors stand after a move."""
        after, before = {}, self.before(move.seq, move.answered)
        for cursor, (least, most) in states.items():
            to = cursor
            if move.seq > cursor:
                low, high = floors(self.ledger, cursor, move, before)
                to, received = move.seq, self.ledger.received
                least, most = least + received(self.user, high, to), most + received(self.user, low, to)
            self.add(after, to, least, most)
        return after

    def add(self, states, cursor, least, most):
        if cursor in self.pins:
            if not least <= self.pins[cursor] <= most:
                return
            least = most = self.pins[cursor]
        known = states.get(cursor, (least, most))
        states[cursor] = min(known[0], least), max(known[1], most)

    def settle(self, open_moves):
        """Where cursors stand if any of the open moves happened, or none."""
        states = dict(self.states)
        for move in open_moves:
            for cursor, (least, most) in self.step(states, move).items():
                self.add(states, cursor, least, most)
        return states

    def run(self, moves, begun=FOREVER, ended=FOREVER):
        """Takes the moves as a reading saw them that began and ended at these times."""
        still_open = []
        for move in moves:
            if not 0 < move.seq < len(self.ledger.total) or move.said > ended:
                continue
            if move.answered >= begun:
                still_open.append(move)
                continue
            self.states = self.step(self.settle(still_open), move)
            still_open = [other for other in still_open if other.seq > move.seq]
        self.states = self.settle(still_open)


class Recount:
    """What may have been counted, by device and conversation."""

    def __init__(self, history):
        self.history, self.words, self.ledgers = history, Words(history), {}
        self.last = {lane: self.lane(lane) for lane in self.words.moves}

    def ledger(self, conv):
        if conv not in self.ledgers:
            self.ledgers[conv] = Ledger(self.history.final[conv])
        return self.ledgers[conv]

    def lane(self, lane, begun=FOREVER, ended=FOREVER, pins=None):
        (device, conv), restore, moves = lane, self.history.restore, self.words.moves.get(lane, [])
        if conv not in self.history.final:
            return {0: (0, 0)}
        user, membership = self.history.run["devices"].get(device), self.history.membership
        replay = Replay(self.ledger(conv), user, lambda seq, answered: membership.floors(conv, user, seq, answered), pins)
        if restore is not None:
            parted = self.words.parted.get(lane, len(moves))
            replay.run([move for move in moves[:parted] if move.seq <= self.history.cuts[conv]], restore["begun"], restore["ended"])
            moves = moves[parted:]
        replay.run(moves, begun, ended)
        return replay.states

    def at(self, reading):
        """Places and bounds of every lane at a reading of usage; one that names no time is of the end."""
        if "begun" not in reading:
            return self.last
        return {lane: self.lane(lane, reading["begun"], reading["ended"]) for lane in self.words.moves}


def bounds(states):
    return min(low for low, _ in states.values()), max(high for _, high in states.values())


def total_bounds(lanes):
    found = [bounds(states) for states in lanes.values()]
    return sum(low for low, _ in found), sum(high for _, high in found)


def delivered(history, reading):
    """Units of `msg_delivered` of one reading by hour."""
    hours, app = Counter(), history.run.get("app")
    for item in reading["items"]:
        if item["meter"] == "msg_delivered" and item.get("app", app) == app:
            hours[item["at"][:13]] += item["quantity"]
    return hours


def check_deliveries(history, out):
    """C13: `msg_delivered` of every reading lies within the recount of what was acknowledged, and the rows are that recount."""
    recount = history.recount = Recount(history)
    for reading in history.usage:
        (least, most), said = total_bounds(recount.at(reading)), sum(delivered(history, reading).values())
        if not least <= said <= most:
            out.add("C13", f"{reading['label']}: {said} units delivered, the recount is {least} to {most}")
    if history.deliveries is not None:
        check_rows(history, recount, out)


def check_rows(history, recount, out):
    """C13: per device the rows tile the log up to its cursor, count what the log says, and no other device has any."""
    rows, hours = {}, Counter()
    for row in history.deliveries["rows"]:
        rows.setdefault(place(history, row), []).append(row)
        hours[row["at"][:13]] += row["units"]
    cursors = {}
    for cursor in history.deliveries["cursors"]:
        cursors.setdefault(place(history, cursor), []).append((cursor["seq"], cursor["cum"]))
    for lane in sorted({*rows, *cursors}, key=str):
        user = history.run["devices"].get(lane[0])
        if user not in history.run["members"].get(lane[1], ()) or lane[1] not in history.final:
            out.add("C13", f"rows or a cursor of {lane[0]} in {lane[1]}, which is no device of a member of this app")
            continue
        check_stays(history.stays(lane), lane, rows.get(lane, ()), out)
        check_lane(recount.ledger(lane[1]), user, lane, sorted(rows.get(lane, ()), key=lambda row: row["from"]), cursors.get(lane, []), out)
    for lane in sorted({*recount.last, *rows}, key=str):
        check_words(recount, lane, sorted(rows.get(lane, ()), key=lambda row: row["from"]), cursors.get(lane, [(0, 0)])[0][0], out)
    if history.usage:
        said = delivered(history, history.usage[-1])
        for hour in sorted({*hours, *said}):
            if hours[hour] != said[hour]:
                out.add("C13", f"{history.usage[-1]['label']}: {said[hour]} units delivered in hour {hour}, its rows have {hours[hour]}")


def place(history, row):
    """The device and conversation of a row; of another app it is one that this run does not know."""
    device = f"{row['user']}/{row['device']}"
    return (device if row["app"] == history.run.get("app") else f"{row['app']}:{device}"), row["conv"]


def check_stays(stays, lane, rows, out):
    """Nothing counts as received of a time at which the user was no member; a move counts within one of its stays."""
    for row in rows:
        number = stays.at(row["from"])
        if row["kind"] == "received" and (number is None or number != stays.at(row["to"])):
            out.add("C13", f"{lane[0]} in {lane[1]}: received from {row['from']} to {row['to']}, where its user was no member all the time")
            return


def check_lane(ledger, user, lane, rows, cursors, out):
    """The rows of one device in one conversation; the first fault is reported, the rest follow from it."""
    seq = cum = 0
    for row in rows:
        if row["from"] != seq + 1 or not row["from"] <= row["to"] < len(ledger.total):
            out.add("C13", f"{lane[0]} in {lane[1]}: a row of {row['from']} to {row['to']} follows seq {seq}")
            return
        own = ledger.of(user)[row["to"]] - ledger.of(user)[seq] if row["kind"] == "received" else 0
        counts = ledger.received(user, seq, row["to"]) if row["kind"] == "received" else 0
        expected = (seq + 1, row["to"], cum, ledger.total[row["to"]], own, counts)
        if tuple(row[name] for name in FIELDS[:6]) != expected or row["kind"] not in ("received", "passed"):
            out.add("C13", f"{lane[0]} in {lane[1]}: row {[row[name] for name in FIELDS]}, by the log {expected}")
            return
        seq, cum = row["to"], row["cum_to"]
    if cursors != [(seq, cum)]:
        out.add("C13", f"{lane[0]} in {lane[1]}: cursors {cursors}, its rows end at {(seq, cum)}")


def check_words(recount, lane, rows, stands, out):
    """What one device was counted follows from its words, row by row, and its cursor stands where they put it."""
    pins, counted = {0: 0}, 0
    for row in rows:
        counted += row["units"]
        pins[row["to"]] = counted
    if stands in recount.lane(lane, pins=pins):
        return
    states = recount.last.get(lane, {0: (0, 0)})
    least, most = states.get(stands, (None, None))
    if least is None:
        out.add("C13", f"{lane[0]} in {lane[1]}: cursor at {stands}, by its words at {sorted(states)[-5:]}")
    else:
        out.add("C13", f"{lane[0]} in {lane[1]}: {counted} units delivered up to {stands}, which its words do not explain; in all {least} to {most}")
