"""Reads a strace log into calls with times, and into what the proofs need of them: WAL commits and streams."""

import re
from bisect import bisect_right
from pathlib import Path

CALLS = "pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,sendmmsg,sendfile,splice,fsync,fdatasync,sync_file_range,io_uring_setup"
# What else changes a folder and its files, or could do so unseen.
FILE_CALLS = ("open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,"
              "truncate,ftruncate,fallocate,copy_file_range,mmap")


def options(calls):
    """The tracer's options that make a log which `read` understands."""
    return ["-f", "-qq", "--seccomp-bpf", "--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns", "-yy", "-x",
            "-s", "1048576", "-e", f"trace={calls}", "-e", "signal=none"]


OPTIONS = options(CALLS)
UNCARRYING = {"fsync", "fdatasync", "sync_file_range", *FILE_CALLS.split(",")}
LINE = re.compile(r"(\d+) +(\d+)\.(\d{9}) (.*)$", re.S)
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)$", re.S)
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)(?:<.*>)?(?: \S.*)? <(\d+)\.(\d{9})>$", re.S)
FD = re.compile(r"(\d+)<(.*?)>(?:, |$)", re.S)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.S)
ESCAPE = re.compile(rb'\\(x[0-9a-f]{2}|[0-7]{1,3}|.)', re.S)
ANSWER = re.compile(rb'\{"id":(\d+),"ok":')
PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}
WAL_HEADER_BYTES = 24


class TraceError(Exception):
    """The log cannot carry a proof: truncated data or calls this reader does not understand."""


class Call:
    """One finished system call; times are nanoseconds of the host's clock, `data` the bytes that went out, `rest` the arguments
    behind `target` and `data` as the tracer wrote them."""

    __slots__ = ("name", "target", "start", "end", "result", "data", "rest")

    def __init__(self, name, target, start, end, result, data, rest):
        self.name, self.target, self.start, self.end, self.result, self.data, self.rest = name, target, start, end, result, data, rest


def unescape(text):
    if text.startswith("\\x") and text.count("\\x") * 4 == len(text):
        return bytes.fromhex(text.replace("\\x", ""))

    def one(match):
        what = match[1]
        if what[:1] == b"x" and len(what) == 3:
            return bytes([int(what[1:], 16)])
        if what[:1].isdigit():
            return bytes([int(what, 8)])
        return PLAIN.get(what, what)
    return ESCAPE.sub(one, text.encode("latin-1"))


def read(path):
    """Returns the calls of a log in the order in which they began."""
    calls, open_calls = [], {}
    for line in Path(path).read_text(encoding="latin-1").split("\n"):
        match = LINE.match(line)
        if match is None:
            continue
        pid, at, text = match[1], int(match[2]) * 10**9 + int(match[3]), match[4]
        if text.endswith(" <unfinished ...>"):
            open_calls[pid] = (at, text[:-len(" <unfinished ...>")])
            continue
        resumed = RESUMED.match(text)
        if resumed:
            if pid not in open_calls:
                continue
            at, begun = open_calls.pop(pid)
            text = begun + resumed[2]
        call = parse(at, text)
        if call is not None:
            calls.append(call)
    calls.sort(key=lambda call: call.start)
    return calls


def parse(at, text):
    match = CALL.match(text)
    if match is None:
        if text.startswith(("+++", "---")) or "= ?" in text:
            return None
        raise TraceError(f"not understood: {text[:200]}")
    name, arguments, result = match[1], match[2], int(match[3], 0)
    if name == "io_uring_setup":
        raise TraceError("the server uses io_uring, which this trace cannot see")
    fd = FD.match(arguments)
    target, rest = (fd[2], arguments[fd.end():]) if fd else ("", arguments)
    data = b""
    if name not in UNCARRYING and result > 0:
        pieces, end = [], 0
        for piece in STRING.finditer(rest):
            if piece[2]:
                raise TraceError(f"data of {name} on {target} is cut short in the log")
            pieces.append(unescape(piece[1]))
            end = piece.end()
        data, rest = b"".join(pieces)[:result], rest[end:]
    return Call(name, target, at, at + int(match[4]) * 10**9 + int(match[5]), result, data, rest)


class Wal:
    """The frames written to one write-ahead log, and when the transaction of a frame was whole and then synced."""

    def __init__(self, path, calls):
        self.path, self.frames, commit = path, [], None
        for call in calls:
            if call.target != path or "write" not in call.name:
                continue
            if len(call.data) == WAL_HEADER_BYTES:
                commit = any(call.data[4:8])
            elif commit is not None:
                self.frames.append((call, commit))
                commit = None
        syncs = [c for c in calls if c.target == path and c.name in ("fsync", "fdatasync") and c.result == 0]
        self.syncs = sorted(syncs, key=lambda call: call.start)
        self.sync_starts = [call.start for call in self.syncs]

    def durable_at(self, marker):
        """When the first transaction holding `marker` was known to be on disk: (written, synced); None where it never was."""
        place = next((n for n, (call, _) in enumerate(self.frames) if marker in call.data), None)
        if place is None:
            return None, None
        written = 0
        for call, commit in self.frames[place:]:
            written = max(written, call.end)
            if commit:
                return written, self._synced_after(written)
        return None, None

    def _synced_after(self, written):
        later = self.syncs[bisect_right(self.sync_starts, written):]
        return min((call.end for call in later), default=None)


def wals(calls):
    """Every write-ahead log that was written, by its path."""
    return [Wal(path, calls) for path in sorted({c.target for c in calls if c.target.endswith("-wal") and "write" in c.name})]


class Stream:
    """The bytes sent on one TCP connection, each with the start of the call that sent it."""

    def __init__(self, target):
        self.target, self.data, self.offsets, self.starts = target, bytearray(), [], []

    def add(self, call):
        self.offsets.append(len(self.data))
        self.starts.append(call.start)
        self.data += call.data

    def sent_at(self, offset):
        return self.starts[bisect_right(self.offsets, offset) - 1]

    def answers(self):
        """Where each ok reply begins, as matches whose first group is its command's id."""
        return ANSWER.finditer(self.data)

    def find(self, token):
        """When the first byte of `token` was handed to the kernel, at its first occurrence; None where it is not."""
        offset = self.data.find(token)
        return None if offset < 0 else self.sent_at(offset)


def streams(calls, port):
    """The outgoing streams of connections accepted on `port`."""
    found = {}
    for call in calls:
        if call.target.startswith("TCP:") and f":{port}->" in call.target and call.data:
            found.setdefault(call.target, Stream(call.target)).add(call)
    return list(found.values())
