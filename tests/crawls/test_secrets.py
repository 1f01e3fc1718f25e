"""Secrets in a whole crawl: they reach whom they are for, and stand nowhere else."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from penstock import Crawl, CrawlConfig
from penstock.crawler.cli import main
from penstock.crawler.messages import CanonicalUrl, Content, Document
from penstock.crawler.output import logs
from penstock.stages.extractors import html as html_module
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.workers.worker_pool import WorkerPool
from tests.support.crawls import QUICK, QUICK_FLAGS, crawl, rows, run_command
from tests.support.raw_server import RawServer, html, http

AUTH = "bob:hunter2-äuth"
BASIC = "Basic " + base64.b64encode(AUTH.encode()).decode()
SECRETS = ("hunter2", BASIC.removeprefix("Basic "), base64.b64encode(b"paul:hunter2-proxy").decode())


class Webs(NamedTuple):
    """Two origins, and a file with a cookie for both."""

    ours: RawServer
    other: RawServer
    cookies: Path

    @property
    def secrets(self) -> dict[str, Any]:
        return {"auth": AUTH, "header": "X-Key: hunter2-header", "cookies": self.cookies}


def page(*links: str) -> bytes:
    return html(body="".join(f'<a href="{link}">on</a>' for link in links).encode())


def redirect(to: str) -> bytes:
    return http(f"Location: {to}", status="302 Found", body=b"")


@pytest.fixture
async def webs(tmp_path: Path) -> AsyncIterator[Webs]:
    """All ways from one origin to the other: a link, a redirect, there and back, robots.txt, sitemaps."""
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\thunter2-cookie\n")
    async with RawServer().serve() as ours, RawServer().serve() as other:
        sitemap = f"<urlset><url><loc>{ours.url}/listed</loc></url></urlset>".encode()
        ours.answers |= {
            "/": page("/a", "/out", "/there-and-back", f"{other.url}/linked"),
            "/a": html("Set-Cookie: session=of-the-server", body=b"<title>a</title>"),
            "/out": redirect(f"{other.url}/redirected"),
            "/there-and-back": redirect(f"{other.url}/back"),
            "/back": page(),
            "/listed": page(),
            "/sitemap.xml": http("Content-Type: text/xml", body=sitemap),
            "/robots.txt": http(
                body=f"Sitemap: {ours.url}/sitemap.xml\nSitemap: {other.url}/map.xml".encode()
            ),
        }
        other.answers |= {
            "/linked": page(f"{ours.url}/a"),
            "/redirected": page(),
            "/back": redirect(f"{ours.url}/back"),
            "/map.xml": http("Content-Type: text/xml", body=sitemap),
            "/robots.txt": redirect(f"{other.url}/robots2.txt"),
            "/robots2.txt": http(body=b"User-agent: *\nDisallow:"),
        }
        yield Webs(ours, other, cookies)


def options(webs: Webs, db: Path, **changed: Any) -> dict[str, Any]:
    return {"seeds": f"{webs.ours.url}/", "scope": "any", "no_robots": False, "db": db} | changed


def flags(webs: Webs, db: Path) -> list[str | Path]:
    return [
        *(flag for flag in QUICK_FLAGS if flag != "--no-robots"),
        *("--seed", f"{webs.ours.url}/", "--scope", "any", "--db", db, "--log-level", "debug"),
        *("--auth", AUTH, "--header", "X-Key: hunter2-header", "--cookies", webs.cookies),
    ]


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def in_files(folder: Path) -> list[str]:
    """What of a crawl holds a secret: its files (`strings crawl.db*`), and what they hold compressed."""
    found = [path.name for path in folder.glob("*.db*") if leaks_of(path.read_bytes())]
    for path in folder.glob("*.db"):
        packed = [value for row in rows(path, "SELECT body, headers FROM body") for value in row]
        found += [repr(text) for text in map(zlib.decompress, packed) if leaks_of(text)]
    return found


def leaks_of(data: bytes) -> list[str]:
    return [secret for secret in SECRETS if secret.encode() in data]


def known(head: str) -> bool:
    """True if a request said who we are in all three ways."""
    wanted = (f"Authorization: {BASIC}", "X-Key: hunter2-header", "Cookie: session=hunter2-cookie")
    found = [line in head.splitlines() for line in wanted]
    assert all(found) or not any(found), head
    return all(found)


class TestWhoGetsThem:
    async def test_only_the_seeds_origin_gets_credentials_with_robots_txt_and_sitemaps(
        self, webs: Webs, tmp_path: Path
    ) -> None:
        """Links, redirects, robots.txt and sitemaps lead to the other one; each is a request of its own."""
        report = await crawl(**options(webs, tmp_path / "x.db", **webs.secrets))

        assert report.exit_code == 0
        assert set(webs.ours.paths) == set(webs.ours.answers)
        assert set(webs.other.paths) == set(webs.other.answers)
        assert [head for head in webs.ours.heads if not known(head)] == []
        assert [head for head in webs.other.heads if known(head) or leaks(head)] == []

    async def test_no_request_has_a_referer(self, webs: Webs, tmp_path: Path) -> None:
        await crawl(**options(webs, tmp_path / "x.db", **webs.secrets))

        assert [head for head in webs.ours.heads + webs.other.heads if "referer:" in head.lower()] == []

    async def test_an_origin_in_credentials_to_gets_credentials_too(self, webs: Webs, tmp_path: Path) -> None:
        await crawl(**options(webs, tmp_path / "x.db", **webs.secrets, credentials_to=webs.other.url))

        assert [head for head in webs.other.heads if not known(head)] == []

    async def test_a_robots_txt_redirect_to_another_origin_carries_no_credentials(
        self, webs: Webs, tmp_path: Path
    ) -> None:
        """The one redirect that the fetch stage follows by itself."""
        webs.ours.answers["/robots.txt"] = redirect(f"{webs.other.url}/robots2.txt")

        await crawl(**options(webs, tmp_path / "x.db", scope="host", **webs.secrets))

        assert webs.other.paths == ["/robots2.txt"]
        assert [head for head in webs.other.heads if known(head) or leaks(head)] == []

    async def test_a_cookie_that_a_server_sets_is_not_kept(self, webs: Webs, tmp_path: Path) -> None:
        """Else a page would depend on those asked for before it, and so on the crawl's speed."""
        await crawl(**options(webs, tmp_path / "x.db"))

        assert [head for head in webs.ours.heads if "cookie:" in head.lower()] == []

    async def test_proxies_in_the_environment_are_ignored(
        self, webs: Webs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")

        assert (await crawl(**options(webs, tmp_path / "x.db"))).totals.pages > 0

    async def test_an_origin_that_denies_access_without_credentials_is_logged_once(
        self, webs: Webs, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """After a redirect to https or www the site is another origin; whoever means it has to name it."""
        refusal = http(status="401 Unauthorized", body=b"")
        webs.other.answers |= {"/linked": refusal, "/redirected": refusal}

        await crawl(**options(webs, tmp_path / "x.db", **webs.secrets))

        assert caplog.text.count(f"hint='--credentials-to {webs.other.url}'") == 1

    async def test_denied_access_is_not_logged_when_there_are_no_credentials(
        self, webs: Webs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        webs.ours.answers["/a"] = http(status="401 Unauthorized", body=b"")

        await crawl(**options(webs, tmp_path / "x.db"))

        assert capsys.readouterr().err == ""


class TestWhereTheyStand:
    @pytest.mark.parametrize("form", ["json", "console"])
    async def test_secrets_are_in_no_file_and_no_log(self, webs: Webs, tmp_path: Path, form: str) -> None:
        """All kinds of secrets, bodies and headers kept, and a budget that ends it: every place is used."""
        async with proxy(webs) as proxied:
            ended = await asyncio.to_thread(
                run_command,
                [
                    *flags(webs, tmp_path / "x.db"),
                    *("--proxy", proxied.url.replace("://", "://paul:hunter2-proxy@"), "--save-bodies"),
                    *("--log-format", form, "--max-pages", "2", "--fetchers", "1"),
                ],
            )

        assert ended.code == 3, ended.stderr
        assert "before you resume: raise --max-pages, put back the value of" in ended.stderr
        assert leaks(ended.stdout + ended.stderr) == []
        assert in_files(tmp_path) == []
        ((stored,),) = rows(tmp_path / "x.db", "SELECT config FROM runs")
        assert json.loads(stored)["auth"] == "(set)"
        assert {proxied.header("Proxy-Authorization")[0]} == {f"Basic {SECRETS[-1]}"}

    async def test_a_cookie_that_a_server_set_for_us_is_in_no_file_and_no_log(
        self, webs: Webs, tmp_path: Path
    ) -> None:
        """With --save-bodies headers are kept; a new session is as good as the old one."""
        webs.ours.answers["/"] = html("Set-Cookie: session=hunter2-new", "X-Kept: yes")

        await crawl(**options(webs, tmp_path / "x.db", **webs.secrets, save_bodies=True))

        assert in_files(tmp_path) == []

    async def test_secrets_are_not_in_the_output_of_a_bug_or_a_signal(
        self, webs: Webs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The traceback of an internal failure, and SIGUSR1's lines from the middle of the work."""
        told: list[str] = []

        class Broken(HtmlExtractor):
            def read(self, document: Document) -> Content:
                told.extend(running.describe())
                raise RuntimeError(f"a bug at {document.url}")

        logs.configure(level="debug")
        config = CrawlConfig(**{**QUICK, **options(webs, tmp_path / "x.db", **webs.secrets)})
        running = Crawl(config, documents={"html": Broken()})
        try:
            report = await running.run()
        finally:
            logs.reset()

        said = capsys.readouterr().err
        assert report.totals.internal_failures > 0
        assert "Traceback" in said
        assert any("oldest" in line for line in told)
        assert leaks(said + "\n".join(told) + repr(config) + repr(vars(running))) == []
        assert in_files(tmp_path) == []

    async def test_a_password_in_a_link_is_not_even_stored(self, webs: Webs, tmp_path: Path) -> None:
        """Userinfo is no part of what we call a URL: links, bases, redirects, sitemaps lose it."""
        ours, host = webs.ours, webs.ours.url.removeprefix("http://")
        secret = f"http://eve:hunter2@{host}"
        ours.answers |= {
            "/": page(
                f"{secret}/a", f"//eve:hunter2@{host}/b", f"http:\\\\eve:hunter2@{host}\\c", "/base", "/ftp"
            ),
            "/ftp": redirect("ftp://eve:hunter2@h/x"),
            "/listed": page(),
            "/sitemap.xml": http(
                "Content-Type: text/xml",
                body=f"<urlset><url><loc>{secret}/listed</loc></url></urlset>".encode(),
            ),
            "/a": redirect(f"{secret}/d"),
            "/b": page(
                "ftp://eve:hunter2@h/", "http://eve:hunter2@exa mple/", "http://eve:hunter2@other.test/x"
            ),
            "/c": page(),
            "/d": page(),
            "/e": page(),
            "/base": html(body=f'<base href="{secret}/"><a href="e">e</a>'.encode()),
            "/robots.txt": http(body=b""),
        }

        await crawl(**options(webs, tmp_path / "x.db", scope="host", sitemap=f"{ours.url}/sitemap.xml"))

        urls = [url for (url,) in rows(tmp_path / "x.db", "SELECT url FROM urls")]
        assert {f"{ours.url}/{name}" for name in ("a", "b", "c", "d", "e", "listed")} < set(urls)
        assert "http://other.test/x" in urls
        assert in_files(tmp_path) == []
        assert [head for head in ours.heads if "authorization:" in head.lower()] == []


class TestWorkerPool:
    async def test_a_parser_process_has_no_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Should a page ever take it over, there is nothing to be found in it."""
        monkeypatch.setenv("PENSTOCK_AUTH", AUTH)
        monkeypatch.setenv("PENSTOCK_PROXY", "http://paul:hunter2-proxy@proxy:1")
        pool = WorkerPool(1)
        try:
            await pool.read(
                html_module.__name__, Document(url=CanonicalUrl("http://a/"), body=b"<title>x</title>")
            )
            (worker,) = psutil.Process().children()
            environ = worker.environ()
        finally:
            await pool.close()

        assert "PYTHONPATH" in environ
        assert leaks(repr(environ)) == []


class TestResume:
    async def test_a_resume_without_credentials_continues_and_logs_it(
        self, webs: Webs, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        db = tmp_path / "x.db"
        await crawl(**options(webs, db, **webs.secrets, max_pages=1, fetchers=1))
        webs.ours.heads.clear()

        report = await crawl(**options(webs, db))

        assert report.exit_code == 0
        assert "resumed_without options=['header', 'auth', 'cookies']" in caplog.text
        assert [head for head in webs.ours.heads if known(head)] == []

    async def test_a_resume_with_credentials_logs_nothing(
        self, webs: Webs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        db = tmp_path / "x.db"
        await crawl(**options(webs, db, **webs.secrets, max_pages=1, fetchers=1))

        await crawl(**options(webs, db, **webs.secrets))

        assert "resumed_without" not in capsys.readouterr().err


class TestCookieFiles:
    @pytest.mark.parametrize("name", ["none", ".", "json"])
    def test_a_bad_cookie_file_is_rejected_before_a_database_is_made(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        (tmp_path / "json").write_text('[{"value": "hunter2"}]')
        words = ["--seed", "http://127.0.0.1:1/", "--db", str(tmp_path / "x.db")]

        assert main([*words, "--cookies", f"{tmp_path}/{name}"]) == 2

        said = capsys.readouterr().err
        assert said.startswith("penstock: error: --cookies ")
        assert (said.count("\n"), leaks(said)) == (1, [])
        assert list(tmp_path.glob("*.db")) == []


@asynccontextmanager
async def proxy(webs: Webs) -> AsyncIterator[RawServer]:
    """An HTTP proxy that knows the answers of both origins by their whole URLs."""
    everything: Mapping[str, Any] = {
        web.url + path: answer for web in (webs.ours, webs.other) for path, answer in web.answers.items()
    }
    async with RawServer().serve() as proxied:
        proxied.answers |= everything
        yield proxied
