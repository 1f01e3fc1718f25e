"""Seen set: answers "surely new" or "maybe seen". Never decides that a URL is known.

May touch: pybloom_live; nobody else imports it.

"Surely new" saves a look-up; "maybe" is settled by the unique key on disk. So the error
rate, which for pybloom-live's scalable filter is several times the one asked for, costs
look-ups and never a page.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybloom_live import ScalableBloomFilter

from crawler.messages import CanonicalUrl

ERROR_RATE = 0.001
MIN_CAPACITY = 100_000  # 180 kB; the library's default of 100 would stack filter upon filter


class SeenFilter:
    """A Bloom filter over every URL that has a row.

    Until it was filled from an existing table (`loaded`), everything is "maybe".
    """

    def __init__(self, *, capacity: int = MIN_CAPACITY, loaded: bool = True) -> None:
        self._filter = ScalableBloomFilter(max(capacity, MIN_CAPACITY), ERROR_RATE)
        self._loaded = loaded
        self.probes = 0
        self.false_hits = 0  # "maybe" that the disk answered with "no"

    def probe(self, url: CanonicalUrl) -> bool:
        """Return False if `url` is surely new, True if it may be known; remember it either way."""
        self.probes += 1
        maybe = bool(self._filter.add(url))
        return maybe or not self._loaded

    def was_new(self) -> None:
        """The disk did not know a URL that was "maybe"."""
        if self._loaded:
            self.false_hits += 1

    def load(self, urls: Iterable[CanonicalUrl]) -> None:
        """Add URLs of the table, in any number of calls; then `finish_loading`."""
        add = self._filter.add
        for url in urls:
            add(url)

    def finish_loading(self) -> None:
        self._loaded = True
