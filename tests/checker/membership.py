"""C11: who was a member when, by the log itself, and that nobody was given anything of the times between."""

from bisect import bisect_right
from collections import Counter

FOREVER = float("inf")
CHANGES = {"add": "added", "remove": "removed"}
IN, OUT = ("created", "added"), ("removed", "banned")


class Stays:
    """The times of one user in one conversation: from the event that lets it in up to the one that takes it out, both included."""

    def __init__(self):
        self.firsts, self.lasts = [], []

    def take(self, change, seq):
        if change in IN:
            self.firsts.append(seq)
            self.lasts.append(FOREVER)
        elif change in OUT and self.lasts:
            self.lasts[-1] = seq

    def at(self, seq):
        """The number of the stay that a seq is of; None where it is of none."""
        number = bisect_right(self.firsts, seq) - 1
        return number if number >= 0 and seq <= self.lasts[number] else None

    def first(self, seq):
        """Whether a stay begins here, so that who had less may go on from it."""
        return seq in self.firsts

    @property
    def now(self):
        """Where the stay begins that has not ended; None where there is none."""
        return self.firsts[-1] if self.lasts and self.lasts[-1] == FOREVER else None


def stays_of(log, members):
    """Every user's stays in one conversation; of a log that does not say who came, its members are there from the start."""
    stays, told = {}, [event for event in log["events"] if event["type"] == "member" and event.get("users")]
    for event in told:
        for user in event["users"]:
            stays.setdefault(user, Stays()).take(event["change"], event["seq"])
    if not any(event["change"] == "created" for event in told):
        stays = {user: Stays() for user in members}
        for one in stays.values():
            one.take("created", 0)
    return stays


class Membership:
    """The stays of all conversations of a history, and when each stay but the first was first asked for (ns)."""

    def __init__(self, history):
        self.asked, self.none, members = history.asked, Stays(), history.run.get("members", {})
        self.stays = {conv: stays_of(log, members.get(conv, ())) for conv, log in history.final.items()}

    def of(self, conv, user):
        return self.stays.get(conv, {}).get(user, self.none)

    def floors(self, conv, user, seq, answered):
        """Where a move up to a seq passes what was before the user came: the least and the most, as it may have left and come
        again before the move was made, which then counts nothing."""
        stays, asked = self.of(conv, user), self.asked.get((conv, user), [])
        number = stays.at(seq)
        if number is None:
            return seq, seq
        least = max(stays.firsts[number] - 1, 0)
        came = asked[number] if number < len(asked) else FOREVER
        return least, seq if number + 1 < len(stays.firsts) and came <= answered else least

    def rejoined(self):
        """How many stays are not the first of their user."""
        return sum(len(one.firsts) - 1 for users in self.stays.values() for one in users.values() if one.firsts)


def check_membership(history, out):
    """C11: nothing reaches a device of a time at which its user was no member, and what changed a membership stays in the log."""
    members, devices, strange = history.run["members"], history.run["devices"], Counter()
    for what, lane, seqs in given(history):
        user = devices.get(lane[0])
        if user not in members.get(lane[1], ()):
            strange[(what, *lane, None)] += 1
            continue
        stays = history.membership.of(lane[1], user)
        strange.update((what, *lane, seq) for seq in seqs if stays.at(seq) is None)
    for what, device, conv, seq in strange:
        out.add("C11", f"{device} {what} {conv} {'' if seq is None else f'seq {seq} '}without being a member")
    for r in history.changes:
        events = history.final.get(r["conv"], {"events": []})["events"]
        event = events[r["seq"] - 1] if 0 < r["seq"] <= len(events) else {}
        if (event.get("change"), event.get("users")) != (CHANGES[r["change"]], [r["user"]]):
            out.add("C11", f"{r['conv']}: {r['change']} of {r['user']} was acked at seq {r['seq']}, where {event} is stored")


def given(history):
    """What devices were given: how, lane and seqs."""
    for what, table in (("was pushed", history.wire), ("handed on", history.app)):
        for lane, records in table.items():
            yield what, lane, [r["seq"] for r in records]
    for r in history.reads:
        if r["dev"] in history.run["devices"]:
            yield "read", (r["dev"], r["conv"]), [seq for seq, _, _ in r["items"]]
