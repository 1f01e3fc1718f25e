"""Penstock: crawl a web site into one SQLite file that can be stopped, resumed and queried.

The public names. All are loaded at first use, so that `import penstock` is cheap.
The three folders of the repository are the three packages beside this file: `crawler`
(decisions), `stages` (moving data) and `storage` (SQLite). In a checkout they are links.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.crawler.config.crawl_config import CrawlConfig
    from penstock.crawler.config.plugins import Element, Follow, Page, Value
    from penstock.crawler.config.select_rules import SelectRule
    from penstock.crawler.library.crawl import Crawl

__all__ = ["Crawl", "CrawlConfig", "Element", "Follow", "Page", "SelectRule", "Value"]

_MODULES = {
    "Crawl": "crawler.library.crawl",
    "CrawlConfig": "crawler.config.crawl_config",
    "Element": "crawler.config.plugins",
    "Follow": "crawler.config.plugins",
    "Page": "crawler.config.plugins",
    "SelectRule": "crawler.config.select_rules",
    "Value": "crawler.config.plugins",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
