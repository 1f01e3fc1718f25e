"""The plain fetcher: one request as it should look, and every way the web can answer it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import brotli
import pytest

from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.messages import Failed, Fetched, Kind
from penstock.crawler.policies.politeness import Bandwidth
from penstock.stages.fetchers import FetchContext
from penstock.stages.fetchers.plain import PlainFetcher
from tests.support.fakes import task
from tests.support.raw_server import PAGE, RawServer, html, http

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MakeFetcher = Callable[..., PlainFetcher]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().serve() as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[MakeFetcher]:
    """Makes fetchers, with any option; they are closed after the test."""
    async with AsyncExitStack() as stack:

        def make(*, budget: BodyBudget | None = None, **options: Any) -> PlainFetcher:
            chosen = {"user_agent": "Penstock/test", "headers": {}, "timeout": 5.0, "max_body": 1 << 20}
            made = PlainFetcher(
                FetchContext(**{**chosen, "budget": budget or BodyBudget(1 << 26), **options})
            )
            stack.push_async_callback(made.close)
            return made

        yield make


async def fetched(fetcher: PlainFetcher, url: str, kind: Kind = "page") -> Fetched:
    result = await fetcher.get(task(url, kind=kind))
    assert isinstance(result, Fetched), result
    return result


async def reason(fetcher: PlainFetcher, url: str, kind: Kind = "page") -> str:
    result = await fetcher.get(task(url, kind=kind))
    assert isinstance(result, Failed), result
    assert result.task == task(url, kind=kind)
    return result.reason


def anything(content_type: str | None) -> bool:
    return True


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class TestTheRequest:
    @pytest.mark.parametrize(
        "path",
        [
            "/it's",
            "/%27%2F%3a%7e",
            "/a//b/",
            "/?b=%20+&a=%E4",
            "/a;b=c,d",
            "/%C3%A4",
            "/[x]|y",
            "/%",
            "/?",
            "/a/?",
        ],
    )
    async def test_the_canonical_spelling_goes_onto_the_wire_as_it_is(
        self, server: RawServer, fetcher: MakeFetcher, path: str
    ) -> None:
        """A URL that is changed on its way is another URL than the one in the database."""
        server.answers["/"] = server.answers[path] = html()

        await fetched(fetcher(), server.url + path)

        assert server.paths == [path]

    async def test_a_request_names_the_crawler_and_the_codings_it_can_read(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        server.answers["/"] = html()

        await fetched(fetcher(user_agent="Penstock/9 (+http://me/)"), server.url + "/")

        assert server.header("User-Agent") == ["Penstock/9 (+http://me/)"]
        assert server.header("Accept-Encoding") == ["gzip, deflate, br, zstd"]
        assert server.header("Host") == [server.url.removeprefix("http://")]
        assert server.header("Accept")[0].startswith("text/html")
        assert server.header("Cookie") == []

    @pytest.mark.parametrize("name", ["Accept", "accept", "X-Own"])
    async def test_the_operators_headers_are_sent_in_place_of_ours(
        self, server: RawServer, fetcher: MakeFetcher, name: str
    ) -> None:
        server.answers["/"] = html()

        await fetched(fetcher(headers={name: "as/asked"}), server.url + "/")

        assert server.header(name) == ["as/asked"]

    async def test_no_cookie_is_kept(self, server: RawServer, fetcher: MakeFetcher) -> None:
        server.answers["/"] = html("Set-Cookie: session=1")
        one, by_name = fetcher(), server.url.replace("127.0.0.1", "localhost")  # an address has none anyway

        for _ in range(2):
            await fetched(one, by_name + "/")

        assert server.header("Cookie") == []


class TestTheAnswer:
    async def test_an_answer_holds_the_headers_the_body_and_their_measures(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        headers = ['ETag: "x"', "Last-Modified: yesterday", "X-Robots-Tag: a", "X-Robots-Tag: b"]
        server.answers["/"] = http("Content-Type: Text/HTML; Charset=KOI8-R", *headers)

        result = await fetched(fetcher(), server.url + "/")

        said = result.answer
        assert result.body == PAGE
        assert (said.status, said.content_type, said.charset) == (200, "text/html", "KOI8-R")
        assert (said.body_bytes, said.content_hash) == (len(PAGE), hashlib.sha256(PAGE).digest())
        assert (said.etag, said.last_modified, said.robots) == ('"x"', "yesterday", "a\nb")
        assert (said.location, said.retry_after, said.headers) == (None, None, ())
        assert 0 <= said.elapsed_ms < 5_000

    async def test_an_answer_holds_the_headers_that_say_where_else_a_page_is(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """Several Link lines are one list (RFC 9110 section 5.3); of Refresh the first is obeyed."""
        server.answers["/"] = html(
            "link: </a>; rel=canonical", "Link: </b>; rel=next", "Refresh: 0; url=/c", "Refresh: 1; url=/d"
        )

        said = (await fetched(fetcher(), server.url + "/")).answer

        assert said.link == "</a>; rel=canonical, </b>; rel=next"
        assert said.refresh == "0; url=/c"

    @pytest.mark.parametrize(
        ("headers", "sets_cookie"), [([], False), (["set-cookie: a=b"], True), (["Set-Cookie:"], True)]
    )
    async def test_an_answer_tells_whether_a_cookie_was_set(
        self, server: RawServer, fetcher: MakeFetcher, headers: list[str], sets_cookie: bool
    ) -> None:
        server.answers["/"] = html(*headers)

        said = (await fetched(fetcher(), server.url + "/")).answer

        assert said.sets_cookie is sets_cookie
        assert (said.link, said.refresh) == (None, None)

    async def test_hash_and_size_are_those_of_the_content(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """After content-coding, so two servers with the same page have the same hash."""
        server.answers["/"] = html("Content-Encoding: gzip", body=gzip.compress(PAGE * 100))

        result = await fetched(fetcher(), server.url + "/")

        assert result.body == PAGE * 100
        assert result.answer.body_bytes == len(PAGE) * 100
        assert result.answer.content_hash == hashlib.sha256(PAGE * 100).digest()

    async def test_an_empty_page_has_a_hash(self, server: RawServer, fetcher: MakeFetcher) -> None:
        server.answers["/"] = html(body=b"")

        result = await fetched(fetcher(), server.url + "/")

        assert (result.body, result.answer.body_bytes) == (b"", 0)
        assert result.answer.content_hash == hashlib.sha256(b"").digest()

    @pytest.mark.parametrize(
        ("location", "target"),
        [
            ("/b?c#d", "{url}/b?c"),
            ("b", "{url}/a/b"),
            ("//other/", "http://other/"),
            ("https://user:secret@h/", "https://h/"),
            ("mailto:me@h", "mailto:me@h"),
            ("http://[", None),
            ("", "{url}/a/x"),
        ],
    )
    @pytest.mark.parametrize("status", ["301 Moved", "308 Moved"])
    async def test_a_redirect_is_an_answer_and_is_not_followed(
        self, server: RawServer, fetcher: MakeFetcher, status: str, location: str, target: str | None
    ) -> None:
        """It comes back through the one door."""
        server.answers["/a/x"] = http(f"Location: {location}", status=status)

        result = await fetched(fetcher(), server.url + "/a/x")

        assert result.answer.location == (target and target.format(url=server.url))
        assert (result.body, result.answer.content_hash, server.paths) == (None, None, ["/a/x"])

    async def test_a_location_that_is_no_utf8_is_read_as_browsers_do(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """Old servers send Latin-1; the byte is what counts (Fetch standard, location URL)."""
        server.answers["/"] = http("Location: /caf\xe9", status="301 Moved")

        result = await fetched(fetcher(), server.url + "/")

        assert result.answer.location in (f"{server.url}/caf%E9", f"{server.url}/caf%C3%A9")

    @pytest.mark.parametrize("status", ["200 OK", "201 Created", "404 Not Found"])
    async def test_location_means_nothing_without_a_redirect(
        self, server: RawServer, fetcher: MakeFetcher, status: str
    ) -> None:
        server.answers["/"] = http("Location: /x", "Content-Type: text/html", status=status)

        assert (await fetched(fetcher(), server.url + "/")).answer.location is None

    @pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("soon", None), ("-5", None)])
    async def test_retry_after_is_read_from_any_answer(
        self, server: RawServer, fetcher: MakeFetcher, value: str, seconds: float | None
    ) -> None:
        server.answers["/"] = http(f"Retry-After: {value}", status="503 Busy")

        assert (await fetched(fetcher(), server.url + "/")).answer.retry_after == seconds

    @pytest.mark.parametrize("header", ["ETag", "Last-Modified", "X-Robots-Tag", "Link", "Refresh", "Server"])
    async def test_headers_that_are_no_utf8_can_be_stored(
        self, server: RawServer, fetcher: MakeFetcher, header: str
    ) -> None:
        """RFC 9110 section 5.5 allows such bytes; half a character would break every commit that has it."""
        server.answers["/"] = html(f"{header}: caf\xe9")

        said = (await fetched(fetcher(wants=anything, keep_headers=True), server.url + "/")).answer

        texts = [
            said.etag,
            said.last_modified,
            said.robots,
            said.link,
            said.refresh,
            *(part for pair in said.headers for part in pair),
        ]
        for text in filter(None, texts):
            text.encode()


class TestBodies:
    """A body is downloaded only if somebody reads it."""

    @pytest.mark.parametrize(
        "head",
        [
            "HTTP/1.1 200 OK\r\nContent-Type: video/mp4",
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/html",
            "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Type: text/html",
            "HTTP/1.1 206 Partial\r\nContent-Type: text/html\r\nContent-Range: bytes 0-99/500",
        ],
        ids=lambda head: head.partition("\r")[0][9:],
    )
    async def test_a_body_that_is_no_page_is_not_downloaded(
        self, server: RawServer, fetcher: MakeFetcher, head: str
    ) -> None:
        async def respond(writer: asyncio.StreamWriter) -> None:
            writer.write(head.encode() + b"\r\nContent-Length: 1000000000000\r\n\r\n")
            await server.endless(writer)

        server.answers["/"] = respond

        result = await fetched(fetcher(), server.url + "/")

        assert (result.body, result.hold, result.answer.content_hash) == (None, None, None)
        assert result.answer.body_bytes == 1_000_000_000_000
        assert server.sent < 64 << 20

    @pytest.mark.parametrize(
        ("status", "is_read"),
        [
            *((f"{status} X", True) for status in (200, 201, 202, 203, 206, 207, 208, 226, 250, 299)),
            *((f"{status} X\r\nContent-Range: bytes 0-20/21", True) for status in (200, 206)),
            ("206 X\r\nContent-Range: bytes 0-20/22", False),
            ("206 X\r\nContent-Range: bytes 1-20/21", False),
            ("206 X\r\nContent-Range: bytes 0-20/*", False),
            ("204 X", False),
            ("300 X", False),
            ("404 X", False),
        ],
    )
    async def test_the_body_of_a_success_is_the_page(
        self, server: RawServer, fetcher: MakeFetcher, status: str, is_read: bool
    ) -> None:
        """RFC 9110 section 15.3. A status that nobody knows is read as 200; of 206 only what claims to be
        the whole, since a shortened page is worse than a missing one."""
        server.answers["/"] = http("Content-Type: text/html", status=status)

        result = await fetched(fetcher(), server.url + "/")

        assert (result.answer.status, bool(result.body)) == (int(status[:3]), is_read)

    async def test_the_size_of_a_coded_file_is_not_known(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """Content-Length counts its coded bytes."""
        server.answers["/"] = http("Content-Type: text/csv", "Content-Encoding: gzip", body=b"x")

        assert (await fetched(fetcher(), server.url + "/")).answer.body_bytes is None

    async def test_with_save_bodies_every_200_is_downloaded_with_its_headers(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        server.answers["/a"] = http("Content-Type: image/png", "X-One: 1", "X-One: 2", "Set-Cookie: a=b")
        server.answers["/b"] = http("Content-Type: text/html", status="404 Not Found")
        one = fetcher(wants=anything, keep_headers=True)

        file, page = await fetched(one, server.url + "/a"), await fetched(one, server.url + "/b")

        assert (file.body, page.body) == (PAGE, None)
        assert [value for name, value in file.answer.headers if name == "X-One"] == ["1", "2"]
        assert ("Set-Cookie", "a=b") in file.answer.headers  # nobody said who we are, so it is no key

    async def test_a_page_over_the_limit_fails_as_soon_as_that_is_known(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        async def respond(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
            await server.endless(writer)

        server.answers["/"] = respond

        assert await reason(fetcher(max_body=200_000), server.url + "/") == "too_large"
        assert server.sent < 64 << 20

    @pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False)])
    async def test_the_limit_counts_decoded_bytes(
        self, server: RawServer, fetcher: MakeFetcher, size: int, fits: bool
    ) -> None:
        """A few kilobytes can expand to gigabytes."""
        server.answers["/"] = html("Content-Encoding: gzip", body=gzip.compress(b"x" * size))

        result = await fetcher(max_body=1000).get(task(server.url + "/"))

        assert isinstance(result, Fetched) is fits

    async def test_a_robots_txt_of_any_type_is_read_and_cut_at_its_limit(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        server.answers["/robots.txt"] = http("Content-Type: image/png", body=b"0123456789")

        result = await fetched(fetcher(max_robots=4), server.url + "/robots.txt", "robots")

        assert result.body == b"0123"

    @pytest.mark.parametrize("status", ["404 Not Found", "301 Moved", "503 Busy"])
    async def test_the_body_of_a_robots_txt_error_is_not_read(
        self, server: RawServer, fetcher: MakeFetcher, status: str
    ) -> None:
        server.answers["/robots.txt"] = http("Location: /x", status=status, body=b"User-agent: *")

        assert (await fetched(fetcher(), server.url + "/robots.txt", "robots")).body is None


class TestTypeOfTheBody:
    """A type that is sent is believed; without one the beginning of the body is read."""

    XHTML = b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>"

    @pytest.mark.parametrize(
        "headers", [[], ["Content-Type: html"], ["Content-Type:"], ["Content-Type: */*"]]
    )
    @pytest.mark.parametrize(
        ("body", "essence", "is_read"),
        [
            (b"<!DOCTYPE html>" + PAGE, "text/html", True),
            (PAGE * 5_000, "text/html", True),
            (XHTML, "application/xhtml+xml", True),
            (b"%PDF-1.7", "application/pdf", False),
            (b"\x89PNG\r\n\x1a\n" + bytes(9_999), "image/png", False),
            (b"words", "text/plain", False),
            (b"\0", "application/octet-stream", False),
            (b"", None, False),
        ],
    )
    async def test_without_a_type_that_can_be_parsed_the_body_tells(
        self,
        server: RawServer,
        fetcher: MakeFetcher,
        headers: list[str],
        body: bytes,
        essence: str,
        is_read: bool,
    ) -> None:
        server.answers["/"] = http(*headers, body=body)

        result = await fetched(fetcher(), server.url + "/")

        assert result.answer.content_type == essence
        assert result.body == (body if is_read else None)

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "none"])
    async def test_the_content_is_looked_at_not_its_coding(
        self, server: RawServer, fetcher: MakeFetcher, coding: str
    ) -> None:
        packed = {
            "gzip": gzip.compress,
            "deflate": zlib.compress,
            "br": brotli.compress,
            "zstd": zstd.compress,
            "none": bytes,
        }[coding](PAGE * 5_000)
        server.answers["/"] = http(f"Content-Encoding: {coding}", body=packed)

        result = await fetched(fetcher(), server.url + "/")

        assert (result.answer.content_type, result.body) == ("text/html", PAGE * 5_000)

    async def test_a_body_that_arrives_in_drops_is_looked_at_whole(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        async def drops(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for byte in b"   <html>" + PAGE:
                await writer.drain()
                writer.write(bytes([byte]))

        server.answers["/"] = drops

        result = await fetched(fetcher(), server.url + "/")

        assert (result.answer.content_type, result.body) == ("text/html", b"   <html>" + PAGE)

    @pytest.mark.parametrize("value", ["nosniff", "NoSniff, x"])
    async def test_with_nosniff_no_page_is_found(
        self, server: RawServer, fetcher: MakeFetcher, value: str
    ) -> None:
        server.answers["/"] = http(f"X-Content-Type-Options: {value}")

        assert (await fetched(fetcher(), server.url + "/")).answer.content_type == "text/plain"

    async def test_of_a_large_file_without_a_type_only_the_beginning_is_downloaded(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        async def respond(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nGIF89a")
            await server.endless(writer)

        server.answers["/"] = respond

        result = await fetched(fetcher(), server.url + "/")

        assert (result.answer.content_type, result.body, result.hold) == ("image/gif", None, None)
        assert server.sent < 64 << 20

    @pytest.mark.parametrize("kind", ["robots", "sitemap"])
    async def test_files_that_are_read_whatever_their_type_need_none(
        self, server: RawServer, fetcher: MakeFetcher, kind: Kind
    ) -> None:
        server.answers["/"] = http("Content-Encoding: utf-8", "Content-Type: text/html", "Content-Type: x")

        assert (await fetched(fetcher(), server.url + "/", kind)).body == PAGE


class TestMemory:
    async def test_a_body_is_reserved_as_it_is_read_and_passed_on_with_its_hold(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        budget = BodyBudget(1 << 20)
        server.answers["/"] = html(body=b"x" * 100_000)

        result = await fetched(fetcher(budget=budget), server.url + "/")

        assert budget.used == 100_000
        assert result.hold is not None
        result.hold.release()
        assert budget.used == 0

    @pytest.mark.parametrize(
        "answer", [html(length=99), http("Content-Type: image/png"), html(body=b"x" * 9_999)]
    )
    async def test_a_fetch_without_a_body_leaves_no_bytes_reserved(
        self, server: RawServer, fetcher: MakeFetcher, answer: bytes
    ) -> None:
        budget = BodyBudget(1 << 20)
        server.answers["/"] = answer

        await fetcher(budget=budget, max_body=5_000).get(task(server.url + "/"))

        assert budget.used == 0

    async def test_waiting_for_memory_is_not_part_of_the_timeout(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """That wait is ours, not the server's."""
        budget = BodyBudget(1)
        oldest = budget.open()
        oldest.try_reserve(1)
        server.answers["/"] = html()
        getting = asyncio.create_task(fetcher(budget=budget, timeout=0.2).get(task(server.url + "/")))

        await asyncio.wait([getting], timeout=0.4)
        assert not getting.done()
        oldest.release()

        assert isinstance(await getting, Fetched)

    async def test_a_fetch_that_waits_for_memory_stops_reading_and_continues_later(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """More than the system's buffers hold, so that the server has to wait too."""
        budget = BodyBudget(1)
        oldest = budget.open()
        oldest.try_reserve(1)
        sent = asyncio.Event()

        async def respond(writer: asyncio.StreamWriter) -> None:
            writer.write(html(body=b"x" * (32 << 20)))
            await writer.drain()
            sent.set()

        server.answers["/"] = respond
        patient = fetcher(budget=budget, max_body=1 << 26)
        getting = asyncio.create_task(patient.get(task(server.url + "/")))

        await asyncio.wait([getting], timeout=0.1)
        assert not sent.is_set()
        oldest.release()
        result = await getting

        assert isinstance(result, Fetched)
        assert result.answer.body_bytes == 32 << 20

    async def test_bodies_come_no_faster_than_the_bandwidth_and_that_is_no_timeout(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """One slow second of our own making, in a fetch that may take half of one."""
        server.answers["/"] = html(body=b"x" * 60_000)
        slow = fetcher(bandwidth=Bandwidth(100_000), timeout=0.3)
        began = asyncio.get_running_loop().time()

        assert isinstance(await slow.get(task(server.url + "/")), Fetched)

        assert asyncio.get_running_loop().time() - began > 60_000 / 100_000 - Bandwidth.BURST


class TestLatency:
    async def test_latency_is_the_servers_time_to_a_status_line(
        self, server: RawServer, fetcher: MakeFetcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a new connection takes says nothing of the server's load."""
        server.answers["/"] = html()
        create = aiohttp.TCPConnector._create_connection

        async def slowly(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0.2)
            return await create(*args, **kwargs)

        monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", slowly)

        answer = (await fetched(fetcher(), server.url + "/")).answer

        assert answer.latency is not None
        assert answer.latency < 0.1
        assert answer.elapsed_ms >= 200


class TestFailures:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (html(length=len(PAGE) + 1), "truncated"),
            (html("Content-Encoding: gzip", body=gzip.compress(PAGE)[:-9]), "truncated"),
            (html("Content-Encoding: gzip", body=b"no gzip at all"), "bad_coding"),
            (html("Content-Encoding: br"), "bad_coding"),
            (html("Content-Encoding: compress"), "unknown_coding:compress"),
            (b"", "reset"),
            (b"HTTP/1.1 200 OK\r\nContent-Ty", "reset"),
            (b"SSH-2.0-OpenSSH_9.0\r\n\r\n", "bad_http"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/html\r\n\r\n5\r\nab",
                "truncated",
            ),
        ],
    )
    async def test_a_broken_response_has_a_reason_that_the_retry_policy_knows(
        self, server: RawServer, fetcher: MakeFetcher, answer: bytes, expected: str
    ) -> None:
        server.answers["/"] = answer

        assert await reason(fetcher(), server.url + "/") == expected

    async def test_a_truncated_page_keeps_its_status(self, server: RawServer, fetcher: MakeFetcher) -> None:
        server.answers["/"] = html(length=99)

        result = await fetcher().get(task(server.url + "/"))

        assert isinstance(result, Failed)
        assert result.answer is not None
        assert (result.answer.status, result.answer.content_hash) == (200, None)

    async def test_a_server_that_sends_nothing_is_a_timeout(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        assert (await reason(fetcher(timeout=0.2), server.url + "/")).startswith("timeout")

    async def test_the_timeout_is_that_of_the_whole_fetch(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        """A server that sends a byte now and then is never silent, and never done."""

        async def drip(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

        server.answers["/"] = drip

        assert await reason(fetcher(timeout=0.3), server.url + "/") == "timeout"

    async def test_a_refused_connection_is_the_reason_refused(self, fetcher: MakeFetcher) -> None:
        assert await reason(fetcher(), f"http://127.0.0.1:{free_port()}/") == "refused"

    async def test_a_server_without_tls_is_a_tls_failure_or_a_reset(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        server.answers["/"] = html()

        assert await reason(fetcher(timeout=2), server.url.replace("http:", "https:") + "/") in (
            "tls:plain_http",
            "reset",
        )

    @pytest.mark.parametrize("headers", [["X: " + "y" * 60_000], ["X: y"] * 900], ids=["long", "many"])
    async def test_large_headers_are_no_failure(
        self, server: RawServer, fetcher: MakeFetcher, headers: list[str]
    ) -> None:
        """Real cookies and policies exceed aiohttp's defaults."""
        server.answers["/"] = html(*headers)

        assert (await fetched(fetcher(), server.url + "/")).body == PAGE

    @pytest.mark.parametrize("headers", [["X: " + "y" * 200_000], ["X: y"] * 5_000], ids=["long", "many"])
    async def test_headers_without_end_are_bad_http(
        self, server: RawServer, fetcher: MakeFetcher, headers: list[str]
    ) -> None:
        server.answers["/"] = html(*headers)

        assert await reason(fetcher(), server.url + "/") == "bad_http"

    async def test_a_cancelled_fetch_leaves_no_bytes_reserved(
        self, server: RawServer, fetcher: MakeFetcher
    ) -> None:
        sent = asyncio.Event()

        async def half(writer: asyncio.StreamWriter) -> None:
            writer.write(html(length=99))
            await writer.drain()
            sent.set()
            await asyncio.Event().wait()

        server.answers["/"] = half
        budget = BodyBudget(1 << 20)
        getting = asyncio.create_task(fetcher(budget=budget).get(task(server.url + "/")))
        await sent.wait()
        await asyncio.wait([getting], timeout=0.05)

        getting.cancel()
        await asyncio.wait([getting])

        assert (getting.cancelled(), budget.used) == (True, 0)
