"""One org of a chaos run: its app and conversations, the settings of its devices, and the history that is judged of it."""

import json
import time
from pathlib import Path

import rows
from canary import Seen, mark
from rest import Rest, compact, event_digest, sign_token
from server import wait_until

USAGE_SECONDS = 10


class Tenant:
    """`names` of its org and account are those of the bootstrap, `devices` says whose each device is."""

    def __init__(self, server, root, groups, pairs, devices, **names):
        self.server, self.root, self.history = server, Path(root), Path(root, "history")
        self.history.mkdir(parents=True)
        self.groups, self.pairs, self.devices, self.names = groups, pairs, devices, names
        self.identity, self.app, self.rest, self.members, self.records = None, None, None, {}, []

    def register(self):
        self.identity = self.server.bootstrap(**self.names)
        self.app = self.identity["app"]

    def note(self, kind, dev="server key", **fields):
        self.records.append({"e": kind, "t": time.monotonic_ns(), "dev": dev, **fields})

    def prepare(self):
        """Creates the conversations and makes a token for every user, half of them minted and half self-signed."""
        self.rest, tokens = Rest(self.server.url, self.identity["key"], self.server.private, Seen(self.note).look), {}
        for number, user in enumerate(sorted(set(self.devices.values()))):
            minted = self.rest.token(user)
            tokens[user] = minted if number % 2 == 0 else sign_token(self.identity["signing"], self.app, user)
        for ident, members in self.groups.items():
            self.members[self.rest.create("group", members, ident)["id"]] = members
        for pair in self.pairs:
            self.members[self.rest.create("direct", list(pair))["id"]] = list(pair)
        return tokens

    def configs(self, processes, seed, rate, settings):
        """One config for each client process; `settings` says more about a device."""
        tokens, homes = self.prepare(), [[] for _ in range(processes)]
        for number, (device, user) in enumerate(self.devices.items()):
            convs = [conv for conv, members in self.members.items() if user in members]
            homes[number % processes].append({"dev": device, "token": tokens[user], "convs": convs, "seed": f"{seed}/{device}",
                                              **settings(device)})
        return [{"url": self.server.socket_url, "devices": devices, "rate": rate, "seed": seed * 100 + number, "mark": mark(self.app),
                 "out": str(self.history / f"client-{number}.jsonl")} for number, devices in enumerate(homes)]

    def read_final(self):
        """Reads every conversation in full by REST."""
        final = {}
        for conv in self.members:
            events, head, epoch = self.rest.read_log(conv)
            final[conv] = {"head": head, "epoch": epoch, "events": [final_event(event) for event in events]}
        return final

    def read_usage(self, label):
        """Reads usage once two readings agree, because a roll-up may still be running."""
        last = [None]

        def settled():
            begun, items = time.monotonic_ns(), self.rest.usage()
            before, last[0] = last[0], items
            return {"label": label, "items": items, "begun": begun, "ended": time.monotonic_ns()} if before == items and items else None
        return wait_until(settled, USAGE_SECONDS, "usage did not settle")

    def record(self, final, usage, facts, others=()):
        """Writes the history; rows of no app of this run are its fault too, those of `others` are theirs."""
        facts = {"members": self.members, "devices": self.devices, "app": self.app, "marked": True, **facts}
        stored = {name: [row for row in found if row["app"] not in others] for name, found in rows.read(self.server).items()}
        for name, value in (("final", final), ("usage", usage), ("run", facts), ("deliveries", stored)):
            (self.history / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
        lines = (json.dumps(record) + "\n" for record in self.records)
        (self.history / "server-key.jsonl").write_text("".join(lines), encoding="utf-8")


def final_event(event):
    more = {"target": event["target"]} if event["type"] in ("edited", "deleted", "ended") else {}
    if "live" in event or "ended" in event:
        more = {"live": True}
    if event["type"] == "member":
        more = {"change": event["change"], "users": [one["user"] for one in event["users"]]}
    actor = event.get("actor", "") if "target" in more else ""
    return {"seq": event["seq"], "epoch": event["epoch"], "type": event["type"], "id": event.get("id", ""), "at": event["at"],
            "sender": event.get("sender", actor), "cmid": event.get("client_msg_id", ""), "hash": event_digest(event),
            "bytes": len(compact(event["body"]).encode()) if "body" in event else 0, **more}
