"""What pages load, in whole crawls: asked once each, told with the pages that use it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace

from penstock.crawler.messages import CanonicalUrl, Dead, Document, Failed, ParsedPage, Resource, RetryAt
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.sessions import Sessions
from penstock.crawler.ports import Pending
from penstock.crawler.scheduler.frontier import DeferredUrls
from penstock.crawler.scheduler.throttle import Clock
from penstock.stages.extractors.fields.field_extractor import FieldExtractor
from penstock.stages.extractors.fields.page_resources import MAX_RESOURCE_CHARS, MAX_RESOURCES, candidates
from penstock.stages.extractors.fields.plan import Plan
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.store import StoreStage
from tests.support.app_server import serving
from tests.support.crawls import (
    QUICK_FLAGS,
    check_invariants,
    crawl,
    equal_crawls,
    rows,
    run_command,
    start_command,
)
from tests.support.database_rows import CrawlFile
from tests.support.fakes import MemoryCrawl, answer, task

USES = "SELECT page, resource, kind FROM resource_uses ORDER BY page, resource, kind"
RESOURCES = (
    "SELECT url, kind, state, status, content_type, bytes, error, redirect_to FROM resources ORDER BY url"
)


class Site:
    """Pages as texts, where `{cdn}` is another site; resources by path: (status, type or location)."""

    def __init__(
        self, pages: Mapping[str, str], resources: Mapping[str, tuple[int, str]], cdn: str = ""
    ) -> None:
        self.pages = pages
        self.resources = resources
        self.cdn = cdn
        self.no_head: set[str] = set()
        self.asked: Counter[str] = Counter()  # "METHOD path"
        self.waits: dict[str, asyncio.Event] = {}  # a path is answered when this is set ...
        self.wakes: dict[str, asyncio.Event] = {}  # ... which is when that one is asked for
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path_qs
        self.asked[f"{request.method} {path}"] += 1
        if path in self.wakes:
            self.wakes[path].set()
        if path in self.waits:
            await self.waits[path].wait()
        if path in self.pages:
            kind = "text/plain" if path == "/robots.txt" else "text/html"
            return web.Response(text=self.pages[path].replace("{cdn}", self.cdn), content_type=kind)
        if request.method == "HEAD" and path in self.no_head:
            return web.Response(status=405)
        status, about = self.resources.get(path, (404, "text/html"))
        if 300 <= status < 400:
            return web.Response(status=status, headers={"Location": about})
        return web.Response(status=status, body=b"12345", content_type=about)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        async with serving(self.answer) as self.url:
            yield self.url


HOME = """<!doctype html><title>t</title><link rel=stylesheet href=/gone.css>
<link rel="shortcut icon" href=/icon.png><link rel=canonical href=/><link rel=preload as=font href=/f.woff2>
<img src="/a.png#top" srcset="/a-1x.png 1x, {cdn}/a-2x.png 2x"><img src="data:image/png;base64,AA==">
<script src={cdn}/lib.js></script><video src=/v.mp4 poster=/p.jpg><track src=/v.vtt></video>
<picture><source src=/ignored.mp4 srcset="/w.webp"><img src=/broken.png></picture>
<iframe src=/frame></iframe><object data=/o.swf></object><a href=/two>two</a>"""
TWO = "<title>two</title><img src=/broken.png><script src={cdn}/lib.js></script><img src=/moved.png>"


def shop(cdn: str) -> Site:
    return Site(
        {"/": HOME, "/two": TWO},
        {
            **dict.fromkeys(("/icon.png", "/a.png", "/a-1x.png", "/p.jpg", "/w.webp"), (200, "image/png")),
            **dict.fromkeys(("/v.mp4", "/v.vtt"), (200, "video/mp4")),
            "/f.woff2": (200, "font/woff2"),
            "/o.swf": (200, "application/octet-stream"),
            "/broken.png": (500, "text/html"),
            "/moved.png": (301, "/moved-again.png"),
            "/moved-again.png": (302, "/lost.png"),
        },
        cdn,
    )


@asynccontextmanager
async def shop_and_cdn() -> AsyncIterator[tuple[Site, Site]]:
    cdn = Site({}, {"/a-2x.png": (200, "image/png"), "/lib.js": (200, "text/javascript")})
    cdn.no_head.add("/lib.js")
    async with cdn.serve() as elsewhere:
        site = shop(elsewhere)
        async with site.serve():
            yield site, cdn


class TestCrawl:
    async def test_every_resource_of_the_stored_pages_is_asked_once_on_any_host(self, tmp_path: Path) -> None:
        """A HEAD each; a GET where the HEAD is refused; four requests where a 500 may pass."""
        db = tmp_path / "crawl.db"
        async with shop_and_cdn() as (site, cdn):
            report = await crawl(seeds=[site.url + "/"], db=db, resources=True)
        at, far = site.url, cdn.url

        assert report.exit_code == 0
        assert rows(db, RESOURCES) == sorted(
            [
                *(
                    (f"{at}/{name}", kind, "done", 200, about, 5, None, None)
                    for name, kind, about in [
                        ("a.png", "image", "image/png"),
                        ("a-1x.png", "image", "image/png"),
                        ("f.woff2", "font", "font/woff2"),
                        ("icon.png", "icon", "image/png"),
                        ("o.swf", "object", "application/octet-stream"),
                        ("p.jpg", "image", "image/png"),
                        ("v.mp4", "media", "video/mp4"),
                        ("v.vtt", "media", "video/mp4"),
                        ("w.webp", "image", "image/png"),
                    ]
                ),
                (f"{at}/broken.png", "image", "failed", 500, "text/html", 5, "http_500", None),
                (f"{at}/gone.css", "style", "failed", 404, "text/html", 5, "http_404", None),
                (f"{at}/lost.png", None, "failed", 404, "text/html", 5, "http_404", None),
                (f"{at}/moved-again.png", None, "done", 302, *AS_REDIRECT, f"{at}/lost.png"),
                (f"{at}/moved.png", "image", "done", 301, *AS_REDIRECT, f"{at}/moved-again.png"),
                (f"{far}/a-2x.png", "image", "done", 200, "image/png", 5, None, None),
                (f"{far}/lib.js", "script", "done", 200, "text/javascript", 5, None, None),
            ]
        )
        assert +cdn.asked == {"HEAD /a-2x.png": 1, "HEAD /lib.js": 1, "GET /lib.js": 1}
        assert site.asked["HEAD /a.png"] == 1
        assert site.asked["GET /a.png"] == 0
        assert site.asked["HEAD /gone.css"] == site.asked["GET /gone.css"] == 1
        assert (site.asked["HEAD /broken.png"], site.asked["GET /broken.png"]) == (1, 3)
        assert not {path for path in site.asked if "frame" in path or "ignored" in path}
        assert rows(db, "SELECT sum(resource_requests), sum(requests), sum(retries) FROM runs") == [
            (site.asked.total() + cdn.asked.total() - 2, 2, 0)
        ]

    async def test_what_is_broken_is_told_with_every_page_that_uses_it(self, tmp_path: Path) -> None:
        """Where a redirect ends broken, so is what the page names."""
        db = tmp_path / "crawl.db"
        async with shop_and_cdn() as (site, _):
            await crawl(seeds=[site.url + "/"], db=db, resources=True, retries=0)
        at = site.url

        assert rows(db, "SELECT * FROM broken_resources") == [
            (f"{at}/", f"{at}/broken.png", "image", 500, "http_500", None),
            (f"{at}/two", f"{at}/broken.png", "image", 500, "http_500", None),
            (f"{at}/", f"{at}/gone.css", "style", 404, "http_404", None),
            (f"{at}/two", f"{at}/moved.png", "image", 404, "http_404", f"{at}/lost.png"),
        ]
        assert site.asked["GET /broken.png"] == 1  # without any retry
        assert (f"{at}/two", f"{at}/broken.png", "image") in rows(db, USES)

    async def test_a_crawl_without_them_is_the_same_and_asks_for_none(self, tmp_path: Path) -> None:
        with_them, without = tmp_path / "with.db", tmp_path / "without.db"
        async with shop_and_cdn() as (site, cdn):
            seed = site.url + "/"
            one = await crawl(seeds=[seed], db=with_them, resources=True)
            site.asked.clear()
            cdn.asked.clear()
            other = await crawl(seeds=[seed], db=without)

        assert site.asked == {"GET /": 1, "GET /two": 1}
        assert not cdn.asked
        assert rows(without, RESOURCES) == rows(without, USES) == []
        assert equal_crawls(with_them, without) == []
        assert one.totals.states == other.totals.states
        assert (one.totals.requests, one.this_run.pages) == (other.totals.requests, other.this_run.pages)
        for query in (
            "SELECT host, urls, done, failed, pages FROM hosts",
            "SELECT * FROM depths",
            "SELECT * FROM status_codes",
        ):
            assert rows(with_them, query) == rows(without, query)
        broken = "SELECT page, resource, status, reason, kind FROM broken_resources ORDER BY resource, page"
        assert rows(with_them, "SELECT * FROM broken_links") == rows(with_them, broken) != []
        assert rows(without, "SELECT * FROM broken_links") == []
        assert check_invariants(with_them) == check_invariants(without) == []

    async def test_what_robots_txt_disallows_is_not_asked(self, tmp_path: Path) -> None:
        """That of the resource's own host; and it is no broken resource."""
        db = tmp_path / "crawl.db"
        async with shop_and_cdn() as (site, cdn):
            cdn.pages = {"/robots.txt": "User-agent: *\nDisallow: /lib"}
            report = await crawl(seeds=[site.url + "/"], db=db, resources=True, no_robots=False)

        assert (report.this_run.pending, report.this_run.skipped) == (0, 1)  # the frame: a link
        assert cdn.asked == {"GET /robots.txt": 1, "HEAD /a-2x.png": 1}
        assert rows(db, f"SELECT state, status, error FROM resources WHERE url = '{cdn.url}/lib.js'") == [
            ("skipped", None, "robots")
        ]
        assert rows(db, f"SELECT * FROM broken_resources WHERE resource LIKE '{cdn.url}%'") == []

    async def test_heavy_pages_are_read_elsewhere_and_yield_the_same(self, tmp_path: Path) -> None:
        async with shop_and_cdn() as (site, _):
            await crawl(seeds=[site.url + "/"], db=tmp_path / "light.db", resources=True, retries=0)
            site.pages = {path: text + "<!--" + "x" * 30_000 + "-->" for path, text in site.pages.items()}
            await crawl(seeds=[site.url + "/"], db=tmp_path / "heavy.db", resources=True, retries=0)

        assert rows(tmp_path / "heavy.db", USES) == rows(tmp_path / "light.db", USES) != []

    async def test_no_address_that_is_not_public_is_asked_with_public_only(self, tmp_path: Path) -> None:
        """The pages are stored before, for a seed at such an address would be skipped too."""
        db = tmp_path / "crawl.db"
        async with shop_and_cdn() as (site, _):
            await crawl(seeds=[site.url + "/"], db=db, resources=True, max_pages=2)
            asked = site.asked.total()
            await crawl(seeds=[site.url + "/"], db=db, resources=True, public_only=True, max_pages=9)
        assert site.asked.total() == asked
        assert {row[0] for row in rows(db, "SELECT error FROM resources")} >= {"address"}

    async def test_a_dead_host_makes_its_resources_broken(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with shop_and_cdn() as (site, cdn):
            pass
        site.cdn = cdn.url  # nobody listens there any more
        async with site.serve():
            await crawl(seeds=[site.url + "/"], db=db, resources=True, retries=0)

        query = f"SELECT page, resource, status FROM broken_resources WHERE resource LIKE '{cdn.url}/lib%'"
        assert rows(db, query) == [(f"{site.url}/{page}", f"{cdn.url}/lib.js", None) for page in ("", "two")]

    @pytest.mark.parametrize(
        ("reason", "broken"),
        [
            *((f"http_{status}", True) for status in (400, 404, 410, 500, 503)),
            *((reason, True) for reason in ("dns", "refused", "timeout_read", "tls", "host_unreachable")),
            *((reason, False) for reason in ("http_403", "http_429", "retry_after_too_long")),
            *((reason, False) for reason in ("robots_unreachable", "internal:KeyError")),
        ],
    )
    def test_a_refusal_does_not_tell_that_it_is_gone(self, tmp_path: Path, reason: str, broken: bool) -> None:
        """As with links; but a host that never answered loads nothing."""
        with CrawlFile(tmp_path / "crawl.db") as crawl_file:
            crawl_file.page("http://h/")
            page, used = crawl_file.number("http://h/"), crawl_file.url("http://h/x", "failed", reason=reason)
            crawl_file.db.execute("UPDATE url SET kind = 2 WHERE id = ?", (used,))
            use = (page, used, crawl_file.phrase("image"))
            crawl_file.db.execute("INSERT INTO resource_use VALUES (?, ?, ?)", use)
            found = crawl_file.db.execute("SELECT page, resource, kind FROM broken_resources").fetchall()

        assert found == ([("http://h/", "http://h/x", "image")] if broken else [])


AS_REDIRECT = (None, None, None)  # type, bytes and error: nothing is said of these


class TestRedirects:
    async def test_the_operators_url_rules_are_for_links(self, tmp_path: Path) -> None:
        """A browser loads what the page says, version and all."""
        site = Site({"/": "<img src=/a?v=1>"}, {"/a?v=1": (302, "/b?v=2"), "/b?v=2": (200, "image/png")})
        async with site.serve() as url:
            await crawl(seeds=[url + "/"], db=tmp_path / "crawl.db", resources=True, strip_param=["v"])

        assert site.asked == {"GET /": 1, "HEAD /a?v=1": 1, "HEAD /b?v=2": 1}

    async def test_a_circle_is_broken(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        site = Site(
            {"/": "<img src=/a><img src=/in>"}, {"/a": (302, "/b"), "/b": (302, "/a"), "/in": (302, "/a")}
        )
        async with site.serve() as url:
            await crawl(seeds=[url + "/"], db=db, resources=True)

        assert site.asked == {"GET /": 1, "HEAD /a": 1, "HEAD /b": 1, "HEAD /in": 1}
        assert rows(db, "SELECT resource, reason FROM broken_resources") == [
            (f"{url}/a", "redirect_loop"),
            (f"{url}/in", "redirect_loop"),
        ]

    @pytest.mark.parametrize("late", [False, True])
    async def test_twenty_in_a_row_are_followed_from_whatever_a_page_names(
        self, tmp_path: Path, late: bool
    ) -> None:
        """Also from what another page names when the chain was followed to its limit already."""
        db = tmp_path / "crawl.db"
        chain = {f"/r{n}": (302, f"/r{n + 1}") for n in range(60)}
        site = Site({"/": "<img src=/r0><a href=/two>2</a>", "/two": "<img src=/r10>"}, chain)
        if late:
            site.waits["/two"] = site.wakes["/r20"] = asyncio.Event()
        async with site.serve() as url:
            await crawl(seeds=[url + "/"], db=db, resources=True)

        assert [n for n in range(60) if site.asked[f"HEAD /r{n}"]] == list(range(31))
        assert max(site.asked.values()) == 1
        assert rows(db, "SELECT url, error FROM resources WHERE state <> 'done'") == [
            (f"{url}/r31", "redirect_limit")
        ]
        assert rows(db, "SELECT page, redirects_to FROM broken_resources") == [
            (f"{url}/", f"{url}/r31"),
            (f"{url}/two", f"{url}/r31"),
        ]


class TestRuns:
    async def test_what_a_budget_left_waits_for_the_next_run_that_wants_it(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with shop_and_cdn() as (site, cdn):
            seed = site.url + "/"
            ended = await crawl(seeds=[seed], db=db, resources=True, depth=0, max_pages=1)
            assert ended.exit_code == 3
            asked = site.asked.total()
            off = await crawl(seeds=[seed], db=db, depth=0)
            assert (off.exit_code, off.nothing_to_do, site.asked.total()) == (0, True, asked)
            on = await crawl(seeds=[seed], db=db, resources=True, depth=0)

        assert (on.exit_code, on.nothing_to_do) == (0, False)
        assert ended.totals.resources == {"pending": 13}
        assert off.totals.resources == {"skipped": 13}
        assert on.totals.resources == {"done": 11, "failed": 2}
        assert cdn.asked["HEAD /a-2x.png"] == 1
        assert rows(db, "SELECT count(*) FROM resources WHERE state IN ('pending', 'skipped')") == [(0,)]

    async def test_retry_failed_gives_them_another_chance(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with shop_and_cdn() as (site, _):
            await crawl(seeds=[site.url + "/"], db=db, resources=True, retries=0)
            site.resources = {**site.resources, "/gone.css": (200, "text/css")}
            await crawl(seeds=[site.url + "/"], db=db, resources=True, retries=0, retry_failed=True)

        assert rows(db, "SELECT state, status FROM resources WHERE url LIKE '%gone.css'") == [("done", 200)]

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals as POSIX has them")
    def test_killed_and_resumed_the_rows_are_the_same(self, tmp_path: Path) -> None:
        """Ended in the midst of the pages, then twice in the midst of the resources."""
        pages = {"/": "".join(f"<a href=/p{n}>{n}</a>" for n in range(30))}
        pages |= {
            f"/p{n}": f"<img src=/i{n}.png><img src=/i{n + 1}.png><script src=/s.js>" for n in range(30)
        }
        found = {f"/i{n}.png": (200, "image/png") for n in range(0, 31, 2)}
        site = Site(pages, found)
        flags = (*QUICK_FLAGS, "--resources", "--fetchers", "4", "--delay", "0.004", "--per-host", "4")
        with in_thread(site) as url:
            seed = ("--seed", f"{url}/", *flags)
            assert run_command((*seed, "--db", tmp_path / "peace.db")).code == 0
            once = Counter(site.asked)
            site.asked.clear()
            db = tmp_path / "killed.db"
            for requests in (20, 40, 55):
                with start_command((*seed, "--db", db)) as process:
                    while site.asked.total() < requests and process.poll() is None:
                        threading.Event().wait(0.001)
                    process.kill()
                    process.communicate()
                assert process.returncode == -signal.SIGKILL
            assert run_command((*seed, "--db", db)).code == 0

        for query in (USES, RESOURCES, "SELECT * FROM broken_resources"):
            assert rows(db, query) == rows(tmp_path / "peace.db", query) != []
        assert equal_crawls(db, tmp_path / "peace.db") == []
        again = {what: count - once[what] for what, count in site.asked.items()}
        assert min(again.values()) >= 0
        assert sum(again.values()) <= 3 * 2 * 64  # pages and resources in flight, or in a commit
        assert check_invariants(db) == []


@contextmanager
def in_thread(site: Site) -> Iterator[str]:
    """Serve while a command in another process crawls."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with site.serve():
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield site.url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


class TestJudging:
    """A first request is a HEAD, whose refusal says little."""

    def judged(self, status: int, attempt: int, **fields: float) -> object:
        of = task("http://h/a.png", attempt=attempt, kind="resource")
        return stage().judge(ParsedPage(task=of, answer=answer(status, **fields)))

    @pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 500, 501, 503])
    def test_what_a_head_is_refused_is_asked_for_once_more(self, status: int) -> None:
        assert isinstance(self.judged(status, 1), RetryAt)
        assert isinstance(self.judged(status, 2), Dead)

    @pytest.mark.parametrize(("reason", "again"), [("bad_http", True), ("reset", True), ("dns", False)])
    def test_what_a_head_breaks_a_get_may_not(self, reason: str, again: bool) -> None:
        """Servers that send a body with a HEAD, or hang up: not even without retries are they broken."""
        of = task("http://h/a.png", kind="resource")
        verdict = stage().judge(Failed(task=of, stage="fetch", reason=reason))

        assert isinstance(verdict, RetryAt if again else Dead)

    def test_too_many_requests_are_too_many_by_any_method(self) -> None:
        assert isinstance(self.judged(429, 1), Dead)
        assert isinstance(self.judged(503, 1, retry_after=1e6), Dead)


def stage() -> StoreStage:
    return StoreStage(store=MemoryCrawl(), frontier=FakeFrontier(), retry=Retry(retries=0), clock=Clock())


class FakeFrontier:
    def settled(self, verdict: object, saved: object) -> None: ...


class TestPages:
    def read(self, html: str) -> Sequence[Resource]:
        extractor = HtmlExtractor(fields=FieldExtractor(Plan(resources=True)))
        return extractor.read(Document(url=CanonicalUrl("http://h/"), body=html.encode())).resources

    @pytest.mark.parametrize(
        ("html", "use"),
        [
            ("<img src=/x>", "image"),
            ("<img srcset='/x 2x'>", "image"),
            ("<img src=/x loading=lazy>", "image"),
            ("<image src=/x>", "image"),  # another spelling of img
            ("<picture><source srcset=/x></picture>", "image"),
            ("<picture><source src=/x></picture>", None),
            ("<input type=image src=/x>", "image"),
            ("<input type=IMAGE src=/x>", "image"),
            ("<input src=/x>", None),
            ("<input type=text src=/x>", None),
            ("<script src=/x></script>", "script"),
            ("<script type=module src=/x></script>", "script"),
            ("<script async src=/x nomodule></script>", "script"),
            ("<script>x = '<img src=/x>'</script>", None),
            ("<video src=/x></video>", "media"),
            ("<video poster=/x></video>", "image"),
            ("<video><source src=/x></video>", "media"),
            ("<video><source srcset=/x></video>", None),
            ("<video><track src=/x></video>", "media"),
            ("<audio src=/x poster=/y>", "media"),
            ("<audio><source src=' /x\n#t=1'></audio>", "media"),
            ("<object data=/x type='image/svg+xml'></object>", "object"),
            ("<object><img src=/x></object>", "image"),
            ("<object type=x><param name=movie value=/x></object>", None),
            ("<embed src=/x>", "object"),
            ("<a href=/x>x</a><area href=/x>", None),
            ("<iframe src=/x></iframe>", None),
            ("<blockquote cite=/x></blockquote><form action=/x><button formaction=/x></button></form>", None),
            # link
            ("<link rel=stylesheet href=/x>", "style"),
            ("<link rel='alternate STYLESHEET' href=/x>", "style"),
            ("<link rel=stylesheet media=print disabled href=/x>", "style"),
            ("<body><link rel=stylesheet href=/x>", "style"),
            ("<link rel='preload stylesheet' as=font href=/x>", "style"),
            ("<link rel=preload as=style href=/x>", "style"),
            ("<link rel=preload as=Script href=/x>", "script"),
            ("<link rel=preload as=image href=/x>", "image"),
            ("<link rel=preload as=image imagesrcset='/x 1x'>", "image"),
            ("<link rel=preload as=font imagesrcset='/x 1x'>", None),
            ("<link rel=preload as=font href=/x>", "font"),
            ("<link rel=preload as=video href=/x>", "media"),
            ("<link rel=preload as=audio href=/x>", "media"),
            ("<link rel=preload as=track href=/x>", "media"),
            ("<link rel=preload as=fetch href=/x>", None),
            ("<link rel=preload href=/x>", None),
            ("<link rel=modulepreload href=/x>", "script"),
            ("<link rel=manifest href=/x>", "manifest"),
            ("<link rel=icon href=/x>", "icon"),
            ("<link rel='shortcut icon' href=/x>", "icon"),
            ("<link rel='SHORTCUT\nICON' href=/x>", "icon"),
            ("<link rel=apple-touch-icon href=/x>", "icon"),
            ("<link rel=apple-touch-icon-precomposed href=/x>", "icon"),
            ("<link rel=mask-icon href=/x>", "icon"),
            ("<link rel=apple-touch-startup-image href=/x>", "image"),
            *(
                (f"<link rel='{rel}' href=/x>", None)
                for rel in (
                    "next",
                    "prefetch",
                    "preconnect",
                    "dns-prefetch",
                    "canonical",
                    "alternate",
                    "shortcut",
                )
            ),
            # background, where a browser draws it
            *(
                (f"<table>{before}<{tag} background=/x>", "image")
                for tag, before in [
                    ("thead", ""),
                    ("tbody", ""),
                    ("tfoot", ""),
                    ("tr", ""),
                    ("td", "<tr>"),
                    ("th", "<tr>"),
                ]
            ),
            ("<body background=/x>", "image"),
            ("<table background=/x>", "image"),
            ("<div background=/x></div><p background=/x>", None),
            # SVG
            ("<svg><image href=/x /></svg>", "image"),
            ("<svg><image xlink:href=/x /></svg>", "image"),
            ("<svg><image href=/x xlink:href=/y /></svg>", "image"),
            ("<svg><filter><feImage href=/x /></filter></svg>", "image"),
            ("<svg><filter><feimage xlink:href=/x /></filter></svg>", "image"),
            ("<svg><use href='/x#i'/></svg>", "image"),
            ("<svg><use xlink:href='/x#i'/></svg>", "image"),
            ("<svg><use href='#i'/><use xlink:href='#j'/></svg>", None),
            ("<base href=/x><svg><use href='#i'/></svg>", None),
            ("<svg><a href=/x><text>x</text></a><a xlink:href=/x></a></svg>", None),
            ("<svg><script href=/x></script></svg>", "script"),
            ("<svg><script xlink:href=/x></script></svg>", "script"),
            ("<svg><style>p { fill: url(/x) }</style></svg>", "image"),
            ("<svg><foreignObject><img src=/x></foreignObject></svg>", "image"),
            # styles
            ("<style>@import '/x';</style>", "style"),
            ("<style>@font-face { src: url(/x) }</style>", "font"),
            ("<style>p { background: url(/x) }</style>", "image"),
            ("<style type='TEXT/CSS' media=print>p { background: url(/x) }</style>", "image"),
            ("<style type='text/less'>p { background: url(/x) }</style>", None),
            ("<body><style>p { background: image-set('/x' 1x) }</style>", "image"),
            ("<style>/* url(/x) */ p { fill: url(#x) } b { content: 'url(/x)' }</style>", None),
            ("<p style='background: url(/x)'>", "image"),
            ("<p style='background: url(&quot;/x&quot;)'>", "image"),
            ("<img style='background: url(/x)'>", "image"),
            ("<p style='color: red' title='url(/x)'>", None),
            # without scripts, and within
            ("<noscript><img src=/x></noscript>", "image"),
            ("<head><noscript><link rel=stylesheet href=/x></noscript></head>", "style"),
            ("<head><noscript><style>p { background: url(/x) }</style></noscript></head>", "image"),
            ("<template><img src=/x></template>", None),
            ("<p><template shadowrootmode=open><img src=/x></template>", "image"),
            ("<iframe srcdoc='<img src=/x>'></iframe>", "image"),
            ("<iframe srcdoc='<img src=/x>' src=/y></iframe>", "image"),
            ("<!-- <img src=/x> --><textarea><img src=/x></textarea>", None),
            # what is no URL of a file
            (
                "<img src><img src='#x'><script>x</script><object data></object><video poster=''></video>",
                None,
            ),
            ("<img src=ftp://h/x><img src='javascript:x'><img src='DATA:,x'>", None),
            ("<img src=blob:http://h/x><img src=about:blank><embed src=mailto:x@h>", None),
            (
                "<p style='background: url(data:,x), url(#x)'><img srcset='data:,x 1x, blob:http://h/x 2x'>",
                None,
            ),
            ("<img data-src=/x data-srcset=/x>", None),
        ],
    )
    def test_what_is_loaded_and_as_what(self, html: str, use: str | None) -> None:
        assert [(found.url, found.use) for found in self.read(html)] == ([("http://h/x", use)] if use else [])

    def test_the_documents_within_are_bounded(self) -> None:
        """As their links are, so that what a page loads does not depend on where it is read."""
        deep, html = "<img src=/x>", ""
        for _ in range(5):
            deep = f"<template shadowrootmode=open><p>{deep}</p></template>"
        wide = "<iframe srcdoc='" + "<i>" * 1_001 + "<img src=/x>'></iframe>"
        long = "<iframe srcdoc='" + "x" * (1 << 20) + "<img src=/x>'></iframe>"
        for html in (f"<p>{deep}", wide, long):
            assert self.read(html + "<img src=/y>") == (Resource(CanonicalUrl("http://h/y"), "image"),)

    def test_a_page_names_so_many_and_no_more(self) -> None:
        html = "".join(f"<img src=/{n}><img src=/{n}>" for n in range(MAX_RESOURCES + 5))

        assert [found.url for found in self.read(html)] == [f"http://h/{n}" for n in range(MAX_RESOURCES)]

    def test_their_urls_are_bounded_too(self) -> None:
        html = "".join(f"<img src=/{n}{'x' * 2000}>" for n in range(1_100))

        assert sum(len(found.url) for found in self.read(html)) <= MAX_RESOURCE_CHARS


def test_a_resource_is_no_trap() -> None:
    """What may carry a session id is judged by its page, and a resource has none."""
    sessions = Sessions()
    for value in "abc":
        sessions.note(CanonicalUrl(f"http://h/p?PHPSESSID={value}"), b"the same", 1)
    deferred_urls = DeferredUrls(MemoryCrawl(), sessions)
    late = Pending(CanonicalUrl("http://h/p?PHPSESSID=d"), "h", 2, 0, "page", deferred=True)

    assert deferred_urls.rule(late) == "trap:session"
    assert deferred_urls.rule(replace(late, kind="resource")) is None


@pytest.mark.parametrize(
    ("srcset", "urls"),
    [
        ("a.png", ["a.png"]),
        ("a.png 1x, b.png 2x", ["a.png", "b.png"]),
        ("a.png 1x,b.png 2x", ["a.png", "b.png"]),
        ("a.png, b.png", ["a.png", "b.png"]),
        ("a.png,b.png", ["a.png,b.png"]),  # a comma within is part of the URL
        (" , a.png 100w 50h ,, b.png\n200w,", ["a.png", "b.png"]),
        ("a.png (x, y) 1x, b.png", ["a.png", "b.png"]),
        ("a.png (x, y", ["a.png"]),
        ("/w_100,h_200/a.png 1x, /w_200,h_400/a.png 2x", ["/w_100,h_200/a.png", "/w_200,h_400/a.png"]),
        ("a.png 100w,\n\tb.png 200w,\n", ["a.png", "b.png"]),
        ("a.png?x=(1,2) 1x, b.png", ["a.png?x=(1,2)", "b.png"]),
        # The Web Platform Tests' table of "parse a srcset attribute"; a stands for the first URL, and so on.
        (",", []),
        (",,,", []),
        ("  a  1x  ", ["a"]),
        ("\t\ta\t\t1x\t\t", ["a"]),
        ("\n\na\n\n1x\n\n", ["a"]),
        ("\f\fa\f\f1x\f\f", ["a"]),
        ("\r\ra\r\r1x\r\r", ["a"]),
        *((f"{c}{c}a{c}{c}1x{c}{c}", [f"{c}{c}a{c}{c}1x{c}{c}"]) for c in "\x0b\x0e\x0f\x10\xa0"),
        ("a ", ["a"]),
        ("a ,", ["a"]),
        ("a,", ["a"]),
        ("a, ", ["a"]),
        ("a,,,", ["a"]),
        ("a,, , ", ["a"]),
        (",,,a", ["a"]),
        (" , ,,a", ["a"]),
        ("a 1x,", ["a"]),
        ("a 1x 1x ( , b 1x, ), c", ["c"]),
        ("a 1x 1x ((( , b 1x, ), c", ["c"]),
        ("a 1x 1x [ , b 1x, ], c", ["b", "]", "c"]),
        ("a 1x 1x { , b 1x, }, c", ["b", "}", "c"]),
        ('a 1x 1x " , b 1x, ", c', ["b", '"', "c"]),
        ("a 1x 1x \\,b;\\,b, c", ["b;\\,b", "c"]),
        ("a, b (", ["a", "b"]),
        ("a, b (,", ["a", "b"]),
        ("a, b ()", ["a", "b"]),
        ("a 1x 1x (, b", []),
        ("a 1x 1x /*, b, c */", ["b", "c"]),
        ("a 1x 1x //, b", ["b"]),
        *(
            (f"a {known}", ["a"])
            for known in (
                "foo",
                "foo 1x",
                "foo 1w foo",
                "1w 1h",
                "1h 1w",
                "-1w",
                "1.0w",
                "1e0w",
                "1w 1www",
                "+1w",
            )
        ),
        *((f"a {known}", ["a"]) for known in ("1W", "NaNw", "0x", "-0x", "-1x", "1x -1x", "1E0x", "1.5e1x")),
        *(
            (f"a {known}", ["a"])
            for known in ("1x 1e1.5x", "1x +1x", "1x 1X", "1w 1h -1h", "1w 1h 1.0h", ".5x")
        ),
        *(
            (f"a {wrong}", [])
            for wrong in ("1w 1w", "1w 1x", "1x 1w", "1h 1h", "1h 1x", "1h 1w 1x", "1x 1w 1h")
        ),
        *((f"a {wrong}", []) for wrong in ("1h", "1h foo", "foo 1h", "0w", "1x -0x", "1x 1.5e1x", "1x 1.0x")),
        ("a 1w 0h", []),
        ("a 1x 2x, b 1x", ["b"]),
        ("data:image/png;base64,AA== 1x, b.png 2x", ["data:image/png;base64,AA==", "b.png"]),
        ("", []),
        (" , ", []),
    ],
)
def test_a_srcset_is_read_as_browsers_read_it(srcset: str, urls: list[str]) -> None:
    assert list(candidates(srcset)) == urls
