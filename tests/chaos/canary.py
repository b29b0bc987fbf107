"""Marks in message bodies that tell of which app they are, and who was given which."""

import re

MARK = re.compile(r"canary:(app_\w+)")


def mark(app):
    return f"canary:{app}"


class Seen:
    """Notes every app whose mark a reader is given, once."""

    def __init__(self, note):
        self.note, self.apps = note, set()

    def look(self, text):
        for app in set(MARK.findall(text)) - self.apps:
            self.apps.add(app)
            self.note("canary", of=app, text=text[:200])
