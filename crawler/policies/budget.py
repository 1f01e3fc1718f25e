"""Budget: how much a crawl may spend over its whole life, all runs together.

May touch: nothing.
"""

from __future__ import annotations

from msgspec import Struct


class Budget(Struct, frozen=True, kw_only=True):
    """Bounds on what is stored. None: no bound."""

    max_pages: int | None = None  # pages of status 200 without error
    max_bytes: int | None = None  # bodies, after content-coding
    max_pages_per_host: int | None = None  # a host that has them is left alone, the others go on

    def spent(self, *, pages: int, size: int) -> str | None:
        """Name the budget that is used up, if one is."""
        if self.max_pages is not None and pages >= self.max_pages:
            return "max_pages"
        if self.max_bytes is not None and size >= self.max_bytes:
            return "max_bytes"
        return None

    def may_lease(self, *, pages: int, leased: int, size: int) -> bool:
        """May one more URL be fetched, if each leased one may still become a page?

        That is what makes `max_pages` exact: never more are under way than may be stored.
        """
        return self.spent(pages=pages + leased, size=size) is None
