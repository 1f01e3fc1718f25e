"""Verdict tables: what a verdict writes; one class per group of tables.

May touch: the database's statements, interned strings, discovery, the port of the throttle.

States of URLs, clocks of hosts, counts of the run; the answers of pages (`fetch` and
`session_page`).
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict

from penstock.crawler.messages import Answer, Content, Dead, Done, RetryAt, Skipped, Unsolved, UrlVerdict
from penstock.crawler.ports import ThrottleSource
from penstock.crawler.scheduler.discovery import Discovery, UrlKind, UrlState, redirect_target
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.interned_strings import InternedStrings, storable
from penstock.storage.writing.rows import UrlRow

# sqlite3 binds an exact int in a quarter of the time that a member of an IntEnum takes.
_WAITING, _FAILED, _SKIPPED = map(int, (UrlState.WAITING, UrlState.FAILED, UrlState.SKIPPED))


class UrlStates:
    """`note` verdicts before any table that discovers: it reads the states. Then `write`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done: list[int] = []  # parameters of SETTLE_DONE
        self._settled: list[object] = []  # parameters of SETTLE_URL, row after row

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        match verdict:
            case Done():
                row.state, row.reason = UrlState.DONE, None
                self._done.append(row.id)
            case Dead(reason=reason, requested=requested):
                row.state, row.reason = UrlState.FAILED, reason
                self._settled += (_FAILED, reason, None, int(requested), row.id)
            case RetryAt(at=at, reason=reason, requested=requested):
                row.state, row.reason = UrlState.WAITING, reason
                self._settled += (_WAITING, reason, at, int(requested), row.id)
            case Skipped(reason=reason):
                row.state, row.reason = UrlState.SKIPPED, reason
                self._settled += (_SKIPPED, reason, None, 0, row.id)
            case Unsolved(task=task):  # as before its handshake
                row.reason = before = None if task.handshake is None else task.handshake.before
                row.state = UrlState.DONE if before is None else UrlState.FAILED
                self._settled += (int(row.state), before, None, 1, row.id)

    async def write(self) -> None:
        await self._database.run_multi_row(sql.SETTLE_DONE, self._done)
        await self._database.run_multi_row(sql.SETTLE_URL, self._settled)


class HostClockTable:
    """Writes the throttle's clocks that changed since the last commit."""

    def __init__(self, database: Database, source: ThrottleSource | None) -> None:
        self._database = database
        self._source = source

    async def write(self) -> None:
        clocks = self._source.changed_throttles() if self._source is not None else {}
        if clocks:
            await self._database.run_many(sql.SET_CLOCK, [(*clock, name) for name, clock in clocks.items()])


class BatchCounts(Struct):
    """What a batch adds to its run (COUNT_RUN)."""

    requests: int = 0
    pages: int = 0
    bytes: int = 0
    retries: int = 0
    robots_requests: int = 0
    sitemap_requests: int = 0
    resource_requests: int = 0


class RunCounts:
    """`note` verdicts, then `write`."""

    def __init__(self, database: Database, run: int) -> None:
        self._database = database
        self._run = run
        self.batch = BatchCounts()

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        if isinstance(verdict, Skipped | Unsolved):
            return
        counts, kind = self.batch, verdict.task.kind
        requested = isinstance(verdict, Done) or verdict.requested
        match kind:
            case "page":
                counts.requests += requested
            case "sitemap":
                counts.sitemap_requests += requested
            case "resource":
                counts.resource_requests += requested
        if isinstance(verdict, RetryAt):
            counts.retries += requested and kind != "resource"
        elif isinstance(verdict, Done) and kind == "page":
            answer = verdict.answer
            counts.pages += answer.status == 200
            if answer.content_hash is not None:
                counts.bytes += answer.body_bytes or 0

    async def write(self) -> None:
        await self._database.run(sql.COUNT_RUN, {"run": self._run, **asdict(self.batch)})


_NO_CONTENT = Content()


class FetchTables:
    """`note` verdicts, then `write`."""

    def __init__(
        self, database: Database, strings: InternedStrings, discovery: Discovery[UrlRow], generation: int
    ) -> None:
        self._database = database
        self._strings = strings
        self._discovery = discovery
        self._generation = generation
        self._pages: list[object] = []  # parameters of SAVE_PAGE, row after row
        self._fetches: list[object] = []  # of SAVE_FETCH: with an error or a redirect
        self._sessions: list[tuple[int, bytes]] = []

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        if row.kind != UrlKind.PAGE:
            return
        if isinstance(verdict, Done):
            self._note_answer(verdict.answer, verdict.content or _NO_CONTENT, row)
            if verdict.fingerprint is not None:
                self._sessions.append((row.id, verdict.fingerprint))
        elif isinstance(verdict, Dead) and verdict.requested:
            if verdict.answer is not None:
                self._note_answer(verdict.answer, _NO_CONTENT, row, error=verdict.reason)
            else:
                unknown = (None,) * 11
                self._fetches += (
                    row.id,
                    self._generation,
                    None,
                    verdict.reason,
                    *unknown,
                    0,
                    0,
                    None,
                    None,
                    0,
                    0,
                )

    def _note_answer(
        self, answer: Answer, content: Content, row: UrlRow, *, error: str | None = None
    ) -> None:
        redirect = None
        if error is None and (target := redirect_target(answer)) is not None:
            redirect = self._discovery.follow_redirect(row, target)
        head = (row.id, self._generation, answer.status)
        # A bytearray needs no adapter: sqlite3 binds it in a third of the time that bytes take.
        content_hash = bytearray(answer.content_hash) if answer.content_hash is not None else None
        described = (
            self._strings.recent[answer.content_type] if answer.content_type else None,
            _storable(content.title),
            _storable(content.language),
            answer.body_bytes,
            content_hash,
            answer.elapsed_ms,
            round(answer.fetched_at * 1000),
        )
        rest = (
            content.canonical,
            _storable(_robots_directives(answer, content)),
            content.other_links,
            content.long_links,
            _storable(answer.etag),
            _storable(answer.last_modified),
            content.dropped_links,
        )
        if error is None and answer.location is None:
            self._pages += (*head, *described, *rest)
        else:
            location = _storable(answer.location) if redirect is None else None
            redirect_id = redirect.id if redirect is not None else None
            self._fetches += (*head, error, *described, redirect_id, location, *rest, +answer.sets_cookie)

    async def write(self) -> None:
        await self._database.run_multi_row(sql.SAVE_PAGE, self._pages)
        await self._database.run_multi_row(sql.SAVE_FETCH, self._fetches)
        if self._sessions:
            await self._database.run_many(sql.SAVE_SESSION_PAGE, self._sessions)


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _robots_directives(answer: Answer, content: Content) -> str | None:
    """Those of X-Robots-Tag and meta robots, in one list."""
    if answer.robots is None and content.robots is None:
        return None
    lines = (answer.robots or "").split("\n")
    return ", ".join(part for part in (*lines, content.robots) if part) or None
