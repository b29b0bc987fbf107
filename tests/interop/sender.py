#!/usr/bin/env python3
"""A process of its own that sends N messages over one socket: `sender.py URL CONVERSATION N`, the token on stdin."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "chaos")]

from peer import Peer  # noqa: E402


def main():
    url, conv, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Peer(url) as peer:
        peer.connect(sys.stdin.read().strip(), "sender")
        open_sends = [peer.write("send", {"conversation": conv, "client_msg_id": f"n-{n}", "kind": "text", "body": {"text": f"no {n}"}})
                      for n in range(count)]
        for ident in open_sends:
            assert peer.answer(ident)["billed"] == 1
    print(count)


if __name__ == "__main__":
    main()
