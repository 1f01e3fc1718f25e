"""Penstock's thinking room: what is fetched, when, and what becomes of it.

`messages` are the facts that travel, `ports` the questions that the rooms ask each
other. A URL enters by one door, `admission`, and waits in the `frontier`, which knows
when its host may be asked; `engine` holds the table of routes and `pool` the only worker
loop. `policies/` decides and never waits. `app` joins this room with `stages/`, which
moves, and `storage/`, which remembers; `cli/` is how a person speaks to all of it.

    seeds ─▶ admission ─▶ frontier ═▶ fetch ═▶ parse ═▶ store ─┐
                              ▲                                │
                              └──────── one commit ◀───────────┘

As a library: `from crawler import Crawl, CrawlConfig`. Both are looked up at first use,
so that importing a single module of this room does not load the whole house.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.app import Crawl
    from crawler.config import CrawlConfig

__all__ = ["Crawl", "CrawlConfig"]


def __getattr__(name: str) -> object:
    if name == "Crawl":
        from crawler.app import Crawl

        return Crawl
    if name == "CrawlConfig":
        from crawler.config import CrawlConfig

        return CrawlConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
