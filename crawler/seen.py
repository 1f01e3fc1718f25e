"""Seen set: answers "surely new" or "maybe seen". Never decides that a URL is known.

May touch: pybloom_live; nobody else imports it.

"Surely new" saves a look-up; "maybe" is settled by the unique key on disk. So the error
rate, which for pybloom-live's scalable filter is several times the one asked for, costs
look-ups and never a page.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybloom_live import BloomFilter

from crawler.messages import CanonicalUrl

ERROR_RATE = 0.0001  # of one filter; of all together it is what they add up to, at most ten times as much
TIGHTER = 0.9  # the rate of each filter after the first, as a share of the one before: so they add up
GROWTH = 4  # the size of each filter after the first
MIN_CAPACITY = 100_000  # 240 kB


class SeenFilter:
    """A Bloom filter over every URL that has a row. When it is full a larger one is put before it.

    Until it was filled from an existing table (`loaded`), everything is "maybe".
    """

    def __init__(self, *, capacity: int = MIN_CAPACITY, loaded: bool = True) -> None:
        self._filter = BloomFilter(max(capacity, MIN_CAPACITY), ERROR_RATE)
        self._full: list[BloomFilter] = []
        self._loaded = loaded
        self.probes = 0
        self.false_hits = 0  # "maybe" that the disk answered with "no"

    def probe(self, url: CanonicalUrl) -> bool:
        """Return False if `url` is surely new, True if it may be known; remember it either way."""
        self.probes += 1
        return self._add(url) or not self._loaded

    def was_new(self) -> None:
        """The disk did not know a URL that was "maybe"."""
        if self._loaded:
            self.false_hits += 1

    def load(self, urls: Iterable[CanonicalUrl]) -> None:
        """Add URLs of the table, in any number of calls; then `finish_loading`."""
        for url in urls:
            self._add(url)

    def finish_loading(self) -> None:
        self._loaded = True

    def _add(self, url: CanonicalUrl) -> bool:
        """True if it was there. The library's own scalable filter hashes a new URL once for each of
        its filters, and then once more to add it."""
        if self._filter.count >= self._filter.capacity:
            self._full.append(self._filter)
            self._filter = BloomFilter(GROWTH * self._filter.capacity, TIGHTER * self._filter.error_rate)
        if self._full and any(url in full for full in self._full):
            return True
        return bool(self._filter.add(url))
