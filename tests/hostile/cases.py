"""All cases, in the order of the table."""

from __future__ import annotations

from tests.hostile import characters, codings, framing, markup, odd_links, timing
from tests.hostile.case import Case

CASES: tuple[Case, ...] = (
    *framing.CASES,
    *codings.CASES,
    *timing.CASES,
    *markup.CASES,
    *characters.CASES,
    *odd_links.CASES,
)
BY_NAME = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES)
