"""Rewriting: apply the operator's URL rules to all that an answer names, before anybody compares it.

May touch: messages, the rewrite policy. Pure.

Two links may become one: they are merged as if the page had written the same URL twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from crawler.messages import Answer, CanonicalUrl, Content, Link, Sitemap
from crawler.urls import is_http

Rewrite = Callable[[CanonicalUrl], CanonicalUrl]


def rewrite_answer(answer: Answer, rewrite: Rewrite) -> Answer:
    if answer.location is None or not is_http(answer.location):
        return answer
    return replace(answer, location=rewrite(CanonicalUrl(answer.location)))


def rewrite_content(content: Content, rewrite: Rewrite) -> Content:
    return replace(content, links=_merged(content.links, rewrite))


def rewrite_sitemap(sitemap: Sitemap, rewrite: Rewrite) -> Sitemap:
    found = dict.fromkeys(map(rewrite, sitemap.locations))
    return replace(sitemap, locations=tuple(found))


def _merged(links: Iterable[Link], rewrite: Rewrite) -> list[Link]:
    merged: dict[CanonicalUrl, Link] = {}
    for link in links:
        url = rewrite(link.url)
        known = merged.get(url)
        if known is None:
            merged[url] = link._replace(url=url)
            continue
        rels = dict.fromkeys([*known.rel.split(), *link.rel.split()])
        merged[url] = Link(url, known.text or link.text, " ".join(rels), known.followed or link.followed)
    return list(merged.values())
