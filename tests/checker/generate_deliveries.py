"""What the devices of a generated run acknowledge, and a model of what the server counts for it, event by event."""

from bisect import bisect_right

from units import units


class Session:
    """One connection: when it began, what it resumed from, and where it is or was passive."""

    def __init__(self, at, doomed):
        self.at, self.doomed, self.resumed, self.withheld, self.passive = at, doomed, {}, {}, {}
        self.paused, self.wire, self.gaps, self.has_switched, self.owed = {}, set(), {}, False, {}

    def sends(self, conv, seq, event_ms, since_ms):
        """Whether the server knows that this connection was sent an event."""
        if conv in self.withheld:
            return seq > self.withheld[conv]
        if seq >= self.gaps.get(conv, seq + 1):
            return (conv, seq) in self.wire
        if conv in self.resumed:
            return seq > self.resumed[conv]
        return event_ms >= since_ms


class Devices:
    """Adds words to the records of a model's devices and keeps the rows that follow from them."""

    def __init__(self, model):
        self.model, self.rng, self.rows, self.number = model, model.rng, {}, 0
        self.last, self.pushed, self.taken, self.session = {}, {}, {}, None

    def restore(self, moment):
        """Deliveries become what they were at the backup's moment."""
        self.rows = {lane: [row for row in rows if row["t"] < moment] for lane, rows in self.rows.items()}

    def cursor(self, lane):
        rows = self.rows.get(lane)
        return rows[-1]["to"] if rows else 0

    def head(self, conv, at):
        return bisect_right(self.model.committed[conv], at)

    def held(self, device, at):
        """Where a device is that the log has reached; a device may start with what comes only later."""
        return [lane for lane, last in self.last.items() if lane[0] == device and last <= self.head(lane[1], at)]

    def joined(self, lane, at):
        return self.model.joined(lane[1], lane[0].split("/")[0], at)

    def count(self, lane, seq, at, sent):
        """Moves a cursor of who is a member by then; `sent` says of each seq whether the connection was sent it."""
        cursor, log, joined = self.cursor(lane), self.model.logs[lane[1]], self.joined(lane, at)
        if joined is None:
            return
        kinds = ["received" if place >= joined and sent(place) else "passed" for place in range(cursor + 1, seq + 1)]
        for place, kind in enumerate(kinds, cursor + 1):
            rows = self.rows.setdefault(lane, [])
            if not rows or place == cursor + 1 or rows[-1]["kind"] != kind:
                cum = rows[-1]["cum_to"] if rows else 0
                user, device = lane[0].split("/")
                rows.append({"app": "app_1", "conv": lane[1], "user": user, "device": device, "from": place, "to": place, "cum_from": cum,
                             "cum_to": cum, "own": 0, "units": 0, "kind": kind, "at": self.model.time(at), "t": at})
            row, event = rows[-1], log[place - 1]
            row["to"], size = place, units(event)
            row["cum_to"] += size
            if kind == "received":
                row["own" if event["sender"] == row["user"] else "units"] += size

    def said(self, lane, seq, at):
        """An acknowledgement reaches the server."""
        session, log = self.session, self.model.logs[lane[1]]
        for place, sent in session.owed.pop(lane[1], ()):
            self.count(lane, place, at, sent)
        since, head = self.model.wall(session.at), self.head(lane[1], at)
        if session.passive.get(lane[1], head) < head:
            session.withheld[lane[1]] = head
        self.gap(lane, seq)
        self.count(lane, seq, at, lambda place: session.sends(lane[1], place, log[place - 1]["ms"], since))

    def gap(self, lane, seq):
        """Where the first event of others is that a paused connection was not sent."""
        (device, conv), session = lane, self.session
        for place in range(session.paused.get(conv, seq) + 1, seq + 1):
            if (conv, place) not in session.wire and self.model.logs[conv][place - 1]["sender"] != device.split("/")[0]:
                session.gaps.setdefault(conv, place)
                return

    def connect(self, device, at, out, epoch):
        """A connection with heads; the answer to one in ten is lost, and one in ten comes to a node too busy to move its cursors."""
        rng, model, doomed, busy = self.rng, self.model, self.rng.random() < 0.1, self.rng.random() < 0.1
        heads = {conv: [epoch, self.last[(of, conv)]] for of, conv in self.held(device, at) if rng.random() < 0.85}
        early, late = (rng.choice((0, 0, 0, rng.randint(0, 9000))) for _ in range(2))
        out.append({"e": "connect", "t": at, "dev": device, "w": model.wall(at) - early, "heads": heads})
        session = self.session = Session(at, doomed)
        answered, sync, since = rng.random() < 0.9, {}, model.wall(at)
        for conv, (_, last) in heads.items():
            head, lane = self.head(conv, at), (device, conv)
            if epoch != model.epoch:
                sync[conv] = ["epoch_changed", head]
                continue
            if self.joined(lane, at) is None:
                sync[conv] = ["not_member", 0]
                continue
            too_far = answered and last < head and rng.random() < 0.15
            sync[conv] = ["too_far" if too_far else "recovered", head]
            begun, log = self.cursor(lane) > 0, model.logs[conv]
            moves = [(last, lambda place, begun=begun: begun)]
            if too_far:
                moves.append((head, lambda place, log=log: log[place - 1]["ms"] >= since))
            if busy:
                session.owed[conv] = moves if last > self.cursor(lane) else moves[1:]
            elif not doomed:
                for place, sent in moves:
                    self.count(lane, place, at, sent)
            if not too_far and last < head:
                session.resumed[conv] = 0 if begun else last
        if answered:
            out.append({"e": "connected", "t": at, "dev": device, "w": since + late, "sync": sync})
        else:
            self.session = None

    def ack(self, device, at, out):
        """What a device has, sometimes less, sometimes again; some answers are lost, and with them the connection."""
        rng = self.rng
        lane = rng.choice([lane for lane in self.held(device, at) if self.last[lane]] or [None])
        if lane is None:
            return
        self.number += 1
        seq = self.last[lane] if rng.random() < 0.7 else rng.randint(1, self.last[lane])
        word, luck = {"t": at, "dev": device, "n": self.number}, rng.random()
        out.append({"e": "ack", "conv": lane[1], "seq": seq, **word})
        if luck < 0.03 or self.joined(lane, at) is None:
            out.append({"e": "ack_fail", **word})
        elif luck < 0.2 or self.session.doomed:
            if not self.session.doomed and rng.random() < 0.5:
                self.said(lane, seq, at)
            self.session = None
        else:
            self.said(lane, seq, at)
            out.append({"e": "ack_ok", **word})

    def pause(self, device, at, out):
        """Is told that it acknowledges too little: from now on it has been sent only what comes on the wire."""
        lasts = {conv: max(last, self.pushed.get((device, conv), 0)) for (of, conv), last in self.last.items() if of == device}
        self.session.paused = {**lasts, **self.session.paused}
        out.append({"e": "paused", "t": at, "dev": device, "lasts": lasts})

    def look(self, device, conv, at, out):
        """Makes a conversation passive, is told where it stands, or opens it again."""
        session, head = self.session, self.head(conv, at)
        session.has_switched = True
        if conv not in session.passive:
            session.passive[conv] = head
            out.append({"e": "passive", "t": at, "dev": device, "conv": conv, "head": head})
            return
        above, kind = session.passive[conv], self.rng.choice(("told", "open"))
        if above < head:
            session.withheld[conv] = head
            self.withheld.append((conv, above, head))
        if kind == "open":
            del session.passive[conv]
        out.append({"e": kind, "t": at, "dev": device, "conv": conv, "head": head})

    def speak(self):
        """Adds what every device says to the records that were made since the last time."""
        for device, records in self.model.records.items():
            self.model.records[device] = self.one(device, records)

    def one(self, device, records):
        rng, self.withheld, begin = self.rng, [], self.taken.get(device, 0)
        new = sorted(records[begin:], key=lambda r: r["t"])
        out, self.session = records[:begin], None
        for r in new:
            lane, at = (device, r.get("conv")), r["t"]
            if r["e"] == "cursor":
                self.last[lane] = r["seq"]
            if r["e"] == "rewind" and (self.session is None or self.session.at != at):
                self.connect(device, at, out, 1)
                while self.session is None:
                    self.connect(device, at, out, 1)
                told = next(w for w in reversed(out) if w["e"] == "connected")["sync"]
                told.update({conv: ["epoch_changed", self.head(conv, at)] for of, conv in self.last if of == device})
                connect = next(w for w in reversed(out) if w["e"] == "connect")
                connect["heads"] = {conv: [1, last] for (of, conv), last in self.last.items() if of == device}
            if r["e"] == "app":
                while self.session is None:
                    self.connect(device, at, out, self.model.epoch)
            out.append(r)
            if r["e"] == "wire":
                self.pushed[lane] = max(self.pushed.get(lane, 0), r["seq"])
                if self.session is not None and not self.hidden(r):
                    self.session.wire.add((lane[1], r["seq"]))
            if r["e"] == "rewind":
                self.last[lane] = min(self.last.get(lane, 0), r["first"] - 1)
            elif r["e"] == "app":
                self.last[lane] = r["seq"]
                if not self.session.paused and rng.random() < (0.05 if lane[1] not in self.session.passive else 0.4):
                    self.look(device, lane[1], at, out)
                if rng.random() < 0.3:
                    self.ack(device, at, out)
                if rng.random() < 0.03 and self.session is not None and not self.session.has_switched:
                    self.pause(device, at, out)
                if rng.random() < 0.03:
                    self.session = None
        if self.withheld:
            out = [r for r in out if not self.hidden(r)]
        self.taken[device] = len(out)
        return out

    def hidden(self, r):
        """Whether it was withheld from a passive connection."""
        return r["e"] == "wire" and any(r["conv"] == conv and above < r["seq"] <= to for conv, above, to in self.withheld)

    def usage(self, until=float("inf")):
        """Units delivered by hour."""
        used = {}
        for row in (row for rows in self.rows.values() for row in rows if row["t"] <= until):
            used[row["at"][:13]] = used.get(row["at"][:13], 0) + row["units"]
        return used

    def stored(self):
        """What the database holds in the end."""
        rows = [{name: value for name, value in row.items() if name != "t"} for rows in self.rows.values() for row in rows]
        cursors = [{"app": "app_1", "conv": conv, "user": device.split("/")[0], "device": device.split("/")[1],
                    "seq": rows[-1]["to"], "cum": rows[-1]["cum_to"]} for (device, conv), rows in self.rows.items() if rows]
        return {"rows": rows, "cursors": cursors}
