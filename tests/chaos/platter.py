"""What a disk may hold after a power cut: recorded calls replayed into files and folder entries that were or were not synced.

A change that ended before a completed sync of its file began is on the disk. Of every later one the disk may hold nothing,
all, a beginning that is torn within a change, or each sector as it was at some moment since. Changes of the folder (an entry
made, renamed, removed) need a sync of the folder itself; of the later ones the disk may hold any subset.
"""

import os
import re
from bisect import bisect_left
from pathlib import Path

from syscalls import TraceError

SECTOR_BYTES = 512
WAL_HEADER_BYTES = 32
DELETED = " (deleted)"
OPENING = ("open", "openat", "openat2", "creat")
# What the product does not do to its data today; a recording with one of these would be replayed wrongly.
UNKNOWN = ("mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat", "fallocate", "copy_file_range", "sendfile", "splice", "pwritev",
           "pwritev2", "sync_file_range")
PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<base>[^>]*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
LUCK = ("lost", "kept", "torn", "mixed")


class Change:
    """One write of `data` at `offset`, or a truncation to `offset` where `data` is None."""

    __slots__ = ("start", "end", "offset", "data")

    def __init__(self, call, offset, data=None):
        self.start, self.end, self.offset, self.data = call.start, call.end, offset, data

    def apply(self, content, most=None):
        """Makes the change, or its first `most` bytes; returns the range of bytes that it touched."""
        if self.data is None:
            touched = sorted((self.offset, len(content)))
            resize(content, self.offset)
            return touched
        data = self.data if most is None else self.data[:most]
        before = len(content)
        if before < self.offset:
            resize(content, self.offset)
        content[self.offset:self.offset + len(data)] = data
        return min(before, self.offset), self.offset + len(data)


def resize(content, size):
    del content[size:]
    content.extend(bytes(size - len(content)))


class File:
    """One file, whatever its name: its changes in the order in which they were made, and its completed syncs."""

    def __init__(self):
        self.changes, self.syncs = [], []

    def content(self, cut, rng):
        """What the disk may hold of it after a power cut at a moment."""
        durable, pending = split(self.changes, self.syncs, cut)
        content = bytearray()
        for change in durable:
            change.apply(content)
        luck = rng.choice(LUCK)
        if luck == "kept":
            for change in pending:
                change.apply(content)
        elif luck == "torn" and pending:
            whole = rng.randrange(len(pending))
            for change in pending[:whole]:
                change.apply(content)
            tear(pending[whole], content, rng)
        elif luck == "mixed":
            return mix(content, pending, rng)
        return content

    def without_commit_syncs(self):
        """The syncs SQLite would make of this write-ahead log under `synchronous=NORMAL`: not those that follow a frame."""
        kept, before, starts = [], 0, [change.start for change in self.changes]
        for sync in self.syncs:
            written = bisect_left(starts, sync.start)
            last = self.changes[written - 1] if written > before else None
            if last is None or (last.offset == 0 and len(last.data or b"") == WAL_HEADER_BYTES):
                kept.append(sync)
            before = written
        return kept


def split(changes, syncs, cut):
    """The changes that a sync before the cut made durable, and those that had begun without one."""
    until = max((sync.start for sync in syncs if sync.end <= cut), default=0)
    return [c for c in changes if c.end <= until], [c for c in changes if c.end > until and c.start < cut]


def tear(change, content, rng):
    """Makes a change up to one of the sectors' borders within it."""
    if change.data is not None:
        first = -change.offset % SECTOR_BYTES
        change.apply(content, rng.choice([0, *range(first, len(change.data), SECTOR_BYTES)]))


def mix(content, pending, rng):
    """Takes each sector, and the size, as they were after any of the changes, or before all of them."""
    now, sizes, versions = bytearray(content), [len(content)], {}
    for change in pending:
        first, end = change.apply(now)
        for sector in range(first // SECTOR_BYTES, -(-end // SECTOR_BYTES)):
            at = sector * SECTOR_BYTES
            versions.setdefault(sector, [bytes(content[at:at + SECTOR_BYTES])]).append(bytes(now[at:at + SECTOR_BYTES]))
        sizes.append(len(now))
    size = rng.choice(sizes)
    resize(content, max(sizes))
    for sector, held in versions.items():
        at = sector * SECTOR_BYTES
        content[at:at + SECTOR_BYTES] = rng.choice(held).ljust(SECTOR_BYTES, b"\0")
    resize(content, size)
    return content


class Entry:
    """One change of the folder: `file` appears under `name`, or `name` goes; a rename does both."""

    __slots__ = ("start", "end", "gone", "name", "file")

    def __init__(self, call, gone=None, name=None, file=None):
        self.start, self.end, self.gone, self.name, self.file = call.start, call.end, gone, name, file


class Platter:
    """One folder that was empty when the recording began. Errors: `TraceError` where the recording holds what it can't replay."""

    def __init__(self, folder, calls):
        self.folder, self.names, self.entries, self.syncs = str(folder), {}, [], []
        for call in calls:
            if call.result >= 0:
                self._take(call)

    def _take(self, call):
        name = call.name
        if name == "mmap":
            if "PROT_WRITE" in call.rest and "MAP_SHARED" in call.rest and f"<{self.folder}/" in call.rest and "-shm>" not in call.rest:
                raise TraceError(f"a file of the folder is written through memory: {call.rest[:200]}")
        elif name in OPENING or name.startswith(("rename", "unlink", "rmdir")) or name == "truncate":
            self._place(call)
        elif call.target == self.folder:
            if name == "fsync":
                self.syncs.append(call)
        elif call.target.startswith(self.folder + "/") and not call.target.endswith(DELETED):
            self._change(call, self._file(call.target))
        elif name in UNKNOWN and f'"{self.folder}/' in call.rest:
            raise TraceError(f"{name} in the data folder is not replayed: {call.rest[:200]}")

    def _file(self, path):
        if path not in self.names:
            raise TraceError(f"{path} was not made in this recording")
        return self.names[path]

    def _place(self, call):
        """Follows what changes names."""
        paths = [os.path.normpath(os.path.join(found["base"] or call.target, found["path"])) for found in PATH.finditer(call.rest)]
        paths = [path for path in paths if path.startswith(self.folder + "/")]
        if not paths:
            return
        if call.name == "truncate":
            self._file(paths[0]).changes.append(Change(call, int(call.rest.rsplit(", ", 1)[1])))
        elif call.name in OPENING:
            if paths[0] not in self.names and ("O_CREAT" in call.rest or call.name == "creat"):
                self.names[paths[0]] = File()
                self.entries.append(Entry(call, name=paths[0], file=self.names[paths[0]]))
            elif "O_TRUNC" in call.rest or call.name == "creat":
                self._file(paths[0]).changes.append(Change(call, 0))
        elif call.name.startswith("rename"):
            file = self.names[paths[1]] = self.names.pop(paths[0])
            self.entries.append(Entry(call, gone=paths[0], name=paths[1], file=file))
        else:
            self.names.pop(paths[0], None)
            self.entries.append(Entry(call, gone=paths[0]))

    def _change(self, call, file):
        """Follows what changes or syncs a file that is open."""
        name = call.name
        if name in ("fsync", "fdatasync"):
            file.syncs.append(call)
        elif name == "pwrite64":
            file.changes.append(Change(call, int(call.rest.rsplit(", ", 1)[1]), call.data))
        elif name == "ftruncate":
            file.changes.append(Change(call, int(call.rest)))
        elif name == "write":  # to a file's end: the product writes no file of its folder in another way
            file.changes.append(Change(call, sum(len(change.data or b"") for change in file.changes), call.data))
        else:
            raise TraceError(f"{name} of {call.target} is not replayed")

    def forget_commit_syncs(self):
        """Makes this the recording of a database under `synchronous=NORMAL`."""
        for file in {entry.file for entry in self.entries if entry.file and entry.name.endswith("-wal")}:
            file.syncs = file.without_commit_syncs()

    def files(self):
        """The files that ever had a name, with it."""
        return {entry.name: entry.file for entry in self.entries if entry.file}

    def rebuild(self, folder, cut, rng):
        """Writes what the disk may hold after a power cut into a new folder."""
        folder = Path(folder)
        folder.mkdir(mode=0o700)
        entries, pending = split(self.entries, self.syncs, cut)
        luck = rng.choice(LUCK)
        if luck == "torn":
            entries += pending[:rng.randrange(len(pending) + 1)]
        elif luck != "lost":
            entries += [entry for entry in pending if luck == "kept" or rng.random() < 0.5]
        names = {}
        for entry in entries:
            if entry.file is None or entry.gone in names or entry.gone is None:
                names.pop(entry.gone, None)
                if entry.file is not None:
                    names[entry.name] = entry.file
        for name, file in sorted(names.items()):
            Path(folder, Path(name).name).write_bytes(file.content(cut, rng))
            Path(folder, Path(name).name).chmod(0o600)
