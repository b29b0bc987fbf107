"""Generates clean histories in which messages are edited and deleted, and readers are shown what stood when they asked, or newer."""

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
        """A device edits or deletes something its user said; the answer may be lost."""
        rng, user = self.rng, self.devices[device]
        own = [e["seq"] for e in self.logs[conv] if (e["type"], e["sender"]) == ("message", user) and self.hash(conv, e) != GONE]
        if not own:
            return
        target, (kind, size) = rng.choice(own), rng.choice((("edited", 40), ("edited", 6000), ("deleted", 0)))
        self.serial, self.now = self.serial + 1, self.now + 10 * MS
        cmid = f"m{self.serial}"
        self.note(device, "invoke", self.now, conv=conv, cmid=cmid, hash=digest(f"{user}{cmid}{kind}"), bytes=size)
        event, done = self.commit(conv, kind, user, cmid, size), FAR
        event["target"] = target
        if rng.random() < 0.8:
            done = self.done[(conv, event["seq"])] = self.now + rng.randint(1, 5 * MS)
            self.note(device, "ok", done, conv=conv, cmid=cmid, seq=event["seq"], dup=False, billed=units(event))
        else:
            self.note(device, "unknown", self.now + 5 * MS, conv=conv, cmid=cmid)
        edits = self.edits.setdefault((conv, target), [])
        for seq in [target, *(edits if kind == "deleted" else ())]:
            self.places(conv, seq).append((GONE if kind == "deleted" else event["hash"], size, self.now, done))
        edits.append(event["seq"])
        self.now += 6 * MS

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
