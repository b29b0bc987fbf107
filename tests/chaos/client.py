#!/usr/bin/env python3
"""One chaos client process: a few devices under steady bursts, steered by lines on stdin, recording to a JSONL file.

Lines in: `quiesce` (no new messages, answer `quiet` when none is open), `converge {conversation: head}` (wait until every
device is there, answer `converged` or `behind`), `end` (record the state and exit). Lines out: `ack` at the first ack of
every connection, and the answers.
"""

import asyncio
import json
import random
import sys
import threading
from pathlib import Path

from device import Device
from rest import compact

QUEUE_MAX = 60
CONVERGE_SECONDS = 15
QUIESCE_SECONDS = 60
# How often somebody goes on where it was told that it is no member.
OUT_SHARE = 0.1
WORDS = ("ready", "später", "好的", "👍", "see you at the station", "ça va", "ok")


def say(word):
    print(word, flush=True)


def body(rng, number, mark):
    """Mostly short texts, some at and around the edge of a message unit; all marked as those of an app."""
    made, pick = {"text": "", "of": mark}, rng.random()
    if pick < 0.92:
        return {**made, "text": f"{number} {rng.choice(WORDS)} " * rng.randint(1, 6)}
    if pick < 0.96:
        return {**made, "text": "x" * (rng.choice((5120, 5121)) - len(compact(made)))}
    return {**made, "text": rng.choice(("y", "é")) * rng.randint(2000, 8000), "number": number}


class Client:
    """The devices of one process and the file they record to."""

    def __init__(self, config):
        self.rng, self.rate, self.mark = random.Random(config["seed"]), config["rate"], config["mark"]
        self.out = Path(config["out"]).open("w", encoding="utf-8")
        self.devices = [Device({**d, "mark": self.mark}, config["url"], self.note, lambda: say("ack")) for d in config["devices"]]
        self.sending, self.number = True, 0

    def note(self, record):
        self.out.write(json.dumps(record, separators=(",", ":")) + "\n")

    async def load(self, device):
        """Bursts at random moments that keep the average rate of messages per second."""
        while self.sending:
            burst = self.rng.randint(1, 12)
            await asyncio.sleep(self.rng.expovariate(self.rate / burst))
            lane = self.rng.choice(list(device.lanes.values()))
            if lane.out and self.rng.random() > OUT_SHARE:
                continue
            for _ in range(burst):
                if self.sending and len(lane.queue) < QUEUE_MAX:
                    self.number += 1
                    device.send(lane.conv, body(self.rng, self.number, self.mark))

    async def until(self, condition, seconds):
        """Waits for a condition of the devices; they change only in this loop, so looking every 10 ms loses nothing."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        return condition()

    async def obey(self, line):
        word, _, rest = line.strip().partition(" ")
        if word == "quiesce":
            self.sending = False
            for device in self.devices:
                device.amender.pause = None
            say("quiet" if await self.until(lambda: all(d.idle() for d in self.devices), QUIESCE_SECONDS) else "stuck")
        elif word == "converge":
            heads = json.loads(rest)
            say("converged" if await self.until(lambda: not self.behind(heads), CONVERGE_SECONDS) else f"behind {self.behind(heads)}")

    def behind(self, heads):
        return [f"{d.name} {lane.conv} {lane.last}<{heads[lane.conv]}" for d in self.devices for lane in d.lanes.values()
                if not lane.out and lane.last < heads[lane.conv]]

    async def run(self):
        loop, lines = asyncio.get_running_loop(), asyncio.Queue()

        def listen():
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, "end")

        threading.Thread(target=listen, daemon=True).start()
        tasks = [asyncio.create_task(part) for d in self.devices for part in (d.run(self.rng), self.load(d))]
        while (line := await self.next_line(lines, tasks)).strip() != "end":
            await self.obey(line)
        for device in self.devices:
            device.note("end", online=device.up, connects=device.connects)
            device.stopping = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.out.close()

    async def next_line(self, lines, tasks):
        """The next order; a device task that died by a fault of its own ends the process with its traceback."""
        getter = asyncio.create_task(lines.get())
        waiting = {getter, *(task for task in tasks if not task.done())}
        while not getter.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        return getter.result()


if __name__ == "__main__":
    asyncio.run(Client(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).run())
