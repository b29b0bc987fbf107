"""A small disk that can be filled and freed: a tmpfs on a fresh folder, mounted as root or inside a user namespace of our own."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

INSIDE = "TOKENIM_DISK_NAMESPACE"
NAMESPACE = ("unshare", "-r", "-m")
PROBE_BYTES = 65536
UNMOUNT_TRIES = 50
CHUNK = b"\0" * 65536


class DiskError(Exception):
    """There is no small disk to test on, or it can't be put away."""


def why_unmountable():
    """Why this process can't mount a tmpfs, found by trying; empty if it can."""
    disk = SmallDisk(tempfile.mkdtemp(prefix="tokenim-disk-probe-"), PROBE_BYTES)
    try:
        disk.mount()
        return ""
    except DiskError as error:
        return str(error)
    finally:
        disk.close()


def enter_namespace():
    """Returns where this process may mount; else starts it anew, under the same pid, as root of namespaces of its own.

    Errors: `DiskError` where the machine allows neither.
    """
    direct = why_unmountable()
    if not direct:
        return
    if INSIDE in os.environ:
        raise DiskError(f"no tmpfs can be mounted even inside a user namespace: {direct}")
    try:
        probe = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
        refused = probe.stderr.strip() or f"exit {probe.returncode}" if probe.returncode else ""
    except OSError as error:
        refused = str(error)
    if refused:
        raise DiskError(f"this test needs to mount a tmpfs and may not: directly: {direct}; by {' '.join(NAMESPACE)}: {refused}")
    os.environ[INSIDE] = "1"
    os.execvp(NAMESPACE[0], [*NAMESPACE, sys.executable, *sys.argv])


class SmallDisk:
    """The mounted folder and the filler file on it that takes its space."""

    def __init__(self, folder, size):
        self.folder, self.size = Path(folder), size
        self.filler = self.folder / "filler"

    def mount(self):
        self.folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.size},mode=700", "tokenim-disk", str(self.folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise DiskError(str(error)) from None
        if done.returncode != 0:
            raise DiskError(done.stderr.strip() or f"mount: exit {done.returncode}")
        return self

    def free_bytes(self):
        space = os.statvfs(self.folder)
        return space.f_bavail * space.f_frsize

    def fill(self, leave):
        """Adds to the filler until at most `leave` bytes are free, or none is."""
        with self.filler.open("ab", buffering=0) as out:
            try:
                while (wanted := self.free_bytes() - leave) > 0:
                    out.write(CHUNK[:wanted])
            except OSError:
                return  # full already: the server was faster

    def free(self):
        self.filler.unlink()

    def close(self):
        """Unmounts and removes the folder; who still has a file open there gets some seconds to end."""
        for _ in range(UNMOUNT_TRIES):
            if not os.path.ismount(self.folder):
                break
            if subprocess.run(["umount", str(self.folder)], capture_output=True, check=False).returncode != 0:
                time.sleep(0.1)
        if os.path.ismount(self.folder):
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
        if self.folder.exists():
            self.folder.rmdir()
