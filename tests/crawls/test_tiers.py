"""Fetch tiers: a way of fetching is a file, an entry point of a package, or an object given to `Crawl`."""

from __future__ import annotations

import hashlib
import math
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from penstock import Crawl, CrawlConfig
from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import Answer, CanonicalUrl, Failed, Fetched, FetchTask
from penstock.stages.fetchers import FetchContext, Tier, load_tiers, open_fetchers, plain
from tests.support.app_server import serving
from tests.support.crawls import QUICK, check_invariants, crawl, rows, run_command
from tests.support.fakes import in_virtual_time
from tests.support.synthetic_web import SyntheticWeb

# A whole tier as a package of its own would have it. It knows nothing but the documented contract.
PACKAGE = """
    import asyncio, hashlib, time, urllib.error, urllib.request
    from penstock.crawler.messages import Answer, Failed, Fetched

    kinds = []

    class Fetcher:
        def __init__(self, context):
            self.context = context

        async def get(self, task):
            kinds.append(task.kind)
            try:
                status, content_type, body = await asyncio.to_thread(self.load, task.url)
            except urllib.error.HTTPError as error:
                status, content_type, body = error.code, None, None
            except OSError:
                return Failed(task=task, stage="fetch", reason="network")
            hold = None
            if body is not None:
                hold = self.context.budget.open()
                await hold.reserve(len(body))
            return Fetched(task=task, body=body, hold=hold, answer=Answer(
                status=status, fetched_at=time.time(), elapsed_ms=1, content_type=content_type,
                content_hash=body and hashlib.sha256(body).digest(),
                body_bytes=None if body is None else len(body)))

        def load(self, url):
            headers = {"User-Agent": self.context.user_agent}
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
                content_type = response.headers.get_content_type()
                wanted = response.status == 200 and self.context.wants(content_type)
                return response.status, content_type, response.read() if wanted else None

        async def close(self):
            kinds.append("closed")

    async def open(context):
        return Fetcher(context)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An installed package with the tier `elsewhere`, and one whose tier is no tier."""
    folder = tmp_path / "site-packages"
    info = folder / "elsewhere-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[penstock.fetchers]\nelsewhere = elsewhere_tier\nhollow = elsewhere_tier:kinds\n"
    )
    (folder / "elsewhere_tier.py").write_text(textwrap.dedent(PACKAGE))
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("elsewhere_tier", None)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "crawl.db"
    yield path
    assert check_invariants(path) == []


def fetched(task: FetchTask, body: bytes) -> Fetched:
    answer = Answer(
        status=200,
        fetched_at=1.0,
        elapsed_ms=1,
        content_type="text/html",
        content_hash=hashlib.sha256(body).digest(),
        body_bytes=len(body),
    )
    return Fetched(task=task, answer=answer, body=body)


class Shelf:
    """A tier without a network: pages from a dict. It is its own fetcher."""

    def __init__(self, pages: Mapping[str, bytes]) -> None:
        self.pages = pages
        self.contexts: list[FetchContext] = []
        self.closed = 0

    async def open(self, context: FetchContext) -> Shelf:
        self.contexts.append(context)
        return self

    async def get(self, task: FetchTask) -> Fetched | Failed:
        if task.url not in self.pages:
            return Failed(task=task, stage="fetch", reason="dns")
        return fetched(task, self.pages[task.url])

    async def close(self) -> None:
        self.closed += 1


class Wrapper:
    """A tier around `plain` that counts the kinds of tasks, and repeats what failed once."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.repeated = 0

    async def open(self, context: FetchContext) -> Wrapper:
        self.inner = await plain.open(context)
        return self

    async def get(self, task: FetchTask) -> Fetched | Failed:
        self.kinds[task.kind] += 1
        result = await self.inner.get(task)
        if isinstance(result, Failed):
            self.repeated += 1
            return await self.inner.get(task)
        return result

    async def close(self) -> None:
        await self.inner.close()


async def crawl_with(fetchers: Mapping[str, Tier], **options: Any) -> int:
    """The exit code of a crawl with tiers given as objects."""
    report = await Crawl(CrawlConfig(**{**QUICK, **options}), fetchers=fetchers).run()
    return report.exit_code


class TestEntryPoint:
    async def test_a_tier_of_an_installed_package_crawls_a_site(self, package: Path, db: Path) -> None:
        """No file of ours knows it."""
        web = SyntheticWeb(pages=0)
        web.page("/", "/a", "/b", "/missing")
        web.page("/a", "/b")
        web.page("/b")
        async with web.serve() as url:
            report = await crawl(seeds=[url], db=db, tiers="elsewhere", no_robots=False)

        assert (report.exit_code, report.totals.pages) == (0, 3)
        found = rows(
            db, "SELECT replace(url, (SELECT url FROM pages WHERE depth = 0), '/'), status FROM pages"
        )
        assert sorted(found) == [("/", 200), ("/a", 200), ("/b", 200), ("/missing", 404)]
        assert sys.modules["elsewhere_tier"].kinds == ["page"] * 4 + ["closed"]  # robots.txt: plain

    def test_the_command_takes_its_name(
        self, package: Path, db: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", str(package))
        web = SyntheticWeb(pages=0)
        web.page("/")
        with web.serve_in_thread() as url:
            finished = run_command(["--seed", url, "--db", db, "--tiers", "elsewhere", "--no-robots"])

        assert finished.code == 0, finished.stderr
        assert rows(db, "SELECT status FROM pages") == [(200,)]

    def test_a_plug_that_cannot_be_opened_is_refused_by_name(self, package: Path) -> None:
        with pytest.raises(BadConfig, match="fetch tier 'hollow' has no function open"):
            load_tiers("hollow")


class TestGivenObject:
    async def test_a_given_tier_fetches_the_pages(self, db: Path) -> None:
        shelf = Shelf({"http://h.test/": b"<a href=/a>a</a>", "http://h.test/a": b"<title>A</title>"})

        code = await crawl_with({"shelf": shelf}, seeds=["http://h.test/"], db=db, tiers="shelf")

        assert code == 0
        assert rows(db, "SELECT url, title FROM pages ORDER BY url") == [
            ("http://h.test/", None),
            ("http://h.test/a", "A"),
        ]
        assert shelf.closed == 1

    @pytest.mark.parametrize(
        "wrong",
        [{"status": "200"}, {"status": 99}, {"body_bytes": 2**70}, {"fetched_at": math.nan}, {"task": None}],
        ids=str,
    )
    async def test_a_tier_that_returns_impossible_values_fails_its_url_only(
        self, wrong: dict[str, Any], db: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        class OddShelf(Shelf):
            async def get(self, task: FetchTask) -> Fetched | Failed:
                result = await super().get(task)
                if isinstance(result, Failed) or not task.url.endswith("/odd"):
                    return result
                if "task" in wrong:
                    return replace(result, task=replace(task, url=CanonicalUrl("http://h.test/other")))
                return replace(result, answer=replace(result.answer, **wrong))

        pages = {"http://h.test/": b"<a href=/odd>a</a><a href=/a>b</a>", "http://h.test/a": b""}
        shelf = OddShelf({**pages, "http://h.test/odd": b""})

        code = await crawl_with({"shelf": shelf}, seeds=["http://h.test/"], db=db, tiers="shelf")

        assert code == 1
        assert rows(db, "SELECT url, reason FROM urls WHERE depth = 1 ORDER BY url") == [
            ("http://h.test/a", None),
            ("http://h.test/odd", "internal:ValueError"),
        ]
        assert "the fetch tier 'shelf' returned a result with" in caplog.text

    async def test_a_tier_learns_how_to_fetch_from_its_context(self, db: Path) -> None:
        shelf = Shelf({"http://h.test/": b""})
        options = {"header": ["X-Key: 1"], "timeout": 7.0, "max_body": 1000, "user_agent": "Me/1"}

        await crawl_with({"shelf": shelf}, seeds=["http://h.test/"], db=db, tiers="shelf", **options)

        [context] = shelf.contexts
        assert (context.user_agent, context.timeout, context.max_body) == ("Me/1", 7.0, 1000)
        assert (dict(context.headers), context.header_origins) == (
            {"X-Key": "1"},
            frozenset({"http://h.test"}),
        )
        assert [context.wants(kind) for kind in ("text/html", "image/png", None)] == [True, False, False]
        assert "X-Key" not in repr(context)

    async def test_with_save_bodies_a_tier_downloads_every_type(self, db: Path) -> None:
        shelf = Shelf({"http://h.test/": b""})

        await crawl_with({"shelf": shelf}, seeds=["http://h.test/"], db=db, tiers="shelf", save_bodies=True)

        [context] = shelf.contexts
        assert context.wants("image/png")
        assert context.keep_headers

    async def test_a_wrapper_given_as_plain_makes_every_request(self, db: Path) -> None:
        """A proxy pool or a signer must see the requests for robots.txt and sitemaps too."""
        wrapper = Wrapper()
        web = SyntheticWeb(pages=0)
        web.page("/", "/a")
        web.page("/a")
        async with web.serve() as url:
            options = {"no_robots": False, "sitemap": [f"{url}sitemap.xml"]}
            await crawl_with({"plain": wrapper}, seeds=[url], db=db, **options)

        assert wrapper.kinds == {"page": 2, "robots": 1, "sitemap": 1}

    async def test_a_wrapper_may_repeat_a_request(self, db: Path) -> None:
        wrapper, requests = Wrapper(), 0

        async def answer(request: Any) -> Any:
            from aiohttp import web

            nonlocal requests
            requests += 1
            if requests == 1:
                request.transport.abort()
            return web.Response(text="<title>second time</title>", content_type="text/html")

        async with serving(answer) as url:
            await crawl_with({"mine": wrapper}, seeds=[f"{url}/"], db=db, tiers="mine", retries=0)

        assert (requests, wrapper.repeated) == (2, 1)
        assert rows(db, "SELECT title, error FROM pages") == [("second time", None)]


class TestNames:
    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("curl", "unknown fetch tier 'curl'; known are plain"),
            ("plain,curl", "--tiers: must be the name of one fetch tier, not 'plain, curl'"),
            ("", "--tiers: must be the name of one fetch tier, not ''"),
        ],
    )
    def test_a_tier_that_cannot_be_used_ends_the_command_with_one_line(
        self, tmp_path: Path, name: str, line: str
    ) -> None:
        finished = run_command(["--seed", "http://h.test/", "--db", tmp_path / "x.db", "--tiers", name])

        assert (finished.code, finished.stdout) == (2, "")
        assert finished.stderr.splitlines() == [f"penstock: error: {line}"]
        assert not (tmp_path / "x.db").exists()

    def test_a_sequence_of_one_name_is_a_name(self) -> None:
        assert CrawlConfig(seeds=["http://h.test/"], tiers=["plain"]).tiers == ("plain",)


@in_virtual_time
class TestOpening:
    async def test_what_was_opened_is_closed_when_another_tier_cannot_be(self) -> None:
        class Broken:
            async def open(self, context: FetchContext) -> Shelf:
                raise BadConfig("no such browser")

        shelf = Shelf({})
        context = FetchContext(user_agent="x", headers={}, timeout=1, max_body=1, budget=BodyBudget(1))

        with pytest.raises(BadConfig, match="no such browser"):
            async with open_fetchers({"shelf": shelf, "broken": Broken()}, context):
                pass

        assert shelf.closed == 1
