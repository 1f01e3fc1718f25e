"""Odd answers: what servers send beside the standards, read in whole crawls as a browser reads it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import brotli
import pytest

from tests.support.crawls import check_invariants, crawl, rows
from tests.support.raw_server import RawServer, html, http

PAGES = "SELECT title, status, content_type FROM pages ORDER BY title"


def linking(answers: Mapping[str, bytes]) -> dict[str, bytes]:
    """A site whose start page links to every answer; robots.txt is missing."""
    links = "".join(f"<a href={path}>x</a>" for path in answers)
    missing = http(status="404 Not Found")
    return {"/robots.txt": missing, "/": html(body=f"<title>start</title>{links}".encode()), **answers}


async def crawled(db: Path, answers: Mapping[str, bytes], **options: Any) -> dict[str, dict[str, Any]]:
    """The columns of each page, by path."""
    async with RawServer().serve() as server:
        server.answers.update(linking(answers))
        chosen = {"depth": 1, "retries": 0, "throttle": "fixed", "no_robots": True, **options}
        report = await crawl(seeds=[server.url + "/"], db=db, **chosen)
        names = ("url", "title", "status", "content_type", "error")
        found = [
            dict(zip(names, row, strict=True)) for row in rows(db, f"SELECT {', '.join(names)} FROM pages")
        ]
    assert report.exit_code == 0
    assert check_invariants(db) == []
    return {page["url"].removeprefix(server.url): page for page in found}


def page(name: str) -> bytes:
    return f"<!DOCTYPE html><title>{name}</title><a href=/from-{name}>x</a>".encode()


class TestCodings:
    NAMES = (
        "none",
        "utf-8",
        "binary",
        "8bit",
        "aws-chunked",
        "identity",
        "",
        "text/html",
        "ISO-8859-1",
        "UTF-8",
    )

    async def test_a_content_encoding_that_names_no_coding_is_passed_over(self, tmp_path: Path) -> None:
        answers = {
            f"/{n}": html(f"Content-Encoding: {name}", body=page(f"coded {name}"))
            for n, name in enumerate(self.NAMES)
        }

        found = await crawled(tmp_path / "crawl.db", answers)

        titles = {found[f"/{n}"]["title"] for n in range(len(self.NAMES))}
        assert titles == {f"coded {name}".strip() for name in self.NAMES}

    async def test_it_is_passed_over_for_robots_txt_and_sitemaps_too(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        plain = "Content-Encoding: utf-8"
        async with RawServer().serve() as server:
            server.answers["/"] = html(body=b"<title>start</title><a href=/no>x</a>")
            server.answers["/hidden"] = html(body=b"<title>hidden</title>")
            robots = f"User-agent: *\nDisallow: /no\nSitemap: {server.url}/map.xml\n"
            server.answers["/robots.txt"] = http(
                plain, "Content-Length: " + str(len(robots)), body=robots.encode()
            )
            entries = f"<urlset><url><loc>{server.url}/hidden</loc></url></urlset>"
            server.answers["/map.xml"] = http(plain, "Transfer-Encoding: identity", body=entries.encode())
            await crawl(seeds=[server.url + "/"], db=db, depth=1, no_robots=False)

            assert rows(db, "SELECT title FROM pages ORDER BY title") == [("hidden",), ("start",)]
            assert rows(db, "SELECT state, reason FROM urls WHERE url LIKE '%/no'") == [("skipped", "robots")]

    async def test_every_coding_that_is_offered_is_undone_and_another_is_named(self, tmp_path: Path) -> None:
        packed = {
            "gzip": gzip.compress,
            "x-gzip": gzip.compress,
            "deflate": zlib.compress,
            "br": brotli.compress,
        }
        answers = {
            f"/{name}": html(f"Content-Encoding: {name}", body=pack(page(name)))
            for name, pack in packed.items()
        }
        answers["/compress"] = html("Content-Encoding: compress", body=page("compress"))

        found = await crawled(tmp_path / "crawl.db", answers)

        assert {path[1:] for path in answers if found[path]["title"] == path[1:]} == set(packed)
        assert found["/compress"]["error"] == "unknown_coding:compress"


class TestTypes:
    async def test_a_page_without_a_type_is_read(self, tmp_path: Path) -> None:
        answers = {
            "/html": http(body=page("no type")),
            "/malformed": http("Content-Type: html", body=page("malformed")),
            "/empty": http("Content-Type:", body=page("empty")),
            "/xhtml": http(
                body=b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">'
                b"<head><title>xhtml</title></head></html>"
            ),
            "/feed": http(body=b'<?xml version="1.0"?><rss><channel><title>feed</title></channel></rss>'),
            "/image": http(body=b"\x89PNG\r\n\x1a\n" + bytes(2_000)),
            "/text": http(body=b"just text"),
        }

        found = await crawled(tmp_path / "crawl.db", answers)

        assert {path: (found[path]["title"], found[path]["content_type"]) for path in answers} == {
            "/html": ("no type", "text/html"),
            "/malformed": ("malformed", "text/html"),
            "/empty": ("empty", "text/html"),
            "/xhtml": ("xhtml", "application/xhtml+xml"),
            "/feed": ("feed", "text/xml"),
            "/image": (None, "image/png"),
            "/text": (None, "text/plain"),
        }

    async def test_of_several_types_the_last_valid_one_counts(self, tmp_path: Path) -> None:
        answers = {
            "/joined": http(
                "Content-Type: text/html;charset=utf-8, text/html;charset=utf-8", body=page("joined \xe9")
            ),
            "/malformed-first": http("Content-Type: html", "Content-Type: text/html", body=page("first")),
            "/star": http("Content-Type: */*, text/html", body=page("star")),
        }

        found = await crawled(tmp_path / "crawl.db", answers)

        assert [found[path]["title"] for path in answers] == ["joined \xe9", "first", "star"]


class TestOtherSuccesses:
    @pytest.mark.parametrize("status", [201, 202, 203, 206, 226, 299])
    async def test_the_page_of_another_2xx_is_read_and_its_links_are_followed(
        self, tmp_path: Path, status: int
    ) -> None:
        db = tmp_path / "crawl.db"
        answers = {
            "/page": http("Content-Type: text/html", status=f"{status} Success", body=page("page")),
            "/from-page": html(body=page("from page")),
        }
        async with RawServer().serve() as server:
            server.answers.update(answers)
            report = await crawl(
                seeds=[server.url + "/page"], db=db, depth=1, no_robots=True, throttle="fixed"
            )

        assert rows(db, PAGES) == [("from page", 200, "text/html"), ("page", status, "text/html")]
        assert rows(db, "SELECT DISTINCT state FROM urls WHERE depth < 2") == [("done",)]
        assert (report.exit_code, report.totals.pages) == (0, 1)  # `pages` counts status 200

    async def test_a_part_that_nobody_asked_for_is_no_page(self, tmp_path: Path) -> None:
        answer = http(
            "Content-Type: text/html",
            "Content-Range: bytes 0-9/99",
            status="206 Partial",
            body=page("x")[:10],
        )

        found = await crawled(tmp_path / "crawl.db", {"/part": answer})

        assert (found["/part"]["status"], found["/part"]["title"]) == (206, None)


class TestFraming:
    async def test_the_framing_words_of_old_servers_are_understood(self, tmp_path: Path) -> None:
        body = page("framed")
        head, size = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", str(len(body)).encode()
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        packed = gzip.compress(body)
        answers = {
            "/te-id": head + b"Transfer-Encoding: identity\r\n\r\n" + body,
            "/te-id-len": head
            + b"Transfer-Encoding: identity\r\nContent-Length: "
            + size
            + b"\r\n\r\n"
            + body,
            "/len2": html("Content-Length: " + size.decode(), body=body),
            "/len-list": head + b"Content-Length: " + size + b", " + size + b"\r\n\r\n" + body,
            "/te-caps": head + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks,
            "/te-gzip": head
            + b"Transfer-Encoding: gzip, chunked\r\n\r\n"
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed),
        }

        found = await crawled(
            tmp_path / "crawl.db", {**answers, "/len-plus": html(f"Content-Length: +{len(body)}")}
        )

        assert {path: found[path]["title"] for path in answers} == dict.fromkeys(answers, "framed")
        assert found["/len-plus"]["error"] == "bad_http"
