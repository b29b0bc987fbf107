"""C15: what is shown of a message that was edited, deleted or written live is no older than what was acknowledged before it was asked for."""

from bisect import bisect_right

GONE = ""
FOREVER = float("inf")
SAID = ("message", "edited", "ended")
AMENDMENTS = ("edited", "deleted", "ended")


def key_of(conv, event):
    return conv, event["sender"], event["cmid"]


class Versions:
    """What stood at each place of the logs that was amended: hashes in order, each with when it was acknowledged (ns)."""

    def __init__(self, history):
        self.of = {}
        for conv, log in history.final.items():
            parts = {}
            for event in log["events"]:
                message = history.messages.get(key_of(conv, event))
                said = message.hash if message and event["type"] in SAID else event["hash"]
                done = min((ok["t"] for ok in message.oks), default=FOREVER) if message else FOREVER
                if event["type"] in SAID:
                    self.of[(conv, event["seq"])] = [(said, 0)]
                if event["type"] in AMENDMENTS:
                    self._amend(conv, event, said, done, parts.setdefault(event["target"], [event["target"]]))
        self.of = {place: versions for place, versions in self.of.items() if len(versions) > 1}

    def _amend(self, conv, event, said, done, parts):
        """A deletion takes the content of the message's edits, too."""
        places = parts if event["type"] == "deleted" else parts[:1]
        for seq in places:
            self.of.setdefault((conv, seq), []).append((GONE if event["type"] == "deleted" else said, done))
        parts.append(event["seq"])

    def last(self, conv, seq, otherwise):
        """What stands there in the end."""
        return self.of[(conv, seq)][-1][0] if (conv, seq) in self.of else otherwise

    def shown(self, conv, seq, hash_, since=0, otherwise=True):
        """Whether a reader that asked at a time may be shown it; `otherwise` where nothing was amended."""
        versions = self.of.get((conv, seq))
        if versions is None:
            return otherwise
        least = max(number for number, (_, done) in enumerate(versions) if done <= since)
        return any(said == hash_ for said, _ in versions[least:])


def measure(history):
    """What an amendment took out of the log counts as it was said."""
    for conv, log in history.final.items():
        amended = {event["target"] for event in log["events"] if event["type"] in AMENDMENTS}
        for event in log["events"]:
            message = history.messages.get(key_of(conv, event))
            if message and message.bytes is not None and (event["seq"] in amended or event["hash"] == GONE):
                event["bytes"] = message.bytes


def check_amendments(history, out):
    """C15: a read, or the backlog of a connection, shows of each message what was acknowledged when it began, or newer."""
    versions = history.versions
    for r in history.reads:
        for seq, _, digest in r["items"]:
            if not versions.shown(r["conv"], seq, digest, r.get("begun", 0)):
                out.add("C15", f"{r['dev']} read {r['conv']} seq {seq} as it was before its amendment")
    for (device, conv), records in history.wire.items():
        begun = backlogs(history, device, conv)
        for r in records:
            since, head = begun[bisect_right(begun, (r["t"], FOREVER)) - 1]
            if r["seq"] <= head and not versions.shown(conv, r["seq"], r["hash"], since):
                out.add("C15", f"{device} was pushed {conv} seq {r['seq']} as it was before its amendment")


def check_live(history, out):
    """C1: a live message holds all that was acknowledged of it, and nothing else."""
    for r in history.held:
        if r["stored"] < r["said"] or (r["stored"] == r["said"] and r["hash"] != r["own"]):
            out.add("C1", f"{r['conv']} seq {r['seq']} holds {r['stored']} B where {r['said']} B were acknowledged, {r['hash']} for {r['own']}")


def backlogs(history, device, conv):
    """When each connection of a device began, and up to which seq its backlog reached in a conversation."""
    begun = [(0, 0)]
    for r in history.words.get(device, ()):
        if r["e"] == "connect":
            begun.append((r["t"], 0))
        elif r["e"] == "connected":
            outcome, head = r["sync"].get(conv, ("", 0))
            begun[-1] = (begun[-1][0], head if outcome == "recovered" else 0)
    return begun
