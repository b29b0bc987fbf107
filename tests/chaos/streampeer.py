"""A client without sockets: pushes from the stream of server-sent events, commands as requests; otherwise a `Peer`."""

import http.client
import json
import queue
import socket
import threading
from collections import deque
from urllib.parse import urlsplit

from peer import SECONDS, Answered, Peer
from rest import compact

# How long nothing must come before it is said that nothing came: the stream has no reply to wait behind.
QUIET_SECONDS = 0.3


class Refusal(Exception):
    """The HTTP answer was no reply."""

    def __init__(self, status, body):
        super().__init__(f"HTTP {status}: {body[:300]!r}")
        self.status, self.error = status, json.loads(body)["error"]
        self.code = self.error["code"]


class StreamPeer(Peer):
    def __init__(self, url, seconds=SECONDS):
        parts = urlsplit(url)
        self.host, self.port, self.seconds = parts.hostname, parts.port, seconds
        self.pushes, self.next_id, self.replies = deque(), 1, {}
        self.events_read, self.last_id, self.session, self.device = queue.Queue(), None, None, None
        self.stack = self
        self.reading = None

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.reading:
            self.reading = None
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the server has ended it

    def open(self, credential, query="", headers=None):
        """Asks for the stream; returns the HTTP response."""
        self.reading = http.client.HTTPConnection(self.host, self.port, timeout=60)
        self.reading.request("GET", "/v1/stream" + query, headers={"Authorization": f"Bearer {credential}", **(headers or {})})
        # Kept, because `close` of a response without length hands its socket on.
        self.sock = self.reading.sock
        response = self.reading.getresponse()
        if response.status != 200:
            raise Refusal(response.status, response.read())
        threading.Thread(target=self._read, args=(response, self.events_read), daemon=True).start()
        return response

    @staticmethod
    def _read(response, events):
        event = {}
        try:
            while line := response.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if not name:
                    events.put(event)
                    event = {}
                elif name == "data":
                    event["data"] = event["data"] + "\n" + value if "data" in event else value
                else:
                    event[name] = value
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            # What the package raises for a body that is cut off.
            pass
        events.put(None)

    def _event(self, seconds=None):
        event = self.events_read.get(timeout=seconds or self.seconds)
        if event is None:
            raise EOFError("the stream has ended")
        if "id" in event:
            self.last_id = event["id"]
        return event

    def _frame(self, seconds=None):
        event = self._event(seconds)
        frame = json.loads(event["data"])
        if event.get("event") == "close":
            self.end = frame
        elif frame.get("push", {}).get("type") == "ping":
            self.post({"pong": {}})
        elif "push" in frame:
            self.pushes.append(frame["push"])
        return frame

    def post(self, envelope, credential=None, query=""):
        """One request to `/v1/commands`; its answer."""
        text = envelope if isinstance(envelope, (str, bytes)) else compact(envelope)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.seconds)
        connection.request("POST", "/v1/commands" + query, text.encode() if isinstance(text, str) else text,
                           {"Authorization": f"Bearer {credential or self.session}"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise Refusal(response.status, body)
        return json.loads(body)

    def write(self, command, fields):
        if command == "connect":
            return self._connect(fields)
        ident, self.next_id = self.next_id, self.next_id + 1
        self.replies[ident] = self.post({"id": ident, command: fields})
        return ident

    def _connect(self, fields):
        headers = {"Tokenim-Heads": json.dumps(fields["heads"])} if "heads" in fields else {}
        query = f"?device={fields['device']}" if "device" in fields else ""
        self.open(fields.get("token") or fields["session"], query, headers)
        self.replies[0] = self._frame()
        self.session = self.replies[0]["ok"]["session"]
        return 0

    def answer(self, ident):
        reply = self.replies.pop(ident)
        assert reply["id"] == ident, reply
        if "error" in reply:
            raise Answered(reply["error"])
        return reply["ok"]

    def nothing_came(self):
        try:
            while True:
                self._frame(QUIET_SECONDS)
        except queue.Empty:
            return not [push for push in self.pushes if "seq" in push]

    def drop(self):
        self.sock.shutdown(socket.SHUT_RDWR)

    def closed(self, seconds=None):
        """Waits for the last event; returns (what would be the close code, the reason)."""
        self.end = None
        while self.end is None:
            self._frame(seconds)
        assert self.events_read.get(timeout=self.seconds) is None, "nothing follows"
        return self.end.pop("close"), self.end
