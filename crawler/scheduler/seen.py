"""Seen set: answers "surely new" or "maybe seen". Never decides that a URL is known.

May touch: pybloom_live; nobody else imports it.

"Surely new" saves a look-up; "maybe" is settled by the rows on disk. So errors cost look-ups and never a
page: neither the filter's error rate, which for pybloom-live's scalable filter is several times the
requested one, nor two URLs with the same hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from penstock.crawler.messages import CanonicalUrl

if TYPE_CHECKING:
    from pybloom_live import BloomFilter

FIRST = 16_384  # URLs whose hashes are kept in a set: 1 MB, and a tenth of the filter's time

ERROR_RATE = 0.0001  # of one filter; the rates of all filters add up to at most ten times as much
TIGHTER = 0.9  # the rate of each later filter, as a share of the one before, so that the sum is bounded
GROWTH = 4  # the size of each filter after the first
MIN_CAPACITY = 100_000  # 240 kB


class SeenFilter:
    """A set with the hashes of the first URLs, and a chain of Bloom filters for the others. A full filter is
    followed by one four times as large.

    Until it is filled from an existing table (`loaded`), every answer is "maybe".
    """

    def __init__(self, *, capacity: int = MIN_CAPACITY, loaded: bool = True) -> None:
        self._capacity = max(capacity, MIN_CAPACITY)
        self._first: set[int] = set()
        self._filter: BloomFilter | None = None
        self._full: list[BloomFilter] = []
        self._loaded = loaded
        self.probes = 0
        self.false_hits = 0  # answers "maybe" for URLs that were new

    def probe(self, url: CanonicalUrl) -> bool:
        """Return False if `url` is surely new, True if it may be known; remember it either way."""
        self.probes += 1
        return self._add(url) or not self._loaded

    def was_new(self) -> None:
        """Count a "maybe" for a URL that had no row."""
        if self._loaded:
            self.false_hits += 1

    def load(self, urls: Iterable[CanonicalUrl]) -> None:
        """Add URLs of the table, in any number of calls; then `finish_loading`."""
        for url in urls:
            self._add(url)

    def finish_loading(self) -> None:
        self._loaded = True

    def _add(self, url: CanonicalUrl) -> bool:
        """Return True if it may have been added before. The library's own scalable filter hashes a new URL
        once for each of its filters, and once more to add it."""
        mark = hash(url)
        if mark in self._first:
            return True
        if len(self._first) < FIRST:
            self._first.add(mark)
            return False
        newest = self._filter
        if newest is None or newest.count >= newest.capacity:
            newest = self._filter = self._larger()
        if self._full and any(url in full for full in self._full):
            return True
        return bool(newest.add(url))

    def _larger(self) -> BloomFilter:
        from pybloom_live import BloomFilter  # loaded late: it is slow to import, and most crawls are small

        full = self._filter
        if full is None:
            return BloomFilter(self._capacity, ERROR_RATE)
        self._full.append(full)
        return BloomFilter(GROWTH * full.capacity, TIGHTER * full.error_rate)
