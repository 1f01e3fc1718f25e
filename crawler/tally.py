"""Tally: this run's counts, kept as verdicts are committed. What the live view reads.

May touch: messages, ports, stats.
"""

from __future__ import annotations

from crawler.messages import Dead, Done, RetryAt, RobotsAnswer, Skipped, Verdict
from crawler.ports import Saved


class Tally:
    """Counts of this run, and the whole crawl's pending URLs from `pending` at the start."""

    def __init__(self, pending: int) -> None:
        self.pending = pending
        self.requests = 0
        self.pages = 0
        self.bytes = 0
        self.failed = 0
        self.internal = 0  # our own bugs, those met on robots.txt and sitemaps too
        self.retries = 0

    def committed(self, saved: Saved) -> None:
        self.pending += saved.pending

    def settled(self, verdict: Verdict) -> None:
        match verdict:
            case RobotsAnswer(error=error):
                self.internal += is_internal(error)
                return
            case Dead(task=task, reason=reason) if task.kind == "sitemap":
                self.internal += is_internal(reason)
                return
            case Done(task=task) | RetryAt(task=task) if task.kind == "sitemap":
                return
            case RetryAt(requested=requested):
                self.requests += requested
                self.retries += requested
                return
            case Skipped():
                pass
            case Dead():
                self.requests += verdict.requested
                self.failed += 1
                self.internal += is_internal(verdict.reason)
            case Done(answer=answer):
                self.requests += 1
                self.pages += answer.status == 200
                self.bytes += (answer.body_bytes or 0) if answer.content_hash is not None else 0
        self.pending -= 1


def is_internal(reason: str | None) -> bool:
    """True for the reason of a failure that was a bug of ours (`crawler.pool` names it)."""
    return reason is not None and reason.startswith("internal:")
