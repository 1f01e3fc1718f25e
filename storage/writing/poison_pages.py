"""Suspects: the pages that may have killed the last run, and when one is set aside.

May touch: the database's statements, the parse marks.

A kill from outside says nothing about a page. So suspicion only puts a page at the end of
the queue, alone; it is set aside only after three runs in a row died while it, alone, was
being parsed and nothing else had been settled.
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

STRIKES = 3


async def judge_last_run(
    database: Database, marked: Sequence[CanonicalUrl], *, generation: int
) -> list[CanonicalUrl]:
    """Inside the opening transaction: count a strike or clear the record. Returns the suspects.

    `marked` are the URLs whose parse mark survived. The one that has its third strike is
    failed with the reason `poison` and no longer a suspect.
    """
    last = await database.row(sql.LAST_RUN)
    if last is None or last[0] or not marked:
        await database.run(sql.SET_SUSPECT, {"url": None, "strikes": 0})
        return []
    strikes = 0
    if len(marked) == 1 and not last[1]:
        suspect, before = await database.row(sql.FIND_SUSPECT)
        strikes = before + 1 if suspect == marked[0] else 1
    await database.run(sql.SET_SUSPECT, {"url": marked[0], "strikes": strikes})
    if strikes < STRIKES:
        return list(marked)
    await _set_aside(database, marked[0], generation)
    return []


async def _set_aside(database: Database, url: CanonicalUrl, generation: int) -> None:
    _, host, path = split(url)
    places = json.dumps([(host, digest_of_path(path))])
    for number, *_, name, secure, path, kind in await database.rows(sql.FIND_URLS, {"places": places}):
        if key_of(unsplit(secure, name, path), kind) == url:
            await database.run(sql.SET_ASIDE, {"id": number})
            await database.run(sql.SET_ASIDE_PAGE, {"id": number, "generation": generation})
