"""Reads a Compose file as Docker does: variables put in, then checked against the Compose specification."""

import re

from compose_spec import PyCompose

VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")


class Missing(Exception):
    """A variable that must be set is not."""


def interpolate(text, variables):
    """Replaces `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, which is all that ours uses."""

    def value(match):
        name, kind, rest = match.groups()
        if variables.get(name):
            return variables[name]
        if kind == ":?":
            raise Missing(f"{name}: {rest}")
        return rest or ""

    return VARIABLE.sub(value, text)


def load(text, variables):
    """The file as a dictionary. Raises `ValueError` where the specification is broken."""
    parsed = PyCompose.from_yaml(interpolate(text, variables))
    parsed.validate()
    return parsed.to_dict()
