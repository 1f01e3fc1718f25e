"""Synthetic web: drawn from a seed, served on loopback; it knows what a crawl must find.

    web = SyntheticWeb(seed=7, pages=200)
    async with web.serve() as url:      # or: with web.serve_in_thread() as url
        ...crawl url...
    web.expected(depth=3).pages         # what the crawl must have found
    web.requests["/p1.html"]            # how often it was asked for

A web by hand: `SyntheticWeb(pages=0)`, then `page` and `redirect`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from math import inf
from random import Random

from aiohttp import web as http

from tests.support.synthetic_web_answer import Expected, Rules, answer
from tests.support.synthetic_web_drawing import Drawing, draw_oddities, draw_pages
from tests.support.synthetic_web_resource import Mention, Places, Resource, encode

MAX_DELAY = 0.06  # seconds; the tail of the drawn latencies ends here


class SyntheticWeb:
    """A drawn web, its server and its answer."""

    def __init__(
        self,
        *,
        seed: int = 0,
        pages: int = 120,
        nofollow: bool = True,  # draw nofollow links and pages
        odd_spellings: bool = True,  # write URLs in ways only a WHATWG parser reads right
        failing: int = 2,  # URLs that answer 5xx for ever
        flaky: int = 2,  # URLs that answer 503 once or twice, then a page
        hub: int = 0,  # links of one more page, each to a page of its own
        disallow: Sequence[str] = (),  # prefixes that robots.txt forbids
        latency: float = 1.0,  # mean-ish delay of an answer, milliseconds, heavy-tailed; 0: none
    ) -> None:
        rng = Random(seed)
        drawing = Drawing(rng, odd_spellings)
        if pages:
            drawn = draw_pages(drawing, pages, nofollow=nofollow)
            draw_oddities(drawing, drawn, failing=failing, flaky=flaky, hub=hub)
        self.resources = drawing.resources
        for resource in self.resources.values():
            resource.delay = min(MAX_DELAY, latency / 1000 * (rng.paretovariate(1.2) - 1))
        self.disallow = tuple(disallow)
        self.requests: Counter[str] = Counter()  # by path, robots.txt apart
        self.robots_requests = 0
        self.strays: list[str] = []  # what the second origin was asked for: never anything
        self.coded_answers = 0  # bodies sent with a content-coding
        self._failures: Counter[str] = Counter()
        self._places: Places | None = None

    def page(self, path: str, *targets: str, delay: float = 0.0, title: str | None = None) -> Resource:
        """Add a page by hand that links to `targets` (paths)."""
        mentions = [Mention(href=target, target=target, markup="on", text="on") for target in targets]
        resource = Resource(path=path, title=title or path, mentions=mentions, delay=delay, body_note=path)
        self.resources[path] = resource
        return resource

    def redirect(self, path: str, target: str, *, status: int = 302, delay: float = 0.0) -> Resource:
        resource = Resource(path=path, status=status, location=target, redirect_to=target, delay=delay)
        self.resources[path] = resource
        return resource

    def expected(
        self,
        depth: float = inf,
        *,
        seeds: Sequence[str] = ("/",),
        robots: bool = False,
        include: str | None = None,
        exclude: str | None = None,
        retries: int = 3,
    ) -> Expected:
        """The right answer while this web is (or was last) served; patterns see the path only."""
        disallowed = self.disallow if robots else ()
        rules = Rules(
            depth=depth, seeds=seeds, disallowed=disallowed, include=include, exclude=exclude, retries=retries
        )
        return answer(self.resources, self._served_at(), rules)

    def forget(self) -> None:
        """Begin to count anew; what is flaky fails again."""
        self.requests.clear()
        self._failures.clear()
        self.robots_requests = 0

    def wait_for(self, path: str, *, timeout: float = 30.0) -> None:
        """Wait, outside the web's own event loop, until `path` was asked for."""
        deadline = time.monotonic() + timeout
        while not self.requests[path]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} was not asked for within {timeout} s")
            time.sleep(0.005)

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback and yield the seed's URL; port 0 takes any free one."""
        # Whoever still waits for a slow answer when the web ends is not waited for.
        here = http.ServerRunner(http.Server(self._answer), shutdown_timeout=0.05)
        away = http.ServerRunner(http.Server(self._stray), shutdown_timeout=0.05)
        try:
            self._places = Places(here=await _listen(here, port), away=await _listen(away, 0))
            yield f"{self._places.here}/"
        finally:
            await here.cleanup()
            await away.cleanup()

    @contextmanager
    def serve_in_thread(self, port: int = 0) -> Iterator[str]:
        """Serve from a thread of its own, for crawls that are killed while the web lives on."""
        started = threading.Event()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        base: list[str] = []

        async def live() -> None:
            try:
                async with self.serve(port) as url:
                    base.append(url)
                    started.set()
                    await stop.wait()
            finally:
                started.set()

        def run() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(live())

        thread = threading.Thread(target=run, name="synthetic-web")
        thread.start()
        try:
            started.wait()
            yield base[0]
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(stop.set)
            thread.join()

    def _served_at(self) -> Places:
        if self._places is None:
            raise RuntimeError("this web has not been served yet, so it has no address to answer for")
        return self._places

    async def _answer(self, request: http.BaseRequest) -> http.StreamResponse:
        path = request.raw_path
        if path == "/robots.txt":
            self.robots_requests += 1
            lines = [f"Disallow: {prefix}" for prefix in self.disallow]
            return http.Response(text="\n".join(["User-agent: *", *lines, ""]), status=200 if lines else 404)
        self.requests[path] += 1
        resource = self.resources.get(path)
        if resource is None:
            return http.Response(status=404, text="<a href=/from-an-error>", content_type="text/html")
        await asyncio.sleep(resource.delay)
        if self._failures[path] < resource.fails_first:
            self._failures[path] += 1
            return http.Response(status=503, headers={"Retry-After": "0"}, content_type="text/html")
        return await self._send(request, resource)

    async def _send(self, request: http.BaseRequest, resource: Resource) -> http.StreamResponse:
        body, headers = resource.body(self._served_at()), resource.headers(self._served_at())
        if resource.coding and resource.coding in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = encode(body, resource.coding), resource.coding
            self.coded_answers += 1
        if not resource.chunked:
            return http.Response(status=resource.status, body=body, headers=headers)
        response = http.StreamResponse(status=resource.status, headers=headers)
        response.enable_chunked_encoding()
        with suppress(ConnectionResetError):  # the crawler was killed, or has seen enough
            await response.prepare(request)
            await response.write(body)
            await response.write_eof()
        return response

    async def _stray(self, request: http.BaseRequest) -> http.StreamResponse:
        self.strays.append(request.raw_path)
        return http.Response(status=500)


async def _listen(runner: http.ServerRunner, port: int) -> str:
    await runner.setup()
    site = http.TCPSite(runner, "127.0.0.1", port, backlog=1024, reuse_address=True)
    await site.start()
    taken = runner.addresses[0][1]
    return f"http://127.0.0.1:{taken}"
