"""Page: what the peers read out of one document with lxml, as the line of JSON that they write.

Imported by scripts that run in other environments: nothing here but the standard library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urldefrag, urljoin


def links_of(url: str, root: Any) -> dict[str, str]:
    """The distinct http(s) targets of a document (an lxml element), each with its first text."""
    links: dict[str, str] = {}
    for node in root.iter("a"):
        href = node.get("href")
        if href is None:
            continue
        target = join(url, href)
        if target is not None and not links.get(target):
            links[target] = " ".join("".join(node.itertext()).split())
    return links


def title_of(root: Any) -> str | None:
    text: str | None = root.findtext(".//title")
    return text and text.strip()


def join(url: str, href: str) -> str | None:
    try:
        target = urldefrag(urljoin(url, href.strip())).url
    except ValueError:
        return None
    return target if target.startswith(("http://", "https://")) else None


def record(
    url: str, status: int, body: bytes = b"", title: str | None = None, links: Iterable[tuple[str, str]] = ()
) -> dict[str, object]:
    digest = hashlib.sha256(body).hexdigest()
    return {"url": url, "status": status, "title": title, "content_hash": digest, "links": list(links)}


def line(*fields: Any) -> str:
    return json.dumps(record(*fields)) + "\n"
