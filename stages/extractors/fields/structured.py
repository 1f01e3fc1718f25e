"""Structured data: JSON-LD, OpenGraph, Twitter cards and microdata of a page, as JSON.

May touch: selectolax; `json_ld` and `microdata` beside it.
Never: raise for what a page contains; trust its JSON.

JSON-LD (one item for each value of a script, or each member of an array there), OpenGraph and
Twitter cards (one item each, all their properties), microdata (one for each item at the
top). extruct does the same with lxml and rdflib, but parses every page a second time. These formats are
small enough to be read from the tree that exists already.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from selectolax.lexbor import LexborHTMLParser

from penstock.crawler.extraction import Item
from penstock.stages.extractors.fields.collector import as_unicode
from penstock.stages.extractors.fields.json_ld import read_json_ld
from penstock.stages.extractors.fields.microdata import read_microdata
from penstock.stages.extractors.text.markup import HTML_SPACE, collapse

MAX_SOURCE = 512 * 1024  # characters of one script
MAX_ITEM = 256 * 1024  # characters of one item as JSON
MAX_PAGE = 1024 * 1024  # of all items of a page
MAX_ITEMS = 500  # of a page
MAX_DEPTH = 64  # JSON within JSON; schema.org needs ten

# https://ogp.me/ and its types; product is Facebook's own.
_OPENGRAPH = ("og:", "article:", "book:", "music:", "product:", "profile:", "video:")


def read_structured(tree: LexborHTMLParser, url: str) -> list[Item]:
    """All items of a document, by kind in the order above. `url` is its base, for microdata's links."""
    kept: list[Item] = []
    chars = 0
    for kind, value, error, repairs, is_cut in _found(tree, url):
        data = None
        if error is None:
            data, error = _written(value)
        if error is None and is_cut:
            error = "cut"
        if error is None and repairs:
            error = f"repaired:{repairs}"
        chars += len(data or "")
        if chars > MAX_PAGE or len(kept) >= MAX_ITEMS:
            kept.append(Item(kind, None, "too_many"))
            break
        kept.append(Item(kind, data, error))
    return kept


class _Raw(NamedTuple):
    kind: str
    value: Any
    error: str | None = None
    repairs: str = ""
    cut: bool = False


def _found(tree: LexborHTMLParser, url: str) -> Iterator[_Raw]:
    yield from _json_ld(tree)
    yield from _cards(tree)
    for item in read_microdata(tree, url):
        yield _Raw("microdata", item.data, cut=item.is_cut)


def _json_ld(tree: LexborHTMLParser) -> Iterator[_Raw]:
    broken = 0  # characters that were no JSON: to read them takes ten times as long
    for script in tree.css("script[type]"):
        type_ = (script.attributes.get("type") or "").partition(";")[0]
        if type_.strip(HTML_SPACE).lower() != "application/ld+json":
            continue
        text = script.text_lexbor() or ""
        if len(text) > MAX_SOURCE or broken > MAX_PAGE:
            yield _Raw("json-ld", None, "too_large")
            continue
        found = read_json_ld(text)
        if found.repairs or found.error:
            broken += len(text)
        if found.error is not None:
            yield _Raw("json-ld", None, found.error)
        for value in found.values:
            for member in value if isinstance(value, list) else [value]:
                yield _Raw("json-ld", member, repairs=found.repairs)


def _written(value: Any) -> tuple[str | None, str | None]:
    """A value as compact JSON that SQLite can read, or the reason why it cannot be stored."""
    if _is_deep(value):
        return None, "too_deep"
    try:
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:  # 1e999 is read as infinity, which JSON does not have
        return None, "bad_json"
    return (None, "too_large") if len(data) > MAX_ITEM else (as_unicode(data), None)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = [x.values() if isinstance(x, dict) else x for x in level if isinstance(x, dict | list)]
        level = [value for values in inner for value in values]
        if not level:
            return False
    return True


def _cards(tree: LexborHTMLParser) -> Iterator[_Raw]:
    """OpenGraph and Twitter cards. Either attribute is taken for both: sites mix them up."""
    cards: dict[str, dict[str, list[str]]] = {"opengraph": {}, "twitter": {}}
    for meta in tree.css("meta[content]"):
        attributes = meta.attributes
        name = (attributes.get("property") or attributes.get("name") or "").strip(HTML_SPACE).lower()
        kind = (
            "twitter" if name.startswith("twitter:") else "opengraph" if name.startswith(_OPENGRAPH) else None
        )
        if kind is not None:
            cards[kind].setdefault(name, []).append(collapse(attributes.get("content") or ""))
    for kind, properties in cards.items():
        if properties:
            yield _Raw(kind, _single(properties))


def _single(properties: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """A property is a text if it is given once, else a list."""
    return {name: values[0] if len(values) == 1 else values for name, values in properties.items()}
