"""Digests: how the rows of URLs and phrases are found, and how older files come to have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.crawler.errors import StorageFailed
from penstock.crawler.messages import CanonicalUrl, Content, Dead, Done, Link, Links, Sitemap
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.storage.database.database import Database
from penstock.storage.database.digests import digest_of_path, digest_of_text
from penstock.storage.reading.crawl_reader import open_reader
from penstock.storage.reading.explanation import explain_url
from penstock.storage.writing.parse_marks import judge_last_run
from tests.faults.migrations import make_older
from tests.support.fakes import answer, task, url
from tests.support.open_store import LINKS, PAGES, SEED, URLS, depths, rows, states, stored, use_equal_digests

A, B, C, D = (f"{SEED}{name}" for name in "abcd")
SECURE = "https://h/a"
SITEMAP = f"{SEED}sitemap.xml"
TEXTS = ["", "a", "NUL\0in it", "NUL\0", "naïve ☃", "x" * 5_000]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def page(source: str, *targets: str, text: str = "", rel: str = "") -> Done:
    found = [Link(url(target), text, rel, True) for target in targets]
    said = answer(content_type="text/html")
    return Done(task=task(source), answer=said, content=Content(title=source, links=Links.of(found)))


class TestDigests:
    @pytest.mark.parametrize(
        ("path", "digest"),
        [
            ("/", -140_737_484_434_022),
            ("/docs/current/sql-createtable.html", -32_449_061_342_230),
            ("/item/12345.html", -38_854_449_120_127),
            ("/a?b=/c", 3_844_333_365_761),
        ],
    )
    def test_the_digest_of_a_path_never_changes(self, path: str, digest: int) -> None:
        """It stands in files: with another one their URLs would be found no more."""
        assert digest_of_path(path) == digest

    @pytest.mark.parametrize(
        ("text", "digest"),
        [
            ("", 7_891_458),
            ("Next", 654_422),
            ("NUL\0in it", -3_605_522),
            ("naïve ☃", -7_162_499),
        ],
    )
    def test_the_digest_of_a_text_never_changes(self, text: str, digest: int) -> None:
        assert digest_of_text(text) == digest

    def test_digests_are_small_numbers(self) -> None:
        """SQLite keeps a number of 48 bits in six bytes, one of 24 in three."""
        for number in range(1_000):
            assert -(1 << 47) <= digest_of_path(f"/{number}/{number}") < 1 << 47
            assert -(1 << 23) <= digest_of_text(str(number)) < 1 << 23

    def test_paths_of_one_folder_have_neighbouring_digests(self) -> None:
        """Or each commit would change as many pages of the index as it has URLs."""
        series = [digest_of_path(f"/item/12{number:03}.html") for number in range(1_000)]
        folder = [digest_of_path(f"/docs/{name}.html") for name in ("asyncio", "Zebra", "x-7")]

        assert len({digest >> 24 for digest in series}) == 1
        assert len({digest >> 36 for digest in folder}) == 1
        assert len(set(series)) == 1_000


class TestOneDigestForAll:
    """What is found by a digest is compared as text."""

    @pytest.fixture(autouse=True)
    def same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use_equal_digests(monkeypatch)

    async def test_urls_and_texts_with_the_same_digest_are_told_apart(self, path: Path) -> None:
        async with stored(path) as file:
            await file.save(page(SEED, A, B, SECURE, text="one"))
        async with stored(path) as file:
            await file.save(page(A, B, C, SEED, text="two"), page(SECURE, A, text="one", rel="one"))

        assert depths(path) == {SEED: 0, A: 1, B: 1, SECURE: 1, C: 2}
        assert rows(path, LINKS) == sorted(
            [
                *((SEED, target, "one", "", 1) for target in (A, B, SECURE)),
                *((A, target, "two", "", 1) for target in (B, C, SEED)),
                (SECURE, A, "one", "one", 1),
            ]
        )
        assert rows(path, "SELECT text FROM phrase ORDER BY 1") == [("one",), ("text/html",), ("two",)]

    async def test_a_page_and_a_sitemap_of_one_url_are_two_things(self, path: Path) -> None:
        async with stored(path, sitemaps=[A]) as file:
            await file.save(page(SEED, A))
        async with stored(path, sitemaps=[A]) as file:
            await file.save(page(A, A))

        assert rows(path, "SELECT kind, state FROM url JOIN host ON host_id = host.id WHERE path = '/a'") == [
            (1, 0),
            (0, 2),
        ]

    async def test_only_the_page_that_killed_the_runs_is_set_aside(self, path: Path) -> None:
        async with stored(path, end=None) as file:
            await file.save(page(SEED, A, B))
        database = await Database.open(path)
        for _ in range(3):
            async with database.transaction():
                await database.run("INSERT INTO runs (started_at, config) VALUES ('now', '{}')")
                await judge_last_run(database, [url(B)], generation=1)
        await database.close()

        assert states(path)[B] == ("failed", "poison")
        assert states(path)[A] == ("pending", None)

    async def test_a_url_that_is_asked_about_is_the_one_that_is_explained(self, path: Path) -> None:
        async with stored(path) as file:
            await file.save(page(SEED, A, SECURE), page(A, B))

        with open_reader(path) as reader, reader.snapshot() as connection:
            found = {asked: explain_url(connection, asked).facts.state for asked in (SEED, SECURE, B)}
        assert found == {SEED: "done", SECURE: "pending", B: "pending"}


class Forgetful(SeenFilter):
    """A broken one: it says "surely new" of what is known."""

    def probe(self, url: CanonicalUrl) -> bool:
        super().probe(url)
        return False


class TestOnce:
    async def test_a_url_that_is_known_after_all_ends_the_run(self, path: Path) -> None:
        """Two rows of one URL would be two pages, and nobody would ever know."""
        async with stored(path) as file:
            await file.save(page(SEED, A, B))
        before = rows(path, URLS)

        with pytest.raises(StorageFailed, match=r"NOT NULL constraint failed: url_digest\.url_id"):
            async with stored(path, seen=Forgetful(), end=None) as file:
                await file.save(page(A, C, B))

        assert rows(path, URLS) == before

    async def test_a_text_that_was_evicted_is_found_again(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("penstock.storage.writing.interned_strings.CACHED_STRINGS", 1)
        async with stored(path) as file:
            for number in range(6):
                await file.save(
                    page(f"{SEED}{number or ''}", f"{SEED}{number + 1}", text=f"text {number % 3}")
                )

        assert rows(path, "SELECT text FROM phrase ORDER BY 1") == [
            ("text 0",), ("text 1",), ("text 2",), ("text/html",),
        ]  # fmt: skip

    async def test_every_row_has_the_digest_of_its_own_text(self, path: Path) -> None:
        for source, targets in ((SEED, [A, B, "http://other/b"]), (A, [C, D, "http://other/c"])):
            async with stored(path) as file:
                await file.save(page(source, *targets, text=source, rel=f"a {source}"))

        urls = (
            "SELECT path, digest FROM url JOIN url_digest ON url_id = id AND url_digest.host_id = url.host_id"
        )
        phrases = "SELECT text, digest FROM phrase JOIN phrase_digest ON phrase_id = id"
        for query, digest, count in ((urls, digest_of_path, 7), (phrases, digest_of_text, 5)):
            found = rows(path, query)
            assert [number for _, number in found] == [digest(text) for text, _ in found]
            assert len(found) == count

    async def test_texts_get_their_digests_when_the_first_is_looked_up(self, path: Path) -> None:
        """A small crawl has all of them in memory, and pays for no index."""
        undigested = (
            "SELECT text FROM phrase WHERE id NOT IN (SELECT phrase_id FROM phrase_digest) ORDER BY 1"
        )
        async with stored(path) as file:
            await file.save(page(SEED, A, text="a"))
            await file.save(page(A, B, text="b"))
        assert rows(path, undigested) == [("a",), ("b",), ("text/html",)]

        async with stored(path) as file:
            await file.save(page(B, C, text="c"))
            await file.save(page(C, D, text="b"))
        assert rows(path, undigested) == []
        assert rows(path, "SELECT text FROM phrase ORDER BY 1") == [("a",), ("b",), ("c",), ("text/html",)]


VIEWS = "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name"


def columns_of_views(path: Path) -> dict[str, str]:
    """The columns of every view, for a SELECT."""
    return {
        name: ", ".join(column for (column,) in rows(path, f"SELECT name FROM pragma_table_info('{name}')"))
        for (name,) in rows(path, VIEWS)
    }


def seen_by_others(path: Path, columns: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    """The rows of these views, as a program sees them that knows nothing of digests."""
    return {
        name: sorted(rows(path, f"SELECT {asked} FROM {name}"), key=repr) for name, asked in columns.items()
    }


class TestOlderFiles:
    """Those of schema 9 have indexes with the whole text in them."""

    async def begin(self, path: Path) -> None:
        said = [Link(url(f"{SEED}text/{n}"), text, text[::-1], True) for n, text in enumerate(TEXTS)]
        async with stored(path, sitemaps=[SITEMAP], end="sigint") as file:
            await file.save(page(SEED, A, B, SECURE, "http://other/a", text="one", rel="nofollow"))
            await file.save(
                Done(task=task(A), answer=answer(301, location=C)), Dead(task=task(B), reason="dns")
            )
            await file.save(
                Done(task=task(C), answer=answer(), content=Content(links=Links.of(said), canonical=B))
            )
            listed = Sitemap(kind="urlset", locations=[url(A), url(f"{SEED}listed")])
            await file.save(Done(task=task(SITEMAP, kind="sitemap"), answer=answer(), sitemap=listed))

    async def go_on(self, path: Path) -> None:
        async with stored(path, sitemaps=[SITEMAP]) as file:
            await file.save(page(SECURE, SEED, A, f"{SEED}listed", D, SECURE, text="one", rel=TEXTS[2]))

    @pytest.fixture
    async def older(self, path: Path) -> Path:
        """The same crawl, stopped half-way, as schema 9 would have it."""
        await self.begin(path)
        older = path.with_name("older.db")
        make_older(path, older, before=10)
        return older

    async def test_every_view_has_the_same_rows_before_and_after_the_migration_to_digests(
        self, path: Path, older: Path
    ) -> None:
        columns = columns_of_views(older)  # later steps add some
        before = seen_by_others(older, columns)
        await (await Database.open(older)).close()

        after = seen_by_others(older, columns)
        assert after == seen_by_others(path, columns)
        changed = {"slow_pages", "deep_pages", "large_pages"}  # they show less since
        same = before.keys() - changed
        assert {name: after[name] for name in same} == {name: before[name] for name in same}
        assert len(before["links"]) == 4 + len(TEXTS)

    async def test_a_migrated_file_has_a_digest_for_every_url_and_text(self, older: Path) -> None:
        await (await Database.open(older)).close()

        assert rows(older, "PRAGMA integrity_check") == [("ok",)]
        assert rows(older, "PRAGMA foreign_key_check") == []
        assert rows(older, "SELECT host_id, id FROM url ORDER BY 2") == rows(
            older, "SELECT host_id, url_id FROM url_digest ORDER BY 2"
        )
        assert rows(older, "SELECT id FROM phrase ORDER BY 1") == rows(
            older, "SELECT phrase_id FROM phrase_digest ORDER BY 1"
        )

    async def test_no_schema_text_of_a_migrated_file_mentions_a_digest_function(self, older: Path) -> None:
        """Other programs open the file."""
        await (await Database.open(older)).close()

        assert rows(older, "SELECT name FROM sqlite_schema WHERE instr(sql, 'digest_of')") == []

    async def test_a_crawl_continues_in_a_migrated_file_as_in_a_new_one(
        self, path: Path, older: Path
    ) -> None:
        for file in (path, older):
            await self.go_on(file)

        for query in (URLS, LINKS, PAGES, "SELECT text FROM phrase ORDER BY 1"):
            assert rows(older, query) == rows(path, query)
        assert rows(older, "SELECT count(*) - count(DISTINCT text) FROM phrase") == [(0,)]
        assert rows(older, "PRAGMA foreign_key_check") == []

    async def test_a_url_is_found_in_a_file_that_is_not_migrated(self, older: Path) -> None:
        with open_reader(older) as reader, reader.snapshot() as connection:
            assert explain_url(connection, SECURE).facts.state == "pending"

        assert rows(older, "PRAGMA user_version") == [(9,)]
