"""Shop site: a shop on loopback with known prices, for tests of extraction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.crawls import rows
from tests.support.synthetic_web import SyntheticWeb
from tests.support.synthetic_web_resource import Resource

HEAVY = "<i>filler</i> " * 3_000  # more than may be read on the event loop


def website(pages: Mapping[str, str]) -> SyntheticWeb:
    """A web of these HTML documents."""
    web = SyntheticWeb(pages=0)
    for path, document in pages.items():
        web.resources[path] = Resource(path=path, raw=document.encode())
    return web


def shop(items: int = 5, *, heavy: bool = False) -> SyntheticWeb:
    """`/` lists the items; item N costs N.50, in words that a person would use."""
    pages = {"/": "<title>Shop</title>" + "".join(f"<a href=/item/{n}>item {n}</a> " for n in range(items))}
    for n in range(items):
        pages[f"/item/{n}"] = (
            f"<title>Item {n}</title><h1>Item {n}</h1><p class=price>now only &euro; {n},50</p>"
            f"<ul><li class=tag>red</li><li class=tag>size {n}</li></ul>"
            f"<script type='application/ld+json'>{{'@type':'Product','sku':{n}}}</script>".replace("'", '"')
            + (HEAVY if heavy else "")
        )
    return website(pages)


def extracted(db: Path) -> list[tuple[Any, ...]]:
    """What was taken, by path; when it was fetched is no part of a comparison."""
    found = rows(db, "SELECT url, name, position, value FROM extracted ORDER BY 1, 2, 3")
    return [(url.split("/", 3)[3], *rest) for url, *rest in found]


def copy_of(table: str, db: Path) -> list[tuple[Any, ...]]:
    try:
        return sorted(rows(db, f"SELECT * FROM {table}"), key=repr)
    except sqlite3.OperationalError:
        return []
