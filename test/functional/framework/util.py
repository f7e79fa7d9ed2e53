"""Waiting and asserting."""

import re
import time


class Failure(AssertionError):
    """An expectation did not hold."""


def check(condition, message):
    """Fails with `message` unless `condition` holds."""
    if not condition:
        raise Failure(message)


def equal(got, expected, what=""):
    """Fails unless both are equal."""
    check(got == expected, f"{f'{what}: ' if what else ''}got {shorten(got)}, expected {shorten(expected)}")


def contains(text, part, what=""):
    """Fails unless `part` (a string or a compiled pattern) is in `text`."""
    found = part.search(text) if isinstance(part, re.Pattern) else part in text
    check(found, f"{f'{what}: ' if what else ''}{part!r} is not in {shorten(text)}")


def excludes(text, part, what=""):
    """Fails if `part` (a string or a compiled pattern) is in `text`."""
    found = part.search(text) if isinstance(part, re.Pattern) else part in text
    check(not found, f"{f'{what}: ' if what else ''}{part!r} is in {shorten(text)}")


def shorten(value, limit=2000):
    """The representation of a value, cut in the middle where it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit // 2]} ... {text[-limit // 2:]}"


def wait_until(condition, what, timeout=30):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"not within {timeout} s: {what}")
        time.sleep(0.02)
