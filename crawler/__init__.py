"""Penstock's thinking room: what is fetched, when, and what becomes of it.

`messages` are the facts that travel, `ports` the questions that the rooms ask each
other. A URL enters by one door, `admission`, and waits in the `frontier`, which knows
when its host may be asked; `engine` holds the table of routes and `pool` the only worker
loop. `policies/` decides and never waits. `app` joins this room with `stages/`, which
moves, and `storage/`, which remembers; `cli/` is how a person speaks to all of it.

    seeds ─▶ admission ─▶ frontier ═▶ fetch ═▶ parse ═▶ store ─┐
                              ▲                                │
                              └──────── one commit ◀───────────┘

As a library: `from crawler import Crawl, CrawlConfig`; a plugin imports Page, Value and
Follow. All are looked up at first use, so that importing a single module of this room
does not load the whole house.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.app import Crawl
    from crawler.config import CrawlConfig
    from crawler.plugins import Element, Follow, Page, Value
    from crawler.rules import SelectRule

__all__ = ["Crawl", "CrawlConfig", "Element", "Follow", "Page", "SelectRule", "Value"]

_HOMES = {"Crawl": "crawler.app", "CrawlConfig": "crawler.config", "SelectRule": "crawler.rules"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "crawler.plugins")), name)
