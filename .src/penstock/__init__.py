"""Penstock: crawl a web site into one SQLite file that can be stopped, resumed and queried.

    from penstock import Crawl, CrawlConfig

    async with Crawl(CrawlConfig(seeds=["https://example.com/"], depth=2, db="crawl.db")) as crawl:
        async for page in crawl.pages():
            print(page.url, page.title)

Everything public is a name of this package. All are loaded at first use, so that `import penstock`
is cheap, and importing or using them changes nothing in the program that does: no signal handler,
no logging setup, no warnings filter, no adapter of sqlite3, no allocator setting.

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
    from penstock.crawler.errors import (
        BadConfig,
        BadDatabase,
        BadQuery,
        DatabaseInUse,
        PenstockError,
        Refusal,
        StorageFailed,
        TooManyInternalFailures,
    )
    from penstock.crawler.library.blocking import crawl
    from penstock.crawler.library.crawl import Crawl
    from penstock.crawler.library.crawl_file import CrawlFile, open_crawl
    from penstock.crawler.library.events import (
        CrawlEvent,
        PageStored,
        RetryScheduled,
        RunEnded,
        StoredPage,
        UrlFailed,
        UrlSkipped,
    )
    from penstock.crawler.library.table import Table
    from penstock.crawler.library.url_explanation import UrlExplanation
    from penstock.crawler.messages import Answer, Content, Document, Failed, Fetched, FetchTask, Link, Links
    from penstock.crawler.ports import Totals
    from penstock.crawler.run_result import Report
    from penstock.crawler.snapshot import Snapshot
    from penstock.stages.extractors import LinkCollector
    from penstock.stages.fetchers import FetchContext
    from penstock.storage.reading.crawl_status import CrawlStatus

    open = open_crawl

# Written out, for tools that read the source: type checkers and editors. `open` is public but not
# listed, because `from penstock import *` would replace the built-in function.
__all__ = [
    "Answer",
    "BadConfig",
    "BadDatabase",
    "BadQuery",
    "Content",
    "Crawl",
    "CrawlConfig",
    "CrawlEvent",
    "CrawlFile",
    "CrawlStatus",
    "DatabaseInUse",
    "Document",
    "Element",
    "Failed",
    "FetchContext",
    "FetchTask",
    "Fetched",
    "Follow",
    "Link",
    "LinkCollector",
    "Links",
    "Page",
    "PageStored",
    "PenstockError",
    "Refusal",
    "Report",
    "RetryScheduled",
    "RunEnded",
    "SelectRule",
    "Snapshot",
    "StorageFailed",
    "StoredPage",
    "Table",
    "TooManyInternalFailures",
    "Totals",
    "UrlExplanation",
    "UrlFailed",
    "UrlSkipped",
    "Value",
    "crawl",
]

_MODULES = {
    "crawler.config.crawl_config": ["CrawlConfig"],
    "crawler.config.plugins": ["Element", "Follow", "Page", "Value"],
    "crawler.config.select_rules": ["SelectRule"],
    "crawler.errors": [
        "BadConfig", "BadDatabase", "BadQuery", "DatabaseInUse", "PenstockError", "Refusal", "StorageFailed",
        "TooManyInternalFailures",
    ],
    "crawler.library.blocking": ["crawl"],
    "crawler.library.crawl": ["Crawl"],
    "crawler.library.crawl_file": ["CrawlFile", "open_crawl"],
    "crawler.library.events": [
        "CrawlEvent", "PageStored", "RetryScheduled", "RunEnded", "StoredPage", "UrlFailed", "UrlSkipped",
    ],
    "crawler.library.table": ["Table"],
    "crawler.library.url_explanation": ["UrlExplanation"],
    "crawler.messages": [
        "Answer", "Content", "Document", "Failed", "FetchTask", "Fetched", "Link", "Links",
    ],
    "crawler.ports": ["Totals"],
    "crawler.run_result": ["Report"],
    "crawler.snapshot": ["Snapshot"],
    "stages.extractors": ["LinkCollector"],
    "stages.fetchers": ["FetchContext"],
    "storage.reading.crawl_status": ["CrawlStatus"],
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    found = "open_crawl" if name == "open" else name
    if found not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[found]}"), found)
    globals()[name] = value  # the next access needs no call
    return value


def __dir__() -> list[str]:
    """The public names and what every module has; not what this file itself imports."""
    return sorted({*__all__, "open", *(name for name in globals() if name.startswith("__"))})
