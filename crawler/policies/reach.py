"""Reach: how far a URL is from the seeds, and whether that is near enough.

May touch: messages, for the most redirects in a row.

Depth and hops are two independent minima over all ways to a URL, so they end at the
same values whatever the order in which the ways are found; that is what makes a crawl
the same at any speed. A way that may not be followed counts only as long as there is
no other.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from penstock.crawler.messages import MAX_REDIRECTS

DYNAMIC_RULES = frozenset({"nofollow", "depth", "redirect_limit", "trap:shape"})
"""Rules that a better way to the URL can lift."""


class Reach(NamedTuple):
    """The best that is known of the ways to a URL."""

    depth: int  # link hops from the nearest seed
    hops: int  # redirects in a row
    followed: bool  # at least one way may be followed
    listed: bool = False  # a sitemap names it
    run: int = 0  # link hops in a row along URLs of one shape, from depth RUNS_FROM on

    def by_link(self, followed: bool, run: int = 0) -> Reach:
        """The reach of a link's target, seen from its source."""
        return Reach(min(self.depth + 1, UNREACHED), 0, followed, False, run)

    def by_redirect(self, run: int = 0) -> Reach:
        return Reach(self.depth, self.hops + 1, True, False, run)

    def joined(self, other: Reach) -> Reach:
        """The best of both."""
        listed = self.listed or other.listed
        if self.followed != other.followed:
            best = self if self.followed else other
            return best if best.listed == listed else best._replace(listed=listed)
        depth, hops, run = map(min, self[:2] + self[4:], other[:2] + other[4:])
        return Reach(depth, hops, self.followed, listed, run)


UNREACHED = 1 << 30
"""The depth of what only a sitemap leads to: no number of links from a seed does."""
AFTER_ALL = UNREACHED + 1
"""The depth of a resource: it comes after all pages of its host."""
SEED = Reach(0, 0, True)
LISTED = Reach(UNREACHED, 0, True, True)
RUNS_FROM = 20
"""Runs are counted from this depth on: hardly a site is deeper, so hardly a link pays for it."""


class Horizon(Struct, frozen=True, kw_only=True):
    """Decide whether a reach is near enough to be fetched. What a sitemap names is, at any depth."""

    depth: int | None  # link hops; None: no limit
    hops: int = MAX_REDIRECTS  # in a row

    def rule(self, reach: Reach) -> str | None:
        """Return `nofollow`, `depth` or `redirect_limit`, or None if it may be fetched."""
        if not reach.followed:
            return "nofollow"
        if self.depth is not None and reach.depth > self.depth and not reach.listed:
            return "depth"
        if reach.hops > self.hops:
            return "redirect_limit"
        return None
