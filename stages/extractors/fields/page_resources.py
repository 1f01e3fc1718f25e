"""Page resources: images, scripts, styles, fonts and media that a browser loads to show a page.

May touch: selectolax.
Never: a frame, which is a page of its own; what scripts, or stylesheets of other files, load.

Each is taken, whatever a browser would choose: it loads one image of a srcset, and fewer styles in print.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from selectolax.lexbor import LexborHTMLParser, LexborNode

from penstock.crawler.messages import CanonicalUrl, Resource
from penstock.crawler.urls import is_http, without_fragment
from penstock.stages.extractors.text.css import css_references
from penstock.stages.extractors.text.markup import HTML_SPACE, has_more_tags, tokens

# Limits for one page; the rest is left out. An album with a thousand pictures in eight sizes fits.
MAX_RESOURCES = 10_000
MAX_RESOURCE_CHARS = 2 << 20  # of all their URLs

# Documents within the document: shadow trees and srcdoc. All of them together, for one page.
_MAX_INNER_CHARS = 1 << 20
_MAX_INNER_TAGS = 1_000  # of srcdoc, whose tags do not count when the page's own are counted
_MAX_INNER_DEPTH = 4

_WANTED = (
    "img,source,script,link,video,audio,track[src],input[src],object[data],embed[src],"
    "image,feImage,use,style,[style],[background],iframe[srcdoc],template[shadowrootmode]"
)
_USE_OF_REL = {
    "stylesheet": "style",
    "icon": "icon",
    "apple-touch-icon": "icon",
    "apple-touch-icon-precomposed": "icon",
    "mask-icon": "icon",
    "apple-touch-startup-image": "image",
    "modulepreload": "script",
    "manifest": "manifest",
}
_USE_OF_AS = {  # of link[rel=preload]; other values are only for scripts
    "image": "image",
    "script": "script",
    "style": "style",
    "font": "font",
    "audio": "media",
    "video": "media",
    "track": "media",
}

_USE_OF_SOURCE = {  # of an element's src; `source` and `input` have rules of their own
    "img": "image",
    "script": "script",
    "video": "media",
    "audio": "media",
    "track": "media",
    "embed": "object",
}
_USE_OF_SVG = {"image": "image", "feimage": "image", "use": "image", "script": "script"}
# HTML standard, "Rendering": where `background` is the URL of an image.
_BACKGROUNDS = frozenset({"body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"})

_BETWEEN = re.compile(r"[ \t\n\f\r,]*")
_SPELT = re.compile(r"[^ \t\n\f\r]+")
_DESCRIPTORS = re.compile(r"[^,(]*(?:\([^)]*\)?[^,(]*)*")
_PLAIN = re.compile(r"[ \t\n\f\r]+[1-9][0-9.]*[wx][ \t\n\f\r]*(?:,|\Z)")  # nearly every candidate's
_IN_PARENTHESES = re.compile(r"\([^)]*\)?")
_DESCRIPTOR = re.compile(
    r"(?P<size>[0-9]+)(?P<unit>[wh])|-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?x"
)
_IS_NEGATIVE = re.compile(r"-[0.]*[1-9]")

Attributes = Mapping[str, str | None]


def read_resources(tree: LexborHTMLParser, resolve: Callable[[str], str]) -> tuple[Resource, ...]:
    """The distinct http(s) resources of a document, in document order.

    `resolve` returns the canonical URL of a reference without fragment, or a text that is no http(s) URL.
    """
    found: dict[Resource, None] = {}
    known: dict[str, str] = {}
    room = MAX_RESOURCE_CHARS
    for spelling, use in _mentions(tree, _InnerDocuments()):
        spelling = without_fragment(spelling.strip(HTML_SPACE))
        if not spelling or spelling[:5].lower() == "data:":
            continue
        if (url := known.get(spelling)) is None:
            url = known[spelling] = resolve(spelling)
        resource = Resource(CanonicalUrl(url), use)
        if not is_http(url) or resource in found:
            continue
        room -= len(url)
        if room < 0 or len(found) >= MAX_RESOURCES:
            break
        found[resource] = None
    return tuple(found)


def candidates(srcset: str) -> Iterator[str]:
    """The URLs of a srcset that a browser may load, as written (HTML standard, "parse a srcset attribute").

    Descriptors that nobody knows are ignored; one whose descriptors contradict one another is left out.
    """
    at = 0
    while (spelt := _SPELT.match(srcset, _end(_BETWEEN, srcset, at))) is not None:
        url, at = spelt[0], spelt.end()
        if url.endswith(","):
            yield url.rstrip(",")
            continue
        if (plain := _PLAIN.match(srcset, at)) is not None:
            yield url
            at = plain.end()
            continue
        end = _end(_DESCRIPTORS, srcset, at)
        if _agree(srcset[at:end]):
            yield url
        at = end


def _agree(descriptors: str) -> bool:
    """True if the descriptors of a candidate say one thing: a density, or a width and perhaps a height."""
    seen: set[str] = set()
    for text in _IN_PARENTHESES.sub("(", descriptors).split():
        known = _DESCRIPTOR.fullmatch(text)
        if known is None or _IS_NEGATIVE.match(text):
            continue
        unit = known["unit"] or "x"
        if unit in seen or (unit != "x" and not known["size"].strip("0")):
            return False
        seen.add(unit)
    return not seen or seen == {"x"} or ("w" in seen and "x" not in seen)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


class _InnerDocuments:
    """Parses the documents that are written inside of a page, within bounds that are those of its links."""

    def __init__(self) -> None:
        self._chars = _MAX_INNER_CHARS
        self._tags = _MAX_INNER_TAGS

    def parse(self, html: str, depth: int, *, is_template: bool) -> LexborHTMLParser | None:
        body = html.encode("utf-8", "replace")
        self._chars -= len(body)
        if depth >= _MAX_INNER_DEPTH or self._chars < 0:
            return None
        if is_template:
            return LexborHTMLParser(body.replace(b"<template", b"<div", 1))
        if has_more_tags(body, self._tags):
            return None
        self._tags -= body.count(b"<")
        return LexborHTMLParser(body)


def _mentions(tree: LexborHTMLParser, inner: _InnerDocuments, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every reference with its use, repeats included."""
    for node in tree.css(_WANTED):
        attributes: Attributes = node.attributes
        tag = (node.tag or "").lower()
        if tag in ("iframe", "template"):
            is_template = tag == "template"
            html = (node.html if is_template else attributes.get("srcdoc")) or ""
            document = inner.parse(html, depth, is_template=is_template)
            if document is not None:
                yield from _mentions(document, inner, depth + 1)
        else:
            yield from _of_element(tag, node, attributes)
        if tag in _BACKGROUNDS:
            yield attributes.get("background") or "", "image"
        if (style := attributes.get("style")) and "(" in style:
            yield from css_references(style, is_attribute=True)


def _of_element(tag: str, node: LexborNode, attributes: Attributes) -> Iterator[tuple[str, str]]:
    source = attributes.get("src") or ""
    match tag:
        case "source":
            parent = node.parent
            if parent is None or parent.tag != "picture":
                yield source, "media"
            else:  # whose sources have no src, as no other has a srcset
                yield from _images(attributes.get("srcset"))
        case "link":
            if (use := _use_of_link(attributes)) is not None:
                yield attributes.get("href") or "", use
                if use == "image":
                    yield from _images(attributes.get("imagesrcset"))
        case "input":
            if (attributes.get("type") or "").lower() == "image":
                yield source, "image"
        case "object":
            yield attributes.get("data") or "", "object"
        case "style":
            if (attributes.get("type") or "text/css").lower() == "text/css":
                yield from css_references(node.text_lexbor() or "")
        case _:
            if tag in _USE_OF_SOURCE:
                yield source, _USE_OF_SOURCE[tag]
            if tag in _USE_OF_SVG:  # an SVG script too has an href
                yield attributes.get("href") or attributes.get("xlink:href") or "", _USE_OF_SVG[tag]
            if tag == "img":
                yield from _images(attributes.get("srcset"))
            elif tag == "video":
                yield attributes.get("poster") or "", "image"


def _images(srcset: str | None) -> Iterator[tuple[str, str]]:
    return ((url, "image") for url in candidates(srcset or ""))


def _use_of_link(attributes: Attributes) -> str | None:
    rels = tokens(attributes.get("rel"))
    uses = [_USE_OF_REL[rel] for rel in rels if rel in _USE_OF_REL]
    if not uses and "preload" in rels:
        return _USE_OF_AS.get((attributes.get("as") or "").lower())
    return uses[0] if uses else None
