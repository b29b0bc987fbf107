"""The REST calls the tests make, with an API key, and user tokens signed by the test itself."""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from datetime import datetime

TIMEOUT_SECONDS = 20
LOOK_SECONDS = 0.002
UNTOLD_NONE = "tokenim_untold_batches 0"


class Refused(Exception):
    """A call was answered with an error; `status` and `code` say which, `retry_ms` when to come back, if the body says so."""

    def __init__(self, status, body):
        super().__init__(f"HTTP {status}: {body[:400]!r}")
        self.status = status
        try:
            error = json.loads(body)["error"]
            self.code, self.retry_ms = error["code"], error.get("retry_after_ms")
        except (ValueError, KeyError, TypeError):
            self.code = self.retry_ms = None


class Rest:
    """JSON calls to one server with one credential; `private` is the port of its metrics, where it is to be waited for; `look` is
    shown every answer."""

    def __init__(self, url, credential, private=None, look=lambda text: None):
        self.url, self.credential, self.private, self.look = url, credential, private, look

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {"Authorization": f"Bearer {self.credential}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
                text = reply.read()
                self.look(text.decode())
                return json.loads(text)
        except urllib.error.HTTPError as error:
            refused = Refused(error.code, error.read())
            self.look(str(refused))
            raise refused from None

    def token(self, user, **more):
        return self.call("POST", "/v1/tokens", {"user": user, **more})["token"]

    def create(self, kind, members, ident=None):
        """Creates a conversation; who connects afterwards is not pushed its creation."""
        body = {"kind": kind, "members": members}
        if ident is not None:
            body["id"] = ident
        made = self.call("POST", "/v1/conversations", body)
        self.settle()
        return made

    def settle(self):
        """Waits until what is answered is fanned out too."""
        last = time.monotonic() + TIMEOUT_SECONDS
        while UNTOLD_NONE not in self.metrics():
            if time.monotonic() > last:
                raise TimeoutError(f"not told to all for {TIMEOUT_SECONDS} s")
            time.sleep(LOOK_SECONDS)

    def metrics(self):
        """The server's metrics, line by line."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.private}/metrics", timeout=TIMEOUT_SECONDS) as reply:
            return reply.read().decode().splitlines()

    def read_log(self, conv):
        """Reads a whole conversation, page by page; returns (events, head, epoch)."""
        events, after = [], 0
        while True:
            page = self.call("GET", f"/v1/conversations/{conv}/messages?after={after}&limit=200")
            events += page["items"]
            if not page["items"] or page["items"][-1]["seq"] >= page["head"]:
                return events, page["head"], page["epoch"]
            after = page["items"][-1]["seq"]

    def usage(self):
        """The usage of the last 24 hours by hour, of the meters with a durable cause: nodes tell the others minute by minute."""
        now = time.time()
        start, end = (time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(at)) for at in (now - 86400, now + 7200))
        items = self.call("GET", f"/v1/usage?from={start}&to={end}&group=hour")["items"]
        return [item for item in items if item["meter"] in ("msg_sent", "msg_delivered")]

    def sent_units(self):
        return sum(item["quantity"] for item in self.usage() if item["meter"] == "msg_sent")


def millis(text):
    """Milliseconds since 1970 of an RFC 3339 time."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def compact(value):
    """JSON text as our clients write bodies: compact, not escaped to ASCII."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def body_digest(body):
    """Digest of a message body, independent of the order of its keys."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def event_digest(event):
    """Digest of one sequenced event: the body of what was said, nothing where that is erased, else the whole event."""
    if event["type"] in ("message", "edited", "ended"):
        return body_digest(event["body"]) if "body" in event else ""
    if event["type"] == "deleted":
        return body_digest({"deleted": event["target"]})
    return body_digest({key: value for key, value in event.items() if key not in ("conversation", "epoch")})


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign_token(signing, app, user, *, header=None, claims=None, secret=None, ttl=3600):
    """Makes a user token by HS256; `header` and `claims` override single fields, None in them removes one."""
    now = int(time.time())
    head = {"alg": "HS256", "typ": "JWT", "kid": signing["kid"], **(header or {})}
    body = {"iss": signing["kid"], "aud": app, "sub": user, "iat": now, "exp": now + ttl, **(claims or {})}
    parts = [_part(compact({k: v for k, v in fields.items() if v is not None}).encode()) for fields in (head, body)]
    text = b".".join(parts)
    if head["alg"] == "none":
        return (text + b".").decode()
    key = (signing["secret"] if secret is None else secret).encode()
    return (text + b"." + _part(hmac.new(key, text, hashlib.sha256).digest())).decode()
