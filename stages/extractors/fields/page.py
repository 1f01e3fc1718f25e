"""Page: a parsed document as a plugin sees it, and its text as a reader sees it.

May touch: selectolax.
Never: outlive the document; a node that is kept keeps its whole tree alive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.messages import Content, Document, Link
from penstock.stages.extractors.fields.select import matches
from penstock.stages.extractors.text.markup import collapse

MAX_PAGE_TEXT = 1_000_000  # characters
MAX_HEADINGS = 100_000
_ONE_LINE = str.maketrans("\n\r\f", "   ")


# These begin and end a line of text: elements that a browser shows as blocks (HTML standard,
# "rendering", display: block and its like). Everything else runs on within the line.
def _numbers(*tags: str) -> frozenset[int]:
    """The parser's own numbers, which are cheaper to compare than names."""
    return frozenset(LexborHTMLParser("").create_node(tag).tag_id for tag in tags)


_BLOCKS = _numbers(
    *"""
    address article aside blockquote body br caption center dd details dialog dir div dl dt
    fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main
    menu nav ol optgroup option p pre search section select summary table tbody td tfoot th thead
    tr ul
    """.split()  # noqa: SIM905 (sixty lines otherwise)
)
_UNSEEN = _numbers(
    "script", "style", "noscript", "template", "title", "textarea", "iframe", "noembed", "noframes"
)
_TEXT = 2  # lexbor's number for a text node (LXB_TAG__TEXT)


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
        return collapse(self._node.text_lexbor() or "")

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
            self._text = block_text(self._tree)
        return self._text

    def css(self, selector: str) -> Sequence[ParsedElement]:
        return _selected(self._tree, selector)

    def first(self, selector: str) -> ParsedElement | None:
        return next(iter(self.css(selector)), None)


def block_text(tree: LexborHTMLParser) -> str:
    """What a reader sees of the document, scripts and styles left out: a line per block."""
    body = tree.body
    if body is None:
        return ""
    parts: list[str] = []
    chars = 0
    for node in body.traverse(include_text=True):
        tag = node.tag_id
        before = node.prev
        # Blocks part words, `<b>P</b>rice` does not; and the end of a block shows only in what follows.
        if tag in _BLOCKS or (before is not None and before.tag_id in _BLOCKS):
            parts.append("\n")
        if tag == _TEXT and (parent := node.parent) is not None and parent.tag_id not in _UNSEEN:
            text = node.text_lexbor()
            parts.append(text.translate(_ONE_LINE) if "\n" in text or "\r" in text else text)
            chars += len(text)
            if chars > MAX_PAGE_TEXT:
                break
    return collapse_lines("".join(parts))


def read_headings(tree: LexborHTMLParser) -> str:
    """The texts of h1 to h6, a line each."""
    found, chars = [], 0
    for node in tree.css("h1,h2,h3,h4,h5,h6"):
        text = node.text_lexbor()
        found.append(text.translate(_ONE_LINE))
        chars += len(text)
        if chars > MAX_HEADINGS:
            break
    return collapse_lines("\n".join(found))[:MAX_HEADINGS]


def collapse_lines(text: str) -> str:
    """Each line collapsed, empty ones left out, and all of it in bounds."""
    return "\n".join(filter(None, map(collapse, text.split("\n"))))[:MAX_PAGE_TEXT]


def _selected(root: LexborHTMLParser | LexborNode, selector: str) -> Sequence[ParsedElement]:
    try:
        return [ParsedElement(node) for node in matches(root, selector)]
    except (SelectolaxError, UnicodeError):
        raise ValueError(f"{quote_value(selector)} is no CSS selector") from None
