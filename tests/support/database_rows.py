"""A crawl's file filled by hand, with the real schema and rows that a test knows.

A URL is named by its text; its row is created when it is first mentioned.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import split
from penstock.storage.database.digests import digest_of_path, digest_of_text
from penstock.storage.database.schema_texts import create_schema

STATES = {"pending": 0, "waiting": 1, "done": 2, "failed": 3, "skipped": 4}
SITE = "https://site.example"
MOMENT = 1_795_172_006_123  # unix milliseconds of 2026-11-20T10:53:26.123Z


class CrawlFile:
    """A context manager; on leaving it the rows are committed and the file is closed."""

    def __init__(self, path: Path, *, is_new: bool = True) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")  # no test pulls the plug
        if is_new:
            create_schema(self.db)
        self.db.execute("BEGIN")

    @classmethod
    def reopened(cls, path: Path) -> CrawlFile:
        """A file that was filled before, for further rows."""
        return cls(path, is_new=False)

    def __enter__(self) -> CrawlFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.db.execute("COMMIT")
        self.db.close()

    def crawl(
        self, seeds: Sequence[str] = (f"{SITE}/",), *, depth: int | None = 2, **url_rules: object
    ) -> None:
        identity = {"seeds": list(seeds), "scope": "host", "include": [], "exclude": [], "url_rules": 1}
        identity |= url_rules
        self.db.execute(
            "INSERT INTO crawl (id, identity, depth, robots, generation, created_at) "
            "VALUES (1, ?, ?, 1, 1, '2026-11-20T10:00:00.000Z')",
            (json.dumps(identity), depth),
        )

    def run(self, *, ended: str | None = "finished", pages: int = 0, **config: object) -> None:
        end = "2026-11-20T11:00:00.000Z" if ended else None
        self.db.execute(
            "INSERT INTO runs (started_at, finished_at, stop_reason, config, requests, pages, bytes, "
            "retries, robots_requests) VALUES ('2026-11-20T10:00:00.000Z', ?, ?, ?, ?, ?, ?, 1, 2)",
            (end, ended, json.dumps(config), pages + 1, pages, pages * 1024),
        )

    def url(
        self,
        url: str,
        state: str = "done",
        *,
        depth: int = 1,
        reason: str | None = None,
        seed: bool = False,
        followed: bool = True,
        attempts: int = 1,
        retry_at: float | None = None,
    ) -> int:
        """Create the URL's row, or make it like this. Returns its number."""
        number = self.number(url)
        self.db.execute(
            "UPDATE url SET state = ?, depth = ?, reason = ?, seed = ?, followed = ?, attempts = ?, "
            "retry_at = ? WHERE id = ?",
            (STATES[state], depth, reason, seed, followed, attempts, retry_at, number),
        )
        return number

    def page(
        self,
        url: str,
        *,
        depth: int = 1,
        seed: bool = False,
        status: int | None = 200,
        error: str | None = None,
        title: str | None = "A title",
        body: bytes | None = None,
        elapsed_ms: int = 10,
        generation: int = 1,
        redirect_to: str | None = None,
        redirect_text: str | None = None,
        canonical: str | None = None,
        content_type: str = "text/html",
        robots: str | None = None,
        last_modified: str | None = None,
    ) -> int:
        """A URL that was requested, with what came of it; one with an `error` is failed."""
        number = self.url(url, "failed" if error else "done", depth=depth, reason=error, seed=seed)
        self.db.execute(
            "INSERT INTO fetch (url_id, generation, status, error, type_id, title, body_bytes, content_hash, "
            "elapsed_ms, fetched_at, redirect_id, redirect_text, canonical, robots, last_modified) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number, generation, status, error, self.phrase(content_type if status == 200 else ""), title,
                None if body is None else len(body), None if body is None else hashlib.sha256(body).digest(),
                elapsed_ms, MOMENT, None if redirect_to is None else self.number(redirect_to), redirect_text,
                canonical, robots, last_modified,
            ),
        )  # fmt: skip
        return number

    def saved(self, url: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Keep a body, as --save-bodies does."""
        packed = zlib.compress(json.dumps([*headers]).encode())
        self.db.execute(
            "INSERT INTO body (url_id, generation, body, headers) VALUES (?, 1, ?, ?)",
            (self.number(url), zlib.compress(body), packed),
        )

    def redirect(
        self, url: str, target: str, *, depth: int = 1, seed: bool = False, status: int = 301
    ) -> int:
        return self.page(url, status=status, depth=depth, seed=seed, title=None, redirect_to=target)

    def link(self, source: str, target: str, text: str = "", *, rel: str = "", followed: bool = True) -> None:
        self.db.execute(
            "INSERT INTO link (source, target, text_id, rel_id, followed) VALUES (?, ?, ?, ?, ?)",
            (self.number(source), self.number(target), self.phrase(text), self.phrase(rel), followed),
        )

    def number(self, url: str) -> int:
        """The number of a URL; a new one is pending, one link away from a seed."""
        secure, host, path = split(CanonicalUrl(url))
        self.db.execute("INSERT OR IGNORE INTO host (name) VALUES (?)", (host,))
        [host_id] = self.db.execute("SELECT id FROM host WHERE name = ?", (host,)).fetchone()
        key = (host_id, path, secure)
        found = self.db.execute(
            "SELECT id FROM url WHERE host_id = ? AND path = ? AND secure = ?", key
        ).fetchone()
        if found is not None:
            return int(found[0])
        return self._added(
            "INSERT INTO url (host_id, path, secure, depth, hops, followed, seed, state) "
            "VALUES (?, ?, ?, 1, 0, 1, 0, 0)",
            key,
            "INSERT INTO url_digest (host_id, digest, url_id) VALUES (?, ?, ?)",
            (host_id, digest_of_path(path)),
        )

    def phrase(self, text: str) -> int | None:
        if not text:
            return None
        found = self.db.execute("SELECT id FROM phrase WHERE text = ?", (text,)).fetchone()
        if found is not None:
            return int(found[0])
        return self._added(
            "INSERT INTO phrase (text) VALUES (?)",
            (text,),
            "INSERT INTO phrase_digest (digest, phrase_id) VALUES (?, ?)",
            (digest_of_text(text),),
        )

    def _added(self, add: str, row: tuple[object, ...], find: str, digest: tuple[object, ...]) -> int:
        number = self.db.execute(add, row).lastrowid
        self.db.execute(find, (*digest, number))
        assert number is not None
        return number


def large_crawl(path: Path, *, pages: int, links_per_page: int) -> None:
    """A crawl of one site, every page of which links to the next ones, round in a circle."""
    with CrawlFile(path) as crawl:
        crawl.crawl()
        crawl.number(f"{SITE}/0")
        crawl.db.executemany(
            "INSERT OR REPLACE INTO url (id, host_id, secure, path, depth, hops, followed, seed, state) "
            "VALUES (?, 1, 1, ?, ?, 0, 1, ?, 2)",
            [(n + 1, f"/{n}", 1 + n // links_per_page if n else 0, n == 0) for n in range(pages)],
        )
        crawl.db.executemany(
            "INSERT OR IGNORE INTO url_digest (host_id, digest, url_id) VALUES (1, ?, ?)",
            [(digest_of_path(f"/{n}"), n + 1) for n in range(pages)],
        )
        crawl.db.executemany(
            "INSERT INTO fetch (url_id, generation, status, elapsed_ms) VALUES (?, 1, ?, ?)",
            [(n + 1, 404 if n % 10 == 9 else 200, n) for n in range(pages)],
        )
        crawl.db.executemany(
            "INSERT INTO link (source, target, followed) VALUES (?, ?, 1)",
            ((n + 1, (n + k) % pages + 1) for n in range(pages) for k in range(1, links_per_page + 1)),
        )
