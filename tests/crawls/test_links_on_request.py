"""Links that are recorded always and followed on request: nofollow, frames, link elements and headers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import penstock
from tests.crawls.test_resources import Site, in_thread
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

FLAGS = ("--frames", "--head-links", "--follow-nofollow")
Page = tuple[str, str, Mapping[str, str]]  # body, type, headers


def html(body: str, **headers: str) -> Page:
    return body, "text/html", {name.replace("_", "-"): value for name, value in headers.items()}


async def crawled(db: Path, site: Mapping[str, Page], **options: Any) -> dict[str, str]:
    """Crawl the site; the state and reason of each of its URLs, by path."""

    async def answer(request: web.Request) -> web.Response:
        if request.path_qs not in site:
            return web.Response(status=404)
        body, kind, headers = site[request.path_qs]
        return web.Response(text=body, content_type=kind, headers=headers)

    async with serving(answer) as url:
        await crawl(seeds=[f"{url}/"], db=db, **options)
    found = rows(db, "SELECT url, coalesce(reason, state) FROM urls ORDER BY url")
    return {page.removeprefix(url): state for page, state in found}


def links(db: Path) -> list[tuple[str, str, int]]:
    found = rows(db, "SELECT target, rel, followed FROM links ORDER BY target")
    return [("/" + target.split("/", 3)[3], rel, followed) for target, rel, followed in found]


NOFOLLOW = {
    "/": html("<a rel=nofollow href=/a>a</a><a href=/b>b</a><a href=/d>d</a>"),
    "/a": html("a"),
    "/b": html("<meta name=robots content=nofollow><a href=/c>c</a>"),
    "/c": html("c"),
    "/d": html("<a href=/e>e</a>", X_Robots_Tag="none"),
    "/e": html("e"),
}
FRAMES = {
    "/": html(
        "<frameset cols='1,1'><frame src=menu title=Menu><frame src=main><noframes><a href=/no>no</a>"
        "</noframes></frameset>"
    ),
    "/menu": html("<a href=news>News</a>"),
    "/main": html("<iframe src=/list></iframe><iframe srcdoc='<a href=/within>w</a>' src=/not></iframe>"),
    "/news": html("n"),
    "/list": html("<a href=/deep>d</a>"),
    "/deep": html("d"),
    "/within": html("w"),
}
HEAD = {
    "/": html(
        "<link rel=next href=/2><link rel=alternate hreflang=de href=/de><link rel=amphtml href=/amp>"
        "<link rel=canonical href=/canon><link rel=shortlink href=/s>"
        "<link rel='alternate stylesheet' href=/c>"
        "<link rel=alternate type=application/json+oembed href=/o><a href=/x>x</a>",
        Link='</3>; rel="prev"; title="a, b", <http://other.example/>; rel=next; anchor="/y"',
    ),
    **{path: html(path) for path in ("/2", "/de", "/amp", "/x", "/3")},
}


class TestNofollow:
    async def test_it_is_obeyed_unless_asked_otherwise(self, tmp_path: Path) -> None:
        found = await crawled(tmp_path / "a.db", NOFOLLOW)

        assert found == {
            "/": "done",
            **dict.fromkeys(("/b", "/d"), "done"),
            **dict.fromkeys(("/a", "/c", "/e"), "nofollow"),
        }

    async def test_on_request_such_links_are_like_all_others_and_keep_their_rel(self, tmp_path: Path) -> None:
        found = await crawled(tmp_path / "a.db", NOFOLLOW, follow_nofollow=True)

        assert found == dict.fromkeys(NOFOLLOW, "done")
        assert ("/a", "nofollow", 1) in links(tmp_path / "a.db")

    @pytest.mark.parametrize("where", ["meta", "header"])
    async def test_separators_of_robots_directives_do_not_decide(self, tmp_path: Path, where: str) -> None:
        def page(said: str, body: str) -> Page:
            if where == "header":
                return html(body, X_Robots_Tag=said)
            return html(f"<meta name=robots content='{said}'>{body}")

        said = (
            *(
                "noindex;nofollow",
                "NOINDEX;NOFOLLOW",
                "noindex; nofollow",
                "noindex|nofollow",
                "noindex/nofollow",
            ),
            *(
                "noindex nofollow",
                "no-follow",
                "noindex,nofollow",
                "noindex -nofollow",
                "none",
                "all; nofollow",
            ),
        )
        site = {"/": html("".join(f"<a href=/p{at}>{words}</a>" for at, words in enumerate(said)))}
        site |= {f"/p{at}": page(words, f"<a href=/from-{at}>x</a>") for at, words in enumerate(said)}
        site |= {f"/from-{at}": html("not to be asked for") for at in range(len(said))}

        found = await crawled(tmp_path / "a.db", site)

        assert found == {path: "nofollow" if path.startswith("/from-") else "done" for path in site}


class TestFrames:
    async def test_they_are_recorded_as_what_they_are(self, tmp_path: Path) -> None:
        found = await crawled(tmp_path / "a.db", FRAMES, depth=5)

        assert found == {"/": "done", "/menu": "nofollow", "/main": "nofollow"}
        assert links(tmp_path / "a.db") == [("/main", "frame", 0), ("/menu", "frame", 0)]

    async def test_on_request_they_are_followed(self, tmp_path: Path) -> None:
        found = await crawled(tmp_path / "a.db", FRAMES, depth=5, frames=True)

        assert found == dict.fromkeys(FRAMES, "done")
        assert ("/list", "iframe", 1) in links(tmp_path / "a.db")


class TestHeadLinks:
    async def test_they_are_recorded_with_their_rel(self, tmp_path: Path) -> None:
        found = await crawled(tmp_path / "a.db", HEAD, depth=4)

        assert found == {
            "/": "done",
            "/x": "done",
            **dict.fromkeys(("/2", "/3", "/amp", "/de"), "nofollow"),
        }
        assert links(tmp_path / "a.db") == [
            ("/2", "next", 0),
            ("/3", "prev", 0),
            ("/amp", "amphtml", 0),
            ("/de", "alternate", 0),
            ("/x", "", 1),
        ]

    async def test_on_request_they_are_followed(self, tmp_path: Path) -> None:
        assert await crawled(tmp_path / "a.db", HEAD, depth=4, head_links=True) == dict.fromkeys(HEAD, "done")


class TestHeaders:
    async def test_a_refresh_header_is_a_meta_refresh(self, tmp_path: Path) -> None:
        site = {"/": html("One moment", Refresh="0; url=/home"), "/home": html("home")}

        assert await crawled(tmp_path / "a.db", site) == dict.fromkeys(site, "done")
        assert links(tmp_path / "a.db") == [("/home", "refresh", 1)]

    @pytest.mark.parametrize(
        ("page", "canonical"),
        [
            (("%PDF", "application/pdf", {"Link": '</doc>; rel="canonical"'}), "/doc"),
            (("x", "image/png", {"Link": "<doc>; title*=UTF-8''a; rel='canonical'"}), None),
            (("x", "image/png", {"Link": '<doc,1>; rel="shortlink Canonical"'}), "/doc,1"),
            (html("x", Link="</doc>; rel=canonical"), "/doc"),
            (html("<link rel=canonical href=/own>", Link="</doc>; rel=canonical"), "/own"),
            (html("<base href=/b/><p>", Link="<doc>; rel=canonical"), "/doc"),
            (html("x", Link="</doc>; rel=canonical; anchor=''"), None),
        ],
    )
    async def test_a_canonical_url_may_stand_in_the_link_header(
        self, tmp_path: Path, page: Page, canonical: str | None
    ) -> None:
        """That of the document wins over that of the header, whose base is the URL of the answer."""
        await crawled(tmp_path / "a.db", {"/": page})

        [(url, found)] = rows(tmp_path / "a.db", "SELECT url, canonical FROM pages")
        assert found == (None if canonical is None else url[:-1] + canonical)


class TestWhy:
    async def test_it_says_which_flag_follows_the_links_that_lead_to_a_url(self, tmp_path: Path) -> None:
        site = {
            "/": html(
                "<iframe src=/frame></iframe><link rel=next href=/next>"
                "<a rel=nofollow href=/a>a</a><a href=/b>b</a>"
            ),
            "/b": html("<meta name=robots content=nofollow><a href=/c>c</a><iframe src=/a></iframe>"),
        }
        await crawled(tmp_path / "a.db", site)

        [(home,)] = rows(tmp_path / "a.db", "SELECT url FROM urls WHERE seed")
        with penstock.open(tmp_path / "a.db") as file:
            tries = {
                path: [flag for flag in FLAGS if f"{flag}: a" in str(file.why(f"{home}{path}"))]
                for path in ("frame", "next", "a", "c")
            }
        assert tries == {
            "frame": ["--frames"],
            "next": ["--head-links"],
            "a": ["--frames", "--follow-nofollow"],
            "c": ["--follow-nofollow"],
        }


class TestXhtml:
    async def test_what_an_xml_parser_sees_is_crawled(self, tmp_path: Path) -> None:
        def page(body: str) -> Page:
            text = (
                f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{body}</body></html>'
            )
            return text, "application/xhtml+xml", {}

        site = {
            "/": page('<script src="/s"/><a href="/a">a</a>'),
            "/a": page('<textarea/><a href="/b">b</a><pre><![CDATA[<a href="/no">no</a>]]></pre>'),
            "/b": page("b"),
        }
        assert await crawled(tmp_path / "a.db", site) == dict.fromkeys(site, "done")

    @pytest.mark.parametrize("kind", ["application/xml", "text/xml"])
    async def test_xml_of_no_other_name_whose_root_is_html_is_a_page(self, tmp_path: Path, kind: str) -> None:
        text = '<html xmlns="http://www.w3.org/1999/xhtml"><title>t</title><script/><a href="/a">a</a></html>'
        site: dict[str, Page] = {
            "/": (f"<?xml version='1.0'?>{text}", kind, {}),
            "/a": (f"<r>{text.replace('/a', '/no')}</r>", kind, {}),
        }
        assert await crawled(tmp_path / "a.db", site) == dict.fromkeys(site, "done")
        assert rows(tmp_path / "a.db", "SELECT title FROM pages ORDER BY url") == [("t",), (None,)]


class TestKilled:
    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals as POSIX has them")
    def test_killed_and_resumed_the_same_links_are_followed(self, tmp_path: Path) -> None:
        pages = {"/": "".join(f"<a rel=nofollow href=/p{n}>{n}</a>" for n in range(20))}
        for n in range(20):
            pages[f"/p{n}"] = f"<iframe src=/f{n}></iframe><link rel=next href=/p{n + 1}>"
            pages[f"/f{n}"] = f"<meta name=robots content=none><a href=/end{n % 4}>e</a>"
        pages |= {f"/end{n}": "e" for n in range(4)}
        site = Site(pages, {})
        flags = (*QUICK_FLAGS, "--frames", "--head-links", "--follow-nofollow", "--depth", "4")
        with in_thread(site) as url:
            seed = ("--seed", f"{url}/", *flags, "--fetchers", "4", "--delay", "0.004", "--per-host", "4")
            assert run_command((*seed, "--db", tmp_path / "peace.db")).code == 0
            site.asked.clear()
            db = tmp_path / "killed.db"
            for requests in (10, 25):
                with start_command((*seed, "--db", db)) as process:
                    while site.asked.total() < requests and process.poll() is None:
                        threading.Event().wait(0.001)
                    process.kill()
                    process.communicate()
                assert process.returncode == -signal.SIGKILL
            assert run_command((*seed, "--db", db)).code == 0

        assert equal_crawls(db, tmp_path / "peace.db") == []
        assert rows(db, "SELECT count(*) FROM urls WHERE state = 'done'") == [(45,)]
        assert rows(db, "SELECT count(*) FROM links WHERE NOT followed") == [(0,)]
        assert check_invariants(db) == []
