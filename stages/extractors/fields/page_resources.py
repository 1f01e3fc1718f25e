"""Page resources: images, scripts, styles and fonts that a browser loads to show a page.

May touch: selectolax.
Never: a frame, which is a page of its own; URLs inside stylesheets or scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from selectolax.lexbor import LexborHTMLParser

from penstock.crawler.messages import CanonicalUrl, Resource
from penstock.crawler.urls import is_http, without_fragment
from penstock.stages.extractors.text.markup import HTML_SPACE, tokens

# Limits for one page; the rest is left out. An album with a thousand pictures in eight sizes fits.
MAX_RESOURCES = 10_000
MAX_RESOURCE_CHARS = 2 << 20  # of all their URLs

_WANTED = "img,source,script[src],link[href],video,audio,track[src]"
_USE_OF_REL = {
    "stylesheet": "style",
    "icon": "icon",
    "apple-touch-icon": "icon",
    "apple-touch-icon-precomposed": "icon",
    "mask-icon": "icon",
    "modulepreload": "script",
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

_BETWEEN = re.compile(r"[ \t\n\f\r,]*")
_SPELT = re.compile(r"[^ \t\n\f\r]+")
_DESCRIPTORS = re.compile(r"[^,(]*(?:\([^)]*\)?[^,(]*)*")

Attributes = Mapping[str, str | None]


def read_resources(tree: LexborHTMLParser, resolve: Callable[[str], str]) -> tuple[Resource, ...]:
    """The distinct http(s) resources of a document, in document order.

    `resolve` returns the canonical URL of a reference without fragment, or a text that is no http(s) URL.
    """
    found: dict[Resource, None] = {}
    known: dict[str, str] = {}
    room = MAX_RESOURCE_CHARS
    for spelling, use in _mentions(tree):
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
    """The URLs of a srcset, as written (HTML standard, "parse a srcset attribute")."""
    at = 0
    while (spelt := _SPELT.match(srcset, _end(_BETWEEN, srcset, at))) is not None:
        url, at = spelt[0], spelt.end()
        if url.endswith(","):
            yield url.rstrip(",")
        else:
            yield url
            at = _end(_DESCRIPTORS, srcset, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _mentions(tree: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    """Every reference with its use, repeats included."""
    for node in tree.css(_WANTED):
        attributes: Attributes = node.attributes
        source = attributes.get("src") or ""
        match node.tag:
            case "img":
                yield source, "image"
                yield from ((url, "image") for url in candidates(attributes.get("srcset") or ""))
            case "source":  # a picture's has no src, and no other has a srcset
                if node.parent is None or node.parent.tag != "picture":
                    yield source, "media"
                yield from ((url, "image") for url in candidates(attributes.get("srcset") or ""))
            case "script":
                yield source, "script"
            case "link":
                if (use := _use_of_link(attributes)) is not None:
                    yield attributes.get("href") or "", use
            case tag:
                yield source, "media"
                if tag == "video":
                    yield attributes.get("poster") or "", "image"


def _use_of_link(attributes: Attributes) -> str | None:
    rels = tokens(attributes.get("rel"))
    uses = [_USE_OF_REL[rel] for rel in rels if rel in _USE_OF_REL]
    if not uses and "preload" in rels:
        return _USE_OF_AS.get((attributes.get("as") or "").lower())
    return uses[0] if uses else None
