"""Sitemaps made to hurt, cut off, or no sitemaps at all: a value, quickly, and no memory."""

from __future__ import annotations

import gzip
import itertools
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl, Sitemap
from penstock.stages.extractors.xml.sitemap import (
    MAX_BYTES,
    MAX_ENTRIES,
    SitemapReader,
    read_chunks,
    read_sitemap,
)

URL = CanonicalUrl("http://example.com/sitemap.xml")
GOOD = "<urlset><url><loc>http://a/1</loc></url>"
MIB = 1024 * 1024


def read(body: str | bytes) -> Sitemap:
    return read_sitemap(body.encode() if isinstance(body, str) else body, url=URL)


def endless(beginning: str, unit: str) -> Iterator[bytes]:
    """A file that never ends, in pieces."""
    yield beginning.encode()
    piece = (unit * (64 * 1024 // len(unit) + 1)).encode()
    while True:
        yield piece


def laughs(levels: int = 9) -> str:
    entities = ['<!ENTITY lol "lol">']
    for level in range(1, levels):
        before = f"&lol{level - 1 or ''};"
        entities.append(f'<!ENTITY lol{level} "{before * 10}">')
    return f"<!DOCTYPE urlset [{''.join(entities)}]><urlset><url><loc>&lol{levels - 1};</loc></url></urlset>"


class TestDeclarations:
    def test_a_billion_laughs_are_refused_at_the_first(self) -> None:
        """Expanded they would be 300 MB; not one of them is even declared."""
        started = time.perf_counter()

        found = read(laughs())

        assert (found.kind, found.locations, found.error) == (None, (), "dtd")
        assert time.perf_counter() - started < 0.1

    def test_no_other_file_is_read_through_an_entity(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret.txt"
        secret.write_text("http://a/secret")

        for declaration in (
            f"[<!ENTITY x SYSTEM '{secret.as_uri()}'>]",
            f"[<!ENTITY % x SYSTEM '{secret.as_uri()}'> %x;]",
            f"SYSTEM '{secret.as_uri()}'",
            f"PUBLIC '-//x' '{secret.as_uri()}'",
        ):
            found = read(f"<!DOCTYPE urlset {declaration}><urlset><url><loc>&x;</loc></url></urlset>")
            assert found.locations == ()

    def test_any_declaration_ends_the_reading(self) -> None:
        """Endless ones would be kept in memory, and an attribute's default changes the document."""
        for declared in ("<!ELEMENT a ANY>", "<!ATTLIST link href CDATA 'http://a/'>", "%p;", ""):
            assert read(f"<!DOCTYPE feed [{declared}]><feed><entry><link/></entry></feed>").error == "dtd"


class TestBounds:
    @pytest.mark.parametrize(
        ("beginning", "unit", "error"),
        [
            (GOOD, "<a>", "bad_xml"),
            (GOOD, "<a/>", "bad_xml"),
            (GOOD + "<a x='", "y", "bad_xml"),
            (GOOD + "<!--", "y", "bad_xml"),
            (GOOD + "<?", "y", "bad_xml"),
            (GOOD, " " * 1_000, "too_large"),
            (GOOD + "<url><loc>", "y", "too_large"),
            (GOOD, "<url/>", "too_many"),
            ("http://a/1\n", "http://a/1\n", "too_many"),
            ("http://a/1\n", "y", "too_large"),
            ("y", "\n", "too_many"),
            ("", "lorem ipsum\n", "not_a_sitemap"),
            ("", "<html>", "not_a_sitemap"),
        ],
    )
    def test_a_file_without_end_has_one(self, beginning: str, unit: str, error: str) -> None:
        """Each ends by the bound that it breaks first, and keeps what it had listed."""
        found = read_chunks(endless(beginning, unit), url=URL)

        assert found.error == error
        assert found.locations == (("http://a/1",) if "http" in beginning else ())

    @pytest.mark.parametrize(
        ("beginning", "unit"), [(GOOD, "<a>"), (GOOD + "<a x='", "y"), ("http://a/1\n", "y")]
    )
    def test_what_is_never_closed_is_not_kept(self, beginning: str, unit: str) -> None:
        """No more than a megabyte of a tag is awaited, and of a line no more than a URL has."""
        pieces = itertools.islice(endless(beginning, unit), 400)  # 25 MiB
        tracemalloc.start()

        found = read_chunks(pieces, url=URL)

        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.locations == ("http://a/1",)
        assert peak < 5 * MIB
        assert len(list(pieces)) > 350 or unit == "y"

    def test_names_that_never_repeat_are_not_all_remembered(self) -> None:
        numbers = itertools.count()
        tags = ("".join(f"<a{next(numbers)}/>" for _ in range(5_000)).encode() for _ in itertools.count())

        assert read_chunks(itertools.chain([GOOD.encode()], tags), url=URL).error == "bad_xml"
        assert next(numbers) < 50_000

    def test_the_last_of_fifty_thousand_is_taken(self) -> None:
        entries = "".join(f"<url><loc>http://a/{number}</loc></url>" for number in range(MAX_ENTRIES))

        whole, more = (
            read(f"<urlset>{entries}</urlset>"),
            read(f"<urlset>{entries}<url><loc>http://b/</loc></url></urlset>"),
        )

        assert (len(whole.locations), whole.error) == (MAX_ENTRIES, None)
        assert (more.locations, more.error) == (whole.locations, "too_many")

    def test_a_packed_bomb_stays_small(self) -> None:
        """Over 50 MiB of nothing in 50 KB: no more than a piece of it is ever there."""
        bomb = gzip.compress(GOOD.encode() + b" " * MAX_BYTES)
        tracemalloc.start()

        found = read(bomb)

        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (found.locations, found.error) == (("http://a/1",), "too_large")
        assert peak < 4 * MIB


class TestBreakingOff:
    @pytest.mark.parametrize(
        "body",
        [
            "<?xml version='1.0'?><urlset><url><loc>http://a/1</loc></url><url><loc>http://a/2</loc></url></urlset>",
            "<rss><channel><item><link>http://a/1</link></item><item><link>http://a/2</link></item></channel></rss>",
            "<feed><entry><link href='http://a/1'/></entry><entry><link href='http://a/2'/></entry></feed>",
        ],
    )
    def test_what_was_complete_is_kept(self, body: str) -> None:
        """Never half a URL, and never without saying so."""
        whole = read(body)
        assert (len(whole.locations), whole.error) == (2, None)

        for end in range(len(body)):
            found = read(body[:end])
            assert found.locations == whole.locations[: len(found.locations)]
            assert found.error in ("truncated", "empty", "not_a_sitemap" if end < 2 else "truncated")

    def test_a_location_counts_once_it_is_closed(self) -> None:
        assert read("<urlset><url><loc>http://a/1</loc><lastm").locations == ("http://a/1",)
        assert read("<urlset><url><loc>http://a/1</l").locations == ()

    @pytest.mark.parametrize("end", [5, 20, 40, 60, 75])
    def test_a_packed_file_yields_whole_lines(self, end: int) -> None:
        lines = [f"http://a/{number * 7919:x}" for number in range(20)]
        packed = gzip.compress("\n".join(lines).encode())

        found = read(packed[:end])

        assert found.error == "truncated"
        assert list(found.locations) == lines[: len(found.locations)]

    def test_a_packed_file_that_is_damaged_yields_what_came_before(self) -> None:
        found = read(gzip.compress(b"http://a/1\nhttp://a/2\nhttp://a/3") + b"\x1f\x8bdamaged")

        assert (found.locations, found.error) == (("http://a/1", "http://a/2"), "bad_coding")

    @pytest.mark.parametrize(
        "body", ["", "\n \t", "\ufeff", b"\x1f\x8b", gzip.compress(b"", mtime=0), b"\x00", b"x", "<html/>"]
    )
    def test_what_is_no_sitemap_has_no_kind(self, body: str | bytes) -> None:
        found = read(body)

        assert found.kind is None
        assert found.error in ("empty", "not_a_sitemap", "truncated")


_TAGS = st.sampled_from(["<urlset>", "<url>", "<loc>", "</loc>", "</url>", "</urlset>", "<feed>", "<entry>"])
_REST = st.sampled_from(["http://a/", "&amp;", "&x;", "<![CDATA[", "]]>", "<link href='x'/>", "<!DOCTYPE a>"])
_ODD = st.sampled_from(["<!DOCTYPE a [", "\n", "\ufeff", "é", "<?xml version='1.0' encoding='utf-16'?>"])
_LABELS = st.sampled_from(
    ["shift_jis", "iso-2022-jp", "gbk", "big5", "euc-kr", "x-user-defined", "hz-gb-2312"]
)
_BODIES = st.lists(_TAGS | _REST | _ODD).map("".join).map(str.encode)


class TestPromises:
    @given(body=st.binary() | _BODIES, charset=st.none() | st.text() | _LABELS)
    @example(body=b"\x1f", charset=None)
    def test_no_bytes_raise(self, body: bytes, charset: str | None) -> None:
        found = read_sitemap(body, url=URL, charset=charset)
        packed = read_sitemap(gzip.compress(body), url=URL, charset=charset)

        assert len(found.locations) == len(set(found.locations)) == len(found.lastmods)
        assert body.startswith(b"\x1f\x8b") or packed == found

    @given(body=_BODIES, cuts=st.lists(st.integers(0, 200)))
    def test_any_division_into_chunks_gives_the_same(self, body: bytes, cuts: list[int]) -> None:
        ends = [*sorted(cuts), len(body)]
        chunks = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]

        assert read_chunks(chunks, url=URL) == read(body)

    def test_locations_arrive_while_the_file_is_still_coming(self) -> None:
        reader = SitemapReader(URL)
        chunks = [
            b"<urlset>" + b" " * 2_000,
            b"<url><loc>http://a/1</loc></u",
            b"rl><url><loc>http://a/2</loc>",
            b"</url>",
        ]

        arrived = [[location.url for location in reader.feed(chunk)] for chunk in chunks]

        assert arrived == [[], [], ["http://a/1"], ["http://a/2"]]
        assert (list(reader.finish()), reader.kind, reader.error) == ([], "urlset", "truncated")
        assert list(reader.feed(b"<url>")) == list(reader.finish()) == []
