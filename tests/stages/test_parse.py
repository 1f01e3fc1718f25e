"""Parse: HTML is read, here or elsewhere, everything else passes, and the bytes are given back."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.messages import (
    CanonicalUrl,
    Content,
    Document,
    Failed,
    Fetched,
    Link,
    Links,
    ParsedPage,
    Sitemap,
)
from penstock.stages.extractors import DocumentTable
from penstock.stages.parse import LINK_BYTES, WARM_UP_PAGES, LocalReader, ParseStage, Placement
from penstock.stages.rewriting import rewrite_sitemap
from penstock.stages.workers.worker_pool import ParseFailed
from tests.support.fakes import FakeHold, answer, links, task


class FakeKind:
    """A kind of document that remembers how it was asked; every document has one link."""

    content_types = ("text/html", "application/xhtml+xml")

    def __init__(self, error: Exception | None = None) -> None:
        self.read_documents: list[Document] = []
        self._error = error

    def read(self, document: Document) -> Content:
        self.read_documents.append(document)
        if self._error is not None:
            raise self._error
        return links(document.url + "x")


class FakeWorkers:
    """Stands for parser processes."""

    def __init__(self) -> None:
        self.has_room = False
        self.started = 0
        self.read_documents: list[tuple[str, Document, bool]] = []
        self.read_sitemaps: list[Document] = []

    def start(self) -> None:
        self.started += 1

    async def read(self, where: str, document: Document, *, is_slow: bool = False) -> Content | None:
        self.read_documents.append((where, document, is_slow))
        return links(document.url + "x")

    async def read_sitemap(self, document: Document) -> Sitemap:
        self.read_sitemaps.append(document)
        return Sitemap(kind="text", locations=[document.url])


class FakeMarker:
    def __init__(self) -> None:
        self.open: list[str] = []
        self.seen: list[str] = []

    def begin(self, url: CanonicalUrl) -> int:
        self.open.append(url)
        self.seen.append(url)
        return 7

    def end(self, mark: int) -> None:
        assert mark == 7
        self.open.pop()


def parse_stage(kind: Any = None, *, importable: bool = True, **options: Any) -> ParseStage:
    """A stage whose documents are read by `kind`, as if it stood in a module if `importable`."""
    kind = kind or FakeKind()
    table = DocumentTable(None if importable else {"html": kind}, html=kind)
    return ParseStage(documents=table, reader=LocalReader(marker=FakeMarker()), **options)


def fetched(body: bytes | None = b"<a>", *, hold: FakeHold | None = None, **said: Any) -> Fetched:
    return Fetched(task=task(), answer=answer(**{"content_type": "text/html", **said}), body=body, hold=hold)


class TestParse:
    @pytest.mark.parametrize("content_type", ["text/html", "application/xhtml+xml"])
    async def test_an_html_page_is_read(self, content_type: str) -> None:
        kind = FakeKind()

        [result] = await parse_stage(kind).handle(fetched(content_type=content_type, charset="koi8-r"))

        assert isinstance(result, ParsedPage)
        assert result.content == links("http://h/x")
        assert kind.read_documents == [
            Document(url=task().url, body=b"<a>", content_type=content_type, charset="koi8-r")
        ]

    @pytest.mark.parametrize(
        "said",
        [
            {"content_type": "text/plain"},
            {"content_type": "image/svg+xml"},
            {"content_type": None},
            {"status": 404},
            {"status": 301, "location": "http://h/y"},
            {"status": 304},
        ],
        ids=str,
    )
    async def test_everything_else_passes_unread(self, said: dict[str, Any]) -> None:
        kind = FakeKind()
        message = fetched(**said)

        [result] = await parse_stage(kind).handle(message)

        assert result == ParsedPage(task=message.task, answer=message.answer, holds=[])
        assert kind.read_documents == []

    async def test_a_page_without_a_body_passes_unread(self) -> None:
        kind = FakeKind()

        await parse_stage(kind).handle(fetched(body=None))

        assert kind.read_documents == []

    async def test_an_empty_page_is_read(self) -> None:
        """It has no title, which is something else than not having been read."""
        kind = FakeKind()

        await parse_stage(kind).handle(fetched(body=b""))

        assert len(kind.read_documents) == 1

    @pytest.mark.parametrize(
        ("tag", "forbidden"),
        [
            (None, False),
            ("", False),
            ("noindex", False),
            ("nofollow", True),
            ("NoIndex, NoFollow", True),
            ("none", True),
            ("all", False),
            ("penstock: nofollow", True),
            ("Penstock:none", True),
            ("googlebot: nofollow", False),
            ("nofollowed", False),
            ("googlebot: noindex, nofollow", False),
            ("googlebot: noindex\nnofollow", True),
            ("nofollow\ngooglebot: all", True),
        ],
    )
    async def test_x_robots_tag_may_forbid_all_links(self, tag: str | None, forbidden: bool) -> None:
        kind = FakeKind()

        await parse_stage(kind).handle(fetched(robots=tag))

        assert kind.read_documents[0].nofollow is forbidden

    @pytest.mark.parametrize("said", [{}, {"content_type": "text/plain"}, {"status": 404}], ids=str)
    async def test_the_bodys_bytes_are_given_back(self, said: dict[str, Any]) -> None:
        hold = FakeHold()

        [result] = await parse_stage().handle(fetched(hold=hold, **said))

        assert isinstance(result, ParsedPage)
        assert (hold.released, result.holds, result.body) == (1, [], None)

    @pytest.mark.parametrize("error", [KeyError("a bug"), ParseFailed("parse_timeout")])
    async def test_they_are_given_back_when_reading_fails(self, error: Exception) -> None:
        hold, stage = FakeHold(), parse_stage(FakeKind(error), keep_bodies=True)

        if isinstance(error, ParseFailed):
            [result] = await stage.handle(fetched(hold=hold))
            assert result == Failed(
                task=task(), stage="parse", reason="parse_timeout", answer=answer(content_type="text/html")
            )
        else:
            with pytest.raises(KeyError):
                await stage.handle(fetched(hold=hold))

        assert hold.released == 1

    async def test_a_body_that_is_kept_keeps_its_bytes_until_it_is_stored(self) -> None:
        hold = FakeHold()

        [result] = await parse_stage(keep_bodies=True).handle(fetched(hold=hold))

        assert isinstance(result, ParsedPage)
        assert (hold.released, result.holds, result.body) == (0, [hold], b"<a>")

    @pytest.mark.parametrize("error", [None, KeyError("a bug")])
    async def test_a_page_is_marked_as_long_as_it_is_read_here(self, error: Exception | None) -> None:
        """A page that kills the process can then be told from the others."""
        marker = FakeMarker()
        stage = ParseStage(
            documents=DocumentTable({"html": FakeKind(error)}), reader=LocalReader(marker=marker)
        )
        try:
            await stage.handle(fetched())
        except KeyError:
            assert error is not None

        assert (marker.seen, marker.open) == (["http://h/"], [])

    @pytest.mark.parametrize(
        ("body", "here"), [(b"<p>" * 5, True), (b"x" * 50, True), (b"<p>" * 6, False), (b"x" * 51, False)]
    )
    async def test_heavy_pages_are_read_by_others(self, body: bytes, here: bool) -> None:
        """The parser could take seconds and gigabytes over them."""
        kind, workers = FakeKind(), FakeWorkers()
        stage = parse_stage(kind, workers=workers, placement=Placement(max_bytes=50, max_tags=5))

        await stage.handle(fetched(body))

        assert (len(kind.read_documents), len(workers.read_documents)) == ((1, 0) if here else (0, 1))

    @pytest.mark.parametrize(
        ("share", "room", "elsewhere"), [(True, True, 6), (True, False, 0), (False, True, 0)]
    )
    async def test_light_pages_are_shared_once_there_is_enough_work(
        self, share: bool, room: bool, elsewhere: int
    ) -> None:
        workers = FakeWorkers()
        workers.has_room = room
        stage = parse_stage(workers=workers, placement=Placement(shares_light=share))

        for _ in range(WARM_UP_PAGES + 5):
            await stage.handle(fetched())

        assert (len(workers.read_documents), workers.started) == (elsewhere, int(share))


class TestTurns:
    async def test_slow_pages_do_not_hold_up_the_event_loop_one_behind_the_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("penstock.stages.parse.TURN_SECONDS", 0.0)  # every page is slow
        kind = FakeKind()
        stage = parse_stage(kind)
        parsing = [asyncio.create_task(stage.handle(fetched())) for _ in range(10)]
        seen = []
        while not all(task.done() for task in parsing):
            await asyncio.sleep(0)
            seen.append(len(kind.read_documents))

        assert max(later - earlier for earlier, later in pairwise([0, *seen])) == 1

    async def test_quick_pages_behind_a_slow_one_share_a_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One each would have the event loop go round, and look at its sockets, for every page."""
        clock = iter([0.0, 1.0, *([1.0] * 20)])  # seconds: the first takes one
        monkeypatch.setattr("penstock.stages.parse.time.perf_counter", lambda: next(clock))
        kind = FakeKind()
        stage = parse_stage(kind)
        parsing = [asyncio.create_task(stage.handle(fetched())) for _ in range(10)]
        await asyncio.sleep(0)
        assert len(kind.read_documents) == 1

        await asyncio.sleep(0)

        assert len(kind.read_documents) == 10
        await asyncio.gather(*parsing)

    async def test_slow_pages_are_read_in_the_order_in_which_they_came(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A worker that has just read has its next page at once, and would be the first to ask."""
        monkeypatch.setattr("penstock.stages.parse.TURN_SECONDS", 0.0)  # every page is slow
        kind = FakeKind()
        stage, queue = parse_stage(kind), deque(b"%02d" % number for number in range(40))

        async def worker() -> None:
            while queue:
                await stage.handle(fetched(queue.popleft()))

        await asyncio.gather(*(worker() for _ in range(5)))

        assert [document.body for document in kind.read_documents] == [
            b"%02d" % number for number in range(40)
        ]

    async def test_a_slow_page_behind_a_quick_one_is_the_last_of_its_round(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the pages that come in the next round, one before and one after it is known to be another."""
        clock = iter([0.0, 0.001, *(float(second) for second in range(1, 9))])  # seconds: the first is quick
        monkeypatch.setattr("penstock.stages.parse.time.perf_counter", lambda: next(clock))
        kind = FakeKind()
        stage = parse_stage(kind)

        async def read(after_rounds: int) -> None:
            for _ in range(after_rounds):
                await asyncio.sleep(0)
            await stage.handle(fetched())

        reading = [asyncio.create_task(read(after_rounds)) for after_rounds in (1, 0, 1)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert len(kind.read_documents) == 2
        await asyncio.gather(*reading)

    async def test_a_page_that_nobody_waits_for_any_more_leaves_the_line(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("penstock.stages.parse.TURN_SECONDS", 0.0)
        kind = FakeKind()
        stage = parse_stage(kind)
        first, second, third = (asyncio.create_task(stage.handle(fetched())) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()

        await asyncio.gather(first, third)

        assert len(kind.read_documents) == 2

    async def test_what_was_read_in_a_turn_leaves_less_memory_for_the_rest_of_it(self) -> None:
        budget, kind = BodyBudget(LINK_BYTES), FakeKind()  # what one page leads to is more
        stage = parse_stage(kind, results=budget)
        first, second = (asyncio.create_task(stage.handle(fetched())) for _ in range(2))
        [stored] = await first
        await asyncio.sleep(0)
        assert len(kind.read_documents) == 1

        assert isinstance(stored, ParsedPage)
        stored.holds[0].release()
        await second

        assert len(kind.read_documents) == 2

    async def test_what_was_read_counts_until_it_is_stored(self) -> None:
        budget = BodyBudget(1 << 20)

        [result] = await parse_stage(results=budget).handle(fetched())

        assert isinstance(result, ParsedPage)
        assert budget.used > LINK_BYTES
        for hold in result.holds:
            hold.release()
        assert budget.used == 0

    @pytest.mark.parametrize("error", [KeyError("a bug"), ParseFailed("parse_timeout")])
    async def test_what_could_not_be_read_counts_for_nothing(self, error: Exception) -> None:
        budget = BodyBudget(1 << 20)
        with suppress(KeyError):
            await parse_stage(FakeKind(error), results=budget).handle(fetched())

        assert budget.used == 0
        assert not budget.holds

    async def test_no_page_is_read_while_others_fill_the_memory(self) -> None:
        budget, kind = BodyBudget(1 << 20), FakeKind()
        stored = budget.open()
        stored.resize(2 << 20)
        reading = asyncio.create_task(parse_stage(kind, results=budget).handle(fetched()))
        await asyncio.wait([reading], timeout=0.02)
        assert not kind.read_documents

        stored.release()
        await reading

        assert len(kind.read_documents) == 1


SITEMAP = b"<urlset><url><loc>http://h/a?x=1</loc></url><url><loc>http://h/a?x=2</loc></url></urlset>"


def fetched_sitemap(
    body: bytes | None = SITEMAP, *, hold: FakeHold | None = None, status: int = 200
) -> Fetched:
    of = task("http://h/sitemap.xml", kind="sitemap")
    return Fetched(task=of, answer=answer(status, content_type="text/html"), body=body, hold=hold)


class TestSitemaps:
    async def test_a_sitemap_is_read_as_one_whatever_its_type(self) -> None:
        kind, hold = FakeKind(), FakeHold()

        [result] = await parse_stage(kind, keep_bodies=True).handle(fetched_sitemap(hold=hold))

        assert isinstance(result, ParsedPage)
        assert result.sitemap is not None
        assert result.sitemap.locations == ("http://h/a?x=1", "http://h/a?x=2")
        assert (result.content, result.body, hold.released, kind.read_documents) == (None, None, 1, [])

    async def test_without_a_body_there_is_nothing_to_read(self) -> None:
        [result] = await parse_stage().handle(fetched_sitemap(None, status=404))

        assert isinstance(result, ParsedPage)
        assert result.sitemap is None

    @pytest.mark.parametrize(("size", "elsewhere"), [(100, 0), (101, 1)])
    async def test_a_large_one_is_read_by_others(self, size: int, elsewhere: int) -> None:
        workers = FakeWorkers()
        stage = parse_stage(workers=workers, placement=Placement(max_bytes=100))

        await stage.handle(fetched_sitemap(b" " * size))

        assert len(workers.read_sitemaps) == elsewhere


class TestRewriting:
    """The operator's URL rules, applied to all that an answer names before anybody compares it."""

    @staticmethod
    def cut(address: CanonicalUrl) -> CanonicalUrl:
        return CanonicalUrl(address.partition("?")[0])

    async def test_links_that_become_one_are_merged(self) -> None:
        """As if the page had written the same URL twice: first text, all rels, followed if any is."""

        class Two(FakeKind):
            def read(self, document: Document) -> Content:
                found = [("?x=1", "", "a b", False), ("?x=2", "text", "b c", True), ("y", "", "", True)]
                return Content(
                    links=Links.of(Link(CanonicalUrl(f"http://h/{path}"), *rest) for path, *rest in found)  # type: ignore[arg-type]
                )

        [result] = await parse_stage(Two(), rewrite=self.cut).handle(fetched())

        assert isinstance(result, ParsedPage)
        assert result.content is not None
        assert list(result.content.links) == [
            Link(CanonicalUrl("http://h/"), "text", "a b c", True),
            Link(CanonicalUrl("http://h/y"), "", "", True),
        ]

    @pytest.mark.parametrize(
        ("location", "target"), [("http://h/x?y", "http://h/x"), ("mailto:a?b", "mailto:a?b"), (None, None)]
    )
    async def test_so_are_redirects_to_http(self, location: str | None, target: str | None) -> None:
        [result] = await parse_stage(rewrite=self.cut).handle(fetched(None, status=301, location=location))

        assert isinstance(result, ParsedPage)
        assert result.answer.location == target

    async def test_a_redirect_that_would_be_folded_into_itself_keeps_its_target(self) -> None:
        """`/` that redirects to `/?lang=en`: folded back, there would be no page."""
        [result] = await parse_stage(rewrite=self.cut).handle(
            fetched(None, status=302, location="http://h/?x")
        )

        assert isinstance(result, ParsedPage)
        assert result.answer.location == "http://h/?x"

    async def test_and_a_sitemaps_entries(self) -> None:
        [result] = await parse_stage(rewrite=self.cut).handle(fetched_sitemap())

        assert isinstance(result, ParsedPage)
        assert result.sitemap is not None
        assert result.sitemap.locations == ("http://h/a",)

    def test_each_entry_keeps_its_date_and_merged_ones_the_first(self) -> None:
        urls = [CanonicalUrl(f"http://h/{path}") for path in ("a?1", "b?1", "a?2", "b?2")]
        sitemap = Sitemap(kind="urlset", locations=urls, lastmods=(None, "b", "a", "later"))

        both = rewrite_sitemap(sitemap, self.cut)

        assert list(zip(both.locations, both.lastmods, strict=True)) == [
            ("http://h/a", "a"),
            ("http://h/b", "b"),
        ]

    def test_an_index_names_files_not_pages(self) -> None:
        """What is asked for as a sitemap is asked for as it is spelt, whoever named it."""
        index = Sitemap(kind="index", locations=[CanonicalUrl("http://h/map?2")], lastmods=[None])

        assert rewrite_sitemap(index, self.cut) == index
