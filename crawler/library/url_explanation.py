"""URL explanation: what became of one URL, in words.

May touch: the explanation that storage reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from msgspec import Struct

from penstock.crawler.messages import is_internal
from penstock.crawler.output.number_formats import format_size, plural
from penstock.crawler.output.terminal import escape_control_chars
from penstock.storage.reading.explanation import Explanation, PathStep, StoredAnswer, UrlFacts

# What a reason means, for the words that do not explain themselves.
_REASONS = {
    "scope": "outside --scope",
    "include": "no --include pattern is found in it",
    "exclude": "an --exclude pattern is found in it",
    "depth": "further from the seeds than --depth",
    "robots": "its host's robots.txt does not allow it",
    "nearer_first": "it may carry a session id: its turn comes when all nearer URLs are settled",
    "robots_unreachable": "its host's robots.txt could not be read, and that means no",
    "nofollow": "every link to it says nofollow",
    "redirect_limit": "too many redirects in a row lead to it",
    "retry_after_too_long": "the host asked to wait longer than --max-retry-after",
    "redirect_invalid": "it redirects, but not to a valid URL",
    "too_large": "its body is over --max-body",
    "truncated": "the body ended too early",
    "bad_http": "the answer is no valid HTTP",
    "dns": "its host has no address",
    "refused": "its host refused the connection",
    "proxy": "the proxy could not be reached, or refused us",
    "tls": "no secure connection came about",
    "poison": "three runs in a row died while parsing it",
    "address": "its host's address may not be asked",
}
_STATES = {
    "pending": "known, and still to be fetched",
    "done": "answered, and stored",
    "failed": "given up",
    "skipped": "a rule kept it out",
}


class UrlExplanation(Struct, frozen=True):
    """Why a URL is in its state. Printed, it is what the command `why` shows."""

    explanation: Explanation

    @property
    def url(self) -> str:
        return self.explanation.url

    @property
    def state(self) -> str:
        """pending, done, failed or skipped."""
        return self.explanation.facts.state

    @property
    def reason(self) -> str | None:
        return self.explanation.facts.reason

    @property
    def depth(self) -> int | None:
        """Link hops from the nearest seed; None: only a sitemap names the URL."""
        return self.explanation.facts.depth

    @property
    def path(self) -> list[str]:
        """The URLs from a seed to this one, both included; empty if no path is stored."""
        return [step.url for step in self.explanation.way]

    def lines(self) -> list[str]:
        """One fact a line, safe to print."""
        return [escape_control_chars(line) for line in _lines(self.explanation)]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def _lines(explanation: Explanation) -> Iterator[str]:
    facts = explanation.facts
    yield explanation.url
    yield f"  state      {facts.state}: {_STATES[facts.state]}"
    if facts.reason:
        yield f"  reason     {_reason(facts.reason)}"
    if facts.retry_at:
        yield f"  waits      for another attempt, not before {facts.retry_at}"
    if facts.depth is None:
        yield "  depth      none: a sitemap names it, and no link leads to it"
    else:
        yield f"  depth      {plural(facts.depth, 'link')} from the nearest seed"
    yield f"  attempts   {facts.attempts}"
    yield from _answer(explanation.answer)
    if explanation.loop:
        yield f"  loop       its redirects go round for ever: {' -> '.join(explanation.loop)} -> ..."
    yield f"  links      {plural(facts.links_here, 'stored page links', 'stored pages link')} to it"
    yield from _way(facts, explanation.way)


def _reason(reason: str) -> str:
    if reason.startswith("http_"):
        return f"{reason}: the host answered with status {reason.removeprefix('http_')}"
    if reason.startswith("timeout"):
        return f"{reason}: no answer came in time"
    if is_internal(reason):
        return f"{reason}: a bug of ours; please report it"
    if reason.startswith("trap:"):
        return f"{reason}: it looks like a trap for crawlers"
    return f"{reason}: {_REASONS[reason]}" if reason in _REASONS else reason


def _answer(answer: StoredAnswer | None) -> Iterator[str]:
    if answer is None:
        yield "  answer     none: it was not requested"
        return
    parts = [
        f"status {answer.status}" if answer.status is not None else "none arrived",
        answer.content_type,
        format_size(answer.body_bytes) if answer.body_bytes is not None else None,
        f"{answer.elapsed_ms} ms" if answer.elapsed_ms is not None else None,
        f"at {answer.fetched_at}" if answer.fetched_at else None,
    ]
    yield f"  answer     {', '.join(part for part in parts if part)}"
    if answer.title:
        yield f"  title      {answer.title}"
    if answer.redirect_to:
        yield f"  redirects  to {answer.redirect_to}"


def _way(facts: UrlFacts, way: list[PathStep]) -> Iterator[str]:
    if not way:
        yield "no way from a seed to it is stored"
        return
    yield "the way to it" if not facts.seed else "the way to it: it is a seed"
    for step in way:
        how = f"{step.how}{'' if step.followed else ' (nofollow)'}"
        yield f"  {how:<9}  {step.url}{f'   {step.text!r}' if step.text else ''}"
