"""Causes: what the last lines of a crawl say of a first run that found little or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

from penstock.crawler.cli.causes import failed_in_words, failed_rows, is_loud, only_page_hint
from penstock.crawler.cli.crawl import _load_outcome
from penstock.crawler.cli.summary import coloured, summary_lines
from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.storage.reading.outcome import OnlyPage
from tests.support.app_server import serving
from tests.support.crawls import crawl

HTML, PDF, PNG = "text/html", "application/pdf", "image/png"
Site = Mapping[str, tuple[int, str, str]]  # status, type and text by path


def page(text: str, content_type: str = HTML) -> tuple[int, str, str]:
    return 200, content_type, text


ROBOTS = "User-agent: *\nDisallow: /"
FIRST_RUNS: list[tuple[str, Site, int, str, str]] = [
    # name, site, exit code, in the first line, in a later line
    (
        "robots forbids all",
        {"/robots.txt": page(ROBOTS, "text/plain")},
        4,
        "robots.txt does not allow it",
        "--no-robots",
    ),
    (
        "robots answers 500",
        {"/robots.txt": (500, HTML, "")},
        4,
        "for its robots.txt .* status 500",
        "try again",
    ),
    ("a login", {"/": (401, HTML, "")}, 4, "status 401 .*login", "--auth USER:PASSWORD"),
    ("a bot wall", {"/": (403, HTML, "")}, 4, "status 403", "--contact or --user-agent"),
    ("too fast for ever", {"/": (429, HTML, "")}, 4, "status 429", "ask more slowly"),
    ("nothing there", {}, 4, "status 404", "the same command tries again"),
    ("a redirect to nowhere", {"/": (302, "/gone", "")}, 4, "status 404", "/gone, which is failed"),
    ("a PDF", {"/": page("%PDF", PDF)}, 0, "^complete", f"the only page is {PDF}, not HTML"),
    ("an image", {"/": page("PNG", PNG)}, 0, "^complete", f"the only page is {PNG}, not HTML"),
    ("an empty page", {"/": page("")}, 0, "^complete", "the only page is empty"),
    (
        "scripts",
        {"/": page("<div id=app></div><script>1</script>")},
        0,
        "^complete",
        "no links: .*JavaScript.*--sitemap",
    ),
    (
        "nofollow",
        {"/": page("<a rel=nofollow href=/1>x</a>")},
        0,
        "^complete",
        "all nofollow: --follow-nofollow",
    ),
    (
        "a frameset",
        {"/": page("<frameset><frame src=/1><frame src=/2></frameset>")},
        0,
        "^complete",
        "the only page has 2 links, all frames: --frames follows them",
    ),
    (
        "head links alone",
        {"/": page("<link rel=next href=/2><link rel=alternate hreflang=de href=/de>")},
        0,
        "^complete",
        "2 links, all link elements of its head: --head-links follows them",
    ),
    (
        "frames of a page that forbids to follow its links",
        {"/": page("<meta name=robots content=nofollow><iframe src=/1></iframe>")},
        0,
        "^complete",
        "1 link, all nofollow: --follow-nofollow",
    ),
    (
        "links that three flags follow",
        {"/": page("<a rel=nofollow href=/1>x</a><iframe src=/2></iframe><link rel=next href=/3>")},
        0,
        "^complete",
        r"1 nofollow \(--follow-nofollow\), 1 frames \(--frames\), 1 link elements .* \(--head-links\)",
    ),
    (
        "another host",
        {"/": page("<a href='http://127.0.0.2:1/'>x</a>")},
        0,
        "^complete",
        "skipped: 1 scope; they lead to 127.0.0.2:1: start there, or use --scope domain or any",
    ),
]


async def lines_of(site: Site, db: Path) -> tuple[int, list[str]]:
    async def answer(request: web.Request) -> web.Response:
        status, content_type, text = site.get(request.path, (404, HTML, ""))
        if 300 <= status < 400:
            return web.Response(status=status, headers={"Location": content_type})
        return web.Response(status=status, text=text, content_type=content_type)

    async with serving(answer) as url:
        config = CrawlConfig(seeds=[url], db=db)
        report = await crawl(seeds=[url], db=db, no_robots=False, retries=0)
    outcome = _load_outcome(config)
    return report.exit_code, summary_lines(
        report, database=str(db), program=["penstock"], outcome=outcome, depth=2
    )


@pytest.mark.parametrize("status", [200, 203, 207, 226, 299])
async def test_a_seed_with_a_page_is_not_among_the_lost_ones_whatever_its_success_is_called(
    tmp_path: Path, status: int
) -> None:
    _, lines = await lines_of({"/": (status, HTML, "<p>text")}, tmp_path / "c.db")

    assert "seed" not in [line.split()[0] for line in lines if line]


@pytest.mark.parametrize(
    ("site", "code", "first", "later"),
    [case[1:] for case in FIRST_RUNS],
    ids=[case[0] for case in FIRST_RUNS],
)
async def test_a_first_run_that_found_little_says_why_and_what_to_try(
    tmp_path: Path, site: Site, code: int, first: str, later: str
) -> None:
    found, lines = await lines_of(site, tmp_path / "a.db")

    assert found == code
    assert re.search(first, lines[0])
    assert any(re.search(later, line) for line in lines[1:])


async def test_a_site_of_two_pages_needs_no_note(tmp_path: Path) -> None:
    _, lines = await lines_of({"/": page("<a href=/1>x</a>"), "/1": page("x")}, tmp_path / "a.db")

    assert lines[0] == "complete: every URL is settled"
    assert not any(line.startswith("  note") for line in lines)


@pytest.mark.parametrize(
    ("done", "failed", "words"),
    [
        (10, 0, ""),
        (999, 1, "1 of 1,000 URLs failed (under 1%)"),
        (59, 41, "41 of 100 URLs failed (41%)"),
        (1, 999, "999 of 1,000 URLs failed (99%)"),
        (0, 1, "1 of 1 URL failed (all)"),
    ],
)
def test_the_share_is_never_rounded_to_none_or_all(done: int, failed: int, words: str) -> None:
    assert failed_in_words({"done": done, "failed": failed}) == words


@pytest.mark.parametrize(
    ("done", "failed", "loud"), [(10, 0, False), (91, 9, False), (90, 10, True), (0, 0, False)]
)
def test_a_tenth_is_loud(done: int, failed: int, loud: bool) -> None:
    assert is_loud({"done": done, "failed": failed}) is loud


def test_what_the_next_run_requests_is_counted() -> None:
    rows = dict(failed_rows([("refused", 3), ("http_404", 2)]))

    assert rows["again"] == "the same command requests 3 of them once more; --retry-failed all"


def test_many_reasons_are_summed_up() -> None:
    rows = list(failed_rows([(f"http_{status}", 2) for status in range(400, 408)]))

    assert ("", "6 for 3 other reasons: see `report failed`") in rows


def test_depth_0_wants_one_page_only() -> None:
    lonely = OnlyPage("http://a.example/", HTML, 10, 0, 0, 0, None, (), ())
    assert only_page_hint(lonely, depth=1)
    assert only_page_hint(lonely, depth=0) == ""


async def test_the_first_line_is_red_where_the_crawl_is_no_success(tmp_path: Path) -> None:
    site = {"/": page("<a href=/1>x</a>")}

    async def answer(request: web.Request) -> web.Response:
        status, content_type, text = site.get(request.path, (404, HTML, ""))
        return web.Response(status=status, text=text, content_type=content_type)

    async with serving(answer) as url:
        report = await crawl(seeds=[url], db=tmp_path / "a.db")
    lines = summary_lines(report, database="a.db", program=["penstock"])

    assert coloured(lines, report)[0] == f"\x1b[31m{lines[0]}\x1b[0m"
    assert coloured(lines, report)[1:] == lines[1:]
