"""The client processes of a chaos run: started together, steered by lines, ended by pid."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from server import ServerError

CLIENT = Path(__file__).with_name("client.py")


class Fleet:
    """Starts one process per config; as a context manager it leaves none behind."""

    def __init__(self, configs, root):
        self.changed, self.said, self.last_ack, self.acks = threading.Condition(), [], 0, 0
        self.processes, self.errors = [], []
        for number, config in enumerate(configs):
            path, errors = Path(root, f"client-{number}.json"), Path(root, f"client-{number}.err")
            path.write_text(json.dumps(config), encoding="utf-8")
            with errors.open("wb") as out:
                process = subprocess.Popen([sys.executable, str(CLIENT), str(path)], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=out, text=True)
            self.processes.append(process)
            self.errors.append(errors)
            self.said.append([])
            threading.Thread(target=self._read, args=(number,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()

    def _read(self, number):
        for line in self.processes[number].stdout:
            with self.changed:
                if line.strip() == "ack":
                    self.last_ack, self.acks = time.monotonic_ns(), self.acks + 1
                else:
                    self.said[number].append(line.strip())
                self.changed.notify_all()
        with self.changed:
            self.said[number].append("gone")
            self.changed.notify_all()

    def _wait(self, condition, seconds, what):
        with self.changed:
            if not self.changed.wait_for(lambda: condition() or any("gone" in said for said in self.said), seconds):
                raise ServerError(f"{what}: not within {seconds} s; clients said {self.said}\n{self.stderr()}")
            if not condition():
                raise ServerError(f"{what}: a client process ended\n{self.stderr()}")

    def wait_for_ack(self, since, seconds):
        """Waits until some client saw the first ack of a connection after `since` (monotonic ns)."""
        self._wait(lambda: self.last_ack > since, seconds, "no ack in this round")

    def wait_for_acks(self, count, seconds):
        """Waits until that many connections had a first ack."""
        self._wait(lambda: self.acks >= count, seconds, f"no ack on {count} connections")

    def ask(self, order, answer, seconds):
        """Gives every client an order and waits for all answers; `answer` is the one wanted, None takes any."""
        for said in self.said:
            said.clear()
        for process in self.processes:
            process.stdin.write(order + "\n")
            process.stdin.flush()
        self._wait(lambda: all(self.said), seconds, order.split()[0])
        if answer is not None and any(said[0] != answer for said in self.said):
            raise ServerError(f"{order.split()[0]}: {self.said}\n{self.stderr()}")

    def end(self, seconds):
        """Ends every client in good order, so that its history is complete."""
        for process in self.processes:
            process.stdin.write("end\n")
            process.stdin.flush()
        for number, process in enumerate(self.processes):
            if process.wait(seconds) != 0:
                raise ServerError(f"client {number} ended with {process.returncode}\n{self.stderr()}")

    def stderr(self):
        """The last lines every client wrote to stderr."""
        return "\n".join(line for path in self.errors for line in path.read_text(encoding="utf-8").splitlines()[-15:])
