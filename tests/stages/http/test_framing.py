"""Framing: a response is read wherever its status and the end of its body can be known (RFC 9112)."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.messages import Failed, Fetched, Kind
from penstock.stages.fetchers import FetchContext
from penstock.stages.fetchers.plain import PlainFetcher
from tests.support.fakes import task
from tests.support.raw_server import PAGE, RawServer

OK = "HTTP/1.1 200 OK"
TYPE = "Content-Type: text/html"
SIZE = f"Content-Length: {len(PAGE)}"
CHUNKED = "Transfer-Encoding: chunked"
GZIPPED = gzip.compress(PAGE)


def chunks(body: bytes = PAGE) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def response(*lines: str, status: str = OK, body: bytes = PAGE, end: str = "\r\n") -> bytes:
    return end.join([status, TYPE, *lines, "", ""]).encode("latin-1") + body


@asynccontextmanager
async def fetching(
    answer: bytes, *, byte_by_byte: bool = False
) -> AsyncIterator[tuple[RawServer, PlainFetcher]]:
    async def drops(writer: asyncio.StreamWriter) -> None:
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    context = FetchContext(
        user_agent="x", headers={}, timeout=5.0, max_body=1 << 20, budget=BodyBudget(1 << 26)
    )
    async with RawServer().serve() as server:
        server.answers["/"] = drops if byte_by_byte else answer
        fetcher = PlainFetcher(context)
        try:
            yield server, fetcher
        finally:
            await fetcher.close()


async def fetch(answer: bytes, kind: Kind = "page", *, byte_by_byte: bool = False) -> Fetched | Failed:
    async with fetching(answer, byte_by_byte=byte_by_byte) as (server, fetcher):
        return await fetcher.get(task(server.url + "/", kind=kind))


READ = {
    # Content-Length: RFC 9112 section 6.3, and the web platform tests of Content-Length.
    "length": response(SIZE),
    "length twice": response(SIZE, SIZE),
    "length as a list": response(f"{SIZE}, {len(PAGE)}"),
    "length as a list without blanks": response(f"{SIZE},{len(PAGE)},{len(PAGE)}"),
    "length twice and as a list": response(SIZE, f"{SIZE},{len(PAGE)}"),
    "length with zeros": response(f"Content-Length: 0{len(PAGE)}"),
    "length with blanks": response(f"Content-Length: \t{len(PAGE)} "),
    "length shorter than the body": response(SIZE, body=PAGE + b"garbage"),
    "no length": response(),
    # Transfer-Encoding.
    "identity": response("Transfer-Encoding: identity"),
    "identity and length": response("Transfer-Encoding: identity", SIZE),
    "length and identity": response(SIZE, "Transfer-Encoding: Identity"),
    "empty": response("Transfer-Encoding:"),
    "empty and length": response("Transfer-Encoding:", SIZE),
    "unregistered and length": response("Transfer-Encoding: none", SIZE),
    "unregistered": response("Transfer-Encoding: binary"),
    "chunked": response(CHUNKED, body=chunks()),
    "chunked in another case": response("transfer-ENCODING: Chunked", body=chunks()),
    "chunked and length": response(CHUNKED, "Content-Length: 3", body=chunks()),
    "length and chunked": response("Content-Length: 3", CHUNKED, body=chunks()),
    "chunked twice": response(CHUNKED, CHUNKED, body=chunks()),
    "chunked twice in a list": response("Transfer-Encoding: chunked, chunked", body=chunks()),
    "chunked twice and length": response(CHUNKED, SIZE, CHUNKED, body=chunks()),
    "identity, chunked": response("Transfer-Encoding: identity, chunked", body=chunks()),
    "chunked, identity": response("Transfer-Encoding: chunked, identity", body=chunks()),
    "chunked with a comma": response("Transfer-Encoding: chunked,", body=chunks()),
    "chunked with a parameter": response("Transfer-Encoding: chunked;q=1", body=chunks()),
    "chunked in quotes": response('Transfer-Encoding: "chunked"', body=chunks()),
    "chunked by HTTP/1.0": response(CHUNKED, status="HTTP/1.0 200 OK", body=chunks()),
    "chunks with extensions, zeros and trailers": response(
        CHUNKED, body=b"0%x;a=b\r\n%b\r\n000\r\nX: y\r\n\r\n" % (len(PAGE), PAGE)
    ),
    "chunk sizes with blanks": response(CHUNKED, body=b"%x  \r\n%b\r\n0\r\n\r\n" % (len(PAGE), PAGE)),
    "gzip, chunked": response("Transfer-Encoding: gzip, chunked", body=chunks(GZIPPED)),
    "x-gzip and chunked, a line each": response(
        "Transfer-Encoding: X-Gzip", CHUNKED, body=chunks(GZIPPED)
    ),
    "deflate, chunked": response("Transfer-Encoding: deflate, chunked", body=chunks(zlib.compress(PAGE))),
    "gzip, chunked, and length": response(
        "Transfer-Encoding: gzip, chunked", SIZE, body=chunks(GZIPPED)
    ),
    "gzip alone": response("Transfer-Encoding: gzip", body=GZIPPED),
    "gzip as both codings": response(
        "Content-Encoding: gzip", "Transfer-Encoding: gzip, chunked", body=chunks(gzip.compress(GZIPPED))
    ),
    # Status lines.
    "no reason": response(SIZE, status="HTTP/1.1 200"),
    "a blank for a reason": response(SIZE, status="HTTP/1.1 200 "),
    "a Latin-1 reason": response(SIZE, status="HTTP/1.1 200 Tr\xe8s bien"),
    "two blanks": response(SIZE, status="HTTP/1.1  200  OK"),
    "tabs": response(SIZE, status="HTTP/1.1\t200\tOK"),
    "lower case": response(SIZE, status="http/1.1 200 ok"),
    "no minor version": response(SIZE, status="HTTP/2 200"),
    "another version": response(SIZE, status="HTTP/1.2 200 OK"),
    "HTTP/2.0": response(SIZE, status="HTTP/2.0 200 OK"),
    "no version": response(SIZE, status="HTTP 200 OK"),
    "no blank after the status": response(SIZE, status="HTTP/1.1 200OK"),
    "ICY": response(status="ICY 200 OK"),
    "a blank before": response(SIZE, status=" HTTP/1.1 200 OK"),
    "empty lines before": b"\r\n\r\n" + response(SIZE),
    "empty lines before a head to be mended": b"\r\n\n" + response(SIZE, SIZE),
    # Lines and fields.
    "bare LF": response(SIZE, end="\n"),
    "bare LF and a length twice": response(SIZE, SIZE, end="\n"),
    "a folded line": response("X: one\r\n\ttwo", SIZE),
    "a folded line in a head to be mended": response("X: one\r\n two", SIZE, SIZE),
    "a fold behind the status line": response(SIZE, status=f"{OK}\r\n X: y"),
    "a blank before the colon": response(f"Content-Length : {len(PAGE)}"),
    "a tab before the colon": response("X\t: y", SIZE),
    "no blank after the colon": response(f"Content-Length:{len(PAGE)}"),
    "a line without a colon": response("garbage", SIZE),
    "a second status line": response(OK, SIZE),
    "a field without a name": response(": nothing", SIZE),
    "a blank in a name": response("X Y: z", SIZE),
    "a name that is not ASCII": response("X-\xe9: z", SIZE),
    "a value that is not ASCII": response("X: \xe9\xff", SIZE),
    "a control character in a value": response("X: a\x01b\x7f", SIZE),
    "a bare CR in a value": response("X: a\rb", SIZE),
    "1xx before a head to be mended": b"HTTP/1.1 103 Early\r\n\r\n" * 2 + response(SIZE, SIZE),
    "1xx that is to be mended": b"HTTP/1.1  103 Early\r\n\r\n" + response(SIZE),
    "HTTP/1.0 without a length": response(status="HTTP/1.0 200 OK"),
}  # fmt: skip

REFUSED = {
    "different lengths": response(SIZE, "Content-Length: 5"),
    "different lengths in a list": response(f"{SIZE}, 5"),
    "a list with an empty element": response(f"{SIZE},"),
    "different spellings of one length": response(SIZE, f"Content-Length: 0{len(PAGE)}"),
    "a length with a sign": response(f"Content-Length: +{len(PAGE)}"),
    "a negative length": response("Content-Length: -1"),
    "an empty length": response("Content-Length:"),
    "a length in words": response("Content-Length: aaaah"),
    "a length with a unit": response("Content-Length: 42s"),
    "a hexadecimal length": response("Content-Length: 0x20"),
    "a length with a blank inside": response("Content-Length: 2 1"),
    "no status": response(SIZE, status="HTTP/1.1 OK"),
    "a status of two digits": response(SIZE, status="HTTP/1.1 20 OK"),
    "a status of four digits": response(SIZE, status="HTTP/1.1 2000 OK"),
    "a version of three numbers": response(SIZE, status="HTTP/1.1.1 200 OK"),
    "another protocol": b"SSH-2.0-OpenSSH_9.0\r\n",
    "a page without a head": PAGE + b"\r\n\r\n",
    "a NUL in a value": response("X: a\0b", SIZE),
    "lines that end with CR": response(SIZE, end="\r"),
}


class TestWhatIsRead:
    @pytest.mark.parametrize("name", READ)
    async def test_a_body_whose_end_can_be_known_is_read(self, name: str) -> None:
        result = await fetch(READ[name])

        assert isinstance(result, Fetched), result
        assert (result.answer.status, result.body) == (200, PAGE)

    @pytest.mark.parametrize("name", READ)
    async def test_the_division_into_packets_makes_no_difference(self, name: str) -> None:
        result = await fetch(READ[name], byte_by_byte=True)

        assert isinstance(result, Fetched), result
        assert (result.answer.status, result.body) == (200, PAGE)

    @pytest.mark.parametrize("kind", ["robots", "sitemap"])
    async def test_robots_txt_and_sitemaps_are_read_alike(self, kind: Kind) -> None:
        for answer in (READ["length twice"], READ["identity and length"], READ["gzip, chunked"]):
            result = await fetch(answer, kind)

            assert isinstance(result, Fetched), result
            assert result.body == PAGE

    async def test_a_value_in_a_mended_head_is_read(self) -> None:
        answer = response("Refresh : 1;\r\n url=/x", "Link: </a>", SIZE, SIZE)

        result = await fetch(answer)

        assert isinstance(result, Fetched)
        assert (result.answer.refresh, result.answer.link) == ("1; url=/x", "</a>")
        assert (result.answer.content_type, result.answer.body_bytes) == ("text/html", len(PAGE))

    @pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
    @pytest.mark.parametrize("lines", [(), (SIZE,), (CHUNKED,)])
    async def test_an_answer_that_has_no_body_may_be_followed_by_one(
        self, status: str, lines: tuple[str, ...]
    ) -> None:
        """RFC 9110 sections 15.3.5 and 15.4.5: what follows is not part of the answer."""
        result = await fetch(response(*lines, status=f"HTTP/1.1 {status}"))

        assert isinstance(result, Fetched), result
        assert (result.answer.status, result.body or b"") == (int(status[:3]), b"")

    async def test_a_head_request_may_be_answered_with_a_body(self) -> None:
        result = await fetch(response(SIZE, SIZE), "resource")

        assert isinstance(result, Fetched), result
        assert result.answer.body_bytes == len(PAGE)

    async def test_a_mended_answer_ends_its_connection(self) -> None:
        async with fetching(READ["length twice"]) as (server, fetcher):
            for _ in range(2):
                result = await fetcher.get(task(server.url + "/"))
                assert isinstance(result, Fetched)

            assert fetcher._client._connector._conns == {}


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", REFUSED)
    async def test_an_answer_whose_status_or_length_nobody_can_know_is_bad_http(self, name: str) -> None:
        """RFC 9112 section 6.3 asks a client to discard it; the web platform tests and curl agree."""
        for byte_by_byte in (False, True):
            result = await fetch(REFUSED[name], byte_by_byte=byte_by_byte)

            assert isinstance(result, Failed), result
            assert result.reason in ("bad_http", "reset")

    async def test_a_body_that_breaks_off_is_truncated_after_a_mended_head_too(self) -> None:
        result = await fetch(response(SIZE, SIZE, body=PAGE[:-3]))

        assert isinstance(result, Failed)
        assert result.reason == "truncated"
