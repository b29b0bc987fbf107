"""What the database holds about deliveries, read past the product: from the file of SQLite, or by psql."""

import base64
import contextlib
import json
import sqlite3
import subprocess
import time

from server import ServerError

ALPHABET = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz")
ROWS = ('SELECT {app}, conversation_id, "user", device, seq_from, seq_to, cum_from, cum_to, own, units, kind, event_ms FROM usage_receive '
        'ORDER BY conversation_id, "user", device, seq_from')
CURSORS = 'SELECT {app}, conversation_id, "user", device, seq, units_cum FROM device_cursor'
ROW_FIELDS = ("app", "conv", "user", "device", "from", "to", "cum_from", "cum_to", "own", "units", "kind", "at")
CURSOR_FIELDS = ("app", "conv", "user", "device", "seq", "cum")
PSQL_SECONDS = 60


def text_id(prefix, raw):
    """The text of an id: 128 bits in 26 digits of 5 bits, the first of which are zero."""
    return f"{prefix}_" + base64.b32encode(bytes(4) + raw).decode()[6:].rstrip("=").translate(ALPHABET)


def read(server):
    """The rows and cursors of all devices of all apps, as the history checker wants them."""
    url = server.env.get("TOKENIM_DATABASE__URL")
    ask = (lambda query: by_psql(url, query)) if url else (lambda query: of_file(server.data / "tokenim.db", query))
    found = [dict(zip(ROW_FIELDS, row)) for row in ask(ROWS)]
    for row in found:
        row["at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["at"] / 1000))
    return {"rows": found, "cursors": [dict(zip(CURSOR_FIELDS, row)) for row in ask(CURSORS)]}


def of_file(path, query):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [(text_id("app", bytes.fromhex(row[0])), *row[1:]) for row in database.execute(query.format(app="hex(app_id)"))]


def by_psql(url, query):
    lines = f"SELECT to_json(r) FROM ({query.format(app='encode(uuid_send(app_id), $$hex$$) AS app')}) AS r"
    run = subprocess.run(["psql", "-XqAt", "-c", lines, url], capture_output=True, text=True, timeout=PSQL_SECONDS, check=False)
    if run.returncode != 0:
        raise ServerError(f"psql: {run.stderr}")
    rows = [list(json.loads(line).values()) for line in run.stdout.splitlines()]
    return [(text_id("app", bytes.fromhex(row[0])), *row[1:]) for row in rows]
