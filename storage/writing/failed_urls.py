"""Failed URLs: which of them the next run requests again.

May touch: the database's statements, the table of reasons.

A run that finds URLs still to fetch only resumes: what failed before stays failed, so that a crawl
that was killed ends as one that was not. On a finished crawl

- all failed URLs are requested again while no page is stored at all, and so are seeds that robots.txt
  or `--public-only` refused: whatever is stored of robots.txt is forgotten;
- those that failed for want of an answer are requested once more, because that may pass;
- those that an option may mend are requested again once it was changed (`--auth` after a 401);
- all others have their final answer. `--retry-failed` requests them too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql

NEVER_AGAIN = frozenset({"poison"})  # it ended the process, so only the operator may ask for it


async def admit_failed(
    database: Database,
    *,
    all_of_them: bool,
    depth: int | None,
    retries: int,
    last: Mapping[str, Any],
    now: Mapping[str, Any],
) -> None:
    """Make them pending, within the caller's transaction; `all_of_them` with --retry-failed.

    `last` and `now` are the public options of the last run and of this one.
    """
    [(unfinished,)] = await database.rows(sql.UNFINISHED)
    if all_of_them:
        await database.run(sql.ADMIT_FAILED, {"depth": depth})
    if unfinished:
        return
    reasons = {reason or "" for (reason,) in await database.rows(sql.FAILED_REASONS)} - NEVER_AGAIN
    [(stored,)] = await database.rows(sql.HAS_STORED_PAGE)
    if not stored:
        await database.run(sql.FORGET_ROBOTS)
        await database.run(sql.ADMIT_REFUSED_SEEDS)
        await _admit(database, reasons, depth, left=0)
        return
    [(ending,)] = await database.rows(sql.LAST_ENDING)
    if ending != "finished":
        return  # it was killed when only the note of its end was missing
    from penstock.crawler.reasons import about, may_pass  # not for a new crawl

    options = {option for reason in reasons for option in about(reason).options}
    changed = frozenset(name for name in options if (last.get(name) or None) != (now.get(name) or None))
    mended = {reason for reason in reasons if not changed.isdisjoint(about(reason).options)}
    await _admit(database, mended, depth, left=0)
    await _admit(database, {reason for reason in reasons - mended if may_pass(reason)}, depth, left=retries)


async def _admit(database: Database, reasons: set[str], depth: int | None, *, left: int) -> None:
    if reasons:
        params = {"reasons": json.dumps(sorted(reasons)), "depth": depth, "left": left}
        await database.run(sql.ADMIT_FAILED_FOR, params)
