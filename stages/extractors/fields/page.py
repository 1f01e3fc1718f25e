"""Page: a parsed document as a plugin sees it.

May touch: selectolax.
Never: outlive the document; a node that is kept keeps its whole tree alive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.messages import Content, Document, Link
from penstock.stages.extractors.fields.collector import Collector
from penstock.stages.extractors.fields.element_text import element_text
from penstock.stages.extractors.fields.select import matches
from penstock.stages.extractors.text.markup import collapse
from penstock.stages.extractors.text.page_text import visible_text


class ParsedElement:
    """`penstock.crawler.config.plugins.Element`."""

    __slots__ = ("_node",)

    def __init__(self, node: LexborNode) -> None:
        self._node = node

    def __repr__(self) -> str:
        return f"<{self.tag} element>"

    @property
    def tag(self) -> str:
        return str(self._node.tag)

    @property
    def text(self) -> str:
        text = element_text(self._node, Collector(), as_number=False)
        return collapse(self._node.text_lexbor() or "" if text is None else text)

    def attr(self, name: str) -> str | None:
        value: str | None = self._node.attributes.get(name.lower())
        return value

    def css(self, selector: str) -> Sequence[ParsedElement]:
        return _selected(self._node, selector)

    def first(self, selector: str) -> ParsedElement | None:
        return next(iter(self.css(selector)), None)


class ParsedDocument:
    """`penstock.crawler.config.plugins.Page`."""

    __slots__ = ("_content", "_document", "_links", "_text", "_tree", "_utf8")

    def __init__(self, tree: LexborHTMLParser, utf8: bytes, document: Document, content: Content) -> None:
        self._tree = tree
        self._utf8 = utf8
        self._document = document
        self._content = content
        self._links: Sequence[Link] | None = None
        self._text: str | None = None

    def __repr__(self) -> str:
        return f"<page {self.url}>"

    @property
    def url(self) -> str:
        return self._document.url

    @property
    def status(self) -> int:
        return self._document.status

    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case; the values of a repeated header are joined by commas."""
        joined: dict[str, str] = {}
        for name, value in self._document.headers:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        return MappingProxyType(joined)

    @property
    def html(self) -> str:
        return self._utf8.decode("utf-8", "replace")

    @property
    def title(self) -> str | None:
        return self._content.title

    @property
    def language(self) -> str | None:
        return self._content.language

    @property
    def links(self) -> Sequence[Link]:
        if self._links is None:
            self._links = tuple(self._content.links)
        return self._links

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = visible_text(self._tree)
        return self._text

    def css(self, selector: str) -> Sequence[ParsedElement]:
        return _selected(self._tree, selector)

    def first(self, selector: str) -> ParsedElement | None:
        return next(iter(self.css(selector)), None)


def _selected(root: LexborHTMLParser | LexborNode, selector: str) -> Sequence[ParsedElement]:
    try:
        return [ParsedElement(node) for node in matches(root, selector)]
    except (SelectolaxError, UnicodeError):
        raise ValueError(f"{quote_value(selector)} is no CSS selector") from None
