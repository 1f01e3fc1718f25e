"""URL explanation: the state of one URL and its reason, in words.

May touch: the explanation that storage reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from msgspec import Struct

from penstock.crawler.output.number_formats import format_size, plural
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.reasons import about, explain
from penstock.storage.reading.explanation import Explanation, PathStep, StoredAnswer, UrlFacts
from penstock.storage.reading.uses import SOURCES_SHOWN, Use

STATES = {
    "pending": "not fetched yet",
    "done": "answered and stored",
    "failed": "given up after its attempts",
    "skipped": "excluded by a rule",
}


# How an exchange with a cookie jar ended, where the words for URLs do not fit.
ENDINGS = {
    "elsewhere": "the page is there, not at this URL",
    "redirect_limit": "still a redirect after 20 of them",
    "redirect_invalid": "a redirect, but not to a valid URL",
}

# What follows each kind of link that leads to a URL with the reason `nofollow`.
FOLLOWED_BY = {
    "frame": "--frames: a frame or iframe leads to it",
    "head_link": "--head-links: a link element or a Link header leads to it",
    "nofollow": "--follow-nofollow: a link leads to it that rel=nofollow, or a page that forbids it, keeps "
    "from being followed",
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
    def kind(self) -> str:
        """page; or sitemap, resource, robots, where the URL was never to be fetched as a page."""
        return self.explanation.kind

    @property
    def depth(self) -> int | None:
        """Link hops from the nearest seed; None: only a sitemap names the URL."""
        return self.explanation.facts.depth

    @property
    def path(self) -> list[str]:
        """The URLs from a seed to this one, both included; empty if no path is stored."""
        return [step.url for step in self.explanation.path]

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
    if explanation.kind != "page":
        yield "  page       no: no page that was stored links or redirects to it"
        yield from _uses(explanation.uses)
        return
    unasked = facts.state == "failed" and not facts.attempts
    yield f"  state      {facts.state}: {'given up without a request' if unasked else STATES[facts.state]}"
    if facts.reason:
        yield f"  reason     {explain(facts.reason)}"
    if explanation.robots is not None:
        yield f"  robots.txt {explanation.robots.describe()}"
    if facts.state in ("failed", "skipped"):
        yield from _advice(explanation)
    if facts.retry_at:
        yield f"  retry      not before {facts.retry_at}"
    if facts.depth is None:
        yield "  depth      none: only a sitemap names it"
    else:
        yield f"  depth      {plural(facts.depth, 'link')} from the nearest seed"
    yield f"  attempts   {facts.attempts}"
    yield from _answer(explanation.answer, facts.attempts)
    if (target := explanation.target) is not None:
        why = f", {explain(target.reason)}" if target.reason else ""
        yield f"  target     {target.state}{why}"
    if explanation.loop:
        yield f"  loop       its redirects form a loop: {' -> '.join(explanation.loop)} -> ..."
    yield from _cookies(explanation)
    yield f"  links      {plural(facts.links_here, 'stored page links', 'stored pages link')} to it"
    yield from _uses(explanation.uses)
    yield from _way(facts, explanation.path)


def _advice(explanation: Explanation) -> Iterator[str]:
    """What to try, and whether the next run requests it by itself."""
    reason, robots = explanation.facts.reason or "", explanation.robots
    label = "try"
    hints = [FOLLOWED_BY[kind] for kind in explanation.link_kinds] or [about(reason).hint]
    if reason == "robots_unreachable" and robots is not None and about(robots.reason).hint:
        hints = [about(robots.reason).hint]  # the cause; without it, no page can be requested either
    for hint in filter(None, hints):
        yield f"  {label:<9}  {hint}"
        label = ""


def _uses(uses: Sequence[Use]) -> Iterator[str]:
    for use in uses:
        name = "robots.txt" if use.kind == "robots" else use.kind
        parts = [use.state, explain(use.reason) if use.reason else ""]
        parts += [f"status {use.status}" if use.status is not None else "", *use.details]
        parts += [f"at {use.fetched_at}" if use.fetched_at else ""]
        yield f"  {name:<10} {', '.join(part for part in parts if part)}"
        if use.state == "failed" and use.reason and (hint := about(use.reason).hint):
            yield f"  try        {hint}"
        label = "named by" if use.kind == "sitemap" else "loaded by"
        for source in use.sources[:SOURCES_SHOWN]:
            yield f"  {label:<9}  {source}"
            label = ""
        if len(use.sources) > SOURCES_SHOWN:
            yield f"  {label:<9}  and others"


def _answer(answer: StoredAnswer | None, attempts: int) -> Iterator[str]:
    if answer is None:
        yield f"  answer     none: {'not stored' if attempts else 'not requested'}"
        return
    parts = [
        f"status {answer.status}" if answer.status is not None else "no answer",
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


def _cookies(explanation: Explanation) -> Iterator[str]:
    """What is known of a cookie gate before the URL."""
    handshake = explanation.handshake
    if handshake is None:
        if explanation.sets_cookie:
            yield "  cookies    the answer set a cookie, which is not kept"
        return
    start = "" if handshake.start == explanation.url else f" that began at {handshake.start}"
    tried = f"one exchange with an empty cookie jar{start}"
    if handshake.outcome is None:
        yield f"  cookies    behind a redirect that set a cookie: {tried} is planned"
    elif handshake.outcome == "stored":
        yield f"  cookies    behind a redirect that set a cookie: the answer is that of {tried}"
    else:
        yield f"  cookies    behind a redirect that set a cookie: {tried} did not end in a page at this URL"
        ending = ENDINGS.get(handshake.outcome) or explain(handshake.outcome)
        yield f"  exchange   ended at {handshake.ended_at}: {ending}"


def _way(facts: UrlFacts, way: list[PathStep]) -> Iterator[str]:
    if not way:
        yield "no path from a seed to it is stored"
        return
    yield "path from a seed" if not facts.seed else "path from a seed: it is a seed"
    for step in way:
        how = f"{step.how}{'' if step.followed else ' (not followed)'}"
        yield f"  {how:<9}  {step.url}{f'   {step.text!r}' if step.text else ''}"
