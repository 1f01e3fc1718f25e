"""Budget: how much a crawl may spend over its whole life, all runs together.

May touch: nothing.
"""

from __future__ import annotations

from msgspec import Struct


class Budget(Struct, frozen=True, kw_only=True):
    """Bounds on what a crawl stores, all runs together. None: no bound."""

    max_pages: int | None = None  # pages of status 200 without error
    max_bytes: int | None = None  # bodies, after content-coding
    max_pages_per_host: int | None = None  # a host that has so many is not asked again; the other hosts go on

    def spent(self, *, pages: int, size: int) -> str | None:
        """Return which budget is used up, `max_pages` or `max_bytes`, or None. `size` is in bytes."""
        if self.max_pages is not None and pages >= self.max_pages:
            return "max_pages"
        if self.max_bytes is not None and size >= self.max_bytes:
            return "max_bytes"
        return None

    def may_lease(self, *, pages: int, leased: int, size: int) -> bool:
        """True if one more URL may be leased although each leased one may become a page.

        So `max_pages` is exact: there are never more URLs in flight than pages may be stored.
        """
        return self.spent(pages=pages + leased, size=size) is None
