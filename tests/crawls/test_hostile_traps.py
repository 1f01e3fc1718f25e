"""A site with seven traps, each of which would keep a crawler busy for ever, by real crawls.

It ends by itself, every trap has its share and says so in `urls`, and no ordinary page is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import md5
from math import inf
from pathlib import Path

import pytest

from penstock.crawler.policies.traps import Traps
from tests.support.crawls import check_invariants, crawl, equal_crawls, rows
from tests.support.small_site import Reply, Site, page, to

ORDINARY = [f"/page/{number}" for number in range(40)]
ROOMS = 8
SHAPE_HOPS = 40  # in place of 1,000, which take a test too long


def calendar(path: str) -> Reply:
    """There is always a next month."""
    return page(f"/calendar/{int(path.split('/')[2]) + 1}", "/page/3")


def relative(path: str) -> Reply:
    """A link that forgot its slash, on a server that answers to anything: /about/about/about..."""
    return page("about/", "/page/4")


def breadcrumbs(path: str) -> Reply:
    """Each page knows a deeper one."""
    depth = path.count("/")
    return page(f"{path}/{'abcdefghij'[depth % 10]}{depth}x", "/page/5")


def facets(path: str) -> Reply:
    """Each filter can be added to those that are set."""
    return page(f"{path}{'&' if '?' in path else '?'}f{path.count('=')}=on", "/page/6")


def sessions(path: str) -> Reply:
    """Every link has an id of its own; the rooms behind them are only eight."""
    room = int(path.partition("?")[0].split("/")[2])
    links = []
    for other in (room + 1, room + 3):
        fresh = md5(f"{path}{other}".encode()).hexdigest()
        links.append(f"/room/{other % ROOMS}?sid={fresh}")
    return page(*links, "/page/7", note=f"room {room}")


def long(path: str) -> Reply:
    """A link that carries the way to it."""
    return page(f"{path}{'x' * 300}", "/page/8")


def away(path: str) -> Reply:
    """A redirect to the next redirect."""
    return to(f"/away/{int(path.split('/')[2]) + 1}")


TRAPS: Mapping[str, tuple[str, Callable[[str], Reply], str | None]] = {
    "calendar": ("/calendar/1", calendar, "trap:shape"),
    "about": ("/about/", relative, "trap:repeat"),
    "crumbs": ("/crumbs/start", breadcrumbs, "trap:segments"),
    "facets": ("/facets", facets, "trap:query"),
    "room": ("/room/0", sessions, "trap:session"),
    "long": ("/long/?way=", long, None),  # no row; its page counts it
    "away": ("/away/0", away, "redirect_limit"),
}


def answer(path: str) -> Reply | None:
    if path == "/":
        return page(*(start for start, _, _ in TRAPS.values()), *ORDINARY[:3])
    name = path.split("/")[1].partition("?")[0]
    if name == "page":
        number = int(path.split("/")[2])
        return page(f"/page/{(number * 3 + 1) % 40}", f"/page/{(number + 1) % 40}", note=path)
    return TRAPS[name][1](path) if name in TRAPS else None


class TestSevenTraps:
    async def test_a_crawl_with_traps_ends_and_stores_some_of_each(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("penstock.crawler.app.parts.Traps", partial(Traps, shape_hops=SHAPE_HOPS))
        site = Site(answer)
        async with site.serve() as base:
            for fetchers in (1, 64):
                db = tmp_path / f"{fetchers}.db"
                report = await crawl(seeds=[base], depth=inf, max_pages=3_000, fetchers=fetchers, db=db)
                assert (report.exit_code, report.stop_reason) == (0, "finished")
                assert check_invariants(db) == []

        assert equal_crawls(tmp_path / "1.db", db) == []
        stored = Counter(
            url.removeprefix(base).split("/")[1].partition("?")[0]
            for (url,) in rows(db, "SELECT url FROM pages WHERE status = 200 AND error IS NULL")
        )
        assert stored["page"] == len(ORDINARY)
        assert ROOMS <= stored.pop("room") < 12 * ROOMS
        assert {name: stored[name] for name in TRAPS if name != "room"} == {
            "calendar": 20 + SHAPE_HOPS,
            "about": 3,
            "crumbs": 29,
            "facets": 13,
            "long": 7,
            "away": 0,
        }
        reasons = dict(rows(db, "SELECT reason, count(*) FROM urls WHERE state = 'skipped' GROUP BY reason"))
        assert set(reasons) == {reason for _, _, reason in TRAPS.values() if reason}
        assert rows(db, "SELECT sum(long_links) FROM fetch") == [(1,)]

    async def test_every_room_is_stored_at_least_once(self, tmp_path: Path) -> None:
        """Whatever id leads there: a session costs copies, never a page."""
        site = Site(lambda path: answer(path) if path.startswith(("/room", "/page")) else None)
        async with site.serve() as base:
            await crawl(seeds=[f"{base}/room/0"], depth=inf, db=tmp_path / "a.db")

        stored = rows(tmp_path / "a.db", "SELECT url FROM pages WHERE url LIKE '%/room/%' AND status = 200")
        assert {url.split("/")[4].partition("?")[0] for (url,) in stored} == set(map(str, range(ROOMS)))

    async def test_a_crawl_that_is_stopped_and_resumed_is_the_same(self, tmp_path: Path) -> None:
        """What sessions are known by stands on disk."""
        site = Site(lambda path: answer(path) if path.startswith(("/room", "/page")) else None)
        async with site.serve() as base:
            await crawl(seeds=[f"{base}/room/0"], depth=inf, db=tmp_path / "whole.db")
            for most in (10, 25, 50, 70, None):
                await crawl(seeds=[f"{base}/room/0"], depth=inf, db=tmp_path / "parts.db", max_pages=most)

        assert equal_crawls(tmp_path / "whole.db", tmp_path / "parts.db") == []

    async def test_ordinary_pages_with_ids_in_their_urls_are_all_stored(self, tmp_path: Path) -> None:
        """Ids that mean something are the rule; some of their pages are gone and look alike."""
        items = [f"/item?id={md5(str(number).encode()).hexdigest()}" for number in range(60)]
        site = Site(
            lambda path: (
                page(*items[:12]) if path == "/" else page(*items, note="gone" if path in items[:4] else path)
            )
        )
        async with site.serve() as base:
            await crawl(seeds=[base], depth=inf, db=tmp_path / "a.db")

        assert rows(tmp_path / "a.db", "SELECT state, count(*) FROM urls GROUP BY state") == [("done", 61)]

    async def test_without_traps_only_the_budget_ends_it(self, tmp_path: Path) -> None:
        site = Site(answer)
        async with site.serve() as base:
            report = await crawl(
                seeds=[f"{base}/room/0"], depth=inf, max_pages=300, no_traps=True, db=tmp_path / "a.db"
            )

        assert (report.exit_code, report.stop_reason) == (3, "max_pages")
        assert report.totals.pages == 300
