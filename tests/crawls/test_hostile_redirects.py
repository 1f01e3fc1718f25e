"""Redirects of every kind, by real crawls: how far they are followed, and what becomes of the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.cli import main
from tests.support.conformance import read_bytes
from tests.support.crawls import check_invariants, crawl, rows
from tests.support.small_site import Reply, Site, page, to


def facts() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(read_bytes("redirects/wpt_fetch.json"))
    return data


class TestConformance:
    """The web-platform tests of fetch, as far as they concern whoever only sends GET."""

    async def test_twenty_hops_are_followed_and_no_more(self, tmp_path: Path) -> None:
        cases = [(case["status"], case["count"], case["ok"]) for case in facts()["max_redirects"]]
        assert len(cases) == 10

        def answer(path: str) -> Reply | None:
            if path == "/":
                return page(*(f"/{status}/{count}" for status, count, _ in cases))
            _, status, left = path.split("/")[:3]
            hop = path.count("/") - 2
            if hop == int(left):
                return page(note=path)
            return to(f"{path}/{hop}", int(status))

        site = Site(answer)
        async with site.serve() as base:
            await crawl(seeds=[base], depth=1, db=tmp_path / "a.db")

        for status, count, ok in cases:
            end = f"{base}/{status}/{count}" + "".join(f"/{hop}" for hop in range(count))
            found = rows(tmp_path / "a.db", f"SELECT state, reason, depth FROM urls WHERE url = '{end}'")
            assert found == [("done", None, 1) if ok else ("skipped", "redirect_limit", 1)]
        assert check_invariants(tmp_path / "a.db") == []

    async def test_a_location_that_is_no_http_url_is_not_requested(self, tmp_path: Path) -> None:
        """Ours: without a Location, or with an invalid one, it failed; a fragment of itself is a loop;
        any other scheme is written down and not followed."""
        known = facts()
        statuses = [301, 302, 303, 307, 308]
        schemes = known["schemes_that_cannot_be_redirected_to"]
        assert {case["status"] for case in known["location"]} == set(statuses)
        leads: dict[str, Reply] = {
            f"/{status}/{name}": to(location, status)
            for status in statuses
            for name, location in {
                "none": None,
                "self": "#invalidurl:",
                "data": "data:,data%20url",
                "bad": "http://[/",
            }.items()
        } | {f"/scheme/{number}": to(scheme) for number, scheme in enumerate(schemes)}
        site = Site(lambda path: page(*leads) if path == "/" else leads.get(path))
        async with site.serve() as base:
            await crawl(seeds=[base], depth=3, db=tmp_path / "a.db")

        pages = {
            url.removeprefix(base): (target and target.removeprefix(base), error)
            for url, target, error in rows(tmp_path / "a.db", "SELECT url, redirect_to, error FROM pages")
        }
        assert pages.pop("/") == (None, None)
        assert pages == (
            {f"/{status}/none": (None, "redirect_invalid") for status in statuses}
            | {f"/{status}/bad": (None, "redirect_invalid") for status in statuses}
            | {f"/{status}/self": (f"/{status}/self", None) for status in statuses}
            | {f"/{status}/data": ("data:,data%20url", None) for status in statuses}
            | {f"/scheme/{number}": (scheme, None) for number, scheme in enumerate(schemes)}
        )
        assert set(site.asked.values()) == {1}
        assert rows(tmp_path / "a.db", "SELECT count(*) FROM urls") == [(27,)]

    def test_a_get_stays_a_get(self) -> None:
        """All that we ever send; so what the table says of other methods cannot arise."""
        assert {case["to"] for case in facts()["method_after"] if case["from"] == "GET"} == {"GET"}


class TestLoops:
    async def test_a_redirect_loop_ends_and_is_reported(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """No URL in it fails: each was answered, with a redirect. The circle is told by the report and
        by `why`."""
        db = tmp_path / "a.db"
        leads = {
            "/in": to("/a"),
            "/a": to("/b", 301),
            "/b": to("/c", 308),
            "/c": to("{base}/a"),
            "/me": to("/me"),
        }
        site = Site(lambda path: page("/in", "/me", "/b") if path == "/" else leads.get(path))
        async with site.serve() as base:
            report = await crawl(seeds=[base], depth=9, db=db)

        assert (report.exit_code, set(site.asked.values())) == (0, {1})
        assert rows(db, "SELECT DISTINCT state FROM urls") == [("done",)]
        chains = rows(db, "SELECT replace(url, 'http://', ''), hops, result FROM redirect_chains")
        assert {(url.partition("/")[2], hops, result) for url, hops, result in chains} >= {
            ("in", 4, "loop"),
            ("me", 1, "loop"),
        }
        main(["why", "--db", str(db), f"{base}/in"])
        told, errors = capsys.readouterr()
        assert errors == ""
        assert f"its redirects form a loop: {base}/a -> {base}/b -> {base}/c -> ..." in told
        main(["why", "--db", str(db), f"{base}/"])
        assert "form a loop" not in capsys.readouterr().out

    async def test_an_endless_chain_ends_at_the_limit(self, tmp_path: Path) -> None:
        site = Site(lambda path: to(f"/{int(path[1:] or 0) + 1}"))
        async with site.serve() as base:
            report = await crawl(seeds=[base], depth=0, db=tmp_path / "a.db")

        assert (report.exit_code, len(site.asked)) == (4, 21)
        assert rows(tmp_path / "a.db", "SELECT url, state FROM urls WHERE reason = 'redirect_limit'") == [
            (f"{base}/21", "skipped")
        ]


class TestBounds:
    async def test_a_redirect_out_of_scope_is_recorded_and_not_followed(self, tmp_path: Path) -> None:
        """Only where a seed itself leads does the crawl go with it."""
        other = Site(lambda path: page())
        async with other.serve() as away:
            leads = {"/out": to(f"{away}/x", 301), "/gone": to("/out")}
            site = Site(lambda path: page("/gone") if path == "/" else leads.get(path))
            async with site.serve() as base:
                await crawl(seeds=[base], depth=5, db=tmp_path / "a.db")

        assert other.asked.total() == 0
        assert rows(tmp_path / "a.db", "SELECT state, reason, depth FROM urls WHERE url LIKE '%/x'") == [
            ("skipped", "scope", 1)
        ]
        assert rows(tmp_path / "a.db", "SELECT redirect_to FROM pages WHERE url LIKE '%/out'") == [
            (f"{away}/x",)
        ]

    async def test_a_redirected_seed_widens_the_scope(self, tmp_path: Path) -> None:
        there = Site(lambda path: page("/more") if path == "/new/" else page(note=path))
        async with there.serve() as new:
            here = Site(lambda path: to(f"{new}/new/", 301))
            async with here.serve() as old:
                report = await crawl(seeds=[old], depth=1, db=tmp_path / "a.db")

        assert (report.totals.pages, here.asked) == (2, {"/": 1})

    async def test_redirects_of_all_kinds_are_remembered(self, tmp_path: Path) -> None:
        """A URL is asked for once in a crawl, also by a later run that goes further."""
        leads = {"/old": to("/new", 301), "/tmp": to("/new", 307), "/new": page("/deep")}
        site = Site(lambda path: page("/old", "/tmp") if path == "/" else leads.get(path) or page())
        async with site.serve() as base:
            for depth in (1, 2, 3):
                await crawl(seeds=[base], depth=depth, db=tmp_path / "a.db")

        assert site.asked == dict.fromkeys(("/", "/old", "/tmp", "/new", "/deep"), 1)
        assert rows(tmp_path / "a.db", "SELECT status FROM redirects ORDER BY status") == [(301,), (307,)]
