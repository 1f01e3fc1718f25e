"""Run counts: what a run has done so far, counted as verdicts are committed.

May touch: messages, ports, snapshot, the wall clock.
"""

from __future__ import annotations

import time
from collections import Counter, deque

from penstock.crawler.messages import (
    Dead,
    Done,
    RetryAt,
    RobotsAnswer,
    Skipped,
    Unsolved,
    Verdict,
    is_internal,
)
from penstock.crawler.ports import Saved, Totals
from penstock.crawler.snapshot import LiveEvent

EVENTS_KEPT = 3


class RunCounts:
    """Counts of one run; `pending` and `skipped` are those of the whole crawl."""

    def __init__(self) -> None:
        self.pending = 0
        self.skipped = 0
        self.requests = 0
        self.pages = 0
        self.bytes = 0
        self.failed = 0
        self.internal = 0  # bugs of ours, on sitemaps, resources and robots.txt too
        self.retries = 0
        self.verdicts = 0  # of any kind: while this grows the run is alive
        self.settled_urls = 0  # URLs that will not be requested again
        self.answers: Counter[str] = Counter()  # by class of status, or `none`
        self.failures: Counter[str] = Counter()  # by reason
        self.events: deque[LiveEvent] = deque(maxlen=EVENTS_KEPT)

    def start_from(self, totals: Totals) -> None:
        """Start from the counts of the whole crawl, as earlier runs left them."""
        self.pending = totals.states["pending"]
        self.skipped = totals.states["skipped"]

    def count_commit(self, saved: Saved) -> None:
        self.pending += saved.pending
        self.skipped += saved.skipped

    def count_verdict(self, verdict: Verdict) -> None:
        self.verdicts += 1
        match verdict:
            case Done(task=task, answer=answer) if task.kind == "page":  # first, because nearly all are
                self.requests += 1
                self._count_answer(str(answer.status))
                self.pages += answer.status == 200
                self.bytes += (answer.body_bytes or 0) if answer.content_hash is not None else 0
            case RobotsAnswer(error=error):
                self.internal += is_internal(error)
                return
            case Dead(task=task, reason=reason) if task.kind != "page":
                self.internal += is_internal(reason)
                return
            case Done():
                return
            case RetryAt(task=task) | Skipped(task=task) if task.kind != "page":
                return
            case RetryAt(requested=requested, reason=reason):
                if requested:
                    self.requests += 1
                    self.retries += 1
                    self._count_answer(reason.removeprefix("http_"))
                return
            case Skipped():
                self.skipped += 1
            case Unsolved():
                pass  # it was counted when it was answered without cookies
            case Dead(task=task, reason=reason, answer=failed):
                if verdict.requested:
                    self.requests += 1
                    self._count_answer(str(failed.status) if failed is not None else "")
                self.failed += 1
                self.internal += is_internal(reason)
                self.failures[reason] += 1
                self.events.append(LiveEvent(time.time(), f"failed {reason}  {task.url}"))
        self.pending -= 1
        self.settled_urls += 1

    def _count_answer(self, status: str) -> None:
        self.answers[f"{status[0]}xx" if status.isdigit() else "none"] += 1
