"""How long a stop may take, read from the source: the longest drain and the hard stop after it."""

import re

from conftest import ROOT


def _constant(path, pattern):
    found = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"))
    assert found, f"{path} has no {pattern}"
    return int(found[1].replace("_", ""))


def longest_stop_seconds():
    drain_ms = _constant("src/config.rs", r"const DRAIN_MS_MAX: u64 = ([\d_]+);")
    hard_stop_s = _constant("src/lifecycle.rs", r"const HARD_STOP: Duration = Duration::from_secs\((\d+)\);")
    return drain_ms / 1000 + hard_stop_s
