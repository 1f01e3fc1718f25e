"""The writer: a page, its links and the frontier rows become visible together, or not at all."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.crawler.errors import StorageFailed
from penstock.crawler.messages import (
    Answer,
    Content,
    Dead,
    Done,
    Link,
    Links,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Skipped,
)
from penstock.crawler.ports import Saved
from penstock.storage.writing.group_commit import MAX_LINGER
from tests.support.fakes import START, answer, done, links, task, url
from tests.support.open_store import PAGES, SEED, Stored, depths, rows, states, stored

PAGE = task(SEED)
A, B, C = (f"{SEED}{name}" for name in "abc")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@pytest.fixture
async def file(path: Path) -> AsyncIterator[Stored]:
    async with stored(path) as opened:
        yield opened


def break_pages(path: Path, address: str = "/broken") -> str:
    """A trigger that makes the file refuse the page of one address, as a full disk would."""
    return f"""
        CREATE TRIGGER broken BEFORE INSERT ON fetch
        WHEN (SELECT path FROM url WHERE id = new.url_id) = '{address}'
        BEGIN SELECT RAISE(ABORT, 'no room'); END
    """


class TestOneFact:
    async def test_a_page_its_links_and_their_urls_are_there_together(self, path: Path, file: Stored) -> None:
        await file.save(done(PAGE, A, B))

        assert states(path) == {SEED: ("done", None), A: ("pending", None), B: ("pending", None)}
        assert rows(path, "SELECT source, target FROM links") == [(SEED, A), (SEED, B)]
        assert rows(path, PAGES) == [(SEED, 200, None, None)]
        assert rows(path, "SELECT requests, pages FROM runs") == [(1, 1)]

    async def test_save_returns_after_the_commit(self, path: Path, file: Stored) -> None:
        saving = asyncio.create_task(file.save(done(PAGE, A)))
        seen = []
        while not saving.done():
            seen.append(len(rows(path, "SELECT 1 FROM pages")))
            await asyncio.sleep(0)

        assert seen[0] == 0
        assert rows(path, PAGES) != []

    async def test_a_commit_that_fails_leaves_nothing_of_any_of_its_pages(
        self, path: Path, file: Stored
    ) -> None:
        await file.save(done(PAGE, f"{SEED}broken", A))
        await file.store._database.run(break_pages(path))
        before = [
            rows(path, f"SELECT * FROM {table}") for table in ("url", "link", "fetch", "phrase", "runs")
        ]

        for one in await asyncio.gather(
            file.run.writer.save(done(task(A, depth=1), B)),
            file.run.writer.save(done(task(f"{SEED}broken", depth=1), C)),
            return_exceptions=True,
        ):
            assert isinstance(one, StorageFailed)

        after = [rows(path, f"SELECT * FROM {table}") for table in ("url", "link", "fetch", "phrase", "runs")]
        assert after == before

    async def test_after_a_commit_that_failed_nothing_more_is_written(self, path: Path) -> None:
        """What the writer remembers of the tables is no longer true: a link to a URL that it takes
        for known would be a link to nowhere, and the URL would be lost."""
        async with stored(path, end=None) as file:
            await file.save(done(PAGE, f"{SEED}broken", A))
            await file.store._database.run(break_pages(path))
            with pytest.raises(StorageFailed):
                await file.run.writer.save(done(task(f"{SEED}broken", depth=1), B))

            with pytest.raises(StorageFailed):
                await file.run.writer.save(done(task(A, depth=1), B, C))

        assert rows(path, "PRAGMA foreign_key_check") == []
        assert states(path)[A] == ("pending", None)

    async def test_what_waits_when_a_commit_fails_is_not_written_at_the_end(self, path: Path) -> None:
        """The end of a run commits what the writer was given; not after a failure."""
        async with stored(path, end=None) as file:
            await file.save(done(PAGE, f"{SEED}broken", A))
            await file.store._database.run(break_pages(path))
            first = asyncio.create_task(file.run.writer.save(done(task(f"{SEED}broken", depth=1), B)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            second = asyncio.create_task(file.run.writer.save(done(task(A, depth=1), B)))
            await asyncio.wait([first, second])

            assert isinstance(first.exception(), StorageFailed)
            assert isinstance(second.exception(), StorageFailed)

        assert rows(path, "PRAGMA foreign_key_check") == []

    async def test_a_caller_that_is_cancelled_does_not_tear_the_commit(
        self, path: Path, file: Stored
    ) -> None:
        saving = asyncio.create_task(file.save(done(PAGE, A)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        saving.cancel()
        await asyncio.wait([saving])

        await file.save(done(task(A, depth=1)))

        assert states(path) == {SEED: ("done", None), A: ("done", None)}


class TestGroupCommit:
    async def commits(self, path: Path, pages: int, max_batch: int) -> list[Saved]:
        """How many commits it took to save that many pages that came in together."""
        commits: list[Saved] = []
        seeds = [f"{SEED}{number}" for number in range(pages)]
        async with stored(path, *seeds, max_batch=max_batch, on_commit=commits.append) as file:
            await asyncio.gather(*(file.run.writer.save(done(task(seed), f"{seed}/x")) for seed in seeds))
        return commits

    async def test_what_comes_together_is_one_transaction(self, path: Path) -> None:
        commits = await self.commits(path, 50, max_batch=50)

        assert commits == [Saved(grown=frozenset({"h"}), pending=50)]
        assert rows(path, "SELECT count(*) FROM pages") == [(50,)]

    async def test_a_single_page_is_not_kept_waiting(self, file: Stored) -> None:
        loop = asyncio.get_running_loop()
        await file.save(done(PAGE, A))
        started = loop.time()

        for _ in range(5):
            await file.save(RetryAt(task=task(A, depth=1), at=START, reason="timeout"))

        assert loop.time() - started < 5 * MAX_LINGER

    async def test_under_load_it_waits_for_others_but_not_for_more_than_there_can_be(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each of the workers waits for its commit, so a batch of them all is full."""
        monkeypatch.setattr("penstock.storage.writing.group_commit.LINGER_PER_COMMIT", 1e9)
        monkeypatch.setattr("penstock.storage.writing.group_commit.MAX_LINGER", 60.0)
        commits: list[Saved] = []
        workers = 8
        seeds = [f"{SEED}{number}" for number in range(200)]
        async with stored(path, *seeds, max_batch=workers, on_commit=commits.append) as file:
            todo = iter(seeds)

            async def work() -> None:
                for seed in todo:
                    await file.run.writer.save(done(task(seed)))

            async with asyncio.timeout(10):
                await asyncio.gather(*(work() for _ in range(workers)))

        assert len(commits) == 200 / workers
        assert rows(path, "SELECT count(*) FROM pages") == [(200,)]

    async def test_pages_with_many_links_commit_by_themselves_and_small_ones_between_them(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One commit of 30,000 links takes a second; 64 of them would take the memory of two million."""
        monkeypatch.setattr("penstock.storage.writing.group_commit.MAX_TARGETS", 10)
        monkeypatch.setattr("penstock.storage.writing.group_commit.SMALL_TARGETS", 2)
        ended: list[str] = []
        commits: list[Saved] = []
        names = ["large1", "large2", "small1", "small2"]
        seeds = [f"{SEED}{name}" for name in names]
        async with stored(path, *seeds, max_batch=4, on_commit=commits.append) as file:

            async def save(name: str) -> None:
                targets = [f"{SEED}{name}/{n}" for n in range(10 if "large" in name else 1)]
                await file.run.writer.save(done(task(f"{SEED}{name}"), *targets))
                ended.append(name)

            await asyncio.gather(*map(save, names))

        assert ended == ["small1", "small2", "large1", "large2"]
        assert [saved.pending for saved in commits] == [2, 10, 10]

    async def test_closing_commits_what_waits(self, path: Path) -> None:
        async with stored(path, end=None) as file:
            saving = asyncio.create_task(file.run.writer.save(done(PAGE, A)))
            await asyncio.sleep(0)
            await file.store.close()

            assert (await saving).pending == 1
        assert states(path)[SEED] == ("done", None)

    async def test_what_comes_after_the_end_is_refused_at_once(self, path: Path) -> None:
        """Nobody would commit it, so its caller would wait for ever."""
        async with stored(path, end=None) as file:
            await file.run.writer.close()

            async with asyncio.timeout(5):
                with pytest.raises(StorageFailed, match="after the last commit"):
                    await file.save(done(PAGE, A))
        assert states(path)[SEED] == ("pending", None)

    async def test_a_bug_behind_a_commit_is_told_to_whoever_waits(self, path: Path) -> None:
        """It would end the writing in silence, and all who save would wait for ever."""

        def fail(saved: Saved) -> None:
            raise LookupError("a bug")

        async with stored(path, end=None, on_commit=fail) as file:
            for address in (PAGE, task(A, depth=1)):
                async with asyncio.timeout(5):
                    with pytest.raises(LookupError):
                        await file.save(done(address))


class TestLog:
    async def test_each_commit_is_one_debug_event_with_its_counts(
        self, file: Stored, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG", logger="penstock")
        await file.save(done(PAGE, A, B))

        [line] = [each.getMessage() for each in caplog.records if "committed" in each.getMessage()]
        assert "committed verdicts=1 pages=1 links=2 ms=" in line

    async def test_at_other_levels_a_commit_logs_nothing(
        self, file: Stored, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", logger="penstock")
        await file.save(done(PAGE, A))

        assert caplog.records == []


class TestVerdicts:
    async def test_a_retry_waits_and_counts_its_attempt(self, path: Path, file: Stored) -> None:
        await file.save(RetryAt(task=PAGE, at=START + 5, reason="timeout"))

        query = "SELECT state, reason, attempts, retry_at IS NOT NULL FROM urls"
        assert rows(path, query) == [("pending", "timeout", 1, 1)]
        assert rows(path, PAGES) == []
        assert rows(path, "SELECT requests, retries FROM runs") == [(1, 1)]

    async def test_a_dead_page_has_its_reason_and_what_had_arrived(self, path: Path, file: Stored) -> None:
        await file.save(Dead(task=PAGE, reason="http_404", answer=answer(404, content_type="text/html")))

        assert states(path) == {SEED: ("failed", "http_404")}
        assert rows(path, "SELECT status, error, content_type FROM pages") == [(404, "http_404", "text/html")]

    async def test_one_that_never_answered_has_a_page_without_a_status(
        self, path: Path, file: Stored
    ) -> None:
        await file.save(Dead(task=PAGE, reason="dns"))

        assert rows(path, PAGES) == [(SEED, None, None, "dns")]

    async def test_one_that_was_never_requested_has_none(self, path: Path, file: Stored) -> None:
        await file.save(Dead(task=PAGE, reason="robots_unreachable", requested=False))

        assert rows(path, "SELECT state, reason, attempts FROM urls") == [("failed", "robots_unreachable", 0)]
        assert rows(path, PAGES) == []
        assert rows(path, "SELECT requests FROM runs") == [(0,)]

    async def test_a_skipped_one_names_its_rule(self, path: Path, file: Stored) -> None:
        await file.save(Skipped(task=PAGE, reason="robots"))

        assert rows(path, "SELECT state, reason, attempts FROM urls") == [("skipped", "robots", 0)]
        assert rows(path, PAGES) == []

    async def test_a_page_that_failed_before_is_replaced(self, path: Path, file: Stored) -> None:
        await file.save(Dead(task=PAGE, reason="dns"))
        await file.save(done(PAGE))

        assert rows(path, PAGES) == [(SEED, 200, None, None)]

    @pytest.mark.parametrize(
        ("location", "row", "redirect_to"),
        [
            (A, True, A),
            ("mailto:me@h", False, "mailto:me@h"),
            (SEED + "x" * 2083, False, SEED + "x" * 2083),
            (SEED, False, SEED),
        ],
        ids=["http", "other scheme", "too long", "itself"],
    )
    async def test_a_redirect_names_its_target_which_may_have_a_row(
        self, path: Path, file: Stored, location: str, row: bool, redirect_to: str
    ) -> None:
        await file.save(Done(task=PAGE, answer=answer(301, location=location)))

        assert rows(path, PAGES) == [(SEED, 301, redirect_to, None)]
        assert len(states(path)) == 1 + row
        assert rows(path, "SELECT * FROM links") == []

    async def test_bytes_are_those_that_were_downloaded(self, path: Path, file: Stored) -> None:
        await file.save(done(PAGE, A, B, body_bytes=100, content_hash=b"#"))
        await file.save(done(task(A, depth=1), body_bytes=9_999))
        await file.save(Dead(task=task(B, depth=1), reason="http_404", answer=answer(404, body_bytes=7)))

        assert rows(path, "SELECT requests, pages, bytes FROM runs") == [(3, 2, 100)]

    async def test_a_robots_txt_is_no_page(self, path: Path, file: Stored) -> None:
        of = RobotsTask(origin="http://h", host="h")
        await file.save(RobotsAnswer(task=of, fetched_at=START, status=200, body=b"a\0\xff"))

        assert rows(path, "SELECT origin, status, body FROM robots") == [("http://h", 200, b"a\0\xff")]
        assert rows(path, "SELECT requests, robots_requests FROM runs") == [(0, 1)]
        assert states(path) == {SEED: ("pending", None)}

    async def test_a_body_is_kept_with_its_headers(self, path: Path, file: Stored) -> None:
        said = answer(200, headers=(("A", "1"), ("A", "\udce9")))
        await file.save(Done(task=PAGE, answer=said, body=b"\0body"))

        [(body, headers)] = rows(path, "SELECT body, headers FROM body")
        assert zlib.decompress(body) == b"\0body"
        assert json.loads(zlib.decompress(headers)) == [["A", "1"], ["A", "\udce9"]]


TEXTS = [
    "",
    "a",
    "it's",
    'say "x"',
    "NUL\0in it",
    "NUL\0",
    "\0",
    "naïve ☃ 🦀",
    "\u202eright",
    "a\nb",
    "%s ? :x",
    "'; --",
]


class TestTexts:
    async def test_every_text_comes_back_as_it_was(self, path: Path, file: Stored) -> None:
        found = [Link(url(f"{SEED}{n}"), text, text[::-1], True) for n, text in enumerate(TEXTS)]
        content = Content(links=Links.of(found), title=TEXTS[4], language="d\0e", robots="noindex")
        await file.save(Done(task=PAGE, answer=answer(robots="none"), content=content))

        query = "SELECT target, text, rel FROM links ORDER BY target"
        assert rows(path, query) == sorted((one.url, one.text, one.rel) for one in found)
        query = "SELECT title, language, robots FROM pages"
        assert rows(path, query) == [(TEXTS[4], "d\0e", "none, noindex")]

    async def test_a_text_is_stored_once_however_often_it_comes(self, path: Path, file: Stored) -> None:
        pages = [SEED, A, B]
        for address in pages:
            found = [Link(url(target), text, "nofollow", True) for target in pages for text in ["home"]]
            said = answer(content_type="text/html")
            await file.save(Done(task=task(address), answer=said, content=Content(links=Links.of(found))))

        assert sorted(text for (text,) in rows(path, "SELECT text FROM phrase")) == [
            "home",
            "nofollow",
            "text/html",
        ]

    async def test_more_texts_than_one_statement_takes(self, path: Path, file: Stored) -> None:
        found = [Link(url(f"{SEED}{n}"), f"text {n}", "", True) for n in range(3_000)]
        await file.save(Done(task=PAGE, answer=answer(), content=Content(links=Links.of(found))))

        assert rows(path, "SELECT count(DISTINCT text) FROM links") == [(3_000,)]

    async def test_a_rel_without_a_word_is_none(self, path: Path, file: Stored) -> None:
        links = Links(urls=[url(A)], texts=["home"], rels={0: ""})
        await file.save(Done(task=PAGE, answer=answer(), content=Content(links=links)))

        assert rows(path, "SELECT target, text, rel FROM links") == [(A, "home", "")]

    async def test_texts_are_known_again_after_a_restart(self, path: Path) -> None:
        for address in (SEED, A):
            async with stored(path) as file:
                found = [Link(url(A), "home", "", True)]
                await file.save(
                    Done(task=task(address), answer=answer(), content=Content(links=Links.of(found)))
                )

        assert rows(path, "SELECT text FROM phrase") == [("home",)]

    @pytest.mark.parametrize(
        "verdict",
        [
            Done(task=PAGE, answer=answer(etag="caf\udce9")),
            Done(task=PAGE, answer=answer(last_modified="\udcff", robots="\udcff")),
            Done(task=PAGE, answer=answer(content_type="text/\udcff")),
            Done(task=PAGE, answer=answer(), content=Content(title="half \ud83d")),
            Done(
                task=PAGE,
                answer=answer(),
                content=Content(links=Links.of([Link(url(A), "\ud83d", "\ud83d", True)])),
            ),
            Dead(task=PAGE, reason="http_404", answer=answer(404, etag="\udcff")),
        ],
        ids=["etag", "headers", "type", "title", "link", "dead"],
    )
    async def test_text_that_is_no_unicode_ends_as_a_row(
        self, path: Path, file: Stored, verdict: Done | Dead
    ) -> None:
        """A header with a Latin-1 byte must not end the crawl, and end it again at every resume."""
        await file.save(verdict)

        assert len(rows(path, PAGES)) == 1


class TestNumbers:
    @pytest.mark.parametrize(
        "said",
        [
            answer(999, body_bytes=999_999_999_999_999, elapsed_ms=0),
            answer(200, fetched_at=0.0),
            answer(200, content_hash=b"\0" * 32),
        ],
        ids=["large", "epoch", "zeros"],
    )
    async def test_odd_numbers_are_stored(self, path: Path, file: Stored, said: Answer) -> None:
        await file.save(Done(task=PAGE, answer=said))

        query = "SELECT status, body_bytes, coalesce(content_hash, '') FROM pages"
        hexed = (said.content_hash or b"").hex()
        assert rows(path, query) == [(said.status, said.body_bytes, hexed)]

    async def test_a_page_with_very_many_links(self, path: Path, file: Stored) -> None:
        saved = await file.save(
            Done(task=PAGE, answer=answer(), content=links(*(f"{SEED}{n}" for n in range(20_000))))
        )

        assert saved.pending == 20_000
        assert set(depths(path).values()) == {0, 1}
