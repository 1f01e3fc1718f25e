"""Tally: this run's counts, kept as verdicts are committed. What the live view reads.

May touch: messages, ports, stats, the wall clock.
"""

from __future__ import annotations

import time
from collections import Counter, deque

from penstock.crawler.messages import Dead, Done, RetryAt, RobotsAnswer, Skipped, Verdict, is_internal
from penstock.crawler.ports import Saved, Totals
from penstock.crawler.snapshot import Event

EVENTS = 3  # that are remembered


class Tally:
    """Counts of this run, and of the whole crawl where it says so."""

    def __init__(self) -> None:
        self.pending = 0  # whole crawl
        self.skipped = 0  # whole crawl
        self.requests = 0
        self.pages = 0
        self.bytes = 0
        self.failed = 0
        self.internal = 0  # our own bugs, those met on what is no page too
        self.retries = 0
        self.verdicts = 0  # of any kind: a sign of life
        self.settled_urls = 0  # those that will not be asked again
        self.answers: Counter[str] = Counter()  # by class of status, or `none`
        self.failures: Counter[str] = Counter()  # by reason
        self.events: deque[Event] = deque(maxlen=EVENTS)

    def begin(self, totals: Totals) -> None:
        """What earlier runs have left."""
        self.pending = totals.states["pending"]
        self.skipped = totals.states["skipped"]

    def committed(self, saved: Saved) -> None:
        self.pending += saved.pending
        self.skipped += saved.skipped

    def settled(self, verdict: Verdict) -> None:
        self.verdicts += 1
        match verdict:
            case Done(task=task, answer=answer) if task.kind == "page":  # first, because nearly all are
                self.requests += 1
                self._answered(str(answer.status))
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
                    self._answered(reason.removeprefix("http_"))
                return
            case Skipped():
                self.skipped += 1
            case Dead():
                self._given_up(verdict)
        self.pending -= 1
        self.settled_urls += 1

    def _given_up(self, dead: Dead) -> None:
        if dead.requested:
            self.requests += 1
            self._answered(str(dead.answer.status) if dead.answer is not None else "")
        self.failed += 1
        self.internal += is_internal(dead.reason)
        self.failures[dead.reason] += 1
        self.events.append(Event(time.time(), f"failed {dead.reason}  {dead.task.url}"))

    def _answered(self, status: str) -> None:
        self.answers[f"{status[0]}xx" if status.isdigit() else "none"] += 1
