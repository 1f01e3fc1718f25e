"""Analysis: compute PageRank and near duplicates over a whole crawl, and store them beside it.

May touch: the database, as its one writer.
Never: a running crawl. It holds the file's lock, so `analyse` is refused.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from penstock.storage.database.database import Database
from penstock.storage.jobs.near_duplicates import group_similar, simhash, split_words
from penstock.storage.jobs.pagerank import Graph, Ranks, pagerank
from penstock.storage.reading.crawl_reader import open_reader

TextOf = Callable[[bytes, str | None], str]  # (body, Content-Type header) to the visible text

_RANKED = "SELECT id FROM url WHERE state = 2 AND kind = 0 ORDER BY id"
# Sorted by target, as Graph needs them. A page's link to itself does not count.
_LINKS = """
    SELECT link.source, link.target FROM link WHERE link.followed AND link.source <> link.target
    UNION
    SELECT url_id, redirect_id FROM last_fetch WHERE redirect_id IS NOT NULL AND redirect_id <> url_id
    ORDER BY 2, 1
"""
_TEXTS = """
    SELECT html_page.url_id FROM html_page
    JOIN body ON body.url_id = html_page.url_id AND body.generation = html_page.generation
    JOIN url_text ON url_text.id = html_page.url_id
    ORDER BY url_text.url
"""
_BODY = "SELECT body, headers FROM body WHERE url_id = :id ORDER BY generation DESC LIMIT 1"
_SAVE = """
    INSERT INTO analysis (url_id, rank, words, simhash, alike, distance)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_SAVE_ABOUT = """
    INSERT OR REPLACE INTO analysed (id, at, urls, links, rounds, change, texts)
    VALUES (1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?, ?, ?, ?, ?)
"""


class AnalysisResult(NamedTuple):
    """The figures of one analysis."""

    urls: int  # that were ranked
    links: int  # links and redirects between them
    rounds: int
    change: float  # of the ranks in the last round, summed
    texts: int  # saved bodies that were read


class _Texts(NamedTuple):
    """Word counts and hashes of the saved bodies, sorted by URL. A hash of 0: the text is too short."""

    ids: array[int]
    words: array[int]
    hashes: array[int]

    def leaders(self) -> array[int]:
        """For each text the position of the first one in its group; -1 if it is alone."""
        compared = array("q", (i for i, value in enumerate(self.hashes) if value))
        first = group_similar(array("Q", filter(None, self.hashes)))
        members = array("q", [0]) * len(compared)
        for leader in first:
            members[leader] += 1
        found = array("q", [-1]) * len(self.ids)
        for i, leader in zip(compared, first, strict=True):
            if members[leader] > 1:
                found[i] = compared[leader]
        return found


async def analyse(path: Path, text_of: TextOf, on_body: Callable[[], None]) -> AnalysisResult:
    """Compute everything again and replace the stored results in one transaction. Raises BadDatabase.

    `on_body` is called for every body that was read.
    """
    open_reader(path).close()  # a missing file must not be created
    database = await Database.open(path)  # takes the lock, and migrates an older file
    try:
        with open_reader(path) as reader, reader.snapshot() as connection:
            ids, ranks, links = _rank(connection)
            texts = _read(connection, text_of, on_body)
        found = AnalysisResult(len(ids), links, ranks.rounds, ranks.change, len(texts.ids))
        async with database.transaction():
            await database.run("DELETE FROM analysis")
            await database.run_many(_SAVE, _rows(ids, ranks, texts))
            await database.run(_SAVE_ABOUT, found)
    finally:
        await database.close()
    return found


def _rank(connection: sqlite3.Connection) -> tuple[array[int], Ranks, int]:
    ids = array("q", (number for (number,) in connection.execute(_RANKED)))
    place = array("i", [-1]) * (ids[-1] + 1 if ids else 0)
    for node, number in enumerate(ids):
        place[number] = node

    def links() -> Iterator[tuple[int, int]]:
        last = len(place)
        for source, target in connection.execute(_LINKS):
            if (
                source < last
                and target < last
                and (source := place[source]) >= 0 <= (target := place[target])
            ):
                yield source, target

    graph = Graph(len(ids), links())
    return ids, pagerank(graph), len(graph.sources)


def _read(connection: sqlite3.Connection, text_of: TextOf, on_body: Callable[[], None]) -> _Texts:
    texts = _Texts(array("q"), array("q"), array("Q"))
    for (number,) in connection.execute(_TEXTS):
        body, headers = connection.execute(_BODY, {"id": number}).fetchone()
        words = split_words(text_of(zlib.decompress(body), _content_type(headers)))
        texts.ids.append(number)
        texts.words.append(len(words))
        texts.hashes.append(simhash(words) or 0)
        on_body()
    return texts


def _content_type(packed: bytes) -> str | None:
    headers = json.loads(zlib.decompress(packed))
    return ", ".join(value for name, value in headers if name.lower() == "content-type") or None


def _rows(ids: array[int], ranks: Ranks, texts: _Texts) -> Iterator[tuple[object, ...]]:
    """The parameters of _SAVE: ranks and texts merged, both in the order of the row numbers."""
    leaders = texts.leaders()
    order = iter(sorted(range(len(texts.ids)), key=texts.ids.__getitem__))
    at = next(order, None)
    for number, rank in zip(ids, ranks.rank, strict=True):
        while at is not None and texts.ids[at] < number:
            at = next(order, None)
        if at is None or texts.ids[at] != number:
            yield number, rank, None, None, None, None
            continue
        value, leader = texts.hashes[at], leaders[at]
        signed = value - (1 << 64) if value >> 63 else value  # SQLite's integers have a sign
        like = (None, None) if leader < 0 else (texts.ids[leader], (value ^ texts.hashes[leader]).bit_count())
        yield number, rank, texts.words[at], signed or None, *like
