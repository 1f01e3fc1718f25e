"""Store: the last stage. Judge what arrived, have it committed, tell the frontier.

May touch: a `VerdictStore` and the frontier's `settled`, through `penstock.crawler.ports`.
Never: the network, SQL text, another stage's inbox.

One message is one fact: its page, links and frontier rows commit together or not
at all. Only then does the URL stop being in flight.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from penstock.crawler.errors import TooManyInternalFailures
from penstock.crawler.messages import (
    LOGGED_OUT,
    REDIRECTS,
    Answer,
    Dead,
    Done,
    Failed,
    FetchTask,
    Handshake,
    Message,
    ParsedPage,
    Rejected,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Skipped,
    Unsolved,
    Verdict,
    is_internal,
)
from penstock.crawler.policies.retry import RETRIED_STATUSES, RETRY_AFTER_TOO_LONG, GiveUp, Retry
from penstock.crawler.ports import Saved, VerdictStore
from penstock.crawler.scheduler.throttle import Clock

MAX_INTERNAL_FAILURES_IN_A_ROW = 20


class Settles(Protocol):
    def settled(self, verdict: Verdict, saved: Saved) -> None: ...


class StoreStage(Struct, kw_only=True):
    store: VerdictStore
    frontier: Settles
    retry: Retry
    clock: Clock
    jitter: Callable[[], float] = random.random  # in [0, 1): spreads retries that failed together
    with_sitemaps: Callable[[RobotsAnswer], RobotsAnswer] = lambda answer: answer
    on_verdict: Callable[[Verdict], None] = lambda verdict: None
    after_commit: Callable[[Verdict], Awaitable[None]] | None = None  # while it waits, so does the crawl
    name: str = "store"
    is_last: bool = True
    internal_in_a_row: int = 0

    async def handle(self, message: ParsedPage | RobotsAnswer | Failed | Rejected) -> Sequence[Message]:
        verdict = self.judge(message)
        try:
            saved = await self.store.save(verdict)
            self.frontier.settled(verdict, saved)
            self.on_verdict(verdict)
            self._watch(verdict)
            if self.after_commit is not None:
                await self.after_commit(verdict)
        finally:
            if isinstance(message, ParsedPage):
                for hold in message.holds:
                    hold.release()
        return []

    def judge(self, message: ParsedPage | RobotsAnswer | Failed | Rejected) -> Verdict:
        task, verdict = message.task, self._judge(message)
        if isinstance(task, FetchTask) and task.handshake is not None:
            return _end_of_handshake(task, task.handshake, verdict)
        return verdict

    def _judge(self, message: ParsedPage | RobotsAnswer | Failed | Rejected) -> Verdict:
        match message:
            case ParsedPage(task=task, answer=answer):  # first, because nearly all are
                return self._judge_answer(task, answer, message)
            case RobotsAnswer():
                return self.with_sitemaps(message)
            case Rejected(task=task, state="skipped", reason=reason):
                return Skipped(task=task, reason=reason)
            case Rejected(task=task, state="pending", reason=reason):
                return RetryAt(task=task, at=math.inf, reason=reason, requested=False)
            case Rejected(task=task, state="unsolved", reason=reason):
                return Unsolved(task=task, reason=reason)
            case Rejected(task=task, reason=reason):
                return Dead(task=task, reason=reason, requested=False)
            case Failed(task=task, reason=reason, answer=answer):
                if isinstance(task, RobotsTask):
                    return RobotsAnswer(task=task, fetched_at=self.clock.now(), error=reason)
                if reason == "address":
                    return Skipped(task=task, reason=reason)  # a rule of ours, nothing was sent
                if reason == LOGGED_OUT:  # for the next run, which logs in anew
                    return RetryAt(task=task, at=self.clock.now(), reason=reason, requested=False)
                is_status = answer is not None and reason == f"http_{answer.status}"  # of a handshake's hop
                status = answer.status if answer is not None and is_status else None
                return self._again_or_dead(task, reason, answer, status=status)

    def _judge_answer(self, task: FetchTask, answer: Answer, page: ParsedPage) -> Verdict:
        status = answer.status
        if 200 <= status < 300 or (status in REDIRECTS and answer.location is not None):
            return Done(
                task=task,
                answer=answer,
                content=page.content,
                sitemap=page.sitemap,
                fingerprint=page.fingerprint,
                body=page.body,
            )
        if status in REDIRECTS:
            return Dead(task=task, reason="redirect_invalid", answer=answer, body=page.body)
        return self._again_or_dead(task, f"http_{status}", answer, status=status, body=page.body)

    def _again_or_dead(
        self,
        task: FetchTask,
        reason: str,
        answer: Answer | None,
        *,
        status: int | None,
        body: bytes | None = None,
    ) -> Verdict:
        ruling = self.retry.judge(
            status=status,
            reason=reason,
            attempt=task.attempt,
            retry_after=answer.retry_after if answer is not None else None,
            chance=self.jitter(),
        )
        if isinstance(ruling, GiveUp) and _was_head(task, status, ruling):
            return RetryAt(task=task, at=self.clock.now(), reason=reason)
        if isinstance(ruling, GiveUp):
            return Dead(task=task, reason=ruling.reason, answer=answer, body=body)
        return RetryAt(task=task, at=self.clock.now() + ruling.seconds, reason=reason)

    def _watch(self, verdict: Verdict) -> None:
        """A bug that strikes every page must not eat the whole frontier."""
        match verdict:
            case Dead(requested=True, reason=reason) if is_internal(reason):
                pass
            case Done() | Dead(requested=True) | RetryAt(requested=True):
                self.internal_in_a_row = 0
                return
            case _:
                return  # no page, so it says nothing of the pages before and after
        self.internal_in_a_row += 1
        if self.internal_in_a_row >= MAX_INTERNAL_FAILURES_IN_A_ROW:
            raise TooManyInternalFailures(
                f"{self.internal_in_a_row} internal failures in a row, the last one {verdict.reason} "
                f"on {verdict.task.url}: an unexpected error in Penstock or in a plug, which the log names; "
                "fix it, then run the same command to resume"
            )


def _end_of_handshake(task: FetchTask, handshake: Handshake, verdict: Verdict) -> Verdict:
    """The verdict about the URL whose handshake a request was part of, which may be another URL's.

    Only the URL's own answer replaces what is stored of it, and only one that will not pass by itself.
    """
    own = replace(task, url=handshake.url)
    match verdict:
        case RetryAt():
            return replace(verdict, task=own)
        case Done() if task.url == handshake.url:
            return verdict
        case Dead(reason=reason, answer=answer):
            is_own = task.url == handshake.url and answer is not None
            is_final = answer is not None and answer.status not in RETRIED_STATUSES
            if is_own and is_final and answer is not None and reason == f"http_{answer.status}":
                return verdict
            return Unsolved(task=own, reason=reason)
        case Skipped(reason=reason) | Unsolved(reason=reason):
            return Unsolved(task=own, reason=reason)
    raise AssertionError(f"a handshake ended with {type(verdict).__name__}")


def _was_head(task: FetchTask, status: int | None, ruling: GiveUp) -> bool:
    """True if it may be the HEAD that was refused, not the resource: a GET is to tell.

    405 and 501 say so openly (RFC 9110 sections 15.5.6 and 15.6.2); 400, 403, 404 and 500 are what
    many servers say instead, and some send a body after all, or hang up. Only a 429 and a
    Retry-After mean the same for any request.
    """
    if task.kind != "resource" or task.attempt > 1 or ruling.reason == RETRY_AFTER_TOO_LONG:
        return False
    return ruling.reason in {"bad_http", "reset"} if status is None else status != 429
