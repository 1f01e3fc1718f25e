"""A host program that uses SQLite itself: a crawl in it changes none of its settings, and obeys none."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.crawls import crawl, equal_crawls, rows
from tests.support.shop_site import website

PAGES = {
    "/": "<title>t</title><p class=new>yes</p><a href=/a>a</a><a href=/b></a><a rel=nofollow href=/c>c</a>"
    "<img src=/gone.png><a href=//other.example/>out</a>",
    "/a": "<a href=/b>b</a><p class=new>no</p>",
    "/b": "<a href=/lost>lost</a>",
}
PRIVATE = "SELECT robots FROM crawl", "SELECT followed, listed, seed, secure, attempts FROM url ORDER BY id"


@pytest.fixture
def adapted() -> Iterator[list[bool]]:
    """The bools that the adapter of a host program was called with."""
    called: list[bool] = []

    def adapt(value: bool) -> str:
        called.append(value)
        return "yes" if value else "no"

    sqlite3.register_adapter(bool, adapt)
    yield called
    del sqlite3.adapters[bool, sqlite3.PrepareProtocol]


async def run(base: str, db: Path) -> None:
    select = [{"name": "new", "css": ".new", "type": "bool"}]
    for depth in (1, 2):  # the second run changes the depth of an existing crawl
        await crawl(seeds=[base], db=db, depth=depth, no_robots=False, resources=True, select=select)


async def test_a_crawl_registers_no_sqlite3_adapter(tmp_path: Path) -> None:
    """They are process-wide: the host program's own would be replaced. The two are Python's."""
    async with website(PAGES).serve() as base:
        await run(base, tmp_path / "crawl.db")

    assert {kind for kind, _ in sqlite3.adapters} == {datetime.date, datetime.datetime}


async def test_a_host_programs_adapter_for_bool_is_kept_and_never_reaches_the_crawls_file(
    tmp_path: Path, adapted: list[bool]
) -> None:
    async with website(PAGES).serve() as base:
        await run(base, tmp_path / "adapted.db")
        called = list(adapted)
        with closing(sqlite3.connect(":memory:")) as own:
            assert own.execute("SELECT ?", [True]).fetchone() == ("yes",)
        del sqlite3.adapters[bool, sqlite3.PrepareProtocol]
        await run(base, tmp_path / "plain.db")
        sqlite3.register_adapter(bool, str)

    assert called == []
    assert equal_crawls(tmp_path / "adapted.db", tmp_path / "plain.db") == []
    for query in PRIVATE:
        assert rows(tmp_path / "adapted.db", query) == rows(tmp_path / "plain.db", query)
    assert rows(tmp_path / "adapted.db", "SELECT value FROM extracted ORDER BY 1") == [(0,), (1,)]
