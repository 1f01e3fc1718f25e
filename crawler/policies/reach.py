"""Reach: how far a URL is from the seeds, and whether that is near enough.

May touch: nothing.

Depth and hops are two independent minima over all ways to a URL, so they end at the
same values whatever the order in which the ways are found; that is what makes a crawl
the same at any speed. A way that may not be followed counts only as long as there is
no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

DYNAMIC_RULES = frozenset({"nofollow", "depth", "redirect_limit"})
"""Rules that a better way to the URL can lift."""


class Reach(NamedTuple):
    """The best that is known of the ways to a URL."""

    depth: int  # link hops from the nearest seed
    hops: int  # redirects in a row
    followed: bool  # at least one way may be followed

    def by_link(self, followed: bool) -> Reach:
        """The reach of a link's target, seen from its source."""
        return Reach(self.depth + 1, 0, followed)

    def by_redirect(self) -> Reach:
        return Reach(self.depth, self.hops + 1, True)

    def joined(self, other: Reach) -> Reach:
        """The best of both."""
        if self.followed != other.followed:
            return self if self.followed else other
        return Reach(min(self.depth, other.depth), min(self.hops, other.hops), self.followed)


SEED = Reach(0, 0, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Decide whether a reach is near enough to be fetched."""

    depth: int | None  # link hops; None: no limit
    hops: int = 20  # redirects in a row: what browsers follow (Fetch standard, HTTP-redirect fetch)

    def rule(self, reach: Reach) -> str | None:
        """Return `nofollow`, `depth` or `redirect_limit`, or None if it may be fetched."""
        if not reach.followed:
            return "nofollow"
        if self.depth is not None and reach.depth > self.depth:
            return "depth"
        if reach.hops > self.hops:
            return "redirect_limit"
        return None
