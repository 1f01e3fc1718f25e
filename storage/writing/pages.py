"""Pages: the rows of `fetch`, `body` and `robots`, made of verdicts.

May touch: the database's statements.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Container

from penstock.crawler.messages import (
    Answer,
    CanonicalUrl,
    Content,
    Dead,
    Done,
    RobotsAnswer,
    Sitemap,
    Verdict,
)
from penstock.crawler.urls import MAX_URL_CHARS, is_http
from penstock.storage.writing.extraction_tables import names_of
from penstock.storage.writing.interned_strings import storable

NO_CONTENT = Content()


def redirect_target(verdict: Verdict) -> CanonicalUrl | None:
    """The target of a redirect, if it is one that gets a row of its own."""
    if not isinstance(verdict, Done):
        return None
    location = verdict.answer.location
    if location is None or not is_http(location) or len(location) > MAX_URL_CHARS:
        return None
    return CanonicalUrl(location)


def texts_of(verdict: Verdict, known: Container[str]) -> list[str]:
    """The texts of a verdict that `phrase` keeps, as often as they come; '' may be among them. Of the
    texts of links only those that are not `known`."""
    if not isinstance(verdict, (Done, Dead)) or verdict.answer is None:
        return []
    texts = [verdict.answer.content_type or ""]
    if isinstance(verdict, Done) and verdict.content is not None:
        links = verdict.content.links
        texts += [text for text in links.texts if text not in known]
        texts += links.rels.values()
        texts += [resource.use for resource in verdict.content.resources]
        if verdict.content.extraction is not None:
            texts += names_of(verdict.content.extraction)
    return texts


def fetch_row(
    verdict: Done | Dead, *, url_id: int, generation: int, type_id: int | None, redirect_id: int | None
) -> tuple[object, ...]:
    """The parameters of SAVE_FETCH."""
    answer = verdict.answer
    error = verdict.reason if isinstance(verdict, Dead) else None
    if answer is None:
        return (url_id, generation, None, error, *(None,) * 11, 0, 0, None, None, 0)
    content = (verdict.content if isinstance(verdict, Done) else None) or NO_CONTENT
    return (
        url_id,
        generation,
        answer.status,
        error,
        type_id,
        _storable(content.title),
        _storable(content.language),
        answer.body_bytes,
        answer.content_hash,
        answer.elapsed_ms,
        round(answer.fetched_at * 1000),
        redirect_id,
        _storable(answer.location) if redirect_id is None else None,
        content.canonical,
        _storable(_directives(answer, content)),
        content.other_links,
        content.long_links,
        _storable(answer.etag),
        _storable(answer.last_modified),
        content.dropped_links,
    )


def sitemap_row(verdict: Done | Dead, url_id: int) -> tuple[object, ...]:
    """The parameters of SAVE_SITEMAP."""
    answer = verdict.answer
    sitemap = (verdict.sitemap if isinstance(verdict, Done) else None) or Sitemap()
    return (
        url_id,
        answer.status if answer is not None else None,
        sitemap.kind,
        len(sitemap.locations),
        sitemap.too_long + sitemap.other,
        verdict.reason if isinstance(verdict, Dead) else sitemap.error,
        round(answer.fetched_at * 1000) if answer is not None else None,
    )


def body_row(verdict: Done, *, url_id: int, generation: int) -> tuple[object, ...]:
    """The parameters of SAVE_BODY. Compresses: call it in a thread."""
    headers = json.dumps(verdict.answer.headers).encode()
    return (url_id, generation, zlib.compress(verdict.body or b"", 6), zlib.compress(headers, 6))


def robots_row(answer: RobotsAnswer) -> tuple[object, ...]:
    """The parameters of SAVE_ROBOTS."""
    task = answer.task
    return (task.origin, answer.status, answer.body, answer.error, answer.fetched_at, task.attempt)


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _directives(answer: Answer, content: Content) -> str | None:
    if answer.robots is None and content.robots is None:
        return None
    said = (answer.robots or "").split("\n")
    return ", ".join(part for part in (*said, content.robots) if part) or None
