"""The checks C1 to C15 on one indexed history, each linear in its input after one sort."""

from collections import Counter

from amendments import AMENDMENTS, check_amendments, check_live
from deliveries import check_deliveries
from membership import check_membership
from units import units

TEN_SECONDS_NS = 10_000_000_000
WIRE_DUPLICATES_MAX = 0.01


class Violations:
    """Collects findings as (code, text)."""

    def __init__(self):
        self.found = []

    def add(self, code, text):
        self.found.append((code, text))

    def codes(self):
        return Counter(code for code, _ in self.found)


class Index:
    """What the final read says: event by (conversation, seq), seqs by client message."""

    def __init__(self, history):
        self.at, self.seqs = {}, {}
        for conv, log in history.final.items():
            for event in log["events"]:
                self.at[(conv, event["seq"])] = event
                if event["type"] in ("message", *AMENDMENTS):
                    self.seqs.setdefault((conv, event["sender"], event["cmid"]), []).append(event["seq"])


def check(history):
    """Runs every check and returns the violations found."""
    out, index = Violations(), Index(history)
    check_acks(history, index, out)
    check_once(history, index, out)
    check_dense(history, out)
    check_real_time(history, index, out)
    check_lanes(history, index, out)
    check_outcomes(history, index, out)
    check_agreement(history, index, out)
    check_app(history, out)
    check_wire_duplicates(history, out)
    check_reads(history, out)
    check_converged(history, index, out)
    check_membership(history, out)
    check_amendments(history, out)
    check_live(history, out)
    check_canaries(history, out)
    check_usage(history, out)
    check_deliveries(history, out)
    if history.restore is not None:
        check_restore(history, index, out)
    return out


def check_acks(history, index, out):
    """C1: every ok send is in the final log at its acked seq, with the body that was sent, or what it was amended to."""
    for key, message in history.messages.items():
        for ok in message.oks:
            if message.conv in history.final and ok["seq"] not in index.seqs.get(key, ()):
                out.add("C1", f"{message.name} acked at seq {ok['seq']}, stored at {index.seqs.get(key, 'none')}")
        for seq in index.seqs.get(key, ()):
            if index.at[(message.conv, seq)]["hash"] != history.versions.last(message.conv, seq, message.hash):
                out.add("C1", f"{message.name} seq {seq} holds another body than was sent last")


def check_once(history, index, out):
    """C2: a client message is stored once, has one fresh ack, only a retry can be a duplicate, and no id is another's."""
    for key, seqs in index.seqs.items():
        if len(seqs) > 1:
            out.add("C2", f"{'/'.join(key)} stored {len(seqs)} times at {seqs}")
    for message in [*history.messages.values(), *history.lost.messages.values()]:
        fresh = sum(1 for ok in message.oks if not ok["dup"])
        if fresh > 1:
            out.add("C2", f"{message.name} acked {fresh} times as new")
        if message.oks and len(message.invokes) == 1 and not fresh:
            out.add("C2", f"{message.name} called a duplicate at its only attempt")
        if "conflict" in message.fails:
            out.add("C2", f"{message.name} refused as if its id were that of another message")
    ids = Counter(event["id"] for event in index.at.values() if event["type"] == "message")
    for ident, count in ids.items():
        if count > 1:
            out.add("C2", f"message id {ident} used {count} times")


def check_dense(history, out):
    """C3: the final log is 1..last without gap or reuse, its head is last, and no epoch changed but by a restore."""
    for conv, log in history.final.items():
        for place, event in enumerate(log["events"], 1):
            if event["seq"] != place:
                out.add("C3", f"{conv} has seq {event['seq']} at place {place}")
                break
        if log["head"] != len(log["events"]):
            out.add("C3", f"{conv} head {log['head']}, {len(log['events'])} events")
        restored = history.cuts.get(conv, 0)
        for event in log["events"][restored:]:
            if event.get("epoch", log["epoch"]) != log["epoch"]:
                out.add("C3", f"{conv} seq {event['seq']} is of epoch {event['epoch']}, log is {log['epoch']}")
                break
        if history.restore is not None and log["epoch"] != history.restore["epoch"]:
            out.add("C3", f"{conv} is of epoch {log['epoch']} after a restore that began {history.restore['epoch']}")
    for message in history.messages.values():
        log = history.final.get(message.conv, {"events": []})
        for ok in message.oks:
            event = log["events"][ok["seq"] - 1] if 0 < ok["seq"] <= len(log["events"]) else {}
            expected = event.get("epoch", log.get("epoch", ok.get("epoch")))
            if ok.get("epoch", expected) != expected:
                out.add("C3", f"{message.name} acked in epoch {ok['epoch']}, stored in {expected}")


def check_real_time(history, index, out):
    """C4: walking down in seq order, no message completed before one with a smaller seq was invoked."""
    for conv, log in history.final.items():
        earliest, holder = None, None
        for event in reversed(log["events"]):
            message = history.messages.get((conv, event.get("sender"), event.get("cmid")))
            if message is None:
                continue
            if earliest is not None and earliest < min(message.invokes):
                out.add("C4", f"{conv} seq {holder} was complete before seq {event['seq']} was invoked")
            done = min((ok["t"] for ok in message.oks), default=None)
            if done is not None and (earliest is None or done < earliest):
                earliest, holder = done, event["seq"]


def check_lanes(history, index, out):
    """C4-lane (PROTOCOL section 13): messages of one device to one conversation commit in the order the device first sent them."""
    lanes = {}
    for key, message in history.messages.items():
        if key in index.seqs and index.at[(message.conv, index.seqs[key][0])]["type"] == "message":
            lanes.setdefault((message.device, message.conv), []).append((min(message.invokes), index.seqs[key][0]))
    for (device, conv), sent in lanes.items():
        sent.sort()
        for (_, before), (_, after) in zip(sent, sent[1:]):
            if after < before:
                out.add("C4-lane", f"{device} in {conv}: sent seq {before} before seq {after}")


def check_outcomes(history, index, out):
    """C5: definite failures are absent, and nothing is stored that nobody sent."""
    for key, message in history.messages.items():
        if message.state == "fail" and key in index.seqs:
            out.add("C5", f"{message.name} was refused ({message.fails[-1]}) but is stored at {index.seqs[key]}")
    for key, seqs in index.seqs.items():
        if key not in history.messages:
            out.add("C5", f"{key} stored at {seqs}, sent by nobody")


def check_agreement(history, index, out):
    """C6: every reader saw the same id and body at each seq as the final read."""
    for where, conv, seq, ident, digest in seen(history):
        event = index.at.get((conv, seq))
        if event is None:
            if conv in history.final:
                out.add("C6", f"{where} saw {conv} seq {seq}, which the final log lacks")
        elif event["id"] != ident or not history.versions.shown(conv, seq, digest, otherwise=event["hash"] == digest):
            out.add("C6", f"{where} saw another event at {conv} seq {seq}: {ident} {digest}")
    for message in history.messages.values():
        for ok in message.oks:
            event = index.at.get((message.conv, ok["seq"]))
            if event is not None and ok.get("id", event["id"]) != event["id"]:
                out.add("C6", f"{message.name} acked as {ok['id']}, stored as {event['id']}")


def seen(tables):
    """Every event that some device saw, as (where, conversation, seq, id, hash)."""
    for name, table in (("wire", tables.wire), ("app", tables.app)):
        for (device, conv), records in table.items():
            for r in records:
                yield f"{name} of {device}", conv, r["seq"], r["id"], r["hash"]
    for r in tables.reads:
        for seq, ident, digest in r["items"]:
            yield f"read of {r['dev']}", r["conv"], seq, ident, digest


def check_app(history, out):
    """C7: what a device hands to its application is the contiguous continuation of its cursor, or goes on where its user came again."""
    lanes = [(lane, history.start(lane), records) for lane, records in history.app.items()]
    lanes += [(lane, history.cursors.get(lane, 0), records) for lane, records in history.lost.app.items()]
    for lane, cursor, records in lanes:
        stays = history.stays(lane)
        for r in records:
            if r["seq"] != cursor + 1 and not (r["seq"] > cursor and stays.first(r["seq"])):
                out.add("C7", f"{lane[0]} in {lane[1]} delivered seq {r['seq']} after {cursor}")
            cursor = r["seq"]


def wire_duplicates(history):
    """Returns (duplicates, deliveries) over all devices."""
    total = repeated = 0
    replaced = [[r for r in records if r["seq"] > history.cuts[conv]] for (_, conv), records in history.lost.wire.items()]
    for records in [*history.wire.values(), *replaced]:
        seen = bytearray(max((r["seq"] for r in records), default=0) // 8 + 1)
        for r in records:
            byte, bit = r["seq"] >> 3, 1 << (r["seq"] & 7)
            repeated += bool(seen[byte] & bit)
            seen[byte] |= bit
        total += len(records)
    return repeated, total


def check_wire_duplicates(history, out):
    """C8: at most 1 % of the deliveries on the wire repeat an earlier one to the same device."""
    repeated, total = wire_duplicates(history)
    if repeated > WIRE_DUPLICATES_MAX * total:
        out.add("C8", f"{repeated} of {total} wire deliveries were duplicates")


def check_reads(history, out):
    """C9: every read is the contiguous slice after its cursor or from where its user came, and a device's head never moves back."""
    for r in history.reads + history.lost.reads:
        expected = r["after"]
        if r["items"] and history.stays((r["dev"], r["conv"])).first(r["items"][0][0]):
            expected = max(expected, r["items"][0][0] - 1)
        for seq, _, _ in r["items"]:
            expected += 1
            if seq != expected:
                out.add("C9", f"{r['dev']} read {r['conv']} after {r['after']}: seq {seq} where {expected} was due")
                break
    for (device, conv), heads in [*history.heads.items(), *history.lost.heads.items()]:
        for (_, before), (_, after) in zip(heads, heads[1:]):
            if after < before:
                out.add("C9", f"{device} in {conv}: head went from {before} back to {after}")


def check_converged(history, index, out):
    """C10: ten seconds after healing, or after its ack if later, an event has reached everybody online who is a member in the end."""
    heal = history.run.get("heal", 0)
    done = {}
    for key, message in history.messages.items():
        for seq in index.seqs.get(key, ()):
            done[(message.conv, seq)] = min((ok["t"] for ok in message.oks), default=0)
    for device in sorted(history.online):
        user = history.run["devices"][device]
        for conv, members in history.run["members"].items():
            if user in members and conv in history.final and history.stays((device, conv)).now is not None:
                converge_one(history, done, heal, (device, conv), out)


def converge_one(history, done, heal, lane, out):
    """C10 for one device in one conversation; the first miss is reported, the rest follow from it."""
    device, conv = lane
    arrived = {r["seq"]: r["t"] for r in history.app.get(lane, ())}
    for seq in range(max(history.start(lane) + 1, history.stays(lane).now), history.final[conv]["head"] + 1):
        due = max(heal, done.get((conv, seq), 0)) + TEN_SECONDS_NS
        if seq not in arrived:
            out.add("C10", f"{device} never got {conv} seq {seq} of {history.final[conv]['head']}")
            return
        if arrived[seq] > due:
            out.add("C10", f"{device} got {conv} seq {seq} {(arrived[seq] - due) / 1e9:.1f} s too late")
            return


def check_canaries(history, out):
    """C12: no payload that a reader of one app is given carries the canary of another."""
    for r in history.canaries:
        if r["of"] != history.run.get("app"):
            out.add("C12", f"{r['dev']} was given what is of {r['of']}: {r['text']}")


def check_usage(history, out):
    """C13: `msg_sent` of every reading equals the recount of the final log, in sum and per hour; so does each ack."""
    recount = Counter()
    for log in history.final.values():
        for event in log["events"]:
            if units(event):
                recount[event["at"][:13]] += units(event)
    for reading in history.usage:
        counted = Counter()
        for item in reading["items"]:
            if item["meter"] == "msg_sent" and item.get("app", history.run.get("app")) == history.run.get("app"):
                counted[item["at"][:13]] += item["quantity"]
        for hour in sorted(set(recount) | set(counted)):
            if recount[hour] != counted[hour]:
                out.add("C13", f"{reading['label']}: {counted[hour]} units billed in hour {hour}, recount {recount[hour]}")
    by_place = {(conv, e["seq"]): e for conv, log in history.final.items() for e in log["events"]}
    for message in history.messages.values():
        for ok in message.oks:
            event = by_place.get((message.conv, ok["seq"]))
            if event is not None and not ok["dup"] and ok["billed"] != units(event):
                out.add("C13", f"{message.name} acked {ok['billed']} units, recount {units(event)}")


def check_restore(history, index, out):
    """C14: a restore brings back one moment of the backup, with all that was acked before it, and tells every device."""
    restore, moment = history.restore, history.restore["begun"]
    for conv, log in history.final.items():
        for event in log["events"][:history.cuts[conv]]:
            message = history.messages.get((conv, event["sender"], event["cmid"]))
            if message is not None:
                moment = max(moment, min(message.invokes))
    if moment > restore["ended"]:
        out.add("C14", f"the restored logs hold what was sent {(moment - restore['ended']) / 1e9:.3f} s after the backup")
    for message in history.lost.messages.values():
        for ok in message.oks:
            if ok["t"] < moment:
                out.add("C14", f"{message.name} was acked at seq {ok['seq']} before the backup's moment and is not restored")
    check_lost_agreement(history, index, out)
    check_rewinds(history, out)


def check_lost_agreement(history, index, out):
    """C14: devices saw one log before the restore, and where it was restored, that one."""
    there = {}
    acks = ((f"ack of {m.name}", m.conv, ok["seq"], ok["id"], m.hash) for m in history.lost.messages.values() for ok in m.oks)
    for where, conv, seq, ident, digest in [*seen(history.lost), *acks]:
        event = index.at.get((conv, seq)) if seq <= history.cuts.get(conv, 0) else None
        known = there.setdefault((conv, seq), (ident, digest)) if event is None else (event["id"], event["hash"])
        if known != (ident, digest):
            out.add("C14", f"{where} saw {ident} {digest} at {conv} seq {seq} before the restore, where {known} was")


def check_rewinds(history, out):
    """C14: each device that is online in the end was told once, for each of its conversations, and told right."""
    for (device, conv), told in history.rewinds.items():
        expected = (history.restore["epoch"], history.cuts.get(conv, 0) + 1)
        for r in told:
            if (r["epoch"], r["first"]) != expected:
                out.add("C14", f"{device} was told to drop {conv} from {r['first']} on in epoch {r['epoch']}, right is {expected}")
        if len(told) > 1:
            out.add("C14", f"{device} was told {len(told)} times to drop what it holds of {conv}")
    for device in sorted(history.online):
        for conv, members in history.run["members"].items():
            if history.run["devices"][device] in members and (device, conv) not in history.rewinds:
                out.add("C14", f"{device} was never told that {conv} was restored")
