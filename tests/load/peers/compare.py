#!/usr/bin/env python3
"""TokenIM and its peers under the same three loads from the same client, in turns: A B C D A B C D, with ratios to TokenIM.

idle: resident bytes a connection, of a server that is fresh but for a few that came and went, every connection in a group of ten.
relay: server CPU a message, one sender and one receiver in each group, open loop. fan-out: server CPU a delivery, one group.
CPU is of the whole server process, from /proc; what the client costs does not count, but it takes the machine's other core.
TokenIM flushes every message to the disk before it is delivered, and signs its clients in; the peers store nothing here.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from products import PRODUCTS, version

CONCURRENCY = 32
GROUP = 10
GUESTS = 50
PAIRS = 32
SETTLE_SECONDS = 3
WARM_UP_SECONDS = 1
TAIL_SECONDS = 10
WORKLOADS = {"idle": "bytes a connection", "relay": "µs CPU a message", "fan-out": "µs CPU a delivery"}


async def open_all(product, users):
    """Opens (user, group, hears), a few at a time."""
    turns = asyncio.Semaphore(CONCURRENCY)

    async def one(user, group, hears):
        async with turns:
            return await product.open(user, group, hears)
    return await asyncio.gather(*(one(*user) for user in users))


async def send(product, senders, rate, seconds):
    """Open loop: each message goes out when it is due, to the next group; returns how many that were."""
    begun, sent = time.monotonic(), 0
    while (now := time.monotonic() - begun) < seconds:
        while sent < now * rate:
            product.publish(*senders[sent % len(senders)])
            sent += 1
        await asyncio.sleep(0.002)
    return sent


async def cost(product, senders, receivers, rate, seconds):
    """Server CPU microseconds a delivery; every message reaches all its receivers or the run fails."""
    warm = await send(product, senders, rate, WARM_UP_SECONDS)
    await arrived(product, warm * receivers)
    before, cpu = product.delivered[0], product.cpu_us()
    expected = await send(product, senders, rate, seconds) * receivers
    await arrived(product, before + expected)
    return (product.cpu_us() - cpu) / expected


async def arrived(product, count):
    end = time.monotonic() + TAIL_SECONDS
    while product.delivered[0] < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{product.delivered[0]} of {count} deliveries came")
        await asyncio.sleep(0.005)
    if product.delivered[0] > count:
        raise ValueError(f"{product.delivered[0]} deliveries came, {count} were due")


async def idle(product, arguments):
    users = [(f"user-{n}", f"group-{n // GROUP}", True) for n in range(arguments.connections)]
    groups = {}
    for user, group, _ in users:
        groups.setdefault(group, []).append(user)
    product.make(groups)
    for guest in await open_all(product, users[:GUESTS]):
        guest.transport.close()
    await asyncio.sleep(SETTLE_SECONDS)
    before = product.rss_bytes()
    held = await open_all(product, users)
    await asyncio.sleep(SETTLE_SECONDS)
    figure = (product.rss_bytes() - before) / len(held)
    for link in held:
        link.transport.close()
    return figure


async def relay(product, arguments):
    groups = {f"pair-{n}": [f"sender-{n}", f"receiver-{n}"] for n in range(PAIRS)}
    product.make(groups)
    await open_all(product, [(f"receiver-{n}", f"pair-{n}", True) for n in range(PAIRS)])
    senders = await open_all(product, [(f"sender-{n}", f"pair-{n}", False) for n in range(PAIRS)])
    return await cost(product, list(zip(senders, groups)), 1, arguments.relay_rate, arguments.seconds)


async def fan_out(product, arguments):
    users = [f"user-{n}" for n in range(arguments.members)]
    product.make({"all": users})
    await open_all(product, [(user, "all", True) for user in users[1:]])
    sender = await product.open(users[0], "all", False)
    return await cost(product, [(sender, "all")], len(users) - 1, arguments.fan_out_rate, arguments.seconds)


LOADS = {"idle": idle, "relay": relay, "fan-out": fan_out}


def measure(name, program, load, arguments):
    """One figure, of a fresh process."""
    folder = tempfile.mkdtemp(prefix=f"tokenim-peers-{name}-", dir=arguments.data)
    try:
        with PRODUCTS[name](program, folder) as product:
            return asyncio.run(LOADS[load](product, arguments))
    finally:
        shutil.rmtree(folder)


def spread(figures):
    return f"{statistics.median(figures):,.1f} ({min(figures):,.1f}–{max(figures):,.1f})"


def conclude(load, figures):
    """Prints the medians, and ratios of figures of the same round."""
    print(f"{load}, {WORKLOADS[load]}, median (least–greatest) of {len(figures['tokenim'])} rounds:")
    ratios = {}
    for name, found in figures.items():
        ratios[name] = [peer / own for peer, own in zip(found, figures["tokenim"])]
        print(f"  {name:<12} {spread(found):<32} {spread(ratios[name])} × tokenim")
    print(json.dumps({"load": load, "unit": WORKLOADS[load], "figures": figures, "ratios": ratios}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--product", action="append", required=True, metavar="NAME=PROGRAM", help=f"of {', '.join(PRODUCTS)}; tokenim is needed")
    parser.add_argument("--load", action="append", choices=list(LOADS), help="one load; without, all of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="of each measured stretch")
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--relay-rate", type=float, default=1000, help="messages a second over all pairs")
    parser.add_argument("--fan-out-rate", type=float, default=20, help="messages a second")
    parser.add_argument("--data", type=Path, default=Path("/var/tmp"), help="where the folders of the servers go: the disk to measure")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    programs = dict(product.split("=", 1) for product in arguments.product)
    for name, program in programs.items():
        print(f"{name}: {version(name, program)}")
    for load in arguments.load or LOADS:
        print(f"{load}: load average of {os.cpu_count()} cores before {os.getloadavg()[0]:.1f}")
        figures = {name: [] for name in programs}
        for number in range(1, arguments.rounds + 1):
            for name, program in programs.items():
                figures[name].append(measure(name, program, load, arguments))
                print(f"{load}, round {number}: {name} {figures[name][-1]:,.1f} {WORKLOADS[load]}", flush=True)
        conclude(load, figures)


if __name__ == "__main__":
    main()
