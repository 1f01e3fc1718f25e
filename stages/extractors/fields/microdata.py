"""Microdata: the items of a document as JSON, in the form of the HTML standard.

May touch: selectolax, urls.
Never: raise for what a page contains; follow an itemref in a circle.

HTML standard, "microdata": an element with itemscope is an item, and an itemprop belongs
to the nearest item above it, or to those that name an element above it by itemref. The
result is that of "application/microdata+json": type, id, properties.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from penstock.crawler.urls import Joiner
from penstock.stages.extractors.fields.select import matches
from penstock.stages.extractors.text.markup import collapse

MAX_ITEMS = 500  # of a page, nested ones included
MAX_PROPERTIES = 10_000
MAX_LEVELS = 32  # items within items
MAX_CLIMB = 512  # elements between a property and its item
MAX_TEXT = 10_000  # characters of one property
MAX_CHARS = 500_000  # of all properties

_URL_ATTRIBUTES = (
    dict.fromkeys(("audio", "embed", "iframe", "img", "source", "track", "video"), "src")
    | dict.fromkeys(("a", "area", "link"), "href")
    | {"object": "data"}
)


class FoundItem(NamedTuple):
    """One item at the top."""

    data: dict[str, Any]
    is_cut: bool  # a property is longer than may be kept, or properties are left out


def read_microdata(tree: LexborHTMLParser, url: str) -> list[FoundItem]:
    """The top-level items, in document order."""
    nodes = matches(tree, "[itemscope],[itemprop]")
    return _Reading(tree, url, nodes).top() if nodes else []


class _Reading:
    def __init__(self, tree: LexborHTMLParser, url: str, nodes: Sequence[LexborNode]) -> None:
        self._tree = tree
        self._url = url
        self._join = Joiner()
        self._chars = 0
        self._items = 0
        self._is_cut = False
        self._scopes = [node for node in nodes if "itemscope" in node.attributes]
        scopes = {node.mem_id for node in self._scopes[:MAX_ITEMS]}
        self._properties: dict[int, list[LexborNode]] = {}
        for node in nodes[:MAX_PROPERTIES]:
            if node.attributes.get("itemprop"):
                owner = _owner(node, scopes)
                if owner is not None:
                    self._properties.setdefault(owner, []).append(node)

    def top(self) -> list[FoundItem]:
        found = []
        for node in self._scopes[:MAX_ITEMS]:
            if not node.attributes.get("itemprop"):
                self._is_cut = False
                item = self._item(node, ())
                if item is not None:
                    found.append(FoundItem(item, self._is_cut))
        return found

    def _item(self, node: LexborNode, above: tuple[int, ...]) -> dict[str, Any] | None:
        self._items += 1
        # An item within itself, by itemref: the standard calls it an error.
        if node.mem_id in above or len(above) >= MAX_LEVELS or self._items > MAX_ITEMS:
            return None
        attributes = node.attributes
        item: dict[str, Any] = {}
        if types := (attributes.get("itemtype") or "").split():
            item["type"] = types
        if identity := (attributes.get("itemid") or "").strip():
            item["id"] = self._resolved(identity)
        properties: dict[str, list[Any]] = {}
        for child in self._properties_of(node):
            value = self._value(child, (*above, node.mem_id))
            if value is not None:
                for name in dict.fromkeys((child.attributes.get("itemprop") or "").split()):
                    properties.setdefault(name, []).append(value)
        item["properties"] = properties
        return item

    def _properties_of(self, node: LexborNode) -> Iterator[LexborNode]:
        yield from self._properties.get(node.mem_id, ())
        for name in dict.fromkeys((node.attributes.get("itemref") or "").split()[:100]):
            if root := _by_id(self._tree, name):
                inner = [found for found in root.css("[itemprop]") if found.mem_id != root.mem_id]
                for found in [root, *inner][:MAX_PROPERTIES]:
                    if found.attributes.get("itemprop") and not _crosses_item(found, root):
                        yield found

    def _value(self, node: LexborNode, above: tuple[int, ...]) -> Any:
        if self._chars > MAX_CHARS:
            self._is_cut = True
            return None
        attributes = node.attributes
        if "itemscope" in attributes:
            return self._item(node, above)
        tag = node.tag
        if tag == "meta":
            text = attributes.get("content") or ""
        elif tag in _URL_ATTRIBUTES:
            text = self._resolved(attributes.get(_URL_ATTRIBUTES[tag]) or "")
        elif tag in ("data", "meter"):
            text = attributes.get("value") or ""
        elif tag == "time" and attributes.get("datetime") is not None:
            text = attributes["datetime"] or ""
        elif attributes.get("content"):  # not the standard's, but what many shops write
            text = attributes["content"] or ""
        else:
            text = collapse(node.text_lexbor() or "")
        self._is_cut = self._is_cut or len(text) > MAX_TEXT
        self._chars += min(len(text), MAX_TEXT)
        return text[:MAX_TEXT]

    def _resolved(self, href: str) -> str:
        return (self._join(self._url, href) or href) if href else ""


def _owner(node: LexborNode, scopes: set[int]) -> int | None:
    """The item that a property belongs to by its position in the tree."""
    parent = node.parent
    for _ in range(MAX_CLIMB):
        if parent is None:
            return None
        if parent.mem_id in scopes:
            return int(parent.mem_id)
        parent = parent.parent
    return None


def _crosses_item(node: LexborNode, root: LexborNode) -> bool:
    """True if an item begins between `root` and the property, so that this belongs to it."""
    if node.mem_id == root.mem_id:
        return False
    parent = node.parent
    for _ in range(MAX_CLIMB):
        if parent is None or parent.mem_id == root.mem_id:
            return parent is None or "itemscope" in parent.attributes
        if "itemscope" in parent.attributes:
            return True
        parent = parent.parent
    return True


def _by_id(tree: LexborHTMLParser, name: str) -> LexborNode | None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    try:
        return tree.css_first(f'[id="{quoted}"]')
    except Exception:  # a name that no selector can carry: it names nothing
        return None
