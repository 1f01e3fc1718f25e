"""Traps: URLs that a site can go on inventing for ever, recognised by their spelling.

May touch: messages.

The bounds are generous on purpose: a trap that costs some hundred requests is a nuisance, a
page that is never fetched is a hole. Each rule has a reason of its own, so that `urls` shows
which URLs were skipped and why. URLs over 2,083 characters (`trap:length`) never get here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from penstock.crawler.messages import CanonicalUrl

# The parts that differ between URLs of one kind: numbers and ids. A token is taken whole, so that a
# hexadecimal counter keeps its shape from 9 to a. Possessive quantifiers: nothing backtracks.
_VARIABLE = re.compile(
    r"""
    [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}   # a UUID, whose parts may lack a digit
    | (?<![0-9A-Za-z]) (?:
        [A-Za-z]*+ [0-9] [0-9A-Za-z]*+            # anything with a digit
        | [A-Fa-f]{8,}+ (?![A-Za-z])              # hexadecimal without one
        | (?:[A-Z]*+ [a-z]++){2} [A-Z][A-Za-z]*+  # letters going up and down, as in base 62
    )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traps:
    """Decide which kind of trap a URL looks like. Each field is the most that is admitted."""

    segments: int = 30  # of the path
    repeats_in_a_row: int = 3  # of one segment
    repeats: int = 5  # of one segment, anywhere in the path
    query_keys: int = 12  # a repeated key counts each time
    shape_hops: int = 1_000  # in a row along URLs of one shape, on the best way to the URL
    _harmless: int = field(init=False)  # a path of so few segments breaks no rule

    def __post_init__(self) -> None:
        object.__setattr__(self, "_harmless", min(self.segments, self.repeats_in_a_row, self.repeats))

    def rule(self, url: CanonicalUrl) -> str | None:
        """Return `trap:segments`, `trap:repeat` or `trap:query`, or None.

        Depends on the URL alone, a canonical http(s) one, so the answer never changes.
        """
        # Two slashes belong to the scheme; some may belong to the query, which `_path_rule` leaves out.
        if url.count("/") > self._harmless + 2 and (rule := self._path_rule(url)):
            return rule
        if url.count("&") >= self.query_keys:
            query = url.partition("?")[2]
            if sum(map(bool, query.split("&"))) > self.query_keys:
                return "trap:query"
        return None

    def rule_along(self, run: int) -> str | None:
        """Return `trap:shape`, or None. `run` is the least over all ways to the URL; see `run_of`."""
        return "trap:shape" if run > self.shape_hops else None

    def _path_rule(self, url: CanonicalUrl) -> str | None:
        segments = url.partition("?")[0].split("/")[3:]
        if not segments[-1]:
            segments.pop()  # a slash at the end does not begin a segment
        if len(segments) > self.segments:
            return "trap:segments"
        distinct = set(segments)
        if len(segments) - len(distinct) < min(self.repeats_in_a_row, self.repeats):
            return None  # no segment is repeated often enough
        if max(map(segments.count, distinct)) > self.repeats or (
            max(len(list(run)) for _, run in groupby(segments)) > self.repeats_in_a_row
        ):
            return "trap:repeat"
        return None


def shape(url: CanonicalUrl) -> str:
    """Return the shape of a URL: host and path with `#` for numbers and ids, and the query's keys.

    Each key is there once, and they are sorted: their order and number do not change the kind of page.
    """
    place, _, query = url.partition("://")[2].partition("?")
    place = "/".join(map(_folded, place.split("/")))
    if not query:
        return place
    keys = {_folded(part.partition("=")[0]) for part in query.split("&") if part}
    return f"{place}?{'&'.join(sorted(keys))}"


@lru_cache(maxsize=10_000)  # hosts, folders and keys repeat
def _folded(part: str) -> str:
    return _VARIABLE.sub("#", part)


def run_of(source_run: int, source_shape: str, target_shape: str, *, hops: int = 1) -> int:
    """Return how many hops in a row along one shape lead to a target, by way of this source.

    The run of a seed is 0. The run of a URL is the least over all ways to it that may be followed,
    relaxed along links (`hops` 1) and redirects (`hops` 0), as depth is. Runs and depths only
    fall, and a lower one never keeps a URL out. So the set of admitted URLs does not depend on the
    order in which the ways are found.
    """
    return source_run + hops if source_shape == target_shape else 0
