"""Every case has its expected outcome, and no odd URL is requested: all cases in one short crawl."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from penstock.crawler.run_result import Report
from penstock.stages.workers.worker_pool import Limits, WorkerPool
from tests.hostile.case import Case
from tests.hostile.cases import CASES
from tests.hostile.server import running
from tests.support.crawls import check_invariants, crawl, rows

ORDINARY = 40
URLS = "SELECT url, state, reason FROM urls WHERE seed"
LINKS = "SELECT source, count(*) FROM links GROUP BY source"
SLOW_CASES = [case for case in CASES if "timeout" in case.reasons]
QUICK = Limits(0.05, 32 << 20)
SLOW = Limits(0.6, 128 << 20)

# What a request may look like; the host is checked apart.
REQUEST = re.compile(rb"GET /[!-~]* HTTP/1\.1\r\n(?:[A-Za-z-]+: [ -~]*\r\n)+\r\n")


class Crawled(NamedTuple):
    report: Report
    db: Path
    urls: dict[str, tuple[str, str | None]]  # state and reason, of the seeds
    pages: dict[str, dict[str, object]]  # of the seeds
    links: Counter[str]  # by source


def read_crawl(report: Report, db: Path) -> Crawled:
    """All that the tests ask for, in three queries: URL text has no index."""
    with closing(sqlite3.connect(db)) as connection:
        connection.row_factory = sqlite3.Row
        urls = {url: (state, why) for url, state, why in connection.execute(URLS)}
        pages = {row["url"]: dict(row) for row in connection.execute("SELECT * FROM pages")}
        links = Counter(dict(connection.execute(LINKS).fetchall()))
    return Crawled(report, db, urls, pages, links)


class Outcome(NamedTuple):
    """Two crawls, side by side: whoever never finishes has a short deadline, the others a long one."""

    timing: Crawled
    others: Crawled
    heads: list[bytes]  # requests, as they came
    url: str

    def of(self, case: Case) -> Crawled:
        return self.timing if case in SLOW_CASES else self.others


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch, running(scale=10) as port:
        patch.setattr("penstock.crawler.app.parts.WorkerPool", partial(WorkerPool, quick=QUICK, slow=SLOW))
        patch.setattr("penstock.stages.workers.worker_pool.LARGE_BYTES", 40_000)  # who fails, fails once
        url = f"http://127.0.0.1:{port}"
        timing, others = asyncio.run(_crawl_both(folder, url))
        with urlopen(f"{url}/heads") as answer:
            heads = re.findall(rb".*?\r\n\r\n", answer.read(), re.DOTALL)
        yield Outcome(timing, others, heads, url)


async def _crawl_both(folder: Path, url: str) -> tuple[Crawled, Crawled]:
    quick = [case for case in CASES if case not in SLOW_CASES]
    good = [f"{url}/quick/{number}" for number in range(ORDINARY)]
    return await asyncio.gather(
        _crawl(folder / "timing.db", _urls(url, SLOW_CASES), timeout=1.5),
        _crawl(folder / "others.db", _urls(url, quick) + good, timeout=30.0),
    )


def _urls(url: str, cases: Sequence[Case]) -> list[str]:
    return [f"{url}/case/{case.name}/{number}" for case in cases for number in range(case.tail + 1)]


async def _crawl(db: Path, seeds: Sequence[str], *, timeout: float) -> Crawled:
    report = await crawl(seeds=seeds, db=db, depth=1, exclude=["/far/"], timeout=timeout, retries=0)
    return await asyncio.to_thread(read_crawl, report, db)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_hostile_case_has_its_expected_outcome(outcome: Outcome, case: Case) -> None:
    crawled = outcome.of(case)
    for number in range(case.tail + 1):
        url = f"{outcome.url}/case/{case.name}/{number}"
        state, reason = crawled.urls[url]
        assert state == case.state, reason
        assert (reason in case.reasons) if case.reasons else reason is None
        assert {name: crawled.pages[url][name] for name in case.page} == dict(case.page)
        assert case.links is None or crawled.links[url] == case.links


def test_all_ordinary_pages_beside_hostile_ones_are_stored(outcome: Outcome) -> None:
    titles = [page["title"] for url, page in outcome.others.pages.items() if "/quick/" in url]

    assert len(titles) == ORDINARY
    assert set(titles) == {"light", "heavy"}


def test_no_hostile_case_ends_as_an_internal_failure(outcome: Outcome) -> None:
    for crawled in (outcome.timing, outcome.others):
        assert crawled.report.stop_reason == "finished"
        assert crawled.report.totals.internal_failures == 0
        assert check_invariants(crawled.db) == []


def test_no_odd_link_is_requested(outcome: Outcome) -> None:
    """No scheme but ours, no injected line, no hidden link, no host that is not the seeds'."""
    host = outcome.url.removeprefix("http://").encode()

    for request in outcome.heads:
        assert REQUEST.fullmatch(request), request
        assert request.count(b"\r\nHost: " + host + b"\r\n") == 1
        assert b"X-Injected:" not in request
        assert not re.search(rb"odd-seen|GET /odd|passwd", request)


def test_no_page_is_stored_under_another_url(outcome: Outcome) -> None:
    assert not [url for url, page in outcome.others.pages.items() if page["title"] == "Foreign"]


def test_links_beyond_the_limit_of_a_page_are_counted(outcome: Outcome) -> None:
    [cut] = rows(outcome.others.db, "SELECT * FROM cut_links WHERE url LIKE '%/links-100000/0'")

    assert cut == (f"{outcome.url}/case/links-100000/0", 30_000, 3_333)
