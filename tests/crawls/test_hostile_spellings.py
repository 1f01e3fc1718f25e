"""One URL in many spellings, many URLs in nearly one, and the rules that an operator adds: real crawls."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.errors import BadDatabase
from tests.support.crawls import crawl, rows
from tests.support.small_site import Reply, Site, page

HEX = "0123456789abcdef0123456789abcdef"


def spellings(port: str) -> list[str]:
    """Hundreds of ways to write one URL, all of which a browser reads alike."""
    starts = [
        f"http://127.0.0.1:{port}/",
        f"HTTP://127.0.0.1:{port}/",
        f"http://0x7f.1:{port}/",
        f"http://2130706433:{port}/",
        f"http:\\\\127.1:{port}\\",
        f"//127.0.0.1:{port}/",
        f"http://me@127.0.0.1:{port}/",
        f"  http://127.0.0.1:{port}/",
        "/",
        "./",
        "x/../",
        "/.//../",
        "/%2e/",
    ]
    paths = ["one/page", "x/../one/page", "./one/./page", "one/x/%2e%2e/page", "one\\page", "one/y/.%2E/page"]
    ends = ["?q=%C3%A9", "?q=é", "?q=é#top", "?q=%C3%A9#", "?q=\té "]
    return ["".join(parts) for parts in product(starts, paths, ends)]


DISTINCT = [
    "/a",
    "/A",
    "/a/",
    "/a//",
    "/a%2Fb",
    "/a/b",
    "/a%2fb",
    "/a?",
    "/a?b",
    "/a?b=",
    "/a?B=",
    "/a;x",
    "/a?x=1&y=2",
    "/a?y=2&x=1",
    "/index.html",
    "/%7Ea",
    "/~a",
    "/a+b",
    "/a%20b",
]


class TestSpellings:
    async def test_hundreds_of_spellings_of_one_url_are_one_fetch(self, tmp_path: Path) -> None:
        site = Site(lambda path: page(*spellings(site.base.rpartition(":")[2])) if path == "/" else page())
        async with site.serve() as base:
            assert len(set(spellings(base.rpartition(":")[2]))) == 390
            await crawl(seeds=[base], depth=2, db=tmp_path / "a.db")

        assert site.asked == {"/": 1, "/one/page?q=%C3%A9": 1}
        assert len(rows(tmp_path / "a.db", "SELECT url FROM urls")) == 2

    async def test_what_a_server_may_tell_apart_stays_apart(self, tmp_path: Path) -> None:
        """And each goes onto the wire as it is spelt, the empty query included."""
        site = Site(lambda path: page(*DISTINCT) if path == "/" else page(note=path))
        async with site.serve() as base:
            await crawl(seeds=[base], depth=1, db=tmp_path / "a.db")

        assert site.asked == dict.fromkeys(["/", *DISTINCT], 1)
        stored = {url.removeprefix(base) for (url,) in rows(tmp_path / "a.db", "SELECT url FROM pages")}
        assert stored == {"/", *DISTINCT}


class TestRules:
    """--strip-param, --strip-sessions, --sort-query, --fold-index: links, redirects, seeds, sitemaps."""

    RULES: dict[str, Any] = {  # noqa: RUF012
        "strip_param": "utm_*",
        "strip_sessions": True,
        "sort_query": True,
        "fold_index": True,
    }

    async def test_url_rules_apply_to_everything_that_names_a_url(self, tmp_path: Path) -> None:
        listed = "".join(
            f"<url><loc>{{base}}{path}</loc><lastmod>2020-01-0{day}</lastmod></url>"
            for day, path in enumerate(
                ["/list?b=1&amp;a=2", "/list?a=2&amp;b=1&amp;utm_x=1", "/c/Default.ASP"], 1
            )
        )
        replies = {
            "/robots.txt": Reply(
                body="Sitemap: {base}/map.xml?utm_source=robots", headers={"Content-Type": "text/plain"}
            ),
            "/map.xml?utm_source=robots": Reply(body=f"<urlset>{listed}</urlset>"),
            "/": page(
                "index.html",
                f"a;jsessionid={HEX}?y=1&x=2",
                f"a?x=2&y=1&PHPSESSID={HEX}",
                "b/index.php?utm_a=1",
                "/r",
            ),
            "/r": Reply(302, headers={"Location": f"/a?y=1&sid={HEX}&x=2"}),
        }
        site = Site(lambda path: replies.get(path) or page())
        async with site.serve() as base:
            await crawl(
                seeds=[f"{base}/index.html?utm_seed"],
                depth=3,
                no_robots=False,
                db=tmp_path / "a.db",
                **self.RULES,
            )

        assert site.asked == dict.fromkeys(
            [
                "/robots.txt",
                "/map.xml?utm_source=robots",
                "/",
                "/a?x=2&y=1",
                "/b/",
                "/r",
                "/list?a=2&b=1",
                "/c/",
            ],
            1,
        )

    async def test_a_page_that_only_its_other_spelling_has_is_not_lost(self, tmp_path: Path) -> None:
        """`/` redirects to `/index.html`, which the rule takes for `/`."""
        leads = {"/": Reply(302, headers={"Location": "/index.html"}), "/index.html": page("/", "/x")}
        site = Site(lambda path: leads.get(path) or page())
        async with site.serve() as base:
            report = await crawl(seeds=[base], depth=2, fold_index=True, db=tmp_path / "a.db")

        assert (report.totals.pages, site.asked) == (2, {"/": 1, "/index.html": 1, "/x": 1})

    @pytest.mark.parametrize("rule", ["strip_sessions", "sort_query", "fold_index"])
    async def test_a_rule_makes_another_crawl_of_it(self, tmp_path: Path, rule: str) -> None:
        site = Site(lambda path: page())
        async with site.serve() as base:
            await crawl(seeds=[base], db=tmp_path / "without.db")
            await crawl(seeds=[base], db=tmp_path / "with.db", **dict[str, Any]({rule: True}))
            changed: tuple[tuple[str, dict[str, Any]], ...] = (("without.db", {rule: True}), ("with.db", {}))
            for file, rules in changed:
                with pytest.raises(BadDatabase, match=f"its {rule} differ"):
                    await crawl(seeds=[base], db=tmp_path / file, **rules)


class TestRobotsTag:
    async def test_an_x_robots_tag_for_another_robot_is_ignored(self, tmp_path: Path) -> None:
        """Three answers: for another robot, for all behind a date, and for us by name."""
        tags = {
            "/other": "googlebot: noindex, nofollow",
            "/all": "unavailable_after: Wednesday, 25-Jun-30 15:00:00 GMT, nofollow",
            "/us": "penstock: nofollow",
        }

        def answer(path: str) -> Reply:
            found = page(*tags) if path == "/" else page(f"{path}/x")
            return found._replace(headers={"X-Robots-Tag": tags[path]} if path in tags else {})

        site = Site(answer)
        async with site.serve() as base:
            await crawl(seeds=[base], depth=2, db=tmp_path / "a.db")

        assert site.asked == dict.fromkeys(["/", *tags, "/other/x"], 1)
        assert rows(tmp_path / "a.db", "SELECT count(*) FROM urls WHERE reason = 'nofollow'") == [(2,)]


class TestUnreachableRobots:
    async def test_an_origin_that_comes_back_at_the_end_is_crawled(self, tmp_path: Path) -> None:
        """Its robots.txt failed while there was other work, and nothing of it was asked meanwhile."""
        ends: list[str] = []

        def down(path: str) -> Reply | None:
            if path == "/robots.txt" and "last" not in ends:
                return Reply(503)
            return page(note="back") if path != "/robots.txt" else None

        def up(path: str) -> Reply | None:
            if path == "/9":
                ends.append("last")
            return page(f"/{int(path[1:] or 0) + 1}") if path != "/robots.txt" and len(path) < 3 else None

        one, other = Site(down), Site(up)
        async with one.serve() as away, other.serve() as base:
            await crawl(seeds=[away, base], depth=10, no_robots=False, db=tmp_path / "a.db")

        assert one.asked == {"/robots.txt": 4, "/": 1}
        assert rows(tmp_path / "a.db", f"SELECT state, attempts FROM urls WHERE url = '{away}/'") == [
            ("done", 1)
        ]
