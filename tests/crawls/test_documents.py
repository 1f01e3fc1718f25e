"""Kinds of document in whole crawls: feeds and PDF lead further, and anybody may add a kind."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl, Content, Document, Links
from penstock.crawler.messages import Resource as PageResource
from penstock.stages.extractors import DocumentTable, LinkCollector
from tests.crawls.test_resume import killed_after
from tests.support.crawls import (
    QUICK_FLAGS,
    check_invariants,
    crawl,
    rows,
    run_command,
    start_command,
)
from tests.support.pdf import pdf
from tests.support.synthetic_web import SyntheticWeb
from tests.support.synthetic_web_resource import Resource


def library(entries: int = 20) -> SyntheticWeb:
    """A site whose pages are reached through an RSS feed, an Atom feed that claims to be XML, and a PDF."""
    web = SyntheticWeb(pages=0)

    def put(path: str, content_type: str, body: bytes | str) -> None:
        raw = body if isinstance(body, bytes) else body.encode()
        web.resources[path] = Resource(path=path, content_type=content_type, raw=raw)

    items = "".join(f"<item><title>Entry {n}</title><link>/entry/{n}</link></item>" for n in range(entries))
    linked = " ".join(f"<a href=/{path}>x</a>" for path in ("rss", "atom", "map.xml", "file.zip"))
    put("/", "text/html", f"<title>Library</title>{linked}")
    put("/rss", "application/rss+xml", f"<rss><channel><title>RSS</title>{items}</channel></rss>")
    put(
        "/atom",
        "text/xml",
        '<feed xml:base="/books/"><title>Atom</title><entry><link href="book.pdf"/></entry></feed>',
    )
    put("/books/book.pdf", "application/pdf", pdf("chapter", "/entry/1", title="Book"))
    put("/books/chapter", "text/html", "<title>Chapter</title>")
    put("/map.xml", "application/xml", "<urlset><url><loc>http://127.0.0.1/no</loc></url></urlset>")
    put("/file.zip", "application/zip", b"PK" + bytes(100))
    for number in range(entries):
        put(f"/entry/{number}", "text/html", f"<title>{number}</title>" + "<i>x</i> " * (number % 3) * 2_000)
    return web


def result(db: Path) -> tuple[list[Any], list[Any], list[Any]]:
    def relative(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [
            tuple(value.split("/", 3)[3] if str(value).startswith("http://") else value for value in row)
            for row in found
        ]

    return (
        relative(rows(db, "SELECT url, status, depth, title, content_type, content_hash, body_bytes, error "
                          "FROM pages ORDER BY depth, title, url")),
        relative(rows(db, "SELECT source, target, text, followed FROM links ORDER BY 1, 2")),
        relative(rows(db, "SELECT url, state, reason, depth FROM urls ORDER BY 1")),
    )  # fmt: skip


class TestFeedsAndPdf:
    async def test_their_links_are_followed_one_deeper(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with library(2).serve() as url:
            await crawl(seeds=[url], db=db, depth=4)

        found = {row[0]: row for row in result(db)[0]}
        titles = {path: (row[2], row[3], row[5] is not None) for path, row in found.items()}
        assert titles == {
            "": (0, "Library", True),
            "rss": (1, "RSS", True),
            "atom": (1, "Atom", True),
            "map.xml": (1, None, True),  # no feed: read no further, but downloaded to be seen
            "file.zip": (1, None, False),
            "entry/0": (2, "0", True),
            "entry/1": (2, "1", True),
            "books/book.pdf": (2, "Book", True),
            "books/chapter": (3, "Chapter", True),
        }
        assert all(row[7] is None for row in found.values())
        assert ("rss", "entry/0", "Entry 0", 1) in result(db)[1]
        assert check_invariants(db) == []

    async def test_the_crawl_is_the_same_at_any_speed(self, tmp_path: Path) -> None:
        found = []
        for fetchers in (1, 4, 64):
            db = tmp_path / f"{fetchers}.db"
            async with library().serve() as url:
                await crawl(seeds=[url], db=db, depth=4, fetchers=fetchers, parsers=2, processes=2)
            found.append(result(db))

        assert found[0] == found[1] == found[2]
        assert len(found[0][0]) == 27

    async def test_one_that_is_over_the_limit_is_stored_unread(self, tmp_path: Path) -> None:
        """As it was before anybody read it; an HTML page is a failure then. Said or not said."""
        db = tmp_path / "crawl.db"
        web = SyntheticWeb(pages=0)
        body = b"<rss>" + b" " * 3_000
        for path, chunked in (("/said", False), ("/unsaid", True)):
            web.resources[path] = Resource(path=path, content_type="text/xml", raw=body, chunked=chunked)
        web.resources["/"] = Resource(path="/", raw=b"<a href=/said>x</a><a href=/unsaid>y</a>")
        async with web.serve() as url:
            await crawl(seeds=[url], db=db, max_body=2_000)

        query = "SELECT status, content_hash, error FROM pages WHERE depth = 1"
        assert rows(db, query) == [(200, None, None)] * 2

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals as POSIX has them")
    def test_a_crawl_that_was_killed_is_the_same_in_the_end(self, tmp_path: Path) -> None:
        web, rng = library(40), Random(5)
        for page in web.resources.values():
            page.delay = 0.008
        flags = ("--depth", "4", "--fetchers", "4", "--parsers", "2", "--queue-size", "4", *QUICK_FLAGS)
        peace, db = tmp_path / "peace.db", tmp_path / "crawl.db"
        with web.serve_in_thread() as url:
            assert run_command(("--seed", url, *flags, "--db", peace)).code == 0
            web.forget()
            for wanted in (4, 20):
                with start_command(("--seed", url, *flags, "--db", db)) as process:
                    assert killed_after(process, web, wanted, rng)
                assert check_invariants(db, finished=False) == []
            ended = run_command(("--seed", url, *flags, "--db", db))

        assert ended.code == 0, ended.stderr
        assert result(db) == result(peace)


class TextKind:
    """Every line of a text is a link."""

    content_types = ("text/plain",)

    def read(self, document: Document) -> Content:
        links = LinkCollector(document)
        for line in document.body.decode().split():
            links.add(line)
        return links.content(title="A text")


TEXT_KIND = TextKind()


def texts() -> SyntheticWeb:
    web = SyntheticWeb(pages=0)
    raw = b"/a\n" + b"/b\n" * 20_000  # heavy: a parser process reads it, if it can import the kind
    web.resources["/"] = Resource(path="/", content_type="text/plain", raw=raw)
    for path in ("/a", "/b"):
        web.resources[path] = Resource(path=path, raw=b"<title>x</title>")
    return web


class TestKindsOfOthers:
    @pytest.mark.parametrize("kind", [TextKind(), TEXT_KIND], ids=["object", "importable"])
    async def test_an_object_given_to_the_crawl_reads_its_types(self, kind: object, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with texts().serve() as url:
            await crawl(seeds=[url], db=db, documents={"text": kind})

        assert rows(db, "SELECT title, depth FROM pages ORDER BY depth") == [
            ("A text", 0),
            ("x", 1),
            ("x", 1),
        ]

    async def test_an_installed_package_offers_a_kind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        info = tmp_path / "text_kind-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: text-kind\nVersion: 1\n")
        points = f"text = {__name__}:TEXT_KIND\nbroken = no_such_module_at_all:KIND\n"
        (info / "entry_points.txt").write_text(f"[penstock.documents]\n{points}")
        monkeypatch.syspath_prepend(tmp_path)
        db = tmp_path / "crawl.db"
        async with texts().serve() as url:
            await crawl(seeds=[url], db=db, depth=4)

        assert rows(db, "SELECT count(*) FROM pages WHERE depth = 1") == [(2,)]

    def test_an_installed_kind_that_cannot_be_asked_is_left_out_with_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A document that has nothing to do with it is read, and the kinds after it are found."""
        info = tmp_path / "kinds-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kinds\nVersion: 1\n")
        points = f"a = {__name__}:UNAVAILABLE_KIND\nb = kind_that_exits:KIND\nc = {__name__}:TEXT_KIND\n"
        (info / "entry_points.txt").write_text(f"[penstock.documents]\n{points}")
        (tmp_path / "kind_that_exits.py").write_text("raise SystemExit(7)\n")
        monkeypatch.syspath_prepend(tmp_path)

        kind = DocumentTable().find("text/plain")

        assert kind is not None
        assert kind.name == "c"
        warnings = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
        assert [(line["event"], line["kind"]) for line in warnings] == [
            ("document_kind_unavailable", "a"),
            ("document_kind_unavailable", "b"),
        ]

    def test_a_given_kind_that_cannot_be_asked_is_refused_by_its_name(self) -> None:
        with pytest.raises(BadConfig, match="'mine' cannot tell whether it is available: OSError: no disk"):
            DocumentTable({"mine": UNAVAILABLE_KIND})

    async def test_a_given_kind_takes_the_place_of_the_built_in_one_of_its_types(self) -> None:
        class Empty:
            content_types = ("application/pdf",)

            def read(self, document: Document) -> None:
                return None

        mine = DocumentTable({"mine": Empty()}).find("application/pdf")

        assert mine is not None
        assert (mine.name, mine.where) == ("mine", None)

    @pytest.mark.parametrize("kind", [object(), type("Named", (), {"content_types": "a/b", "read": print})])
    def test_an_object_that_is_no_kind_is_refused(self, kind: object) -> None:
        with pytest.raises(BadConfig, match=r"kind of document 'x' must have content_types and a function"):
            DocumentTable({"x": kind})

    def test_a_kind_for_parser_processes_must_be_importable(self) -> None:
        class Slow(TextKind):
            worker_only = True

        with pytest.raises(BadConfig, match="a parser process cannot import it"):
            DocumentTable({"x": Slow()})

    def test_without_its_library_a_kind_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pypdf", None)
        monkeypatch.setattr("penstock.stages.extractors.pdf.find_spec", lambda name: None)

        assert not DocumentTable().wants("application/pdf")
        assert DocumentTable().wants("application/rss+xml")

    @pytest.mark.parametrize("content_type", [None, "", "image/png", "text/html; charset=utf-8"])
    def test_other_types_are_not_wanted(self, content_type: str | None) -> None:
        assert not DocumentTable().wants(content_type)

    async def test_a_bug_in_a_kind_fails_its_document_only(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Here and in a parser process, with the same reason; the traceback is in the log."""
        db = tmp_path / "crawl.db"
        web = texts()
        web.resources["/"] = Resource(path="/", raw=b"<a href=/light>x</a><a href=/heavy>y</a>")
        for path, size in (("/light", 1), ("/heavy", 100_000)):
            web.resources[path] = Resource(path=path, content_type="text/x-broken", raw=b"x" * size)
        async with web.serve() as url:
            report = await crawl(seeds=[url], db=db, documents={"broken": BROKEN_KIND})

        assert report.exit_code == 1
        assert (
            rows(db, "SELECT state, reason FROM urls WHERE depth = 1")
            == [("failed", "internal:ZeroDivisionError")] * 2
        )
        assert "ZeroDivisionError: division by zero" in caplog.text

    @pytest.mark.parametrize("size", [1, 100_000], ids=["in this process", "in a parser process"])
    @pytest.mark.parametrize(
        ("case", "reason"),
        [
            ("relative", "internal:ValueError"),
            ("not_canonical", "internal:ValueError"),
            ("another_scheme", "internal:ValueError"),
            ("twice", "internal:ValueError"),
            ("without_text", "internal:ValueError"),
            ("resource", "internal:ValueError"),
            ("huge_count", "internal:ValueError"),
            ("number", "internal:TypeError"),
            ("title", "internal:TypeError"),
            ("no_content", "internal:TypeError"),
        ],
    )
    async def test_a_kind_that_returns_invalid_content_fails_its_document_only(
        self, case: str, reason: str, size: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        db = tmp_path / "crawl.db"
        web = texts()
        web.resources["/"] = Resource(path="/", raw=f"<a href=/{case}>x</a><a href=/good>y</a>".encode())
        web.resources[f"/{case}"] = Resource(path=f"/{case}", content_type="text/x-odd", raw=b"x" * size)
        web.resources["/good"] = Resource(path="/good", raw=b"<title>x</title>")
        async with web.serve() as url:
            report = await crawl(seeds=[url], db=db, documents={"odd": ODD_KIND})

        assert report.exit_code == 1
        assert rows(db, "SELECT state, reason FROM urls WHERE depth = 1 ORDER BY state") == [
            ("done", None),
            ("failed", reason),
        ]
        name = "odd" if size == 1 else f"{__name__}:ODD_KIND"
        assert f"kind of document '{name}' " in caplog.text.replace("\\", "")


class OddKind:
    """Returns what the path of a document names: contents of which each would break the storage."""

    content_types = ("text/x-odd",)

    def read(self, document: Document) -> Any:
        def links(*urls: str) -> Content:
            return Content(links=Links(urls=[CanonicalUrl(url) for url in urls], texts=[""] * len(urls)))

        odd: Any = 7
        contents: dict[str, Any] = {
            "relative": links("/rel"),
            "not_canonical": links("HTTP://H.test"),
            "another_scheme": links("mailto:me@h.test"),
            "twice": links("http://h.test/", "http://h.test/"),
            "without_text": Content(links=Links(urls=[CanonicalUrl("http://h.test/")])),
            "resource": Content(resources=[PageResource(url=CanonicalUrl("/x.png"), use="image")]),
            "huge_count": Content(other_links=1 << 63),
            "number": links(odd),
            "title": Content(title=odd),
            "no_content": "text",
        }
        return contents[document.url.rpartition("/")[2]]


ODD_KIND = OddKind()


class UnavailableKind(TextKind):
    def is_available(self) -> bool:
        raise OSError("no disk")


UNAVAILABLE_KIND = UnavailableKind()


class BrokenKind:
    content_types = ("text/x-broken",)

    def read(self, document: Document) -> Content:
        raise ZeroDivisionError("division by zero")


BROKEN_KIND = BrokenKind()
