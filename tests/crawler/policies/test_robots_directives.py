"""Robots directives: the meaning decides, not the separators; of several that speak, the strictest counts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl, Document, LinkRules
from penstock.crawler.policies.robots_directives import forbids_indexing, forbids_links, split_directives
from penstock.crawler.policies.robots_txt import forbids_following
from penstock.stages.extractors.html import HtmlExtractor

OBEYED = [
    *(
        f"noindex{separator}nofollow"
        for separator in (
            *(
                ",",
                ", ",
                " ,",
                ",,",
                ";",
                "; ",
                " ; ",
                "|",
                " | ",
                "/",
                " / ",
                " ",
                "  ",
                "\t",
                " -",
                "+",
                "&",
            ),
            *(".", " and ", "", "\N{NO-BREAK SPACE}"),
        )
    ),
    *("nofollow", "NOFOLLOW", "NoFollow", "no-follow", "no follow", "no_follow", "no  follow", "-nofollow"),
    *("nofollow,index", "nofollow;", " nofollow ", "nofollownoindex", "index=nofollow", '"nofollow"'),
    *("none", "NONE", "none,", "noarchive; none", "noarchive none", "all, none"),
    *("all; nofollow", "follow, nofollow", "nofollow, follow", "index,follow,nofollow"),
    *("max-snippet:0, nofollow", "max-snippet: 0; nofollow", "max-snippet:0 nofollow", "max-snippet:0|none"),
    *("max-image-preview: none, none", "max-image-preview:none;nofollow", "max-video-preview:-1/nofollow"),
    *(
        f"unavailable_after: {date}{separator}nofollow"
        for date in (
            *("25 Jun 2030 15:00:00 PST", "Wednesday, 25-Jun-30 15:00:00 GMT", "2030-06-25T15:00:00+02:00"),
            *("Wed, 2030-06-25T15:00:00", "25 Nov 2030 15:00:00 PST", "25-nov-2030", "November 25, 2030"),
        )
        for separator in (", ", "; ", "|", " ")
    ),
]
FREE = [
    *("", ",", "all", "index", "follow", "index, follow", "INDEX;FOLLOW", "noindex", "no-index", "noarchive"),
    *("noodp, noydir", "noimageindex", "nosnippet; follow", "nocache|follow", "indexifembedded, noindex"),
    *("max-snippet:0", "max-snippet: 0", "max-image-preview: none", "max-image-preview=none"),
    *("max-video-preview:0, max-snippet:0, max-image-preview : none", "nonesuch", "none-such"),
    "unavailable_after: Wednesday, 25-Jun-30 15:00:00 GMT",
    "unavailable_after: 25 Nov 2030 15:00:00 PST",
]


def follows(meta: str, *, token: str = "penstock") -> bool:
    html = f"{meta}<a href=x>x</a>"
    rules = LinkRules(token=token)
    document = Document(
        url=CanonicalUrl("http://example.com/"), body=html.encode(), charset="utf-8", rules=rules
    )
    (link,) = HtmlExtractor().read(document).links
    return link.followed


class TestNofollow:
    @pytest.mark.parametrize("directives", OBEYED)
    def test_whatever_separates_it_from_others_it_is_obeyed(self, directives: str) -> None:
        quoted = directives.replace('"', "&quot;")

        assert not follows(f'<meta name=robots content="{quoted}">')
        assert forbids_following(directives, "Penstock")

    @pytest.mark.parametrize("directives", FREE)
    def test_no_other_directive_and_no_value_of_one_forbids_to_follow(self, directives: str) -> None:
        assert follows(f'<meta name=robots content="{directives}">')
        assert not forbids_following(directives, "Penstock")

    @pytest.mark.parametrize(
        ("meta", "followed"),
        [
            ("<meta name=robots content=follow><meta name=robots content=nofollow>", False),
            ("<meta name=robots content=nofollow><meta name=robots content='index, follow'>", False),
            ("<meta name=robots content=all><meta name=penstock content='noindex|nofollow'>", False),
            ("<meta name=penstock content=follow><meta name=robots content=none>", False),
            ("<meta name=penstock content=follow><meta name=googlebot content=none>", True),
            ("<meta name=Penstock content='no-follow'>", False),
            ("<meta name=penstocker content=nofollow>", True),
            ("<meta property=robots content=nofollow>", True),
            ("<meta name=robots>", True),
        ],
    )
    def test_of_several_elements_the_strictest_counts_and_other_crawlers_are_not_meant(
        self, meta: str, followed: bool
    ) -> None:
        assert follows(meta) is followed

    def test_the_name_that_addresses_the_crawler_is_its_product_token(self) -> None:
        assert not follows("<meta name=MyBot content=nofollow>", token="mybot")
        assert follows("<meta name=penstock content=nofollow>", token="mybot")


class TestHeader:
    @pytest.mark.parametrize(
        ("lines", "forbidden"),
        [
            ("penstock: nofollow", True),
            ("Penstock : noindex; nofollow", True),
            ("robots: nofollow", True),
            ("googlebot: nofollow", False),
            ("googlebot: noindex; nofollow", False),
            ("noindex; googlebot: nofollow", False),
            ("noindex | googlebot: nofollow", False),
            ("noindex googlebot: nofollow", False),
            ("nofollow googlebot: noindex", True),
            ("googlebot: noindex; penstock: nofollow", True),
            ("googlebot: none penstock: none bingbot: all", True),
            ("googlebot: none penstock: all bingbot: none", False),
            ("googlebot: none\nall\npenstock: follow", False),
            ("all\nno-follow", True),
            ("unavailable_after: Wed, 2030-06-25T15:00:00, nofollow", True),
            ("max-image_preview: large, nofollow", True),
        ],
    )
    def test_a_name_binds_what_follows_it_on_its_line(self, lines: str, forbidden: bool) -> None:
        assert forbids_following(lines, "Penstock") is forbidden

    @pytest.mark.parametrize("piece", ["a", "a:", "a ", "no", "1-", "max-", " \t", "unavailable_after:"])
    def test_a_long_one_takes_no_longer_than_its_length(self, piece: str) -> None:
        lines = piece * (60_000 // len(piece))
        began = time.process_time()
        forbids_following(lines, "Penstock")
        split_directives(lines)

        assert time.process_time() - began < 1  # what backtracks takes minutes


class TestNoindex:
    @pytest.mark.parametrize(
        "directives",
        [
            *(
                "noindex",
                "noindex;nofollow",
                "follow|noindex",
                "follow/noindex",
                "nofollow noindex",
                "no-index",
            ),
            *("none", "no index", "noindexnofollow", "max-snippet:0, noindex"),
        ],
    )
    def test_separators_do_not_decide(self, directives: str) -> None:
        assert forbids_indexing(directives)

    @pytest.mark.parametrize(
        "directives", ["", "index", "noimageindex", "nofollow", "max-image-preview: none", "indexifembedded"]
    )
    def test_nothing_else_forbids_it(self, directives: str) -> None:
        assert not forbids_indexing(directives)


class TestRecord:
    @pytest.mark.parametrize(
        ("content", "directives"),
        [
            ("NoIndex;NoFollow", ["noindex", "nofollow"]),
            ("noindex|nofollow/ noarchive", ["noindex", "nofollow", "noarchive"]),
            ("no-follow", ["no-follow"]),
            ("no  follow", ["no follow"]),
            ("max-snippet: 0,max-image-preview:none", ["max-snippet: 0", "max-image-preview:none"]),
            (
                "unavailable_after: Wednesday, 25-Nov-30 15:00:00 GMT, noarchive",
                ["unavailable_after: wednesday, 25-nov-30 15:00:00 gmt", "noarchive"],
            ),
            (
                "unavailable_after: 25 Nov 2030 15:00:00 PST nofollow",
                ["unavailable_after: 25 nov 2030 15:00:00 pst", "nofollow"],
            ),
            (" , ;|", []),
        ],
    )
    def test_directives_are_kept_one_by_one_and_dates_whole(
        self, content: str, directives: list[str]
    ) -> None:
        assert split_directives(content) == directives

    @given(st.text("nofollwexi :;,|/-_") | st.text())
    def test_no_text_raises(self, text: str) -> None:
        any(map(forbids_links, split_directives(text)))
        forbids_following(text, "Penstock")
