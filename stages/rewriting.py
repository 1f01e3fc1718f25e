"""Rewriting: apply the operator's URL rules to all URLs of an answer, before they are compared.

May touch: messages, the rewrite policy. Pure.

Two links may become one: they are merged as if the page had written the same URL twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from penstock.crawler.messages import Answer, CanonicalUrl, Content, Link, Links, Sitemap
from penstock.crawler.urls import is_http

Rewrite = Callable[[CanonicalUrl], CanonicalUrl]


def rewrite_answer(answer: Answer, rewrite: Rewrite, url: CanonicalUrl) -> Answer:
    """Rewrite the target of a redirect from `url`. A target that the rules would turn back into `url`
    (`/` to `/index.html`) stays as it is: otherwise the page would never be fetched."""
    if answer.location is None or not is_http(answer.location):
        return answer
    target = rewrite(CanonicalUrl(answer.location))
    return answer if target == url else replace(answer, location=target)


def rewrite_content(content: Content, rewrite: Rewrite) -> Content:
    moved_to = None if content.moved_to is None else rewrite(content.moved_to)
    return replace(content, links=_merged(content.links, rewrite), moved_to=moved_to)


def rewrite_sitemap(sitemap: Sitemap, rewrite: Rewrite) -> Sitemap:
    """Rewrite the entries, but not those of an index: they are files, and are fetched as they are named."""
    if sitemap.kind == "index":
        return sitemap
    found: dict[CanonicalUrl, str | None] = {}
    for url, lastmod in zip(sitemap.locations, sitemap.lastmods, strict=True):
        url = rewrite(url)
        found[url] = found.get(url) or lastmod
    return replace(sitemap, locations=tuple(found), lastmods=tuple(found.values()))


def _merged(links: Iterable[Link], rewrite: Rewrite) -> Links:
    merged: dict[CanonicalUrl, Link] = {}
    for link in links:
        url = rewrite(link.url)
        known = merged.get(url)
        if known is None:
            merged[url] = replace(link, url=url)
            continue
        rels = dict.fromkeys([*known.rel.split(), *link.rel.split()])
        merged[url] = Link(url, known.text or link.text, " ".join(rels), known.followed or link.followed)
    return Links.of(merged.values())
