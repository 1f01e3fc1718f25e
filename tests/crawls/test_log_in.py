"""Log in: a crawl within a session. What is stored is what a member sees, in any order, after any kill."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from urllib.parse import quote_plus

import pytest
from aiohttp import web

from penstock.crawler.errors import BadConfig, LogInFailed
from tests.support.crawls import COMMAND, QUICK_FLAGS, ROOT, check_invariants, crawl, equal_crawls, rows
from tests.support.member_site import MEMBER_PAGES, PASSWORD, SECRET, USER, MemberSite


@pytest.fixture
async def site() -> AsyncIterator[MemberSite]:
    async with MemberSite().serving() as served:
        yield served


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@pytest.fixture
def session(site: MemberSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMBER_PASSWORD", PASSWORD)
    path = tmp_path / "members.toml"
    path.write_text(session_text(site))
    return path


def session_text(site: MemberSite, *, password: str = "env:MEMBER_PASSWORD", more: str = "") -> str:
    return (
        f'login = "{site.url}/login"\ncheck = "a.me"\n{more}\n'
        f'[fields]\nuser = "{USER}"\npassword = "{password}"\n'
    )


def rewrite(path: Path, text: str) -> None:
    path.write_text(text)


def example_of_docs() -> str:
    text = (ROOT / "docs" / "operate.md").read_text()
    return "login" + text.split("```toml\nlogin", 1)[1].split("```")[0]


def pages(site: MemberSite, db: Path) -> set[str]:
    found = rows(db, "SELECT url FROM pages WHERE status = 200 AND error IS NULL")
    return {url.removeprefix(site.url) for (url,) in found}


class TestSession:
    async def test_the_pages_of_members_are_stored(self, site: MemberSite, session: Path, db: Path) -> None:
        report = await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session)

        assert report.exit_code == 0
        assert pages(site, db) == MEMBER_PAGES
        assert site.log_ins == 1
        assert check_invariants(db) == []

    async def test_links_that_log_out_are_skipped(self, site: MemberSite, session: Path, db: Path) -> None:
        await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session)

        found = rows(db, "SELECT url, reason FROM urls WHERE state = 'skipped'")
        assert {url.removeprefix(site.url): reason for url, reason in found} == {
            "/logout": "logout",
            "/account/sign_out": "logout",
            "/login": "login",
        }
        assert site.requests["GET /logout"] == 0

    async def test_own_patterns_add_to_the_usual_ones(
        self, site: MemberSite, session: Path, db: Path
    ) -> None:
        rewrite(session, session_text(site, more='logout = ["/p[34]$"]'))
        await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session)

        assert site.requests["GET /p3"] == site.requests["GET /logout"] == 0

    @pytest.mark.parametrize(
        "answer",
        [
            lambda: web.Response(status=302, headers={"Location": "/login?next=/x"}),
            lambda: web.Response(status=401),
            lambda: web.Response(text="<title>Please log in</title>", content_type="text/html"),
        ],
        ids=["redirect to the log-in", "401", "page without the check"],
    )
    @pytest.mark.parametrize("fetchers", [1, 4, 64])
    async def test_a_session_that_ends_after_a_few_pages_is_begun_again(
        self, site: MemberSite, session: Path, db: Path, answer: object, fetchers: int
    ) -> None:
        site.lasts, site.answers_out = 3, answer  # type: ignore[assignment]
        report = await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session, fetchers=fetchers)

        assert report.exit_code == 0
        assert pages(site, db) == MEMBER_PAGES
        assert rows(db, "SELECT url FROM pages WHERE title LIKE '%log in%'") == []
        assert site.log_ins > 2

    async def test_a_session_that_does_not_come_back_pauses_the_host(
        self, site: MemberSite, session: Path, tmp_path: Path, db: Path
    ) -> None:
        async def end_it(path: str) -> None:
            site.refuses = site.refuses or path == "/p4"
            if path == "/p4":
                site._sessions.clear()

        site.before = end_it
        report = await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session, fetchers=1)

        assert (report.exit_code, report.stop_reason) == (7, "logged_out")
        left = {
            url.removeprefix(site.url) for (url,) in rows(db, "SELECT url FROM urls WHERE state = 'pending'")
        }
        assert "/p4" in left
        assert pages(site, db) == MEMBER_PAGES - left - {"/p10", "/p11"}

        site.before, site.refuses = None, False
        report = await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session)

        assert report.exit_code == 0
        assert pages(site, db) == MEMBER_PAGES
        calm = tmp_path / "calm.db"
        await crawl(seeds=[f"{site.url}/"], depth="inf", db=calm, session=session)
        assert equal_crawls(db, calm) == []

    async def test_cookies_go_to_the_origin_of_the_session_only(
        self, site: MemberSite, session: Path, db: Path
    ) -> None:
        other = site.url.replace("127.0.0.1", "localhost")
        site.answers_out = lambda: web.Response(text=f"<a href={other}/p1>1</a>", content_type="text/html")
        await crawl(seeds=[f"{site.url}/", f"{other}/"], depth=1, db=db, session=session)

        assert site.requests["GET /p1"] == 2
        assert sorted(bool(cookie) for path, cookie in site.headers if path == "/p1") == [False, True]

    async def test_a_session_for_an_origin_out_of_scope_is_a_warning(
        self, site: MemberSite, session: Path, db: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """127.0.0.1 and localhost are two origins: the crawl would go on without the session, in silence."""
        await crawl(seeds=[f"{site.url.replace('127.0.0.1', 'localhost')}/"], depth=0, db=db, session=session)
        assert any("session_out_of_scope" in record.getMessage() for record in caplog.records)

        caplog.clear()
        await crawl(seeds=[f"{site.url}/"], depth=0, db=db.with_name("b.db"), session=session)
        assert not any("session_out_of_scope" in record.getMessage() for record in caplog.records)

    async def test_later_cookies_are_ignored(self, site: MemberSite, session: Path, db: Path) -> None:
        await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session)

        sent = {cookie for path, cookie in site.headers if path.startswith("/p")}
        assert len(sent) == 1
        assert f"{SECRET}-other" not in sent.pop()

    async def test_the_example_of_the_docs_logs_in(self, site: MemberSite, session: Path, db: Path) -> None:
        example = example_of_docs()
        rewrite(session, example.replace("https://example.com", site.url))
        await crawl(seeds=[f"{site.url}/"], depth="inf", db=db, session=session)

        assert pages(site, db) == MEMBER_PAGES


class TestRefusals:
    async def test_a_failed_log_in_ends_the_run_before_the_first_page(
        self, site: MemberSite, session: Path, db: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MEMBER_PASSWORD", "wrong")
        with pytest.raises(LogInFailed, match=r"check 'a.me' finds nothing at .*/login"):
            await crawl(seeds=[f"{site.url}/"], db=db, session=session)

        assert set(site.requests) == {"GET /login", "POST /login"}

    async def test_a_form_without_the_fields_is_named(
        self, site: MemberSite, session: Path, db: Path
    ) -> None:
        rewrite(session, session_text(site).replace("user =", "email ="))
        with pytest.raises(LogInFailed, match="no form on the page has the field 'email'"):
            await crawl(seeds=[f"{site.url}/"], db=db, session=session)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (("login = ", "logon = "), "unknown key 'logon' (did you mean login?)"),
            (("check = ", "#"), "the key check is missing"),
            (("MEMBER_PASSWORD", "NOT_SET"), "the environment variable 'NOT_SET', for the field 'password'"),
            (('"a.me"', '"a["'), "check: 'a[' is no CSS selector"),
            (('"a.me"', "3"), "check must be text"),
            (("[fields]", "[fields"), "not valid TOML"),
            (("http://", "ftp://"), "login"),
            (("[fields]", 'logout = ["("]\n[fields]'), "logout: "),
            (('user = "reader"', "user = 1"), "fields must be a table of texts"),
        ],
    )
    async def test_a_bad_session_file_is_one_clear_line(
        self, site: MemberSite, session: Path, db: Path, change: tuple[str, str], message: str
    ) -> None:
        rewrite(session, session_text(site).replace(*change))
        with pytest.raises(BadConfig) as caught:
            await crawl(seeds=[f"{site.url}/"], db=db, session=session)

        assert message in str(caught.value)
        assert "\n" not in str(caught.value)

    async def test_another_session_is_another_crawl(self, site: MemberSite, session: Path, db: Path) -> None:
        from penstock.crawler.errors import BadDatabase

        await crawl(seeds=[f"{site.url}/"], db=db, session=session)
        other = session.with_name("others.toml")
        rewrite(other, session_text(site))

        with pytest.raises(BadDatabase, match="session"):
            await crawl(seeds=[f"{site.url}/"], db=db, session=other)
        with pytest.raises(BadDatabase, match="session"):
            await crawl(seeds=[f"{site.url}/"], db=db)


class TestCommand:
    @pytest.mark.timeout(120)
    async def test_kills_change_nothing_and_no_secret_is_kept(
        self, site: MemberSite, session: Path, tmp_path: Path, db: Path
    ) -> None:
        site.lasts = 4
        calm = tmp_path / "calm.db"
        await crawl(seeds=[f"{site.url}/"], depth="inf", db=calm, session=session)
        rng, kills, left, code = Random(5), 0, 0, None
        output = b""

        async def kill(path: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                process.kill()

        site.before = kill
        while code != 0:
            left = rng.randint(1, 15) if kills < 8 else -1
            process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "--seed", f"{site.url}/", "--depth", "inf", "--db", str(db)),
                *("--session", str(session), "--log-level", "debug", *map(str, QUICK_FLAGS)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "MEMBER_PASSWORD": PASSWORD},
            )
            out, _ = await process.communicate()
            output += out
            code = process.returncode
            kills += code != 0
            files = {path: path.read_bytes() for path in db.parent.iterdir() if path != session}
            for secret in (PASSWORD, quote_plus(PASSWORD), SECRET):
                assert secret.encode() not in output
                assert [path for path, content in files.items() if secret.encode() in content] == []

        assert kills > 3
        assert equal_crawls(calm, db) == []
        assert check_invariants(db) == []
