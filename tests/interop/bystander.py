"""An innocent connection beside hostile input, and the server's memory meanwhile."""

import threading

from peer import dial

RSS_GROWTH_MAX = 64 * 1024 * 1024


class Bystander:
    """An innocent connection and the state that hostile input must not change."""

    def __init__(self, server, rest):
        self.server, self.rest = server, rest
        self.conv = rest.create("group", ["ann", "ben"])["id"]
        self.ann, _ = dial(server, rest.token("ann"), "d1")
        self.ben, _ = dial(server, rest.token("ben"), "d1")
        self.ann.send(self.conv, "before")
        self.ben.push()
        self.base = self.peak = server.rss_bytes()
        self.done = threading.Event()
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def watch(self):
        """Samples the server's memory until the module is done."""
        while not self.done.wait(0.1):
            self.peak = max(self.peak, self.server.rss_bytes())

    def state(self):
        return self.rest.read_log(self.conv), self.rest.usage()

    def settled(self):
        """The state once two readings agree, because usage of a test before may still be rolled up."""
        last, now = None, self.state()
        while last != now:
            last, now = now, self.state()
        return now

    def works(self):
        self.ann.call("ping", {})
        assert self.ben.nothing_came()

    def judge(self):
        """What it is in the end: a message goes through, and the memory never grew by much."""
        ack = self.ann.send(self.conv, "after")
        assert self.ben.push()["id"] == ack["id"], "the other connections outlived all of it"
        assert self.peak - self.base < RSS_GROWTH_MAX, f"memory grew from {self.base} to {self.peak} bytes"

    def close(self):
        self.done.set()
        self.watcher.join()
        self.ann.stack.close()
        self.ben.stack.close()
