"""What the writer keeps in memory is bounded, also in length."""

from __future__ import annotations

import gc

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.reach import SEED
from penstock.crawler.scheduler.discovery import UrlState
from penstock.storage.writing.rows import TwoGenerations, UrlRow


class TestTwoGenerations:
    def test_what_is_bulky_is_kept_for_one_batch_only(self) -> None:
        """40,000 URLs of 2,000 characters would be 80 MiB, twice."""
        memory: TwoGenerations[str, int] = TwoGenerations(10)
        memory.recent |= {"short": 1, "long": 2}

        memory.evict(oversized=["long", "gone already"])

        assert (memory.get("short"), memory.get("long")) == (1, None)

    def test_what_one_batch_brought_displaces_little(self) -> None:
        """A page leads to 30,000 URLs that nobody asks for again: what was there before them stays."""
        memory: TwoGenerations[int, int] = TwoGenerations(8)
        memory.recent |= dict.fromkeys(range(100), 0)

        assert memory.evict()

        assert [key for key in range(100) if memory.get(key) is not None] == list(range(10))

    def test_a_batch_that_is_no_larger_than_usual_is_kept_whole(self) -> None:
        memory: TwoGenerations[int, int] = TwoGenerations(8)
        memory.recent |= dict.fromkeys(range(10), 0)

        assert not memory.evict()
        assert memory.missing(range(10)) == []


class TestUrlRow:
    def test_no_search_for_circles_looks_at_it(self) -> None:
        """With two of 90,000 links each in memory such a search took 0.15 s, on the event loop."""
        row = UrlRow(1, CanonicalUrl("http://h/"), *SEED, UrlState.PENDING, None)

        assert not gc.is_tracked(row)
        assert row.reach == SEED
