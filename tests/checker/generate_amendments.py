"""Generates clean histories in which messages are edited, deleted and written live, and readers are shown what stood when they asked, or newer."""

from amendments import GONE
from generate import MS, Model, digest
from units import units

FAR = float("inf")


class Amending(Model):
    """`versions` are by place the hash, the size, when it was committed and when acknowledged."""

    def __init__(self, seed):
        super().__init__(seed)
        self.versions, self.edits = {}, {}

    def bursts(self, homes, count):
        for _ in range(count):
            super().bursts(homes, 1)
            if self.rng.random() < 0.5:
                self.amend(*self.rng.choice(homes))

    def amend(self, device, conv):
        """A device edits or deletes something its user said, or says something live."""
        rng, user = self.rng, self.devices[device]
        own = [e["seq"] for e in self.logs[conv] if (e["type"], e["sender"]) == ("message", user) and self.hash(conv, e) != GONE]
        if not own or rng.random() < 0.2:
            self.write(device, conv)
            return
        kind, size = rng.choice((("edited", 40), ("edited", 6000), ("deleted", 0)))
        self.say(device, conv, (kind, size), rng.choice(own))

    def write(self, device, conv):
        """A live message, looked at now and then until it ends."""
        event, size = self.say(device, conv, ("message", 20), None), 20
        for _ in range(self.rng.randint(0, 3)):
            size += self.rng.randint(1, 4000)
            self.host.append({"e": "held", "t": self.now, "dev": "server key", "conv": conv, "seq": event["seq"], "said": size, "stored": size,
                              "hash": digest(str(size)), "own": digest(str(size))})
        self.say(device, conv, ("ended", size), event["seq"])

    def say(self, device, conv, what, target):
        """A live message, or what amends one; the answer may be lost."""
        rng, user, (kind, size) = self.rng, self.devices[device], what
        self.serial, self.now = self.serial + 1, self.now + 10 * MS
        cmid = f"m{self.serial}"
        at = self.last_invoke[(device, conv)] = max(self.now, self.last_invoke.get((device, conv), 0) + 1)
        self.note(device, "invoke", at, conv=conv, cmid=cmid, hash=digest(f"{user}{cmid}{kind}"), bytes=size)
        event, done = self.commit(conv, kind, user, cmid, size), FAR
        event.update({"live": True} if target is None else {"target": target})
        if rng.random() < 0.8:
            done = self.done[(conv, event["seq"])] = self.now + rng.randint(1, 5 * MS)
            more = {"id": event["id"], "epoch": event["epoch"]} if target is None else {}
            self.note(device, "ok", done, conv=conv, cmid=cmid, seq=event["seq"], dup=False, billed=units(event), **more)
        else:
            self.note(device, "unknown", self.now + 5 * MS, conv=conv, cmid=cmid)
        self.now += 6 * MS
        if target is not None:
            edits = self.edits.setdefault((conv, target), [])
            for seq in [target, *(edits if kind == "deleted" else ())]:
                self.places(conv, seq).append((GONE if kind == "deleted" else event["hash"], size, self.now - 6 * MS, done))
            edits.append(event["seq"])
        return event

    def places(self, conv, seq):
        event = self.logs[conv][seq - 1]
        return self.versions.setdefault((conv, seq), [(event["hash"], event["bytes"], 0, 0)])

    def hash(self, conv, event):
        return self.versions.get((conv, event["seq"]), [(event["hash"],)])[-1][0]

    def shown(self, conv, event, at):
        versions = self.versions.get((conv, event["seq"]))
        if versions is None:
            return event["hash"]
        least = max(number for number, (*_, done) in enumerate(versions) if done <= at)
        return self.rng.choice([said for said, _, committed, _ in versions[least:] if committed <= at] or [versions[least][0]])

    def standing(self, conv, log):
        sizes = {(e["sender"], e["cmid"]): e["bytes"] for e in log}
        for device, records in self.records.items():
            for r in records:
                if r["e"] == "invoke" and r["conv"] == conv and (self.devices[device], r["cmid"]) in sizes:
                    r["bytes"] = sizes[(self.devices[device], r["cmid"])]
        last = {seq: versions[-1] for (of, seq), versions in self.versions.items() if of == conv}
        return [dict(e, hash=last[e["seq"]][0], bytes=last[e["seq"]][1]) if e["seq"] in last else e for e in log]


def amended(seed):
    """Returns (procs, final, usage, run, deliveries) of one clean history in which something was amended."""
    model = Amending(seed)
    parts = model.build()
    return parts if model.versions else amended(seed + 1_000_000)
