"""The seen set may say "maybe" as often as it likes, and "surely new" only when that is true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.crawler.scheduler import seen
from penstock.crawler.scheduler.seen import SeenFilter
from tests.support.fakes import url

URLS = st.lists(st.text(max_size=8).map(lambda text: url("http://h/" + text)), max_size=30)


class TestSeenFilter:
    def test_a_new_url_is_surely_new_once(self) -> None:
        filter_ = SeenFilter()

        assert [filter_.probe(url("http://h/")) for _ in range(3)] == [False, True, True]

    @settings(deadline=None, max_examples=40)
    @given(loaded=URLS, probed=URLS)
    def test_nothing_that_was_added_is_ever_surely_new(self, loaded: list[str], probed: list[str]) -> None:
        filter_ = SeenFilter(loaded=False)
        filter_.load(map(url, loaded))
        filter_.finish_loading()
        known = set(loaded)

        for text in probed:
            assert filter_.probe(url(text)) or text not in known
            known.add(text)

    def test_that_holds_beyond_its_capacity(self) -> None:
        """Full, the filter grows; what the earlier parts hold is not forgotten."""
        filter_ = SeenFilter()
        urls = [url(f"http://h/{number}") for number in range(seen.FIRST + int(1.2 * seen.MIN_CAPACITY))]
        filter_.load(urls)

        assert all(filter_.probe(one) for one in urls[:: len(urls) // 1000])

    def test_the_first_are_known_for_good(self) -> None:
        """Also when the filters behind them have taken over."""
        filter_ = SeenFilter()
        first = [url(f"http://h/{number}") for number in range(seen.FIRST)]

        assert not any(filter_.probe(one) for one in first)
        filter_.load(url(f"http://h/new/{number}") for number in range(1_000))
        assert all(filter_.probe(one) for one in first)

    def test_until_it_is_loaded_everything_is_maybe(self) -> None:
        """What it does not hold yet the table may."""
        filter_ = SeenFilter(loaded=False)
        filter_.load([url("http://h/a")])

        assert filter_.probe(url("http://h/b"))

    def test_what_was_probed_while_loading_is_known_afterwards(self) -> None:
        """A commit during the loading adds rows that the loading may have passed already."""
        filter_ = SeenFilter(loaded=False)
        filter_.probe(url("http://h/a"))
        filter_.finish_loading()

        assert filter_.probe(url("http://h/a"))
        assert not filter_.probe(url("http://h/b"))

    def test_most_new_urls_are_surely_new(self) -> None:
        """Else it would be of no use. The library's real error rate is several times the one asked for."""
        filter_ = SeenFilter()
        filter_.load(url(f"http://h/{number}") for number in range(seen.FIRST + 20_000))

        wrong = sum(filter_.probe(url(f"http://h/new/{number}")) for number in range(5_000))

        assert wrong < 50

    def test_false_hits_are_counted_after_the_filter_is_loaded(self) -> None:
        """Before, "maybe" is no mistake but the only answer."""
        filter_ = SeenFilter(loaded=False)
        filter_.was_new()
        filter_.finish_loading()
        filter_.was_new()
        filter_.probe(url("http://h/"))

        assert (filter_.probes, filter_.false_hits) == (1, 1)
