"""One number: 137 messages from another process are 137 in the API, page, chart, tables, CSV and stream, also after kill -9."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from console import Console, chart_values, number
from conftest import EMAIL, PASSWORD

MESSAGES = 137
SENDER = Path(__file__).with_name("sender.py")
SENDER_SECONDS = 60


@pytest.fixture
def console(server):
    browser = Console(server.port)
    assert browser.sign_in(EMAIL, PASSWORD) == 303
    return browser


def everywhere(console, rest):
    """Every figure the product shows for what was sent, by name."""
    page = console.page("/console/usage")
    data, table, total = chart_values(page)
    csv_link = next(link.attributes["href"] for link in page.all("a") if "download" in link.attributes)
    response, text = console.request("GET", csv_link)
    assert response.status == 200 and response.getheader("content-type").startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    bars = [rect for rect in page.find("usage-chart").all("rect") if "height" in rect.attributes and "x" in rect.attributes]
    assert len(bars) == sum(1 for value in data["units"] if value), "a bar for every hour with use, none for the others"
    return {
        "usage API": rest.sent_units(),
        "page total": number(page.find("usage-total-figure").text()),
        "chart data": sum(data["units"]),
        "chart table": sum(table),
        "chart table, hour by hour": sum(table) if table == data["units"] else f"{table} in the table, {data['units']} in the chart",
        "chart sum": total,
        "apps table": sum(number(cells[-1].text()) for row in page.find("usage-apps").all("tr") if (cells := row.all("td", "num"))),
        "hours table": sum(number(cells[-1].text()) for row in page.find("usage-rows").all("tr") if (cells := row.all("td", "num"))),
        "CSV": sum(int(row["quantity"]) for row in rows),
    }


def on_the_stream(console, wanted, act=lambda: None):
    """Opens the page's own stream, acts, and waits for total, table and chart event to say the wanted number."""
    page = console.page("/console/usage")
    path = next(main.attributes["hx-sse:connect"] for main in page.all("main"))
    with console.stream(path) as stream:
        act()
        stream.until("usage-total-figure", wanted)
    page = console.page("/console/usage")
    assert number(page.find("usage-total-figure").text()) == wanted


def test_137_is_137_everywhere(server, rest, console):
    conv = rest.create("group", ["alice", "bob"])["id"]
    token = rest.token("alice")
    shown = everywhere_empty(console, rest)
    assert shown == (0, 0), shown

    def send():
        run = subprocess.run([sys.executable, str(SENDER), server.socket_url, conv, str(MESSAGES)], input=token, text=True,
                             capture_output=True, timeout=SENDER_SECONDS, check=False)
        assert (run.returncode, run.stdout.strip()) == (0, str(MESSAGES)), run.stderr

    on_the_stream(console, MESSAGES, send)
    figures = everywhere(console, rest)
    assert figures == dict.fromkeys(figures, MESSAGES)
    assert len([event for event in rest.read_log(conv)[0] if event["type"] == "message"]) == MESSAGES

    server.kill()
    server.start()
    again = everywhere(console, rest)
    assert again == figures, "the same after kill -9, in the same console session"
    on_the_stream(console, MESSAGES)


def everywhere_empty(console, rest):
    """Before the first message: (API, page)."""
    return rest.sent_units(), number(console.page("/console/usage").find("usage-total-figure").text())


def test_the_chart_event_of_the_stream_has_the_pages_numbers(console):
    page = console.page("/console/usage")
    path = next(main.attributes["hx-sse:connect"] for main in page.all("main"))
    wanted, _, _ = chart_values(page)
    with console.stream(path) as stream:
        for _ in range(60):
            event = stream.event()
            if event.get("event") == "chart":
                assert sum(json.loads(event["data"])["units"]) == sum(wanted["units"]) == MESSAGES
                return
    raise AssertionError("no chart event")


def test_nobody_sees_figures_without_signing_in(server):
    stranger = Console(server.port)
    for path, status in (("/console/usage", 303), ("/console/stream", 401), ("/console/usage.csv", 303)):
        response, text = stranger.request("GET", path)
        assert response.status == status, (path, response.status)
        assert str(MESSAGES) not in text


@pytest.mark.parametrize("change, expected", [
    ({"csrf": ""}, 403), ({"csrf": "AAAA"}, 403), ({"password": "wrong password"}, 401), ({"email": "nobody@example.com"}, 401),
])
def test_a_sign_in_that_should_fail_fails(server, change, expected):
    stranger = Console(server.port)
    fields = {"email": EMAIL, "password": PASSWORD, **change}
    status = stranger.sign_in(fields.pop("email"), fields.pop("password"), **fields)
    assert status == expected
    assert stranger.request("GET", "/console/usage")[0].status != 200
