"""Reports and exports of a whole crawl, against what the synthetic web knows of itself.

The answers here are computed from the web's drawing, in Python and without SQL.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from penstock.crawler.cli import main
from tests.storage.exports.test_sitemap import SPACE
from tests.support.crawls import crawl, rows
from tests.support.synthetic_web import SyntheticWeb
from tests.support.synthetic_web_answer import Expected, ExpectedPage

REFUSALS = ("http_403", "http_429")
HTML = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, slots=True)
class Whole:
    """A finished crawl, the web it is of, and the right answer."""

    db: Path
    url: str
    web: SyntheticWeb
    expected: Expected

    @property
    def good(self) -> dict[str, ExpectedPage]:
        return {url: page for url, page in self.expected.pages.items() if page.ok and page.status == 200}

    @property
    def html(self) -> dict[str, ExpectedPage]:
        return {url: page for url, page in self.good.items() if page.content_type in HTML}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    db = tmp_path_factory.mktemp("whole") / "crawl.db"
    web = SyntheticWeb(seed=11, pages=100, latency=0)
    twin = "a text that two pages share, but for a word: " + " ".join(f"word{n}" for n in range(400))
    for path in ("/twin/a", "/twin/b"):
        web.page(path, "/", title="Twins").body_note = f"{twin} {path[-1]}"
    web.resources["/"].mentions += web.page("/aside", "/twin/a", "/twin/b").mentions

    async def run() -> tuple[str, Expected]:
        async with web.serve() as url:
            await crawl(seeds=[url], depth=50, db=db, save_bodies=True)
            return url, web.expected()

    url, expected = asyncio.run(run())
    assert main(["analyse", "--db", str(db)]) == 0
    return Whole(db, url, web, expected)


def report(whole: Whole, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
    return rows(whole.db, f"SELECT {columns} FROM {name}")


def shared(values: Iterable[tuple[str, object]]) -> dict[str, int]:
    """URLs whose value others have too, with how many have it."""
    pairs = list(values)
    counts = Counter(value for _, value in pairs)
    return {url: counts[value] for url, value in pairs if counts[value] > 1}


class TestReports:
    def test_broken_links_are_all_links_to_failed_urls(self, whole: Whole) -> None:
        failed = {
            url
            for url, (state, reason, _) in whole.expected.urls.items()
            if state == "failed" and re.fullmatch("http_[45]..", str(reason)) and reason not in REFUSALS
        }
        links = whole.expected.links

        assert len(failed) > 1
        assert set(report(whole, "broken_links", "source, target, text")) == {
            (source, target, link.text) for (source, target), link in links.items() if target in failed
        }

    def test_redirects_and_chains_are_those_that_were_drawn(self, whole: Whole) -> None:
        hops = {url: page.redirect_to for url, page in whole.expected.pages.items() if page.redirect_to}
        redirecting = {url for url, page in whole.expected.pages.items() if page.status in range(301, 309)}
        middle = set(hops.values())
        chains = {}
        for start in hops:
            way, at = [start], hops[start]
            while at in hops and at not in way:
                way.append(at)
                at = hops[at]
            if start not in middle and (len(way) > 1 or at in way):
                chains[start] = (len(way), "loop" if at in way else None)

        assert set(report(whole, "redirects", "url")) == {(url,) for url in redirecting}
        found = {url: (n, how) for url, n, how in report(whole, "redirect_chains", "url, hops, result")}
        assert len(chains) > 1
        assert {url: n for url, (n, _) in chains.items()} == {url: found[url][0] for url in chains}
        assert all(found[url][1] == "loop" for url, (_, how) in chains.items() if how)
        # Beyond these there are only loops that nothing outside leads to.
        assert {how for url, (_, how) in found.items() if url not in chains} <= {"loop"}

    def test_duplicates_are_equal_bodies_and_equal_titles(self, whole: Whole) -> None:
        bodies = shared((url, page.content_hash) for url, page in whole.good.items() if page.content_hash)
        titles = shared((url, page.title) for url, page in whole.html.items() if page.title)

        assert bodies
        assert dict(report(whole, "duplicates", "url, copies")) == bodies
        assert dict(report(whole, "duplicate_titles", "url, copies")) == titles

    def test_near_duplicates_are_the_pages_drawn_as_twins(self, whole: Whole) -> None:
        found = report(whole, "near_duplicates", "url, first, copies")

        twins = {f"{whole.url}twin/a", f"{whole.url}twin/b"}
        assert {url for url, first, _ in found if first in twins} == twins

    def test_missing_titles_and_canonical_conflicts_are_those_that_were_drawn(self, whole: Whole) -> None:
        missing = {(url,) for url, page in whole.html.items() if not page.title}
        named = {
            (url, whole.url.rstrip("/") + canonical, "unknown")
            for url in whole.html
            if (canonical := whole.web.resources[url.removeprefix(whole.url.rstrip("/"))].canonical)
        }

        assert set(report(whole, "missing_titles", "url")) == missing
        assert named
        assert set(report(whole, "canonical_conflicts", "url, canonical, problem")) == named

    def test_what_stands_out_in_size_and_depth_is_shown(self, whole: Whole) -> None:
        sizes = report(whole, "large_pages", "url, body_bytes")
        depths = dict(report(whole, "deep_pages", "url, depth"))
        known = {url: page.depth for url, page in whole.good.items()}

        assert all(size >= 51_200 for _, size in sizes)
        assert depths.items() <= known.items()
        shallow = [depth for url, depth in known.items() if url not in depths]
        assert max(shallow) <= min([*depths.values(), 1 << 30])

    def test_broken_targets_are_the_failed_targets_of_links(self, whole: Whole) -> None:
        pages = Counter(target for _, target in report(whole, "broken_links", "source, target"))

        assert dict(report(whole, "broken_targets", "target, pages")) == dict(pages) != {}

    def test_the_counts_of_reports_are_those_of_the_web(self, whole: Whole) -> None:
        urls, pages = whole.expected.urls, whole.expected.pages
        by_type = Counter(page.content_type for page in whole.good.values())
        found = {kind: good for kind, good in report(whole, "content_types", "content_type, pages") if good}

        assert dict(status_counts(whole)) == Counter(page.status for page in pages.values())
        assert found == by_type
        assert dict(report(whole, "hosts", "host, urls")) == Counter(urlsplit(url).netloc for url in urls)
        assert dict(report(whole, "depths", "depth, urls")) == Counter(depth for _, _, depth in urls.values())

    @pytest.mark.parametrize("state", ["skipped", "failed"])
    def test_every_url_that_was_not_taken_has_its_reason(self, whole: Whole, state: str) -> None:
        assert set(report(whole, state, "url, reason")) == {
            (url, reason) for url, (found, reason, _) in whole.expected.urls.items() if found == state
        }

    def test_a_crawl_that_found_all_pages_by_links_has_no_orphans(self, whole: Whole) -> None:
        assert report(whole, "orphans") == []

    def test_pagerank_is_that_of_a_plain_walk_over_the_links(self, whole: Whole) -> None:
        done = [url for url, (state, _, _) in whole.expected.urls.items() if state == "done"]
        ways: dict[str, list[str]] = defaultdict(list)
        for (source, target), link in whole.expected.links.items():
            if link.followed and source != target and whole.expected.urls[target][0] == "done":
                ways[source].append(target)
        for url, page in whole.expected.pages.items():
            led_to = page.redirect_to
            if led_to and led_to != url and whole.expected.urls.get(led_to, ("",))[0] == "done":
                ways[url].append(led_to)
        rank = dict.fromkeys(done, 1 / len(done))
        for _ in range(120):
            lost = sum(rank[url] for url in done if not ways[url])
            after = dict.fromkeys(done, (0.15 + 0.85 * lost) / len(done))
            for source in done:
                for target in ways[source]:
                    after[target] += 0.85 * rank[source] / len(ways[source])
            rank = after

        assert dict(report(whole, "top_pages", "url, pagerank")) == pytest.approx(rank, abs=2e-6)

    def test_inlinks_and_outlinks_are_the_links_of_one_url(
        self, whole: Whole, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name, here in (("inlinks", 1), ("outlinks", 0)):
            capsys.readouterr()
            assert main(["report", name, whole.url, "--format", "csv", "--db", str(whole.db)]) == 0
            found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

            ends = {ends[1 - here] for ends in whole.expected.links if ends[here] == whole.url}
            redirects = {url for url, page in whole.expected.pages.items() if page.redirect_to == whole.url}
            other = "source" if here else "target"
            assert {row[other] for row in found} == ends | (redirects if here else set())


def status_counts(whole: Whole) -> list[tuple[int, int]]:
    query = "SELECT status, sum(urls) FROM status_codes GROUP BY status"
    return rows(whole.db, query)


class TestExports:
    def written(self, whole: Whole, form: str, folder: Path, *words: str) -> Path:
        path = folder / form
        assert main(["export", form, str(path), *words, "--db", str(whole.db)]) == 0
        return path

    def test_edges_are_all_links(self, whole: Whole, tmp_path: Path) -> None:
        lines = self.written(whole, "edges", tmp_path).read_text().splitlines()

        assert {tuple(line.split("\t")) for line in lines if line[0] != "#"} == set(whole.expected.links)

    def test_graphml_has_all_links_and_all_their_ends(self, whole: Whole, tmp_path: Path) -> None:
        text = self.written(whole, "graphml", tmp_path).read_text()

        ElementTree.fromstring(text)
        assert text.count("<edge ") == len(whole.expected.links)
        assert text.count("<node ") == len({end for ends in whole.expected.links for end in ends})

    def test_the_sitemap_lists_the_good_html_pages(self, whole: Whole, tmp_path: Path) -> None:
        """But for those that say noindex, or none, which includes it, and copies of another page."""
        tree = ElementTree.parse(self.written(whole, "sitemap", tmp_path))

        barred = {
            whole.url.rstrip("/") + path
            for path, resource in whole.web.resources.items()
            if resource.canonical
            or re.search("(?i)noindex|none", f"{resource.nofollow or ''} {resource.nofollow_header or ''}")
        }
        assert barred & set(whole.html)
        assert {loc.text for loc in tree.iter(f"{SPACE}loc")} == set(whole.html) - barred

    def test_the_archive_holds_every_page_that_was_read(self, whole: Whole, tmp_path: Path) -> None:
        iterator = pytest.importorskip("warcio.archiveiterator")
        with self.written(whole, "warc", tmp_path).open("rb") as file:
            found = {
                record.rec_headers.get_header("WARC-Target-URI"): record.content_stream().read()
                for record in iterator.ArchiveIterator(file)
                if record.rec_type == "response"
            }

        sizes = {url: len(body) for url, body in found.items()}
        assert set(whole.html) <= set(found)
        known = {url: page.body_bytes for url, page in whole.html.items() if page.body_bytes is not None}
        assert known.items() <= sizes.items()

    @pytest.mark.parametrize("table", ["pages", "urls", "links"])
    def test_an_export_of_rows_has_every_row(self, whole: Whole, tmp_path: Path, table: str) -> None:
        lines = self.written(whole, "jsonl", tmp_path, "--table", table).read_text("utf-8").splitlines()

        assert len(list(map(json.loads, lines))) == len(getattr(whole.expected, table))
