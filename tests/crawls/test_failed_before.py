"""A finished crawl, run again: which of its failed URLs are requested again, and how the run ends.

The rule: what failed for want of an answer may pass and is requested once more; an answer is final,
unless an option that may mend it has changed. While no page is stored at all, everything is tried again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import pytest
from aiohttp import web

from tests.support.app_server import serving
from tests.support.crawls import QUICK_FLAGS, crawl, rows, run_command
from tests.support.synthetic_web import SyntheticWeb


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens: it was free a moment ago."""
    with create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    yield port


def states(db: Path) -> dict[str, tuple[str, str | None]]:
    return {url: (state, reason) for url, state, reason in rows(db, "SELECT url, state, reason FROM urls")}


class Site:
    """Pages by path; a status instead of a text is an error."""

    def __init__(self, pages: Mapping[str, str | int]) -> None:
        self.pages: dict[str, str | int] = {f"/{name}": page for name, page in pages.items()}
        self.requests: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.Response:
        self.requests[request.path] += 1
        page = self.pages.get(request.path, 404)
        if isinstance(page, int):
            return web.Response(status=page)
        if "login" in page and "Authorization" not in request.headers:
            return web.Response(status=401)
        return web.Response(text=page, content_type="text/html")


class TestNothingStored:
    """A crawl without a single page is no result: the same command tries again, and never says complete."""

    async def test_the_same_command_stores_the_page_once_the_server_is_up(self, db: Path) -> None:
        site = SyntheticWeb(pages=0)
        site.page("/")
        with closed_port() as port:
            url = f"http://127.0.0.1:{port}/"
            first = await crawl(seeds=[url], db=db, retries=0)
            again = await crawl(seeds=[url], db=db, retries=0)
            async with site.serve(port):
                last = await crawl(seeds=[url], db=db, retries=0)

        assert [report.exit_code for report in (first, again, last)] == [4, 4, 0]
        assert not again.nothing_to_do
        assert states(db) == {url: ("done", None)}

    async def test_a_host_whose_robots_txt_did_not_answer_is_asked_again(self, db: Path) -> None:
        site = SyntheticWeb(pages=0)
        site.page("/")
        with closed_port() as port:
            url = f"http://127.0.0.1:{port}/"
            codes = [(await crawl(seeds=[url], db=db, retries=0, no_robots=False)).exit_code]
            async with site.serve(port):
                codes.append((await crawl(seeds=[url], db=db, retries=0, no_robots=False)).exit_code)

        assert codes == [4, 0]

    @pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
    async def test_an_answer_that_is_final_elsewhere_is_asked_for_again(self, db: Path, status: int) -> None:
        site = Site({"": status})
        async with serving(site.answer) as url:
            first = await crawl(seeds=[url], db=db, retries=0)
            site.pages["/"] = "<title>here</title>"
            second = await crawl(seeds=[url], db=db, retries=0)

        assert (first.exit_code, second.exit_code) == (4, 0)

    async def test_the_page_behind_a_redirect_is_asked_for_again(self, db: Path) -> None:
        """The seed itself answered; what it leads to did not."""
        site = SyntheticWeb(pages=0)
        site.redirect("/", "/moved")
        site.page("/moved").status = 403
        async with site.serve() as url:
            first = await crawl(seeds=[url], db=db, retries=0)
            site.resources["/moved"].status = 200
            second = await crawl(seeds=[url], db=db, retries=0)

        assert (first.exit_code, second.exit_code) == (4, 0)

    async def test_a_robots_txt_that_forbids_the_seed_is_read_again(self, db: Path) -> None:
        site = Site({"": "<title>here</title>", "robots.txt": "User-agent: *\nDisallow: /"})
        async with serving(site.answer) as url:
            first = await crawl(seeds=[url], db=db, no_robots=False)
            assert states(db) == {f"{url}/": ("skipped", "robots")}
            site.pages["/robots.txt"] = "User-agent: *\nAllow: /"
            second = await crawl(seeds=[url], db=db, no_robots=False)

        assert (first.exit_code, second.exit_code) == (4, 0)

    async def test_a_seed_that_needs_a_login_is_asked_with_one(self, db: Path) -> None:
        site = Site({"": "login"})
        async with serving(site.answer) as url:
            first = await crawl(seeds=[url], db=db)
            second = await crawl(seeds=[url], db=db, auth="me:secret")

        assert (first.exit_code, second.exit_code) == (4, 0)


class TestStoredPages:
    async def test_what_failed_for_want_of_an_answer_is_requested_once_more(self, db: Path) -> None:
        site, other = SyntheticWeb(pages=0), SyntheticWeb(pages=0)
        site.page("/")
        other.page("/")
        with closed_port() as port:
            dead = f"http://127.0.0.1:{port}/"
            async with site.serve() as url:
                await crawl(seeds=[url, dead], db=db, retries=2)
                assert states(db) == {url: ("done", None), dead: ("failed", "refused")}
                again = await crawl(seeds=[url, dead], db=db, retries=2)
                assert rows(db, f"SELECT attempts FROM urls WHERE url = '{dead}'") == [(4,)]
                async with other.serve(port):
                    last = await crawl(seeds=[url, dead], db=db, retries=2)

        assert (again.exit_code, last.exit_code) == (0, 0)
        assert states(db) == {url: ("done", None), dead: ("done", None)}
        assert site.requests == {"/": 1}

    async def test_an_answer_is_final(self, db: Path) -> None:
        """Else every run of a crawl with dead links would request them again, with all their retries."""
        site = Site({"": "<a href=/gone>x</a><a href=/down>y</a>", "gone": 404, "down": 503})
        async with serving(site.answer) as url:
            await crawl(seeds=[url], db=db, retries=0)
            site.requests.clear()
            report = await crawl(seeds=[url], db=db, retries=0)

        assert (report.exit_code, report.nothing_to_do, site.requests) == (0, True, {})

    async def test_retry_failed_requests_these_too(self, db: Path) -> None:
        site = Site({"": "<a href=/gone>x</a><a href=/down>y</a>", "gone": 404, "down": 503})
        async with serving(site.answer) as url:
            await crawl(seeds=[url], db=db, retries=0)
            site.requests.clear()
            await crawl(seeds=[url], db=db, retries=0, retry_failed=True)

        assert site.requests == {"/gone": 1, "/down": 1}

    async def test_an_option_that_may_mend_a_failure_requests_it_again(self, db: Path) -> None:
        site = Site({"": "<a href=/private>x</a><a href=/gone>y</a>", "private": "login"})
        async with serving(site.answer) as url:
            await crawl(seeds=[url], db=db)
            assert states(db)[f"{url}/private"] == ("failed", "http_401")
            site.requests.clear()
            await crawl(seeds=[url], db=db, auth="me:secret")

        assert states(db)[f"{url}/private"] == ("done", None)
        assert site.requests == {"/private": 1}

    async def test_a_larger_max_body_requests_what_was_too_large(self, db: Path) -> None:
        site = Site({"": "<a href=/big>x</a>", "big": "x" * 5000})
        async with serving(site.answer) as url:
            await crawl(seeds=[url], db=db, max_body=1000)
            assert states(db)[f"{url}/big"] == ("failed", "too_large")
            await crawl(seeds=[url], db=db, max_body=9000)

        assert states(db)[f"{url}/big"] == ("done", None)

    async def test_a_run_that_only_resumes_leaves_failures_alone(self, db: Path) -> None:
        """A crawl that was stopped ends as one that was not."""
        site = SyntheticWeb(pages=0)
        with closed_port() as port:
            dead = f"http://127.0.0.1:{port}/"
            site.page("/", "/1", "/2", "/3")
            for number in (1, 2, 3):
                site.page(f"/{number}")
            async with site.serve() as url:
                code = 3
                while code == 3:
                    pages = len(site.requests) + 1
                    report = await crawl(seeds=[url, dead], db=db, retries=0, fetchers=1, max_pages=pages)
                    code = report.exit_code

        assert rows(db, f"SELECT attempts FROM urls WHERE url = '{dead}'") == [(1,)]


class TestLastLines:
    def test_a_crawl_that_stored_nothing_names_the_cause_in_its_first_line(self, db: Path) -> None:
        with closed_port() as port:
            command = ["--seed", f"http://127.0.0.1:{port}/", "--retries", "0", *QUICK_FLAGS, "--db", db]
            ends = [run_command(command) for _ in range(2)]

        for end in ends:
            first = end.stderr.splitlines()[0]
            assert end.code == 4
            assert first.startswith("no seed could be stored: the host refused the connection")
            assert "complete" not in end.stderr
            assert "check the port" in end.stderr

    def test_robots_txt_that_could_not_be_fetched_says_what_came_back(self, db: Path) -> None:
        with closed_port() as port:
            command = ["--seed", f"http://127.0.0.1:{port}/", "--retry-delay", "0", "--retries", "1"]
            end = run_command([*command, "--db", db])

        assert end.code == 4
        assert f"http://127.0.0.1:{port}/robots.txt (2 requests): refused" in end.stderr

    def test_failures_lead_the_summary(self, db: Path) -> None:
        """A log is read from its last block, and that from its first line."""
        site = SyntheticWeb(pages=0)
        site.page("/", *[f"/{number}" for number in range(9)])
        for number in range(5):
            site.page(f"/{number}")
        with site.serve_in_thread() as url:
            end = run_command(["--seed", url, *QUICK_FLAGS, "--db", db])

        lines = end.stderr.splitlines()
        assert lines[0] == "complete, but 4 of 10 URLs failed (40%)"
        assert lines[1].split(maxsplit=1) == [
            "failed",
            "4 http_404: the host answered with status 404 (there is no such page)",
        ]
        assert end.code == 0

    @pytest.mark.parametrize(("share", "code"), [("0.4", 0), ("40%", 0), ("39%", 6), ("0", 6)])
    def test_more_failures_than_max_failed_end_with_exit_6(self, db: Path, share: str, code: int) -> None:
        site = SyntheticWeb(pages=0)
        site.page("/", *[f"/{number}" for number in range(9)])
        for number in range(5):
            site.page(f"/{number}")
        with site.serve_in_thread() as url:
            command = ["--seed", url, *QUICK_FLAGS, "--max-failed", share, "--db", db]
            ends = [run_command(command) for _ in range(2)]

        assert [end.code for end in ends] == [code, code]
        assert ends[1].stderr.splitlines()[0].startswith("4 of 10" if code else "nothing to do")

    @pytest.mark.parametrize("share", ["5", "-1%", "101%", "many", "%"])
    def test_a_share_that_is_none_is_refused(self, db: Path, share: str) -> None:
        end = run_command(["--seed", "http://a.example/", f"--max-failed={share}", "--db", db])

        assert end.code == 2
        assert "--max-failed: must be a share such as 5% or 0.05, not" in end.stderr
