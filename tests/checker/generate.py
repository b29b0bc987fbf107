"""Generates clean histories from a seed: a model server with lost answers, retries, reconnects, late readers, a restore and members
that come and go."""

import hashlib
import random
from bisect import bisect_right
from datetime import datetime, timedelta

from generate_deliveries import Devices
from units import units

MS = 1_000_000
START_NS = 1_000_000_000_000
BASE = datetime(2026, 11, 26, 10)
BASE_MS = 1_795_687_200_000
# A generated run takes a second or some; by the server's clock it goes through hours.
SPEED = 3600


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Model:
    """One generated run; `build` returns the same parts that a run directory holds."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.now = START_NS
        self.records, self.logs, self.last_invoke, self.done = {}, {}, {}, {}
        self.acks, self.serial, self.epoch = [], 0, 1
        self.sent, self.cuts, self.cursors, self.told = [], {}, {}, START_NS
        rng = self.rng
        users = [f"u{n}" for n in range(rng.randint(2, 5))]
        self.devices = {f"{user}/d{n}": user for user in users for n in range(rng.choice((1, 1, 2)))}
        self.members = {f"c{n}": sorted(rng.sample(users, rng.randint(2, len(users)))) for n in range(rng.randint(1, 4))}
        self.committed, self.dated, self.moment, self.stays, self.host = {}, {}, None, {}, []
        for device in self.devices:
            self.records[device] = []
        self.acknowledged = Devices(self)

    @staticmethod
    def wall(at):
        """The server's clock, ms since 1970."""
        return BASE_MS + (at - START_NS) * SPEED // MS

    @staticmethod
    def time(at):
        """The server's clock, as text."""
        return (BASE + timedelta(milliseconds=(at - START_NS) * SPEED // MS)).isoformat(timespec="milliseconds") + "Z"

    def note(self, device, kind, at, **fields):
        self.records[device].append({"e": kind, "t": at, "dev": device, **fields})

    def commit(self, conv, kind, sender, cmid, size):
        """Appends one event to a log at a fresh commit time and returns it; it may be dated from before its batch was flushed."""
        self.now += self.rng.randint(1, 5) * MS
        log = self.logs.setdefault(conv, [])
        dated = self.dated[conv] = max(self.now - self.rng.choice((0, 0, 0, 5, 30)) * MS, self.dated.get(conv, 0))
        self.serial += 1
        event = {"seq": len(log) + 1, "type": kind, "id": f"msg_{self.serial}" if kind == "message" else "", "sender": sender,
                 "cmid": cmid, "hash": digest(f"{sender}{cmid}{kind}"), "bytes": size,
                 "epoch": self.epoch, "at": self.time(dated), "ms": self.wall(dated)}
        log.append(event)
        self.committed.setdefault(conv, []).append(self.now)
        self.done[(conv, event["seq"])] = self.now
        return event

    def invoke(self, device, conv, cmid):
        lane = (device, conv)
        at = max(self.now - self.rng.randint(0, 3 * MS), self.last_invoke.get(lane, 0) + 1)
        self.last_invoke[lane] = at
        sender = self.devices[device]
        self.note(device, "invoke", at, conv=conv, cmid=cmid, hash=digest(f"{sender}{cmid}message"))

    def ack(self, device, conv, event, dup):
        at = self.now + self.rng.randint(1, 5 * MS)
        self.acks.append(at)
        self.done[(conv, event["seq"])] = at
        self.note(device, "ok", at, conv=conv, cmid=event["cmid"], seq=event["seq"], epoch=event["epoch"], dup=dup,
                  billed=max(1, (event["bytes"] + 5119) // 5120), id=event["id"])

    def burst(self, device, conv):
        """Pipelines a few sends; the connection may die among them, and what was open is retried in order."""
        rng, sender = self.rng, self.devices[device]
        batch, self.now = [], self.now + 10 * MS
        for _ in range(rng.randint(1, 6)):
            self.serial += 1
            batch.append((f"m{self.serial}", rng.choice((1, 60, 60, 900, 5120, 5121, 20000))))
            self.invoke(device, conv, batch[-1][0])
        if rng.random() < 0.1:
            for cmid, _ in batch:
                self.note(device, "fail", self.now + 5 * MS, conv=conv, cmid=cmid, code="rate_limited")
            self.now += 10 * MS
            return
        cut = rng.randint(0, len(batch)) if rng.random() < 0.3 else len(batch)
        answered = rng.randint(0, cut) if cut < len(batch) else cut
        stored = [self.commit(conv, "message", sender, cmid, size) for cmid, size in batch[:cut]]
        for event in stored[:answered]:
            self.ack(device, conv, event, False)
        self.now += 6 * MS
        for cmid, _ in batch[answered:]:
            self.note(device, "unknown", self.now, conv=conv, cmid=cmid)
        if rng.random() < 0.8:
            self.retry(device, conv, batch, stored, answered)
        self.sent.append((device, conv, batch))

    def retry(self, device, conv, batch, stored, answered):
        self.now += 20 * MS
        sender = self.devices[device]
        for place in range(answered, len(batch)):
            cmid, size = batch[place]
            self.invoke(device, conv, cmid)
            known = place < len(stored)
            event = stored[place] if known else self.commit(conv, "message", sender, cmid, size)
            self.ack(device, conv, event, known)
        self.now += 6 * MS

    def change(self):
        """Somebody is taken out of a conversation, or let in again."""
        (conv, user), stays = self.rng.choice(list(self.stays.items()))
        word = "add" if stays[-1][1] else "remove"
        about, self.now = {"dev": "server key", "conv": conv, "user": user}, self.now + 10 * MS
        self.host.append({"e": word, "t": self.now, **about})
        event = self.commit(conv, "member", user, "", 0)
        event.update(change="added" if word == "add" else "removed", users=[user])
        if word == "add":
            stays.append([event["seq"], None])
        else:
            stays[-1][1] = event["seq"]
        if self.rng.random() < 0.8:
            self.host.append({"e": "changed", "t": self.now, **about, "change": word, "seq": event["seq"]})
        self.now += 6 * MS

    def joined(self, conv, user, at):
        """The seq since which a user is a member at a time; None where it is none."""
        head = bisect_right(self.committed[conv], at)
        stays = self.stays.get((conv, user), [[1, None]])
        return next((first for first, last in reversed(stays) if first <= max(head, 1) and (last is None or head < last)), None)

    def shown(self, _conv, event, _at):
        """The hash that a reader is shown of an event at a time."""
        return event["hash"]

    def standing(self, _conv, log):
        """A log as it is read in the end."""
        return log

    def deliver(self, device, conv):
        """One device's way through all of one log that its user may see."""
        rng, log, lane = self.rng, self.logs[conv], {"conv": conv}
        stays = [(first, last or len(log)) for first, last in self.stays.get((conv, self.devices[device]), [[1, None]])]
        if (device, conv) in self.cursors:
            cursor, at = self.cursors[(device, conv)], self.told
        else:
            cursor, at = rng.choice((0, 0, 0, rng.randint(0, stays[0][1] - 1))), START_NS
            if cursor:
                self.note(device, "cursor", 0, seq=cursor, **lane)
        for first, last in stays:
            after = cursor
            if cursor < first - 1:
                at, cursor, after = max(at, self.done[(conv, first)]), first - 1, rng.choice((cursor, first - 1))
                self.note(device, "joined", at, seq=first, **lane)
            at = self.deliver_stay(device, conv, (after, cursor, last), at)
            cursor = self.cursors.get((device, conv), cursor)

    def deliver_stay(self, device, conv, place, at):
        """Wire pushes, reads after gaps and the contiguous app deliveries up to the end of a stay, or not so far; returns the time."""
        rng, log, lane, (after, cursor, last) = self.rng, self.logs[conv], {"conv": conv}, place
        while cursor < last:
            taken = log[cursor:min(last, cursor + rng.randint(1, 12))]
            if rng.random() < 0.15:
                at = max(at, self.done[(conv, taken[-1]["seq"])]) + MS
                items = [[e["seq"], e["id"], self.shown(conv, e, at)] for e in taken]
                self.note(device, "read", at, after=after, begun=at - MS, items=items, head=taken[-1]["seq"], **lane)
            else:
                shown = [e for e in taken if e["sender"] != self.devices[device] or rng.random() < 0.3]
                rng.shuffle(shown)
                for e in shown:
                    at = max(at, self.done[(conv, e["seq"])]) + rng.randint(1, MS)
                    self.note(device, "wire", at, seq=e["seq"], epoch=e["epoch"], id=e["id"], hash=self.shown(conv, e, at), **lane)
            for e in taken:
                at = max(at, self.done[(conv, e["seq"])]) + 1
                self.note(device, "app", at, seq=e["seq"], id=e["id"], hash=self.shown(conv, e, at), **lane)
            after = cursor = self.cursors[(device, conv)] = taken[-1]["seq"]
            if rng.random() < 0.2 and (device not in self.online or last < len(log)):
                break
        return at

    def repeat_on_wire(self):
        """Repeats under 1 % of the wire deliveries, as a reconnect does."""
        pushes = [(device, r) for device, records in self.records.items() for r in records if r["e"] == "wire"]
        for device, r in self.rng.sample(pushes, len(pushes) // 150):
            self.records[device].append(dict(r, t=r["t"] + MS))

    def bursts(self, homes, count):
        for _ in range(count):
            if self.stays and self.rng.random() < 0.4:
                self.change()
            device, conv = self.rng.choice(homes)
            if self.joined(conv, self.devices[device], self.now) is None:
                self.refused(device, conv)
            else:
                self.burst(device, conv)

    def refused(self, device, conv):
        """Who is no member says something."""
        self.serial, self.now = self.serial + 1, self.now + 10 * MS
        self.invoke(device, conv, f"m{self.serial}")
        self.note(device, "fail", self.now + 5 * MS, conv=conv, cmid=f"m{self.serial}", code="not_found")

    def backed_up(self, homes):
        """A backup under load, of one moment between its begin and its end, and what a restore of it will lose."""
        rng, begun = self.rng, self.now
        self.bursts(homes, rng.randint(0, 3))
        self.cuts, self.moment = {conv: len(log) for conv, log in self.logs.items()}, self.now
        self.bursts(homes, rng.randint(0, 3))
        ended, acked = self.now, len(self.acks)
        self.bursts(homes, rng.randint(8, 25))
        while len(self.acks) == acked:
            self.bursts(homes, 1)
        return {"begun": begun, "ended": ended, "epoch": 1_795_000_000_000 + self.serial}

    def restored(self, homes, epoch):
        """The logs are cut to the backup and begin an epoch; every device is told, and some is sent again that they lack."""
        for home in homes:
            self.deliver(*home)
        self.acknowledged.speak()
        self.acknowledged.restore(self.moment)
        self.now = max(r["t"] for records in self.records.values() for r in records) + 1000 * MS
        self.epoch = epoch
        for device, conv in homes:
            cut = self.cuts[conv]
            self.note(device, "rewind", self.now, conv=conv, epoch=epoch, first=cut + 1)
            self.cursors[(device, conv)] = min(cut, self.cursors[(device, conv)])
        for conv, cut in self.cuts.items():
            del self.logs[conv][cut:], self.committed[conv][cut:]
        self.told = self.now
        for device, conv, batch in self.rng.sample(self.sent, len(self.sent) // 3):
            stored = {e["cmid"]: e for e in self.logs[conv] if e["sender"] == self.devices[device]}
            self.now += 10 * MS
            for cmid, size in batch:
                self.invoke(device, conv, cmid)
                event = stored.get(cmid) or self.commit(conv, "message", self.devices[device], cmid, size)
                self.ack(device, conv, event, cmid in stored)
            self.now += 6 * MS
        self.bursts(homes, self.rng.randint(3, 15))

    def build(self, restore=False, changing=False):
        rng = self.rng
        for conv, members in self.members.items():
            for member in members:
                users = {"change": "role", "users": [member]} if self.logs.get(conv) else {"change": "created", "users": list(members)}
                self.commit(conv, "member", member, "", 0).update(users)
            if changing:
                self.stays.update({(conv, member): [[1, None]] for member in rng.sample(members, rng.randint(1, 2))})
        homes = [(d, conv) for d, user in self.devices.items() for conv, members in self.members.items() if user in members]
        self.bursts(homes, rng.randint(8, 60))
        while len(self.acks) < 3:
            self.bursts(homes, 1)
        while changing and not any(len(stays) > 1 for stays in self.stays.values()):
            self.change()
        self.online = {device for device in self.devices if rng.random() < 0.8}
        self.online.add(homes[0][0])
        facts = {"restore": self.backed_up(homes)} if restore else {"changing": True} if changing else {}
        if restore:
            self.restored(homes, facts["restore"]["epoch"])
        heal = self.now
        for home in homes:
            self.deliver(*home)
        self.acknowledged.speak()
        self.repeat_on_wire()
        for device, records in self.records.items():
            records.sort(key=lambda r: r["t"])
            self.note(device, "canary", heal, of="app_1", text="canary:app_1")
            self.note(device, "end", heal + 20_000 * MS, online=device in self.online)
        final = {conv: {"head": len(log), "epoch": self.epoch, "events": self.standing(conv, log)} for conv, log in self.logs.items()}
        read = rng.choice([heal] + [r["t"] for records in self.records.values() for r in records if r["t"] > heal])
        usage = [{"label": "live", "begun": read, "ended": read, "items": self.usage(read)},
                 {"label": "after restart", "items": self.usage()}]
        return self.processes(), final, usage, {**self.facts(heal), **facts}, self.acknowledged.stored()

    def usage(self, until=float("inf")):
        used = {}
        for event in (e for log in self.logs.values() for e in log if units(e)):
            hour = event["at"][:13]
            used[hour] = used.get(hour, 0) + units(event)
        meters = (("msg_sent", used), ("msg_delivered", self.acknowledged.usage(until)))
        return [{"at": f"{hour}:00:00Z", "app": "app_1", "meter": meter, "quantity": quantity}
                for meter, hours in meters for hour, quantity in sorted(hours.items())]

    def processes(self):
        procs = {"server-key": self.host}
        for number, device in enumerate(sorted(self.records)):
            procs.setdefault(f"client-{number % 3}", []).extend(self.records[device])
        return procs

    def facts(self, heal):
        times = sorted(set(self.acks))
        cuts = sorted(self.rng.sample(times, min(len(times), self.rng.randint(1, 5))))
        rounds = [{"start": start, "kill": kill} for start, kill in zip([START_NS] + [c + 1 for c in cuts], cuts)]
        return {"rounds": rounds, "rounds_min": 1, "heal": heal, "members": self.members, "devices": self.devices,
                "app": "app_1", "marked": True}


def clean(seed):
    """Returns (procs, final, usage, run, deliveries) of one clean history."""
    return Model(seed).build()


def changing(seed):
    """The same of a clean history in which members come and go."""
    return Model(seed).build(changing=True)


def restored(seed):
    """The same of a clean history in which a backup was restored."""
    return Model(seed).build(restore=True)
