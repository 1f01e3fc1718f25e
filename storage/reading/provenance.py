"""Provenance: who crawled what and when, for exports.

May touch: sqlite3 connections that others opened.
Never: write; name anything of this machine.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath

from penstock.crawler.config.crawl_config import CRAWL_OPTIONS, CREDENTIALS, MONITORING, WORKERS
from penstock.crawler.version import VERSION
from penstock.storage.reading.crawl_status import load_totals

_RUNS = "SELECT id, started_at, finished_at, stop_reason, config FROM runs ORDER BY id"
_PRIVATE = {
    name
    for name, field in CRAWL_OPTIONS.items()
    if field.option.group in (CREDENTIALS, WORKERS, MONITORING)
    or field.option.placeholder in ("PATH", "FILE")
}


def load_provenance(connection: sqlite3.Connection, *, sql: str | None = None) -> Mapping[str, object]:
    """Software, identity and runs of the crawl, how far it is, the exported rows. Plain values, for JSON."""
    crawl = connection.execute("SELECT identity, created_at FROM crawl").fetchone() or ("{}", None)
    names = ("id", "started_at", "finished_at", "stop_reason")
    runs = [
        {**dict(zip(names, run, strict=True)), "config": _shareable(config)}
        for *run, config in connection.execute(_RUNS)
    ]
    found = load_totals(connection)
    return {
        "software": f"Penstock/{VERSION}",
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "created_at": crawl[1],
        "crawl": json.loads(crawl[0]),
        "urls": dict(found.states),
        "pages": found.pages,
        **({"sql": sql} if sql else {}),
        "runs": runs,
    }


def _shareable(config: str) -> Mapping[str, object]:
    """The options of a run that shaped the crawl.

    Left out is what tells of the operator's machine and access: paths of files, names of headers, the
    proxy, workers, ports. Secrets are not in the file at all.
    """
    options = {name: value for name, value in json.loads(config).items() if name not in _PRIVATE}
    if plugins := options.get("plugins"):
        options["plugins"] = [PurePath(str(plugin)).name for plugin in plugins]
    return options
