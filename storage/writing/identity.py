"""Identity: whether a file is the crawl that was asked for.

May touch: what the file says of itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.crawler.errors import BadDatabase


def facts(path: Path, text: str | None) -> dict[str, Any]:
    """A JSON object that an earlier run stored. Raises BadDatabase if it is none any more."""
    try:
        facts = json.loads(text or "")
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise BadDatabase(
            f"{path} is damaged: what it is a crawl of cannot be read; restore a copy, or choose another --db"
        )
    return facts


def refuse_other_crawls(path: Path, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    asked = json.loads(json.dumps(asked))
    # What one of them does not name is off, as it was before there was a name for it.
    different = [key for key in {**asked, **stored} if (stored.get(key) or None) != (asked.get(key) or None)]
    if different:
        key = different[0]
        raise BadDatabase(
            f"{path} holds another crawl: its {', '.join(different)} differ "
            f"({key} there: {json.dumps(stored.get(key))}); choose another --db, or give the same options"
        )
