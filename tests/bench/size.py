"""Size: what a crawl's database takes on disk, beside what the words in it would take alone.

    python -m tests.bench.size crawl.db [crawl.db ...]

The words are the distinct URLs, the titles and the distinct anchor texts, as UTF-8; a link, a
URL and a page may cost a fixed number of bytes each. Saved bodies are left out of both sides.
"""

from __future__ import annotations

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

LINK_BYTES, URL_BYTES, PAGE_BYTES = 32, 64, 160
TEXT_SHARE = 1.3  # of the text, for all that surrounds it

TEXTS = """
    SELECT (SELECT sum(length(CAST(url AS BLOB))) FROM urls),
           (SELECT sum(length(CAST(title AS BLOB))) FROM pages),
           (SELECT sum(length(CAST(text AS BLOB))) FROM (SELECT DISTINCT text FROM links))
"""
COUNTS = "SELECT (SELECT count(*) FROM links), (SELECT count(*) FROM urls), (SELECT count(*) FROM pages)"
ON_DISK = "SELECT sum(pgsize) FROM dbstat WHERE name NOT IN ('body', 'sqlite_autoindex_body_1')"


class Size(NamedTuple):
    """One database, in bytes."""

    text: int  # distinct URLs, titles, distinct anchor texts
    fixed: int  # so much per link, URL and page
    file: int

    @property
    def allowed(self) -> float:
        return TEXT_SHARE * self.text + self.fixed


def size_of(path: Path) -> Size:
    """Measure a database that no crawl is writing to."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        texts = database.execute(TEXTS).fetchone()
        links, urls, pages = database.execute(COUNTS).fetchone()
        fixed = links * LINK_BYTES + urls * URL_BYTES + pages * PAGE_BYTES
        try:
            (file,) = database.execute(ON_DISK).fetchone()
        except sqlite3.OperationalError:  # this SQLite was built without dbstat
            file = path.stat().st_size
        return Size(sum(filter(None, texts)), fixed, file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what crawls take on disk.")
    parser.add_argument("databases", nargs="+", type=Path)
    print(f"{'database':30} {'text kB':>8} {'allowed kB':>10} {'file kB':>8}  file : allowed")
    for path in parser.parse_args().databases:
        size = size_of(path)
        print(
            f"{path.name:30} {size.text / 1000:8.0f} {size.allowed / 1000:10.0f} {size.file / 1000:8.0f}"
            f"  {size.file / size.allowed:.2f}"
        )


if __name__ == "__main__":
    main()
