"""Message units of an event, as the checks of what was sent and of what was delivered count them."""

UNIT_BYTES = 5120
BILLED_TYPES = ("message", "edited", "ended", "reaction")


def units(event):
    """Message units of one event by BILLING section 2: each started 5,120 B of a body, at least 1; others 0, and a
    live message, which counts when it ends."""
    if event["type"] not in BILLED_TYPES or event.get("live"):
        return 0
    return max(1, -(-event["bytes"] // UNIT_BYTES))
