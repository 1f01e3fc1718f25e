"""HTML: read title, links and directives out of one document.

May touch: selectolax, which nobody else imports; the text rules beside it.
Never: raise for what a page contains; keep a node (a single one keeps its whole tree alive).

Links are merged by target, so what we say of a page does not depend on how often, or in
how many spellings, it repeats a link.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode, SelectolaxError

from penstock.crawler.messages import (
    FRAME_RELS,
    HEAD_RELS,
    CanonicalUrl,
    Content,
    Document,
    LinkRules,
    Links,
)
from penstock.crawler.policies.robots_directives import forbids_links, split_directives
from penstock.crawler.urls import MAX_URL_CHARS, Joiner, is_http, resolve, without_fragment
from penstock.stages.extractors import MAX_LINK_CHARS, MAX_LINKS
from penstock.stages.extractors.text.charset import escape_query, sniff, to_utf8
from penstock.stages.extractors.text.markup import (
    HTML_SPACE,
    collapse,
    has_more_tags,
    is_move,
    refresh_target,
    tokens,
)

if TYPE_CHECKING:
    from penstock.stages.extractors.fields.field_extractor import FieldExtractor

# One walk finds all we read but the title. `[href]` alone costs less than `a[href]`, and each
# further tag or attribute in the list half as much again, so sorting in Python is cheaper.
_WANTED = "[href],meta,frame,iframe,template[shadowrootmode]"

# No mutation events: all they would do is copy options into <selectedcontent>.
_OPTIONS = LexborDocumentOptions.WO_EVENTS.value

# Cheaper to compare than `tag`; the numbers are lexbor's own.
_A, _AREA, _BASE, _LINK, _META, _FRAME, _IFRAME, _TEMPLATE = (
    LexborHTMLParser("").create_node(tag).tag_id
    for tag in ("a", "area", "base", "link", "meta", "frame", "iframe", "template")
)

_RECORDED_RELS = HEAD_RELS | FRAME_RELS
_API_TYPES = ("json", "oembed")  # alternates of these types are for programs: they are no links

# Documents within the document: shadow trees and srcdoc. All of them together, for one page.
_MAX_INNER_CHARS = 1 << 20
_MAX_INNER_TAGS = 1_000  # of srcdoc, whose tags do not count when the page's own are counted
_MAX_INNER_DEPTH = 4

# In the place of a URL: why an href is no link. No canonical URL is spelt like these.
_OTHER = CanonicalUrl("other")
_LONG = CanonicalUrl("long")

_NONE = "none"  # no language has this name

# Only a page made to cost time has more titles before the real one, or puts one deeper.
_MAX_TITLES = 32
_MAX_DEPTH = 256


class HtmlExtractor:
    """Reads HTML and XHTML the way a browser without scripts would. A kind of document."""

    content_types = ("text/html", "application/xhtml+xml")
    is_optional = False

    def __init__(self, join: Joiner | None = None, fields: FieldExtractor | None = None) -> None:
        self._join = join or Joiner()
        self._fields = fields

    def read(self, document: Document) -> Content:
        """Raises MemoryError, nothing else."""
        try:
            return self._read(document)
        except SelectolaxError as error:  # the parser has no other reason to fail than want of memory
            raise MemoryError(str(error)) from error

    @property
    def complete(self) -> Callable[[Document, Content], Awaitable[Content]] | None:
        """What is left to do in this process after a parser process has read a page; None: nothing."""
        return None if self._fields is None or self._fields.portable else self._run_plugins

    def _read(self, document: Document) -> Content:
        html, utf8, encoding = _decoded(document)
        tree = LexborHTMLParser(html, options=_OPTIONS)
        found = _Found(rules=document.rules)
        _sort(tree.css(_WANTED), found)
        base = _base_url(document.url, found.base, self._join)
        links = _Merger(base, self._join, encoding)
        canonical = links.resolve(without_fragment(found.canonical)) if found.canonical else _OTHER
        if document.refresh or document.link:
            canonical = _read_headers(document, found, links, canonical)
        rules = document.rules
        merged = links.merge(
            found.mentions,
            nofollow=not rules.nofollow and (document.nofollow or any(map(forbids_links, found.robots))),
            follows_nofollow=rules.nofollow,
            # Texts of links that do not enclose one another are no longer than the page.
            text_chars=len(utf8),
        )
        content = Content(
            links=merged,
            title=_title(tree),
            canonical=None if canonical in links.invalid else canonical,
            language=_language(tree, found.language),
            robots=", ".join(found.robots) or None,
            other_links=links.invalid[_OTHER],
            long_links=links.invalid[_LONG],
            dropped_links=links.dropped,
            moved_to=_moved_to(found, document, merged, links),
        )
        if self._fields is None:
            return content
        return self._fields.add(content, tree, utf8, document, base, links.resolve)

    async def _run_plugins(self, document: Document, content: Content) -> Content:
        """Run the plugins that only this process knows, over a page that a parser process has read.

        That process has stayed within its limits of time and memory, so this one can build the same
        tree: in a thread, while the event loop goes on. The plugins run on the event loop, as always.
        """
        import asyncio  # not in parser processes: 40 ms

        html, utf8, encoding = _decoded(document)
        tree = await asyncio.to_thread(LexborHTMLParser, html, options=_OPTIONS)
        found = _Found(rules=document.rules)
        _sort(tree.css("base[href]"), found)
        base = _base_url(document.url, found.base, self._join)
        assert self._fields is not None
        links = _Merger(base, self._join, encoding)
        return self._fields.add_plugins(content, tree, utf8, document, links.resolve)


def _decoded(document: Document) -> tuple[bytes, bytes, str]:
    """What the HTML parser reads, the document in UTF-8, and the name of its encoding."""
    if document.content_type is not None and document.content_type != "text/html":
        from penstock.stages.extractors.xml.xhtml import xhtml_to_html  # many crawls meet no XHTML

        return xhtml_to_html(document.body, document.charset)
    encoding = sniff(document.body, document.charset)
    utf8 = to_utf8(document.body, encoding)
    return utf8, utf8, encoding


class _Mention(Struct):
    """A link that is no `a` element, in the shape of a node that is one."""

    attributes: Mapping[str, str | None]
    text: str = ""
    followed: bool = True

    def text_lexbor(self) -> str:
        return self.text


class _Found(Struct):
    """What one walk over the document met, not yet resolved: the base may come last."""

    rules: LinkRules
    mentions: list[LexborNode | _Mention] = field(default_factory=list)
    base: str | None = None  # href of the first base element that has one
    canonical: str | None = None  # href of the first link[rel~=canonical]
    robots: dict[str, None] = field(default_factory=dict)  # directives, in order
    refresh: str = ""  # content of the first meta refresh that leads to another page
    language: str | None = None  # of meta http-equiv=content-language
    inner_room: int = _MAX_INNER_CHARS
    inner_tags: int = _MAX_INNER_TAGS


def _sort(nodes: Iterable[LexborNode], found: _Found, depth: int = 0) -> None:
    """`depth`: documents around this one, whose base, directives and canonical URL are not the page's."""
    mentions = found.mentions
    for node in nodes:
        tag = node.tag_id
        if tag == _A:
            mentions.append(node)
            continue
        attributes = node.attributes
        if tag == _AREA:
            mentions.append(_Mention(attributes, attributes.get("alt") or ""))
        elif tag == _META:
            if not depth:
                _read_meta(attributes, found, node)
        elif tag == _LINK:
            if not depth:
                _read_link(attributes, found)
        elif tag == _BASE:
            if found.base is None and not depth and not _is_foreign(node):
                found.base = attributes.get("href") or ""
        elif tag in (_FRAME, _IFRAME):
            _read_frame(attributes, found, "frame" if tag == _FRAME else "iframe", depth)
        elif tag == _TEMPLATE:
            # HTML standard, "declarative shadow roots". The content is no part of the tree.
            _read_inner(node.html or "", found, depth, is_template=True)


def _read_meta(attributes: Mapping[str, str | None], found: _Found, node: LexborNode) -> None:
    content = attributes.get("content")
    if not content:
        return
    pragma = (attributes.get("http-equiv") or "").lower()
    if pragma == "refresh":
        target = refresh_target(content)
        if target:
            found.mentions.append(_Mention({"href": target, "rel": "refresh"}))
            # What is there for browsers without scripts is a way, but no move: the site has scripts.
            if not found.refresh and not (node.parent is not None and node.parent.tag == "noscript"):
                found.refresh = content
    elif pragma == "content-language":
        # HTML standard, "content language state": one language, or it says nothing.
        if "," not in content and (words := content.strip(HTML_SPACE).split()):
            found.language = words[0]
    elif (attributes.get("name") or "").lower() in ("robots", found.rules.token):
        found.robots |= dict.fromkeys(split_directives(content))


def _read_link(attributes: Mapping[str, str | None], found: _Found) -> None:
    """A link element, or a link of the Link header in the shape of one."""
    rels = tokens(attributes.get("rel"))
    if not rels:
        return
    if "canonical" in rels and found.canonical is None:
        found.canonical = attributes.get("href") or None  # an empty one says nothing
    if HEAD_RELS.isdisjoint(rels) or "stylesheet" in rels or not attributes.get("href"):
        return
    kind = (attributes.get("type") or "").lower()
    if not any(api in kind for api in _API_TYPES):
        # Without a text: its title would take the place of what an anchor to the same target says.
        found.mentions.append(_Mention(attributes, followed=found.rules.head_links))


def _read_frame(attributes: Mapping[str, str | None], found: _Found, rel: str, depth: int) -> None:
    """The document of a frame is another page, that of srcdoc a part of this one."""
    srcdoc = attributes.get("srcdoc") if rel == "iframe" else None
    if srcdoc is not None:
        _read_inner(srcdoc, found, depth)
        return
    source = (attributes.get("src") or "").strip(HTML_SPACE)
    if source and source[:6].lower() != "about:":
        found.mentions.append(_Mention({"href": source, "rel": rel}, followed=found.rules.frames))


def _read_inner(html: str, found: _Found, depth: int, *, is_template: bool = False) -> None:
    """Take the links of a document that is written inside of another. Its bounds are the same wherever
    the page is read: markup in an attribute is not seen by what decides where that is."""
    body = html.encode("utf-8", "replace")
    found.inner_room -= len(body)
    if depth >= _MAX_INNER_DEPTH or found.inner_room < 0:
        return
    if not is_template:
        if has_more_tags(body, found.inner_tags):
            return
        found.inner_tags -= body.count(b"<")
    else:
        body = body.replace(b"<template", b"<div", 1)
    _sort(LexborHTMLParser(body, options=_OPTIONS).css(_WANTED), found, depth + 1)


def _read_headers(document: Document, found: _Found, links: _Merger, canonical: CanonicalUrl) -> CanonicalUrl:
    """Take the links that the headers name; return the canonical URL. That of the document itself wins."""
    if document.refresh and (target := refresh_target(document.refresh)):
        found.mentions.append(_Mention({"href": target, "rel": "refresh"}))
    if document.link:
        named = header_links(document.link, document.url, document.rules)
        found.mentions += named.mentions
        if canonical in links.invalid and named.canonical is not None:
            return links.resolve(without_fragment(named.canonical))
    return canonical


def header_links(header: str, url: CanonicalUrl, rules: LinkRules) -> _Found:
    """What a Link header names. Its targets are relative to the URL of the answer, not to a base element."""
    from penstock.stages.extractors.text.link_header import read_link_header

    named = _Found(rules=rules)
    for attributes in read_link_header(header):
        target = resolve(url, attributes["href"] or "")
        if target is not None:
            attributes["href"] = target
            _read_link(attributes, named)
    return named


def with_headers(content: Content | None, document: Document) -> Content | None:
    """Add what the headers say of a document that is no HTML, such as an image, which nobody reads."""
    found = _Found(rules=document.rules)
    links = _Merger(document.url, Joiner(), "utf-8")
    canonical = _read_headers(document, found, links, _OTHER)
    if not found.mentions and canonical in links.invalid:
        return content
    rules = document.rules
    named = links.merge(
        found.mentions,
        nofollow=document.nofollow and not rules.nofollow,
        follows_nofollow=rules.nofollow,
        text_chars=MAX_LINK_CHARS,
    )
    content = content or Content()
    if named:
        merged = {link.url: link for link in named}
        named = Links.of((merged | {link.url: link for link in content.links}).values())
    own = None if canonical in links.invalid else canonical
    return replace(content, links=named or content.links, canonical=content.canonical or own)


def _moved_to(found: _Found, document: Document, links: Links, merger: _Merger) -> CanonicalUrl | None:
    """Return the target of the page's refresh if it means that the page has moved: the header's, or
    else that of the first meta element (HTML standard: a browser heeds the first)."""
    content = found.refresh
    if document.refresh is not None and refresh_target(document.refresh) is not None:
        content = document.refresh
    target = refresh_target(content)
    if target is None or not is_move(content, is_notice=_is_notice(links)):
        return None
    url = merger.resolve(without_fragment(target))
    return url if url in links.urls and url != document.url else None


def _is_notice(links: Links) -> bool:
    """True if the page leads a visitor nowhere but where its refresh does."""
    ways = (set(links.rels.get(at, "").split()) for at in range(len(links)))
    return sum(not rels or not rels <= _RECORDED_RELS for rels in ways) == 1


def _base_url(url: CanonicalUrl, href: str | None, join: Joiner) -> str:
    """HTML standard, "document base URL": the first base element with an href decides,
    and when its href is of no use it is the document's own URL, not a later base."""
    base = None if href is None else join(url, href)
    return url if base is None or base.startswith(("data:", "javascript:")) else base


class _Merger:
    """Makes the links of one page, merged by target."""

    def __init__(self, base: str, join: Joiner, encoding: str) -> None:
        self.invalid = {_OTHER: 0, _LONG: 0}  # mentions
        self.dropped = 0  # mentions behind those that a page may have
        self._base = base
        self._join = join
        self._encoding = encoding

    def resolve(self, href: str) -> CanonicalUrl:
        """Return the target of `href`, which has no fragment, or one of the reasons in `invalid`."""
        if not href.isascii():
            href = escape_query(href, self._encoding)
        url = self._join(self._base, href)
        if url is None or not is_http(url):
            return _OTHER
        return CanonicalUrl(url) if len(url) <= MAX_URL_CHARS else _LONG

    def merge(
        self,
        mentions: Sequence[LexborNode | _Mention],
        *,
        nofollow: bool,
        follows_nofollow: bool,
        text_chars: int,
    ) -> Links:
        """Return one link per target, in document order. With `nofollow` none of them is followed.

        `text_chars` bounds the texts taken: links that enclose one another can otherwise
        make a small page yield any amount of text, each repeating all that is within it.
        """
        invalid = self.invalid
        remembered = self._join.known(self._base)  # of pages before; good for nearly all hrefs
        known: dict[str, CanonicalUrl] = {}  # 28 to 66 % of a page's hrefs repeat within it
        texts: dict[CanonicalUrl, str] = {}
        rels: dict[CanonicalUrl, dict[str, None]] = {}
        followed: set[CanonicalUrl] = set()
        room = MAX_LINK_CHARS
        for position, mention in enumerate(mentions):
            attributes = mention.attributes
            href = attributes.get("href") or attributes.get("xlink:href") or ""
            if "#" in href:
                href = without_fragment(href)
            # What is not ASCII may mean something else in another encoding.
            url = remembered.get(href) if href.isascii() else None
            if url is None:
                url = known.get(href)
                if url is None:
                    url = known[href] = self.resolve(href)
                if url in invalid:
                    invalid[url] += 1
                    continue
            text = texts.get(url)
            if text is None:
                room -= len(url)
                if room < 0 or len(texts) >= MAX_LINKS:
                    self.dropped = len(mentions) - position
                    break
            if not text:
                text = mention.text_lexbor() if text_chars > 0 else ""
                text_chars -= len(text)
                texts[url] = collapse(text)
            rel = attributes.get("rel")
            said = tokens(rel) if rel else {}  # of blanks only: none
            if said:
                rels.setdefault(url, {}).update(said)
                # Whatever is not followed for what it is has a rel that says so.
                if ("nofollow" in said and not follows_nofollow) or (
                    type(mention) is _Mention and not mention.followed
                ):
                    continue
            followed.add(url)
        if nofollow:
            followed.clear()
        numbered = list(enumerate(texts)) if rels or len(followed) < len(texts) else []
        return Links(
            urls=list(texts),
            texts=list(texts.values()),
            rels={at: " ".join(rels[url]) for at, url in numbered if url in rels},
            nofollow=frozenset(at for at, url in numbered if url not in followed),
        )


def _title(tree: LexborHTMLParser) -> str | None:
    """Return the text of the document's title as a browser's tab shows it.

    An SVG image has a `title` too, which names the image and not the page: skipped, also
    where the page has no other.
    """
    first = tree.css_first("title")
    if first is None:
        return None
    titles = (first,) if not _is_foreign(first) else islice(tree.css("title"), 1, _MAX_TITLES)
    return next((collapse(node.text_lexbor()) for node in titles if not _is_foreign(node)), None)


def _is_foreign(node: LexborNode) -> bool:
    """True inside SVG or MathML, false again inside what these embed of HTML."""
    parent = node.parent
    for _ in range(_MAX_DEPTH):
        tag = parent.tag if parent is not None else None
        if parent is None or tag in ("head", "foreignObject", "desc"):
            return False
        if tag in ("svg", "math"):
            return True
        parent = parent.parent
    return True


def _language(tree: LexborHTMLParser, pragma: str | None) -> str | None:
    """HTML standard, "determine the language of a node", for what the page shows: the nearest `lang`
    of body and html, then the pragma. An empty one says that the language is not known."""
    root, body = tree.root, tree.body
    language = root.attributes.get("lang", _NONE) if root is not None else _NONE
    if language is _NONE and body is not None:
        language = body.attributes.get("lang", _NONE)
    if language is _NONE:
        language = pragma
    return (language or "").strip(HTML_SPACE) or None


# The kind of document as a plug. The wiring uses an extractor with the operator's fields instead.
content_types = HtmlExtractor.content_types
is_optional = HtmlExtractor.is_optional
read = HtmlExtractor().read
