"""Collector: what is taken from one page, in bounds, whoever takes it.

May touch: messages.
Never: raise for what a page contains.

A page can match a selector a million times, or nest what it matches so that its texts are
the square of its length. What does not fit any more is left out, and the page says so.
"""

from __future__ import annotations

import math

from msgspec import Struct, field

from penstock.crawler.extraction import ExtractionError, Scalar, Value

MAX_VALUES = 10_000  # of a page
MAX_TEXT = 100_000  # characters of one value; a longer one is cut
MAX_CHARS = 1_000_000  # of all values of a page
MAX_MISHAPS = 20  # of a page; the first ones tell enough
MAX_ERROR = 300  # characters
_LARGEST = 2**63 - 1  # SQLite's


class Collector(Struct):
    """Values, links and mishaps of one page."""

    values: list[Value] = field(default_factory=list)
    mishaps: list[ExtractionError] = field(default_factory=list)
    chars: int = 0

    @property
    def full(self) -> bool:
        return len(self.values) >= MAX_VALUES or self.chars >= MAX_CHARS

    def put(self, source: str, name: str, value: Scalar) -> bool:
        """Take a value; False, and a mishap of `source`, if there is no room for it."""
        if self.full:
            self.miss(source, f"too much: {len(self.values)} values of this page were taken, and no more")
            return False
        if isinstance(value, str):
            value = value[:MAX_TEXT]
            self.chars += len(value)
        self.values.append(Value(name, value))
        return True

    def miss(self, source: str, error: str) -> None:
        if len(self.mishaps) < MAX_MISHAPS:
            self.mishaps.append(ExtractionError(source, " ".join(error.split())[:MAX_ERROR]))


def storable_scalar(value: object) -> str | None:
    """What is wrong with a value that a plugin returns; None if it can be stored."""
    if not isinstance(value, str | int | float | bool):
        return f"a value must be text, a number or a truth, not {type(value).__name__}"
    if isinstance(value, int) and abs(value) > _LARGEST:
        return "a whole number of more than 64 bits"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no number that can be stored"
    return None
