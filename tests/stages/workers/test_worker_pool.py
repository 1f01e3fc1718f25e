"""Parser processes: they read what is read here, and what a page does to them reaches nobody else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.messages import CanonicalUrl, Content, Document
from penstock.stages.extractors import html
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.parse import Placement
from penstock.stages.workers.wire import BUFFER_BYTES, LENGTH, WireReader, message_pieces
from penstock.stages.workers.worker_pool import LARGE_BYTES, MANY_TAGS, Limits, ParseFailed, WorkerPool
from penstock.stages.workers.worker_process import LARGE_BODY_BYTES, MAX_ASSIGNED, MAX_ASSIGNED_AT_START
from tests.support.fakes import all_else

URL = CanonicalUrl("http://127.0.0.1/folder/page")
PAGE = b"<html lang=en><title> A  page </title><a href='x#y' rel=nofollow>one</a><a href=/z>two</a></html>"
# 13 s and 2.9 GiB in the parser, out of 75 kB: every p opens all the fonts before it again.
LINK = b"<a href=/y>y</a>"
LARGE = PAGE + b" " * LARGE_BYTES
HOSTILE = b"".join(b"<font size=%d><p>" % number for number in range(4_000))


async def read(pool: WorkerPool, body: bytes, **options: Any) -> Content:
    content = await pool.read(html.__name__, Document(url=URL, body=body, **options))
    assert content is not None
    return content


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    opened = WorkerPool(1, quick=Limits(0.1, 32 << 20), slow=Limits(0.2, 64 << 20))
    yield opened
    await opened.close()


class TestWorkerPool:
    async def test_a_worker_reads_what_the_extractor_reads(self, pool: WorkerPool) -> None:
        assert await read(pool, PAGE) == HtmlExtractor().read(Document(url=URL, body=PAGE))

    async def test_charset_and_nofollow_reach_the_worker(self, pool: WorkerPool) -> None:
        body = "<title>gr\u00fcn</title><a href=/>x</a>".encode("iso-8859-2")

        content = await read(pool, body, charset="iso-8859-2", nofollow=True)

        assert content.title == "gr\u00fcn"
        assert [link.followed for link in content.links] == [False]

    async def test_many_documents_at_once_come_back_each_to_its_own_caller(self, pool: WorkerPool) -> None:
        bodies = [b"<title>%d</title>" % number for number in range(100)]

        contents = await asyncio.gather(*(read(pool, body) for body in bodies))

        assert [content.title for content in contents] == [str(number) for number in range(100)]

    @pytest.mark.parametrize("size", [10, BUFFER_BYTES, BUFFER_BYTES + 1, LARGE_BYTES + 1])
    async def test_a_page_of_any_size_reaches_the_child_whole(self, size: int) -> None:
        """In a buffer of the memory that both share, or through the socket."""
        pool = WorkerPool(1)
        body = (b"<title>" + b"x" * size)[:size]
        try:
            contents = await asyncio.gather(*(read(pool, body) for _ in range(MAX_ASSIGNED + 1)))
        finally:
            await pool.close()

        assert {content.title for content in contents} == {"x" * max(size - len("<title>"), 0)}

    async def test_without_memory_to_share_the_socket_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "memfd_create", raising=False)
        pool = WorkerPool(1)
        try:
            assert (await read(pool, PAGE)).title == "A page"
        finally:
            await pool.close()

    async def test_a_shared_buffer_is_free_again_once_its_page_is_read(self, pool: WorkerPool) -> None:
        for number in range(3 * MAX_ASSIGNED):
            await read(pool, b"<title>%d" % number)
        [worker] = pool._quick.workers

        buffers = worker.buffers

        assert (
            buffers is None
            or [buffers.put(PAGE) is not None for _ in range(MAX_ASSIGNED)] == [True] * MAX_ASSIGNED
        )

    async def test_a_page_that_needs_too_much_fails_and_those_behind_it_do_not(self) -> None:
        pool = WorkerPool(1, quick=Limits(20.0, 20 << 20), slow=Limits(20.0, 40 << 20), deadline=20.0)
        try:
            hostile = asyncio.create_task(read(pool, HOSTILE))
            await asyncio.sleep(0)
            others = await asyncio.gather(*(read(pool, PAGE) for _ in range(5)))

            assert {other.title for other in others} == {"A page"}
            with pytest.raises(ParseFailed, match="parse_crash"):
                await hostile
        finally:
            await pool.close()

    async def test_a_page_that_takes_too_long_is_cut_off(self, pool: WorkerPool) -> None:
        endless = b"<p>" + b"<a " + b" ".join(b"a%d" % n for n in range(120_000)) + b">"

        with pytest.raises(ParseFailed, match="parse_timeout"):
            await read(pool, endless)

    async def test_a_worker_killed_from_outside_costs_no_page(self, pool: WorkerPool) -> None:
        await read(pool, PAGE)
        [worker] = pool._quick.workers
        os.kill(worker.process.pid, signal.SIGKILL)

        contents = await asyncio.gather(*(read(pool, PAGE) for _ in range(10)))

        assert len(contents) == 10

    async def test_a_worker_that_is_found_dead_is_given_nothing_more(
        self, pool: WorkerPool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """asyncio complains, on standard error, of who goes on writing."""
        for _ in range(MAX_ASSIGNED):
            await read(pool, PAGE)
        [worker] = pool._quick.workers
        worker.process.kill()
        worker.process.wait()

        await asyncio.gather(*(read(pool, PAGE) for _ in range(MAX_ASSIGNED)))

        assert caplog.messages == []

    async def test_a_worker_has_more_documents_in_hand_once_it_has_answered_some(
        self, pool: WorkerPool
    ) -> None:
        """Where every document ends its worker, those behind it wait for a start each."""
        await read(pool, PAGE)
        [worker] = pool._quick.workers
        reading = [asyncio.create_task(read(pool, PAGE)) for _ in range(2 * MAX_ASSIGNED)]
        await asyncio.sleep(0)
        young = len(worker.jobs)
        await asyncio.gather(*reading)
        reading = [asyncio.create_task(read(pool, PAGE)) for _ in range(2 * MAX_ASSIGNED)]
        await asyncio.sleep(0)
        proven = len(worker.jobs)
        await asyncio.gather(*reading)

        assert (young, proven) == (MAX_ASSIGNED_AT_START + 1, MAX_ASSIGNED)

    async def test_closing_leaves_no_process_behind(self) -> None:
        pool = WorkerPool(2)
        await asyncio.gather(*(read(pool, PAGE) for _ in range(10)))
        processes = [worker.process for worker in pool._quick.workers]

        await pool.close()

        assert processes
        assert all(process.poll() is not None for process in processes)


class TestWireReader:
    @pytest.mark.parametrize("most", [1, 3, 100, 1 << 20])
    def test_they_are_put_together_again_from_any_pieces(self, most: int) -> None:
        messages = [b"", b"a", b"b" * 200_000, b"", b"c" * 7]
        stream = b"".join(piece for message in messages for piece in message_pieces(message))
        reader, read, at = WireReader(), [], 0
        while at < len(stream):
            room = reader.room()
            piece = stream[at : at + min(most if at < 100 or at > 200_000 else 60_000, len(room))]
            room[: len(piece)] = piece
            read += reader.take(len(piece))
            at += len(piece)

        assert read == messages
        assert len(reader.room()) >= LENGTH.size


class TestPlacement:
    def test_a_page_with_very_many_tags_is_heavy(self) -> None:
        assert not Placement().is_light(HOSTILE)

    def test_a_long_page_is_heavy_however_few_its_tags(self) -> None:
        """One tag with very many attributes is as slow as very many tags."""
        assert not Placement().is_light(b"<a " + b"b " * 20_000 + b">")

    def test_an_ordinary_small_page_is_light(self) -> None:
        assert Placement().is_light(PAGE * 50)


class TestWorkerQueues:
    async def test_a_slow_page_makes_nobody_wait_for_its_whole_time(self) -> None:
        """It leaves the quick queue after a moment; those behind it go on there."""
        pool = WorkerPool(1, quick=Limits(0.05, 32 << 20), slow=Limits(5.0, 512 << 20))
        ended: list[str] = []

        async def timed(name: str, body: bytes) -> None:
            with suppress(ParseFailed):
                await read(pool, body)
            ended.append(name)

        try:
            await asyncio.gather(timed("slow", b"<div>" * 20_000), *(timed("page", PAGE) for _ in range(6)))
        finally:
            await pool.close()

        assert ended == ["page"] * 6 + ["slow"]

    async def test_a_page_of_very_many_tags_is_not_tried_in_the_quick_queue(self) -> None:
        """There it would keep the others waiting until its time is over, and be read twice."""
        pool = WorkerPool(1)
        try:
            await read(pool, PAGE + b"<b></b>" * (MANY_TAGS // 2))

            assert (len(pool._quick.workers), len(pool._slow.workers)) == (0, 1)
        finally:
            await pool.close()

    async def test_no_document_is_begun_while_others_results_fill_the_memory(self) -> None:
        results = BodyBudget(1_000)
        pool = WorkerPool(1, results=results)
        try:
            await read(pool, PAGE)
            stored = results.open()
            stored.resize(2_000)
            reading = asyncio.create_task(read(pool, PAGE))
            await asyncio.wait([reading], timeout=0.05)
            assert not reading.done()

            stored.release()
            pool.dispatch()

            assert (await reading).title == "A page"
        finally:
            await pool.close()

    async def test_a_small_page_does_not_wait_for_the_room_that_a_large_one_needs(self) -> None:
        results = BodyBudget(1_000)
        pool = WorkerPool(1, results=results)
        try:
            await read(pool, LARGE)  # so that its worker is there
            results.open().resize(500)
            large = asyncio.create_task(read(pool, LARGE))

            assert (await read(pool, PAGE)).title == "A page"

            assert not large.done()
            assert not pool._slow.workers[0].jobs
            large.cancel()
        finally:
            await pool.close()

    async def test_a_small_page_overtakes_a_large_one_that_waits_in_the_same_queue(self) -> None:
        results = BodyBudget(1_000)
        pool = WorkerPool(1, results=results)
        try:
            results.open().resize(500)
            large = asyncio.create_task(read(pool, PAGE + b" " * LARGE_BODY_BYTES))
            await all_else()

            assert (await read(pool, PAGE)).title == "A page"

            assert not large.done()
            large.cancel()
        finally:
            await pool.close()

    async def test_no_large_page_is_begun_before_it_is_known_what_the_last_one_led_to(self) -> None:
        results = BodyBudget(1_000)
        pool = WorkerPool(1, results=results)

        async def read_large() -> None:
            hold = results.open()
            await read(pool, LARGE)
            hold.resize(500)

        reading = [asyncio.create_task(read_large()) for _ in range(2)]
        try:
            await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            await all_else()

            assert not pool._slow.workers[0].jobs
        finally:
            await pool.close()
            for task in reading:
                task.cancel()

    @pytest.mark.skipif(sys.platform != "linux", reason="what other systems keep is not told")
    async def test_what_a_large_page_took_is_given_back(self) -> None:
        """Else a worker that has read one would keep 100 MiB for the rest of the crawl."""
        pool = WorkerPool(1, quick=Limits(2.0, 256 << 20))
        try:
            await read(pool, PAGE)
            [worker] = pool._quick.workers
            before = _resident(worker)
            await read(pool, PAGE + LINK * 150_000)

            assert worker in pool._quick.workers
            assert _resident(worker) < before + (56 << 20)
        finally:
            await pool.close()


def _resident(worker: Any) -> int:
    return int(psutil.Process(worker.process.pid).memory_info().rss)
