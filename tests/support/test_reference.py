"""The test kit held against itself: two answers of different origin must agree.

The synthetic web computes what a crawl must find from how it was drawn; the reference
walk reads what is served. Where both say the same, either may be trusted.
"""

from __future__ import annotations

from math import inf

import pytest

from tests.reference import Seen, walk
from tests.support.synthetic_web import SyntheticWeb
from tests.support.synthetic_web_drawing import CHAIN
from tests.support.synthetic_web_resource import Mention


class TestReferenceWalk:
    @pytest.mark.parametrize("depth", [1, 3, inf])
    @pytest.mark.parametrize("seed", [1, 2])
    def test_the_reference_walk_finds_what_the_synthetic_web_expects(self, seed: int, depth: float) -> None:
        """Titles, charsets, redirects, base and nofollow included; odd spellings are beyond urljoin."""
        web = SyntheticWeb(seed=seed, pages=60, odd_spellings=False, latency=0)
        with web.serve_in_thread() as url:
            found = walk(url, depth)
            expected = web.expected(depth)

        found.pop(f"{url}chain/{CHAIN}", None)  # the walk knows no limit of redirects in a row
        stored = {
            url: Seen(page.status, page.depth, page.title)
            for url, page in expected.pages.items()
            if page.content_hash
        }
        assert found == stored
        assert not web.strays


class TestSyntheticWeb:
    def test_a_seed_draws_the_same_synthetic_web_each_time(self) -> None:
        one, other = SyntheticWeb(seed=5), SyntheticWeb(seed=5)

        assert one.resources == other.resources
        assert one.resources != SyntheticWeb(seed=6).resources

    async def test_the_better_of_two_ways_is_the_depth(self) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", "/a", "/door")
        web.page("/a", "/b")
        web.page("/b", "/goal")
        web.redirect("/door", "/goal")
        web.page("/goal", "/last")
        web.page("/last")
        async with web.serve() as url:
            expected = web.expected(2)

        assert expected.urls[f"{url}goal"] == ("done", None, 1)
        assert expected.urls[f"{url}last"] == ("done", None, 2)

    async def test_a_nofollow_way_counts_only_if_there_is_no_other(self) -> None:
        web = SyntheticWeb(pages=0)
        home = web.page("/", "/a")
        for target in ("/near", "/only"):
            home.mentions.append(Mention(href=target, target=target, rel="nofollow"))
        web.page("/a", "/b")
        web.page("/b", "/near")
        web.page("/near")
        async with web.serve() as url:
            expected = web.expected()

        assert expected.urls[f"{url}near"] == ("done", None, 3)
        assert expected.urls[f"{url}only"] == ("skipped", "nofollow", 1)
