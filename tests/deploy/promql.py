"""What a PromQL expression reads: the metrics, and for each the label values it asks for by name."""

import re

NAME = re.compile(r"(?<![\w:\"])((?:tokenim|process|up|ALERTS)(?:[_:][a-zA-Z0-9_:]+)?)(?:\{([^}]*)\})?(?![\w(])")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
ADDED_BY_PROMETHEUS = {"job", "instance", "alertname", "alertstate"}


def reads(expression):
    """Yields (metric, {label: values}) for each selector; a regular expression of alternatives gives all of them."""
    for name, matchers in NAME.findall(expression):
        asked = {label: value.split("|") for label, _, value in MATCHER.findall(matchers) if label not in ADDED_BY_PROMETHEUS}
        yield name, asked


def recorded(rules):
    """Names of the recording rules of a rule file."""
    return {rule["record"] for group in rules["groups"] for rule in group["rules"] if "record" in rule}


def missing(expression, samples, known):
    """What an expression reads that neither the samples nor the known names have."""
    for name, asked in reads(expression):
        if name in known:
            continue
        if name not in samples:
            yield name
            continue
        for label, values in asked.items():
            there = {labels.get(label) for labels in samples[name]}
            yield from (f'{name}{{{label}="{value}"}}' for value in values if value not in there)
