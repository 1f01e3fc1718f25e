"""Helpers for whole crawls: run one, read its database, compare it.

Comparisons return the differences as lines of text, so that `assert differences(...) == []` shows the
reason when it fails.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.synthetic_web_answer import Expected

if TYPE_CHECKING:
    from penstock.crawler.run_result import Report
    from penstock.crawler.scheduler.seen import SeenFilter

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, str(ROOT / "run_crawl.py"))

# A web on loopback needs no politeness, and a retry no pause.
QUICK: Mapping[str, Any] = {"throttle": "fixed", "per_host": 64, "retry_delay": 0.0, "no_robots": True}
QUICK_FLAGS: tuple[str | Path, ...] = (
    "--throttle",
    "fixed",
    "--per-host",
    "64",
    "--retry-delay",
    "0",
    "--no-robots",
    "--progress",
    "none",
)

# The columns in which equal crawls are equal.
COMPARED = {
    "pages": "url, status, depth, title, content_type, body_bytes, content_hash, redirect_to, error IS NULL",
    "urls": "url, host, state, reason, depth, discovered_from",
    "links": "source, target, text, rel, followed",
}


class Finished(NamedTuple):
    """The end of a command."""

    code: int
    stdout: str
    stderr: str


async def crawl(
    *, seen: SeenFilter | None = None, documents: Mapping[str, object] | None = None, **options: Any
) -> Report:
    """Crawl in this process, with the command's flags as keywords and quick defaults."""
    from penstock import Crawl, CrawlConfig

    return await Crawl(CrawlConfig(**{**QUICK, **options}), seen=seen, documents=documents).run()


def run_command(arguments: Sequence[str | Path], *, timeout: float = 60.0) -> Finished:
    """Run the command as a person would and wait for its end."""
    with start_command(arguments) as process:
        stdout, stderr = process.communicate(timeout=timeout)
    return Finished(process.returncode, stdout, stderr)


@contextmanager
def start_command(arguments: Sequence[str | Path]) -> Iterator[subprocess.Popen[str]]:
    """Start the command; it is killed if it still runs at the end of the block."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def rows(db: str | Path, query: str) -> list[tuple[Any, ...]]:
    """Read from a crawl's file as any other program does: read-only."""
    with closing(sqlite3.connect(f"{Path(db).resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def stored_pages(db: str | Path) -> int:
    """Pages of status 200 without error: what a page budget counts."""
    return int(rows(db, "SELECT count(*) FROM pages WHERE status = 200 AND error IS NULL")[0][0])


def equal_crawls(one: str | Path, other: str | Path) -> list[str]:
    """Return the differences of two crawls in the columns in which equal crawls are equal."""
    found = []
    for view, columns in COMPARED.items():
        query = f"SELECT {columns} FROM {view}"
        left, right = set(rows(one, query)), set(rows(other, query))
        found += [f"{view}: only in the first: {row}" for row in sorted(left - right, key=repr)]
        found += [f"{view}: only in the second: {row}" for row in sorted(right - left, key=repr)]
    return found


def differences(db: str | Path, expected: Expected) -> list[str]:
    """Return the differences between a crawl's views and the known content of a synthetic web."""
    pages, urls, links = (dict[Any, Any](), dict[Any, Any](), dict[Any, Any]())
    query = (
        "SELECT url, status, depth, title, redirect_to, content_type, error IS NULL, content_hash, body_bytes"
    )
    for url, *rest, error_free, content_hash, body_bytes in rows(db, f"{query} FROM pages"):
        pages[url] = (*rest, bool(error_free), content_hash, body_bytes if error_free else None)
    for url, *rest in rows(db, "SELECT url, state, reason, depth FROM urls"):
        urls[url] = tuple(rest)
    for source, target, text, rel, followed in rows(
        db, "SELECT source, target, text, rel, followed FROM links"
    ):
        links[source, target] = (text or "", rel or "", bool(followed))
    # The body of an error or a redirect need not be read, so its length may be known or not.
    for url, page in pages.items():
        if page[-1] is not None and url in expected.pages and expected.pages[url].redirect_to:
            pages[url] = (*page[:-1], None)
    return [
        *_compare("pages", pages, expected.pages),
        *_compare("urls", urls, expected.urls),
        *_compare("links", links, expected.links),
    ]


def _compare(view: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> Iterator[str]:
    for key in sorted(found.keys() | wanted.keys()):
        have, want = found.get(key), wanted.get(key)
        if have != (want and tuple(want)):
            yield f"{view}: {key}: is {have}, should be {want and tuple(want)}"


def check_invariants(db: str | Path, *, finished: bool = True) -> list[str]:
    """Return the contradictions in a crawl's file; `finished` also forbids pending URLs."""
    queries_by_name = {**_ALWAYS, **(_WHEN_FINISHED if finished else {})}
    found = [f"{name}: {row}" for name, query in queries_by_name.items() for row in rows(db, query)]
    found += [f"integrity_check: {row}" for row in rows(db, "PRAGMA integrity_check") if row != ("ok",)]
    found += [f"foreign_key_check: {row}" for row in rows(db, "PRAGMA foreign_key_check")]
    return [*found, *_distances(db)]


# Each query finds rows that must not exist.
_ALWAYS = {
    "a URL twice in pages": "SELECT url FROM pages GROUP BY url HAVING count(*) > 1",
    "a URL twice in urls": "SELECT url FROM urls GROUP BY url HAVING count(*) > 1",
    "a link twice": "SELECT source, target FROM links GROUP BY source, target HAVING count(*) > 1",
    "an unknown state": """
        SELECT url, state FROM urls
        WHERE state IS NULL OR state NOT IN ('pending', 'done', 'failed', 'skipped')
    """,
    "a reason where none belongs, or none where one is needed": """
        SELECT url, state, reason FROM urls
        WHERE state = 'done' AND reason IS NOT NULL OR state IN ('failed', 'skipped') AND reason IS NULL
    """,
    "settled after requests, but no page": """
        SELECT url, state FROM urls
        WHERE state IN ('done', 'failed') AND attempts > 0 AND url NOT IN (SELECT url FROM pages)
    """,
    "a page that was not requested": """
        SELECT pages.url, urls.state, urls.attempts FROM pages LEFT JOIN urls ON urls.url = pages.url
        WHERE urls.state IS NULL OR urls.state = 'skipped' OR urls.attempts = 0
    """,
    "a page that contradicts its URL": """
        SELECT urls.url, urls.state, urls.reason, pages.error FROM pages JOIN urls ON urls.url = pages.url
        WHERE (urls.state = 'failed' AND pages.error IS NOT urls.reason)
            OR (urls.state = 'done' AND pages.error IS NOT NULL) OR pages.depth <> urls.depth
    """,
    "links of a URL that is no stored page": """
        SELECT source, target FROM links
        WHERE source NOT IN (SELECT url FROM pages WHERE status = 200 AND error IS NULL)
    """,
    "a link to an unknown URL": """
        SELECT source, target FROM links WHERE target NOT IN (SELECT url FROM urls)
    """,
    "a redirect to an unknown URL": """
        SELECT url, redirect_to FROM pages
        WHERE redirect_to LIKE 'http%' AND length(redirect_to) <= 2083
            AND redirect_to NOT IN (SELECT url FROM urls)
    """,
}
_WHEN_FINISHED = {
    "still pending": "SELECT url FROM urls WHERE state = 'pending'",
    "a last run without an end": """
        SELECT id FROM (SELECT * FROM runs ORDER BY id DESC LIMIT 1) WHERE stop_reason IS NULL
    """,
}


def _distances(db: str | Path) -> Iterator[str]:
    """Check that depths are distances from the seeds, and that each parent is the first of the nearest."""
    facts = {url: facts for url, *facts in rows(db, "SELECT url, depth, discovered_from FROM urls")}
    ways: dict[bool, dict[str, set[tuple[str, int]]]] = {True: defaultdict(set), False: defaultdict(set)}
    for source, target, followed in rows(db, "SELECT source, target, followed FROM links"):
        ways[bool(followed)][source].add((target, 1))
    for source, target in rows(db, "SELECT url, redirect_to FROM pages WHERE redirect_to LIKE 'http%'"):
        ways[True][source].add((target, 0))
    moves: list[tuple[str, str]] = []
    if rows(db, "SELECT 1 FROM sqlite_schema WHERE name = 'handshakes'"):  # else the file is an older one
        # A redirect that led to a URL before the answer of a handshake replaced it.
        for source, target in rows(
            db, "SELECT url, redirect_to FROM handshakes WHERE redirect_to IS NOT NULL"
        ):
            ways[True][source].add((target, 0))
        # A refresh is a link, but of a seed it is a redirect.
        moves = rows(db, """
            SELECT source.url, target.url FROM refresh
            JOIN known_url AS source ON source.id = refresh.url_id
            JOIN known_url AS target ON target.id = refresh.target_id
            WHERE source.depth = 0 AND target.depth = 0
        """)  # fmt: skip
    for source, target in moves:
        ways[True][source].add((target, 0))

    known: dict[str, float] = {seed: 0 for (seed,) in rows(db, "SELECT url FROM urls WHERE seed")}
    changed = deque(known)
    while changed:
        source = changed.popleft()
        for target, further in ways[True][source]:
            if known[source] + further < known.get(target, inf):
                known[target] = known[source] + further
                changed.append(target)
    loose: dict[str, float] = {}
    for source in known.keys() & ways[False].keys():
        for target, further in ways[False][source]:
            if target not in known:
                loose[target] = min(loose.get(target, inf), known[source] + further)

    nearest: dict[str, list[str]] = defaultdict(list)
    for followed, reached in (True, known), (False, loose):
        for source in known.keys() & ways[followed].keys():
            for target, further in ways[followed][source]:
                if source != target and reached.get(target) == known[source] + further:
                    nearest[target].append(source)
    for url, (depth, parent) in facts.items():
        distance = known.get(url, loose.get(url))
        if depth != distance:
            yield f"depth {depth} of {url} is not its distance {distance}"
        elif parent is not None and parent != min(nearest[url]):
            yield f"the parent of {url} is {parent} and should be {min(nearest[url])}"
