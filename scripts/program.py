"""Reads what `cargo test --no-run --message-format json` says and prints the program of one test target, by the target's name."""

import json
import sys

wanted = sys.argv[1].replace("-", "_")
messages = (json.loads(line) for line in sys.stdin if line.startswith("{"))
programs = [
    message["executable"]
    for message in messages
    if message["reason"] == "compiler-artifact"
    and message["profile"]["test"]
    and message["executable"]
    and message["target"]["name"].replace("-", "_") == wanted
    and "bin" not in message["target"]["kind"]
]
if len(programs) != 1:
    sys.exit(f"{len(programs)} programs hold the tests of {wanted}")
print(programs[0])
