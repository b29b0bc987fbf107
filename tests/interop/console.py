"""The console without a browser: sign-in by its form, pages as element trees, the live stream line by line."""

import http.client
import json
import urllib.parse
from html.parser import HTMLParser

SECONDS = 15
VOID = {"meta", "link", "input", "br", "img", "hr", "rect", "line"}


class Element:
    """One element with its attributes, children and text in document order."""

    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.parts = tag, dict(attributes), []

    def walk(self):
        yield self
        for part in self.parts:
            if isinstance(part, Element):
                yield from part.walk()

    def text(self):
        return "".join(part.text() if isinstance(part, Element) else part for part in self.parts).strip()

    def find(self, ident):
        """The element with an id, which must exist exactly once."""
        found = [element for element in self.walk() if element.attributes.get("id") == ident]
        assert len(found) == 1, f"{len(found)} elements with id {ident}"
        return found[0]

    def all(self, tag, css=None):
        return [element for element in self.walk()
                if element.tag == tag and (css is None or css in (element.attributes.get("class") or "").split())]


class _Builder(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, attrs)
        self.open[-1].parts.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].parts.append(Element(tag, attrs))

    def handle_endtag(self, tag):
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth].tag == tag:
                del self.open[depth:]
                return

    def handle_data(self, data):
        self.open[-1].parts.append(data)


def parse(text):
    builder = _Builder()
    builder.feed(text)
    return builder.root


def number(text):
    """A shown number, grouped or not."""
    return int(text.replace(",", "").replace("\u202f", "").replace("\u00a0", ""))


class Console:
    """One signed-in browser session; cookies are sent back as they came."""

    def __init__(self, port):
        self.port, self.cookies = port, {}

    def request(self, method, path, form=None):
        """Returns (response, body text) without following redirects."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, None if form is None else urllib.parse.urlencode(form), self._headers(form))
            response = connection.getresponse()
            self._keep(response)
            return response, response.read().decode()
        finally:
            connection.close()

    def _headers(self, form=None):
        headers = {"Accept-Language": "en", "Host": f"127.0.0.1:{self.port}"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{self.port}",
                        "Sec-Fetch-Site": "same-origin"}
        return headers

    def _keep(self, response):
        for header, value in response.getheaders():
            if header.lower() == "set-cookie":
                name, _, rest = value.partition("=")
                self.cookies[name.strip()] = rest.partition(";")[0]

    def page(self, path):
        response, text = self.request("GET", path)
        assert response.status == 200, (path, response.status, text[:500])
        return parse(text)

    def sign_in_form(self):
        """The fields of the sign-in form as a browser would send them."""
        form = next(f for f in self.page("/sign-in").all("form") if f.attributes.get("action", "").startswith("/sign-in"))
        return form.attributes["action"], {i.attributes["name"]: i.attributes.get("value") or "" for i in form.all("input")}

    def sign_in(self, email, password, **changed):
        """Fills the form in; returns the answer's status."""
        action, fields = self.sign_in_form()
        response, _ = self.request("POST", action, {**fields, "email": email, "password": password, **changed})
        return response.status

    def stream(self, path):
        return Stream(self, path)


class Stream:
    """Server-sent events of one request, as dicts of their fields."""

    def __init__(self, console, path):
        self.connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=SECONDS)
        self.connection.request("GET", path, None, {**console._headers(), "Accept": "text/event-stream"})
        self.response = self.connection.getresponse()
        assert self.response.status == 200, (path, self.response.status)
        assert self.response.getheader("content-type").startswith("text/event-stream")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def event(self):
        fields = {}
        while True:
            line = self.response.readline().decode().rstrip("\r\n")
            if line:
                name, _, value = line.partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
            elif fields:
                joined = {name: "\n".join(values) for name, values in fields.items() if name}
                if joined:
                    return joined
                fields = {}

    def until(self, ident, wanted, events_max=60):
        """Reads events until the element `ident` shows the wanted number; returns that event's tree."""
        seen = []
        for _ in range(events_max):
            tree = parse(self.event().get("data", ""))
            for element in tree.walk():
                if element.attributes.get("id") == ident:
                    seen.append(element.text())
                    if number(element.text()) == wanted:
                        return tree
        raise AssertionError(f"{ident} never showed {wanted} on the stream, saw {seen}")


def chart_values(page):
    """The numbers of the chart: (those for the script, those in the table beside it, the sum below the table).

    Where the time before is compared, its column in the table must be the script's own numbers too."""
    data = json.loads(page.find("usage-chart").attributes["data-chart"])
    rows = [[number(cell.text()) for cell in row.all("td", "num")] for row in page.find("usage-buckets").all("tr")]
    table = [row[0] for row in rows]
    assert [row[1] for row in rows if len(row) > 1] == data["before"]
    return data, table, number(page.find("usage-sum").all("td", "num")[0].text())
