"""A crawl with --save-bodies as a web archive: whatever was answered is a record, and can be replayed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penstock
from tests.support.crawls import check_invariants, crawl, rows
from tests.support.raw_server import RawServer, html, http

iterators = pytest.importorskip("warcio.archiveiterator")

HOME = b"<title>home</title>" + b"".join(
    b"<a href=/%b>x</a>" % name for name in (b"old", b"gone", b"doc.pdf", b"copy", b"zip", b"long", b"r.txt")
)
SITE = {
    "/robots.txt": http("Location: /r.txt", status="301 Over There", body=b"moved"),
    "/r.txt": http("Content-Type: text/plain", body=b"Sitemap: /map.xml"),
    "/map.xml": http("Content-Type: application/xml", body=b"<urlset><url><loc>/home</loc></url></urlset>"),
    "/": http("Location: /home", status="301 Moved For Ever", body=b"<a href=/home>here</a>"),
    "/home": html("x-LOWER: 1", "X-Twice: a", "X-Twice: b", body=HOME),
    "/old": http("Location: /new", status="302 Found", body=b""),
    "/new": html(body=b"<title>new</title>"),
    "/gone": http("Content-Type: text/html", status="404 Not Here", body=b"<title>gone</title>sorry"),
    "/doc.pdf": http("Content-Type: application/pdf", body=b"%PDF-1.4 x"),
    "/copy": html(body=b"<title>new</title>"),
    "/zip": html("Content-Encoding: gzip", body=gzip.compress(b"<title>zip</title>")),
    "/long": http("Content-Type: text/html", status="500 Broken", body=b"short", length=50),
}


def records(db: Path, file: Path) -> Iterator[tuple[str, str, Any, bytes]]:
    """Type, path, record and content of each."""
    with penstock.open(db) as found:
        found.export("warc", file)
    with file.open("rb") as stream:
        for record in iterators.ArchiveIterator(stream, check_digests="raise"):
            url = record.rec_headers.get_header("WARC-Target-URI") or ""
            yield record.rec_type, "/" + url.split("/", 3)[-1], record, record.content_stream().read()


@pytest.fixture
async def archive(tmp_path: Path) -> dict[tuple[str, str], tuple[Any, bytes]]:
    db = tmp_path / "crawl.db"
    async with RawServer().serve() as server:
        server.answers.update(SITE)
        await crawl(
            seeds=[server.url + "/"],
            db=db,
            save_bodies=True,
            no_robots=False,
            retries=0,
            throttle="fixed",
            header=["X-Key: secret"],
        )
    assert check_invariants(db) == []
    assert rows(db, "SELECT count(*) FROM pages WHERE error IS NOT NULL AND content_hash IS NOT NULL") == [
        (0,)
    ]
    found = records(db, tmp_path / "out.warc.gz")
    return {(kind, path): (record, content) for kind, path, record, content in found}


class TestArchive:
    async def test_whatever_was_answered_is_a_record(
        self, archive: dict[tuple[str, str], tuple[Any, bytes]]
    ) -> None:
        assert {path for kind, path in archive if kind == "response"} == set(SITE)
        assert archive["response", "/gone"][1] == b"<title>gone</title>sorry"
        assert archive["response", "/"][1] == b"<a href=/home>here</a>"
        assert archive["response", "/r.txt"][1] == b"Sitemap: /map.xml"
        assert archive["response", "/zip"][1] == b"<title>zip</title>"
        assert archive["response", "/long"][1] == b"", "a body that breaks off is not kept"

    async def test_a_url_with_the_same_body_again_is_a_revisit(
        self, archive: dict[tuple[str, str], tuple[Any, bytes]]
    ) -> None:
        """Other URLs with the same body are responses: few tools resolve a revisit across URLs."""
        first, again = (archive[kind, "/r.txt"][0].rec_headers for kind in ("response", "revisit"))
        for name in ("WARC-Payload-Digest", "WARC-Target-URI"):
            assert again.get_header(name) == first.get_header(name)
        assert again.get_header("WARC-Profile").endswith("identical-payload-digest")
        assert again.get_header("WARC-Refers-To-Target-URI") == first.get_header("WARC-Target-URI")
        assert again.get_header("WARC-Refers-To-Date") == first.get_header("WARC-Date")
        assert archive["response", "/copy"][1] == archive["response", "/new"][1]

    async def test_the_head_of_an_answer_is_as_it_came(
        self, archive: dict[tuple[str, str], tuple[Any, bytes]]
    ) -> None:
        head = archive["response", "/home"][0].http_headers
        assert (head.protocol, head.statusline) == ("HTTP/1.1", "200 OK")
        assert head.headers == [
            ("Content-Type", "text/html"),
            ("x-LOWER", "1"),
            ("X-Twice", "a"),
            ("X-Twice", "b"),
            ("Content-Length", str(len(HOME))),
        ]
        assert archive["response", "/"][0].http_headers.statusline == "301 Moved For Ever"
        assert archive["response", "/robots.txt"][0].http_headers.statusline == "301 Over There"

    async def test_a_head_that_is_not_ascii_is_in_the_bytes_in_which_it_came(self, tmp_path: Path) -> None:
        """One such status line ended the export."""
        head = b"HTTP/1.1 200 Tr\xc3\xa8s bien\r\nContent-Type: text/html\r\nX-A: \xc3\xa9\r\n"
        async with RawServer().serve() as server:
            server.answers["/"] = head + b"Content-Length: 1\r\n\r\nx"
            await crawl(seeds=[server.url + "/"], db=tmp_path / "crawl.db", save_bodies=True)

        found = list(records(tmp_path / "crawl.db", tmp_path / "out.warc"))

        assert [kind for kind, *_ in found] == ["warcinfo", "response", "request"]
        assert head in (tmp_path / "out.warc").read_bytes()

    async def test_the_headers_of_a_coded_body_are_those_of_the_stored_one(
        self, archive: dict[tuple[str, str], tuple[Any, bytes]]
    ) -> None:
        head = archive["response", "/zip"][0].http_headers
        assert head.get_header("Content-Encoding") is None
        assert head.get_header("X-Archive-Orig-Content-Encoding") == "gzip"
        assert head.get_header("Content-Length") == "18"

    async def test_a_request_is_recorded_without_the_operators_headers(
        self, archive: dict[tuple[str, str], tuple[Any, bytes]]
    ) -> None:
        record, content = archive["request", "/home"]
        answer = archive["response", "/home"][0].rec_headers
        assert record.http_headers.protocol == "GET"
        assert record.http_headers.get_header("User-Agent").startswith("Penstock")
        assert record.rec_headers.get_header("WARC-Concurrent-To") == answer.get_header("WARC-Record-ID")
        assert content == b""
        assert not any("secret" in str(record.http_headers) for record, _ in archive.values())

    async def test_an_ordinary_crawl_keeps_and_reads_nothing_more(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with RawServer().serve() as server:
            server.answers.update(SITE)
            await crawl(seeds=[server.url + "/"], db=db, retries=0, throttle="fixed")
        tables = ("body", "robots_exchange")
        assert [rows(db, f"SELECT count(*) FROM {table}") for table in tables] == [[(0,)], [(0,)]]
