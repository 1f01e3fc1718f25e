"""Cookie gates: sites that show a page only to whoever brings back the cookie of a redirect."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from tests.support.crawls import (
    COMMAND,
    QUICK_FLAGS,
    check_invariants,
    crawl,
    equal_crawls,
    rows,
    run_command,
)
from tests.support.gate_site import ANSWERS, SECRET, GateSite


@pytest.fixture
async def site() -> AsyncIterator[GateSite]:
    async with GateSite().serving() as served:
        yield served


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def answers(site: GateSite, db: Path) -> dict[str, tuple[int, str | None]]:
    """Status and title of the pages of the first host, by path."""
    found = rows(db, "SELECT url, status, title FROM pages")
    return {
        url.removeprefix(site.url): (status, title)
        for url, status, title in found
        if url.startswith(site.url)
    }


def outcomes(site: GateSite, db: Path) -> dict[str, str]:
    found = rows(db, "SELECT url, outcome FROM handshakes")
    return {url.removeprefix(site.url): outcome for url, outcome in found}


class TestGates:
    async def test_the_page_behind_every_kind_of_gate_is_stored(self, site: GateSite, db: Path) -> None:
        report = await crawl(seeds=[f"{site.url}/"], depth="inf", scope="any", db=db)

        assert report.exit_code == 0
        assert answers(site, db) == ANSWERS
        assert check_invariants(db) == []

    async def test_each_url_is_tried_once(self, site: GateSite, db: Path) -> None:
        for _ in range(2):
            await crawl(seeds=[f"{site.url}/"], depth="inf", scope="any", db=db)

        assert outcomes(site, db) == {
            **dict.fromkeys(
                ("/direct", "/by-check", "/signed", "/fresh", "/two", "/abroad", "/into", "/private/gate"),
                "stored",
            ),
            **{f"/chain/{n}": "stored" for n in range(1, 5)},
            "/gone": "http_404",
            "/check?back=/by-check": "elsewhere",
            "/turn": "stored",
            "/elsewhere": "elsewhere",
            "/landing": "stored",
            "/denied": "http_401",
            **dict.fromkeys(("/stuck", "/sibling", "/secure", "/deleted"), "redirect_limit"),
            f"{site.other}/pass?back={site.url}/abroad": "elsewhere",
        }
        assert site.requests["/direct"] == 3  # without, and twice in its exchange
        assert site.requests["/circle-1"] == 1  # no cookie there, so nothing to try
        assert site.requests["/stuck"] == 1 + 21

    async def test_cookies_go_only_where_they_belong(self, site: GateSite, db: Path) -> None:
        """Host-only, below their path, never the sibling's, never a Secure one over plain HTTP."""
        await crawl(seeds=[f"{site.url}/"], depth="inf", scope="any", db=db)

        names = {
            (path.partition("?")[0], name)
            for path, line in site.cookies
            for name in re.findall(r"(\w+)=", line)
        }
        assert ("/direct/child", "d") not in names  # a page that stands behind no gate gets none
        assert {name for path, name in names if path == "/pass"} == {"p"}  # another host
        assert not {"y", "e", "m"} & {name for _, name in names}
        assert all(line.count("=") <= 2 for _, line in site.cookies)  # a jar for each exchange

    async def test_pages_are_the_same_with_any_number_of_fetchers(
        self, site: GateSite, tmp_path: Path
    ) -> None:
        rng = Random(7)

        async def wait(path: str) -> None:
            await asyncio.sleep(rng.uniform(0, 0.004))

        site.before = wait
        files: list[Path] = []
        for fetchers in (1, 4, 64, 64, 64):
            files.append(tmp_path / f"{len(files)}.db")
            await crawl(seeds=[f"{site.url}/"], depth="inf", scope="any", db=files[-1], fetchers=fetchers)

        assert [equal_crawls(files[0], other) for other in files[1:]] == [[]] * 4
        assert len({tuple(sorted(outcomes(site, file).items())) for file in files}) == 1


class TestRules:
    async def test_a_hop_that_is_out_of_scope_ends_the_exchange(self, site: GateSite, db: Path) -> None:
        await crawl(seeds=[f"{site.url}/"], depth="inf", db=db)

        assert answers(site, db)["/abroad"] == (302, None)
        assert not any(path.startswith("/pass") for path in site.requests)

    async def test_an_excluded_hop_is_not_requested(self, site: GateSite, db: Path) -> None:
        """Without cookies the gate goes one way, with them another."""
        await crawl(seeds=[f"{site.url}/elsewhere"], exclude=["landing"], db=db)

        assert site.requests["/landing"] == 0

    async def test_robots_txt_is_obeyed_on_every_hop(self, site: GateSite, db: Path) -> None:
        async def page_with_rules(path: str) -> None:
            if path == "/robots.txt":
                raise web_answer("User-agent: *\nDisallow: /check")

        site.before = page_with_rules
        await crawl(seeds=[f"{site.url}/by-check"], no_robots=False, db=db)

        assert site.requests["/check?back=/by-check"] == 0

    async def test_public_only_connects_to_no_gate_on_loopback(self, site: GateSite, db: Path) -> None:
        await crawl(seeds=[f"{site.url}/direct"], public_only=True, db=db)

        assert site.requests.total() == 0

    async def test_a_failure_that_passes_is_tried_again(self, site: GateSite, db: Path) -> None:
        failures = 2

        async def fail_with_cookies(path: str) -> None:
            nonlocal failures
            if path == "/direct" and site.cookies and failures:
                failures -= 1
                raise web_answer("", status=503)

        site.before = fail_with_cookies
        await crawl(seeds=[f"{site.url}/direct"], depth=0, db=db)

        assert answers(site, db)["/direct"] == (200, "direct")

    async def test_a_failure_that_stays_leaves_the_redirect(self, site: GateSite, db: Path) -> None:
        async def fail_with_cookies(path: str) -> None:
            if path == "/direct" and site.cookies:
                raise web_answer("", status=503)

        site.before = fail_with_cookies
        report = await crawl(seeds=[f"{site.url}/direct"], depth=0, db=db)

        assert report.stop_reason == "finished"
        assert rows(db, "SELECT status, error FROM pages") == [(302, None)]
        assert rows(db, "SELECT state, reason FROM urls") == [("done", None)]
        assert outcomes(site, db) == {"/direct": "http_503"}


def web_answer(text: str, *, status: int = 200) -> Exception:
    from aiohttp import web

    kind = {200: web.HTTPOk, 503: web.HTTPServiceUnavailable}[status]
    return kind(text=text, content_type="text/plain")


class TestSecrets:
    async def test_no_cookie_is_in_the_file_its_log_or_the_programs_log(
        self, site: GateSite, db: Path
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "--seed", f"{site.url}/", "--depth", "inf", "--scope", "any", "--db", str(db)),
            *("--log-level", "debug", *map(str, QUICK_FLAGS)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()

        assert process.returncode == 0
        assert SECRET.encode() not in out
        assert [path for path in db.parent.iterdir() if SECRET.encode() in path.read_bytes()] == []
        assert answers(site, db) == ANSWERS


class TestKills:
    @pytest.mark.timeout(120)
    async def test_a_crawl_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
        self, site: GateSite, tmp_path: Path, db: Path
    ) -> None:
        """A kill within an exchange repeats it from its beginning, with an empty jar."""
        calm = tmp_path / "calm.db"
        await crawl(seeds=[f"{site.url}/"], depth="inf", scope="any", db=calm)
        rng, kills = Random(3), 0
        left = 0

        async def kill(path: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                process.kill()

        site.before = kill
        code = None
        while code != 0:
            left = rng.randint(1, 60) if kills < 12 else -1
            process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "--seed", f"{site.url}/", "--depth", "inf", "--scope", "any", "--db", str(db)),
                *("--fetchers", "4", *map(str, QUICK_FLAGS)),
                stderr=asyncio.subprocess.DEVNULL,
            )
            code = await process.wait()
            kills += code != 0

        assert kills > 3
        assert equal_crawls(calm, db) == []
        assert outcomes(site, db) == outcomes(site, calm)
        assert check_invariants(db) == []


class TestWhy:
    async def test_why_tells_of_the_cookie_and_of_the_exchange(self, site: GateSite, db: Path) -> None:
        await crawl(seeds=[f"{site.url}/"], depth="inf", scope="any", db=db)

        def why(path: str) -> str:
            return run_command(("why", f"{site.url}{path}", "--db", db)).stdout

        assert "the answer is that of one exchange with an empty cookie jar" in why("/direct")
        assert f"that began at {site.url}/file" in why("/signed")
        assert "still a redirect after 20 of them" in why("/stuck")
        assert f"ended at {site.url}/denied: http_401" in why("/denied")
        assert "the answer set a cookie, which is not kept" in why("/file")
        assert "cookie" not in why("/circle-1")
