"""Poison pages: pages that crash the process that parses them.

May touch: the database's statements.

A kill from outside says nothing about a page. So a page that was being parsed at the crash is only
moved to the end of the queue and parsed alone. It fails for good after three runs in a row that
crashed while it, alone, was being parsed and nothing else had been settled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import split, unsplit
from penstock.storage.database.database import Database
from penstock.storage.database.digests import digest_of_path
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import key_of

MAX_CRASHES = 3


async def judge_last_run(
    database: Database, marked: Sequence[CanonicalUrl], *, generation: int
) -> list[CanonicalUrl]:
    """Update the crash count, inside the opening transaction. Returns the pages to parse last, alone.

    `marked` are the URLs whose parse mark survived the last run. A page that reaches MAX_CRASHES is
    failed with the reason `poison` and is not returned.
    """
    last = await database.row(sql.LAST_RUN)
    if last is None or last[0] or not marked:
        await database.run(sql.SET_CRASH_COUNT, {"url": None, "crashes": 0})
        return []
    crashes = 0
    if len(marked) == 1 and not last[1]:
        url, before = await database.row(sql.FIND_CRASH_COUNT)
        crashes = before + 1 if url == marked[0] else 1
    await database.run(sql.SET_CRASH_COUNT, {"url": marked[0], "crashes": crashes})
    if crashes < MAX_CRASHES:
        return list(marked)
    await _fail(database, marked[0], generation)
    return []


async def _fail(database: Database, url: CanonicalUrl, generation: int) -> None:
    _, host, path = split(url)
    places = json.dumps([(host, digest_of_path(path))])
    for number, *_, name, secure, path, kind in await database.rows(sql.FIND_URLS, {"places": places}):
        if key_of(unsplit(secure, name, path), kind) == url:
            await database.run(sql.FAIL_POISON_URL, {"id": number})
            await database.run(sql.ADD_POISON_PAGE, {"id": number, "generation": generation})
