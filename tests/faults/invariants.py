"""What must hold in a crawl's file after a fault, and after the resumed crawl has finished."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.suite_worker import ProcessResult
from tests.faults.webs import Served
from tests.support.crawls import check_invariants, equal_crawls, rows

TRACES = (
    "Traceback",
    "never awaited",
    "never retrieved",
    "ResourceWarning",
    "RuntimeWarning",
    "Fatal Python",
)
SHOWN = 5  # violations of one case that are worth reading


def finished(served: Served, db: Path, ended: ProcessResult, *, kills: int) -> list[str]:
    """A crawl that was killed so often and then ended must equal one that was not."""
    if ended.code != 0:
        return [f"the last run should have completed: {ended}"]
    found = [*unreadable_output(ended), *left_behind(db), *contradictions(served, db, finished=True)]
    found += [*equal_crawls(served.baseline, db), *_unlike_sitemaps(served.baseline, db)]
    return [*found[:SHOWN], *refetched(served, kills=kills)]


def contradictions(served: Served, db: Path, *, finished: bool) -> Iterator[str]:
    """What in the file is at odds with itself."""
    for text in check_invariants(db, finished=finished):
        # What only a sitemap leads to has no distance from a seed, nor a parent.
        if not (served.web.maps and text.startswith(("depth ", "the parent of "))):
            yield text


def _unlike_sitemaps(one: Path, other: Path) -> list[str]:
    query = "SELECT url, state, reason, status, format, entries, refused, error FROM sitemaps ORDER BY url"
    left, right = rows(one, query), rows(other, query)
    return [] if left == right else [f"sitemaps should be {left}: {right}"]


def refetched(served: Served, *, kills: int) -> Iterator[str]:
    """No URL went unasked, and a kill cost no more than what was in flight; by the server's count."""
    again = {
        path: count - served.baseline_requests.get(path, 0) for path, count in served.web.requests.items()
    }
    for path in served.baseline_requests.keys() - served.web.requests.keys():
        yield f"{path} was never asked for"
    if min(again.values()) < 0:
        yield f"asked for too seldom: {[path for path, count in again.items() if count < 0]}"
    if (wasted := sum(again.values())) > kills * served.pool_sizes.in_flight:
        yield f"{wasted} requests wasted; {kills} kills may cost {served.pool_sizes.in_flight} each"
    if served.web.robots_requests > 1 + kills:
        yield f"robots.txt was asked for {served.web.robots_requests} times"


def intact(served: Served, db: Path) -> list[str]:
    """At any moment, what is stored is stored whole: pages as they will be, each with all its links.

    Looks at a copy, so that the crawl's own file waits for its resume untouched.
    """
    with copied(db) as copy:
        if copy is None or rows(copy, "PRAGMA user_version")[0][0] < 2:
            return []  # killed before the views were made
        return [*contradictions(served, copy, finished=False), *_halves(copy, served.baseline)][:SHOWN]


def _halves(db: Path, baseline: Path) -> Iterator[str]:
    columns = "url, status, title, content_type, body_bytes, content_hash, redirect_to, error IS NULL"
    pages = set(rows(db, f"SELECT {columns} FROM pages"))
    for page in pages - set(rows(baseline, f"SELECT {columns} FROM pages")):
        yield f"half a page: {page}"
    stored = {page[0] for page in pages}
    links = set(rows(db, "SELECT source, target, text, rel, followed FROM links"))
    whole = set(rows(baseline, "SELECT source, target, text, rel, followed FROM links"))
    for link in links - whole:
        yield f"half a link: {link}"
    for link in whole - links:
        if link[0] in stored:
            yield f"a page without its link: {link}"


@contextmanager
def copied(db: Path) -> Iterator[Path | None]:
    """A copy of the file and its WAL in a folder of its own; None if there is nothing to copy."""
    if not db.exists() or not db.stat().st_size:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="penstock-copy-") as folder:
        for path in (db, db.with_name(db.name + "-wal")):
            if path.exists():
                shutil.copyfile(path, Path(folder, path.name))
        yield Path(folder, db.name)


def left_behind(db: Path) -> list[str]:
    """A clean end leaves the database alone in its folder."""
    names = [path.name for path in db.parent.iterdir() if path.name.startswith(f"{db.name}-")]
    return [f"left behind: {', '.join(names)}"] if names else []


def unreadable_output(ended: ProcessResult) -> list[str]:
    """A traceback, or a warning that only a programmer can read."""
    return [f"said {trace!r}: {ended}" for trace in TRACES if trace in ended.stderr + ended.stdout]


def one_clear_line(ended: ProcessResult) -> list[str]:
    """What ended a run is told in one line, with the way to go on, and nothing else."""
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("resume with: ")]
    clear = [line for line in lines if line.startswith("penstock: error: ") and "unexpected" not in line]
    wrong = [] if len(lines) == 1 and clear else [f"should be one clear line: {ended.stderr.strip()[:900]!r}"]
    return [*wrong, *unreadable_output(ended)]
