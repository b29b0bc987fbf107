#!/usr/bin/env python3
"""Rating against an independent reference in exact fractions: every model, seven currencies, random and extreme numbers.

It knows nothing of how the product computes; it reads the same price and does with fractions what docs/BILLING.md says.
"""

import argparse
import json
import random
import subprocess
import sys
from fractions import Fraction

EXPONENTS = {"CNY": 2, "USD": 2, "EUR": 2, "JPY": 0, "GBP": 2, "HKD": 2, "SGD": 2}
MODELS = ["flat", "unit", "package", "graduated", "volume"]
MOST = 2**63 - 1


def rate(chance):
    """A decimal below a million, of any length, with zeros in front and behind."""
    whole = str(chance.randrange(10 ** chance.randint(0, 6)))
    decimals = chance.randint(0, 12)
    part = "".join(chance.choice("0123456789") for _ in range(decimals))
    if chance.random() < 0.3:
        whole, part = "0", part.rjust(12, "0")[-12:]
    return f"{whole}.{part}" if part else whole


def quantity(chance):
    return chance.choice([0, 1, MOST, chance.randrange(10 ** chance.randint(1, 18)), chance.randrange(MOST)])


def price(chance):
    model = chance.choice(MODELS)
    written = {"model": model}
    if model in ("flat", "unit", "package"):
        written["rate"] = rate(chance)
    if model == "package":
        written["size"] = chance.randint(1, 10 ** chance.randint(1, 9))
    if model in ("graduated", "volume"):
        ends = sorted({chance.randint(1, 10 ** chance.randint(1, 15)) for _ in range(chance.randint(0, 5))})
        written["tiers"] = [{"up_to": end, "rate": rate(chance)} for end in ends] + [{"rate": rate(chance)}]
    if model != "flat" and chance.random() < 0.6:
        written["included"] = chance.choice([0, quantity(chance)])
    return written


def charge(written, amount):
    """The exact amount."""
    beyond = max(amount - written.get("included", 0), 0)
    if written["model"] == "flat":
        return Fraction(written["rate"])
    if written["model"] == "unit":
        return Fraction(written["rate"]) * beyond
    if written["model"] == "package":
        return Fraction(written["rate"]) * -(-beyond // written["size"])
    tiers = [(tier.get("up_to", MOST), Fraction(tier["rate"])) for tier in written["tiers"]]
    if written["model"] == "volume":
        return next(each for end, each in tiers if beyond <= end) * beyond
    total, below = Fraction(0), 0
    for end, each in tiers:
        total += each * max(min(beyond, end) - below, 0)
        below = end
    return total


def rounded(exact, currency):
    """Minor units, half away from zero; nothing here is below it."""
    return int(exact * 10 ** EXPONENTS[currency] + Fraction(1, 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the example `rate` of tokenim-billing")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    lines = [{"price": price(chance), "quantity": quantity(chance), "currency": chance.choice(list(EXPONENTS))} for _ in range(arguments.lines)]
    said = subprocess.run([arguments.program], input="\n".join(map(json.dumps, lines)), capture_output=True, text=True, timeout=300, check=False)
    if said.returncode != 0:
        sys.exit(f"the program failed: {said.stderr}")
    answers, wrong, overflows = said.stdout.splitlines(), 0, 0
    if len(answers) != len(lines):
        sys.exit(f"{len(answers)} answers to {len(lines)} lines")
    for line, answer in zip(lines, answers):
        exact = charge(line["price"], line["quantity"])
        minor = rounded(exact, line["currency"])
        overflows += answer == "overflow"
        if minor > MOST:
            is_right = answer == "overflow"
        else:
            shown, _, units = answer.partition(" ")
            is_right = answer != "overflow" and Fraction(shown) == exact and int(units) == minor
        if not is_right:
            wrong += 1
            print(f"{json.dumps(line)}: {answer}, but it is {exact} and {minor}", file=sys.stderr)
    print(f"seed {arguments.seed}: {len(lines)} lines over {len(EXPONENTS)} currencies, {overflows} beyond what can be held, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
