"""What seeded faults share: their registry and the look-ups on the history they are planted into.

A mutant takes a `Case` and returns False where the history has no place for it (another seed is then tried).
"""

import generate

MUTANTS = []


def mutant(*codes, into=generate.clean):
    """Registers a mutant with the codes of which at least one must be reported; `invalid` means exit 2. `into` makes the histories."""
    def register(function):
        MUTANTS.append((function.__name__, codes, into, function))
        return function
    return register


class Case:
    """One history under mutation, with the look-ups that mutants share."""

    def __init__(self, parts, rng):
        self.procs, self.final, self.usage, self.run, self.deliveries = parts
        self.rng = rng

    def records(self, kind):
        return [r for records in self.procs.values() for r in records if r["e"] == kind]

    def pick(self, items):
        items = list(items)
        return self.rng.choice(items) if items else None

    def acked(self):
        """One acked (record, log, event)."""
        ok = self.pick(self.records("ok"))
        log = self.final[ok["conv"]]
        return ok, log, log["events"][ok["seq"] - 1]

    def append(self, conv, **fields):
        """Adds an event to the end of a final log and bills it, so that only the planted fault shows."""
        log = self.final[conv]
        event = dict(log["events"][-1], seq=log["head"] + 1, type="message", id="msg_x", bytes=10, cmid="x", hash="x")
        event.update(fields)
        log["events"].append(event)
        log["head"] += 1
        self.bill(event["at"], max(1, -(-event["bytes"] // 5120)))

    def bill(self, at, delta, meter="msg_sent"):
        """Moves a meter of the hour of `at` in every reading."""
        for reading in self.usage:
            for item in reading["items"]:
                if item["meter"] == meter and item["at"][:13] == at[:13]:
                    item["quantity"] += delta
                    break
            else:
                reading["items"].append({"at": at, "app": "app_1", "meter": meter, "quantity": delta})

    def renumber(self, log):
        for place, event in enumerate(log["events"], 1):
            event["seq"] = place
        log["head"] = len(log["events"])

    def exchange(self, conv, a, b):
        """Swaps what stands at two seqs everywhere: the log, acks, deliveries and reads stay in agreement."""
        log, place = self.final[conv], {a: b, b: a}
        events = log["events"]
        events[a - 1], events[b - 1] = events[b - 1], events[a - 1]
        self.renumber(log)
        shown = {e["seq"]: (e["id"], e["hash"]) for e in events}
        for r in self.records("ok"):
            if r["conv"] == conv:
                r["seq"] = place.get(r["seq"], r["seq"])
        for r in self.records("wire") + self.records("app"):
            if r["conv"] == conv and r["seq"] in place:
                r["id"], r["hash"] = shown[r["seq"]]
        for r in self.records("read"):
            if r["conv"] == conv:
                r["items"] = [[seq, *shown[seq]] for seq, _, _ in r["items"]]

    def fresh(self):
        """Acks of messages that were sent exactly once."""
        count = {}
        for r in self.records("invoke"):
            count[(r["conv"], r["dev"], r["cmid"])] = count.get((r["conv"], r["dev"], r["cmid"]), 0) + 1
        return [r for r in self.records("ok") if count[(r["conv"], r["dev"], r["cmid"])] == 1]

    def lane(self, kind, least=2, online=False):
        """One device's records of a kind in one conversation, as positions (list, index)."""
        lanes = {}
        ends = {r["dev"] for r in self.records("end") if r["online"]}
        for records in self.procs.values():
            for at, r in enumerate(records):
                if r["e"] == kind and (not online or r["dev"] in ends):
                    lanes.setdefault((r["dev"], r["conv"]), []).append((records, at))
        return self.pick(lane for lane in lanes.values() if len(lane) >= least)
