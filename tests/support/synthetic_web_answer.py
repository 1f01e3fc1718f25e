"""The expected result of a crawl of a synthetic web, computed by plain relaxation.

It shares nothing with the crawler: targets were known when the documents were written,
and the distances come from a loop that runs until nothing changes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from tests.support.synthetic_web_resource import AWAY, HERE, RETRIED, Mention, Places, Resource

MAX_REDIRECTS = 20  # in a row


class ExpectedPage(NamedTuple):
    status: int
    depth: int
    title: str | None
    redirect_to: str | None
    content_type: str | None
    ok: bool  # no error
    content_hash: str | None  # of HTML pages; None where it is not looked at
    body_bytes: int | None


class ExpectedUrl(NamedTuple):
    state: str
    reason: str | None
    depth: int


class ExpectedLink(NamedTuple):
    text: str
    rel: str
    followed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the views of a finished crawl must hold, by canonical URL."""

    pages: Mapping[str, ExpectedPage]
    urls: Mapping[str, ExpectedUrl]
    links: Mapping[tuple[str, str], ExpectedLink]
    requests: Mapping[str, int]  # by path, as the server counts them; robots.txt apart

    @property
    def good(self) -> int:
        """Pages of status 200 without error: what a page budget counts."""
        return sum(page.ok and page.status == 200 for page in self.pages.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a crawl was told. The scope is always the host of the web."""

    depth: float = inf
    seeds: Sequence[str] = ("/",)
    disallowed: Sequence[str] = ()  # robots.txt: prefixes of paths
    include: str | None = None
    exclude: str | None = None
    retries: int = 3

    def static_reason(self, url: str) -> str | None:
        """The rule that turns a URL away whatever the way to it; seeds are exempt."""
        if not url.startswith("/"):
            return "scope"
        if url in self.seeds:
            return None
        if self.include and not re.search(self.include, url):
            return "include"
        return "exclude" if self.exclude and re.search(self.exclude, url) else None


def answer(resources: Mapping[str, Resource], places: Places, rules: Rules) -> Expected:
    """Compute the answer. Inside, a URL here is its path, one elsewhere keeps its origin."""
    depth, hops = _distances(resources, rules)
    asked = {url for url in depth if _refusal(url, depth, hops, rules) is None}
    links = {}
    loose: dict[str, float] = {}  # reached by nofollow links only
    for source in asked:
        if not _stored(resources.get(source), rules):
            continue
        for target, link in _merge(resources[source]).items():
            links[source, target] = link
            if target not in depth:
                loose[target] = min(loose.get(target, inf), depth[source] + 1)
    urls = {}
    for url, at in loose.items():
        urls[url] = ExpectedUrl("skipped", rules.static_reason(url) or "nofollow", int(at))
    pages, requests = {}, {}
    for url, at in depth.items():
        refusal = _refusal(url, depth, hops, rules)
        if refusal is not None:
            urls[url] = ExpectedUrl("skipped", refusal, int(at))
            continue
        resource = resources.get(url) or Resource(path=url, status=404)
        error = _error(resource, rules)
        urls[url] = ExpectedUrl("failed" if error else "done", error, int(at))
        pages[url] = _page(resource, int(at), error, places, rules)
        hopeless = _final_status(resource, rules) in RETRIED
        requests[url] = 1 + (rules.retries if hopeless else resource.fails_first)

    def full(url: str) -> str:
        return places.fill(HERE + url if url.startswith("/") else url)

    return Expected(
        pages={full(url): page for url, page in pages.items()},
        urls={full(url): state for url, state in urls.items()},
        links={(full(source), full(target)): link for (source, target), link in links.items()},
        requests=requests,
    )


def _distances(resources: Mapping[str, Resource], rules: Rules) -> tuple[dict[str, float], dict[str, float]]:
    """Relax depth and redirect hops, each a minimum of its own, until nothing changes."""
    depth: dict[str, float] = dict.fromkeys(rules.seeds, 0)
    hops: dict[str, float] = dict.fromkeys(rules.seeds, 0)
    changed = list(rules.seeds)
    while changed:
        url = changed.pop()
        if _refusal(url, depth, hops, rules) is not None:
            continue
        for target, further, jumps in _ways(resources.get(url), rules):
            before = depth.get(target, inf), hops.get(target, inf)
            depth[target] = min(before[0], depth[url] + further)
            hops[target] = min(before[1], jumps * (hops[url] + 1))
            if (depth[target], hops[target]) != before:
                changed.append(target)
    return depth, hops


def _ways(resource: Resource | None, rules: Rules) -> Iterator[tuple[str, int, int]]:
    """Yield what may be followed from here: target, added depth, 1 if by redirect."""
    if resource is None:
        return
    if resource.is_redirect and resource.redirect_to and resource.redirect_to.startswith(("/", "http", AWAY)):
        yield resource.redirect_to, 0, 1
    if _stored(resource, rules):
        for target, link in _merge(resource).items():
            if link.followed:
                yield target, 1, 0


def _refusal(url: str, depth: Mapping[str, float], hops: Mapping[str, float], rules: Rules) -> str | None:
    static = rules.static_reason(url)
    if static:
        return static
    if depth[url] > rules.depth:
        return "depth"
    if hops[url] > MAX_REDIRECTS:
        return "redirect_limit"
    return "robots" if url.startswith(tuple(rules.disallowed)) else None


def _merge(page: Resource) -> dict[str, ExpectedLink]:
    """One link per target: first text, union of rels, followed if any mention may be."""
    mentions: dict[str, list[Mention]] = defaultdict(list)
    for mention in sorted(page.mentions, key=lambda mention: mention.tag != "refresh"):
        if mention.target is not None:
            mentions[mention.target].append(mention)
    return {
        target: ExpectedLink(
            next((mention.text for mention in group if mention.text), ""),
            " ".join(dict.fromkeys(token for mention in group for token in mention.rel.split())),
            any(mention.followed for mention in group) and not page.forbids_following,
        )
        for target, group in mentions.items()
    }


def _final_status(resource: Resource, rules: Rules) -> int:
    return 503 if resource.fails_first > rules.retries else resource.status


def _error(resource: Resource, rules: Rules) -> str | None:
    status = _final_status(resource, rules)
    if status >= 400:
        return f"http_{status}"
    return "redirect_invalid" if resource.is_redirect and resource.redirect_to is None else None


def _stored(resource: Resource | None, rules: Rules) -> bool:
    """True for what is read for links: an HTML page of status 200."""
    return resource is not None and resource.is_html and _final_status(resource, rules) == 200


def _page(resource: Resource, depth: int, error: str | None, places: Places, rules: Rules) -> ExpectedPage:
    parsed = _stored(resource, rules)
    target = resource.redirect_to
    if target is not None and target.startswith("/"):
        target = HERE + target
    body_bytes = len(resource.body(places)) if error is None and not resource.is_redirect else None
    return ExpectedPage(
        status=_final_status(resource, rules),
        depth=depth,
        title=resource.title if parsed else None,
        redirect_to=places.fill(target) if target else None,
        content_type=resource.content_type,
        ok=error is None,
        content_hash=resource.content_hash(places) if parsed else None,
        body_bytes=None if resource.chunked else body_bytes,
    )
