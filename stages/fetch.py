"""Fetch: the first stage. One task, one request, one answer.

May touch: the fetchers and a HostGate, through `penstock.crawler.ports`; the log.
Never: a retry, a redirect of a page, a wait for politeness: those belong to the frontier.

Whatever happens, the host's gate learns that its connection is free again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from penstock.crawler.messages import (
    Answer,
    CanonicalUrl,
    Failed,
    Fetched,
    FetchTask,
    Message,
    RobotsAnswer,
    RobotsTask,
)
from penstock.crawler.output.logs import get_logger, is_enabled
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.ports import Fetcher, HostGate
from penstock.crawler.urls import is_http

log = get_logger()

_BUILT_IN = "penstock.stages.fetchers.plain"  # whose results need no check; a stage imports no tier


Kept = tuple[CanonicalUrl, Answer, bytes]  # of `RobotsAnswer.exchanges`


class FetchStage(Struct, frozen=True, kw_only=True):
    fetchers: Mapping[str, Fetcher]  # by tier
    gate: HostGate
    robots: RobotsPolicy
    logs_requests: bool = field(default_factory=lambda: is_enabled("debug"))  # one line for each
    name: str = "fetch"
    is_last: bool = False

    async def handle(self, message: FetchTask | RobotsTask) -> Sequence[Message]:
        if isinstance(message, RobotsTask):
            return [await self._fetch_robots(message)]
        result: Fetched | Failed = Failed(task=message, stage=self.name, reason="cancelled")
        try:
            result = await self._get(message)
        finally:
            self.gate.answered(message, result)
        if message.handshake is not None:
            return self.gate.continue_handshake(message, result)
        return [result]

    async def _get(self, task: FetchTask) -> Fetched | Failed:
        fetcher = self.fetchers[task.tier]
        began = time.monotonic() if self.logs_requests else 0.0
        result = await fetcher.get(task)
        if not isinstance(result, Fetched | Failed):  # a tier is the user's code, which may be untyped
            raise TypeError(
                f"the fetch tier {task.tier!r} must return Fetched or Failed, not {type(result).__name__}"
            )
        if type(fetcher).__module__ != _BUILT_IN and (wrong := _wrong_value(task, result)) is not None:
            if isinstance(result, Fetched) and result.hold is not None:
                result.hold.release()
            raise ValueError(f"the fetch tier {task.tier!r} returned a result with {wrong}")
        if self.logs_requests:
            log_request(task, result, time.monotonic() - began)
        return result

    async def _fetch_robots(self, task: RobotsTask) -> RobotsAnswer:
        """Fetch robots.txt. Its redirects are followed here, across origins (RFC 9309 section
        2.3.1.2): they lead to no page, so they need no admission."""
        started_at = time.time()
        try:
            asked = CanonicalUrl(task.origin + "/robots.txt")
            answered, result, exchanges = await self._follow(asked, task)
        finally:
            self.gate.robots_answered(task.host)
        url = None if answered == asked else answered
        if isinstance(result, Failed):
            return RobotsAnswer(
                task=task, fetched_at=started_at, url=url, error=result.reason, exchanges=exchanges
            )
        return RobotsAnswer(
            task=task,
            fetched_at=started_at,
            status=result.answer.status,
            url=url,
            body=(result.body or b"") if 200 <= result.answer.status < 300 else b"",
            exchanges=exchanges,
        )

    async def _follow(
        self, url: CanonicalUrl, task: RobotsTask
    ) -> tuple[CanonicalUrl, Fetched | Failed, list[Kept]]:
        """The last answer of a bounded chain of redirects, its URL, and all answers that are kept."""
        exchanges: list[Kept] = []
        redirects_left = self.robots.max_redirects
        while True:
            request = FetchTask(
                url=url, kind="robots", host=task.host, depth=0, attempt=task.attempt, timeout=task.timeout
            )
            result = await self._get(request)
            if isinstance(result, Fetched):
                if result.hold is not None:
                    result.hold.release()
                if result.answer.status_line is not None:  # they are kept, with --save-bodies
                    exchanges.append((url, result.answer, result.body or b""))
            location = None if isinstance(result, Failed) else result.answer.location
            if location is None or not is_http(location) or not redirects_left:
                return url, result, exchanges
            redirects_left -= 1
            url = CanonicalUrl(location)


def _wrong_value(task: FetchTask, result: Fetched | Failed) -> str | None:
    """Describe the value that the frontier or the writer cannot take and that would end the run, if any."""
    if result.task != task:
        return "another task"
    answer = result.answer
    if answer is None and isinstance(result, Failed):
        return None
    if not isinstance(answer, Answer):
        return f"the answer {answer!r}"
    if not isinstance(answer.status, int) or not 100 <= answer.status <= 599:
        return f"the status {answer.status!r}"
    if answer.body_bytes is not None and not _is_count(answer.body_bytes):
        return f"body_bytes {answer.body_bytes!r}"
    if not _is_count(answer.elapsed_ms):
        return f"elapsed_ms {answer.elapsed_ms!r}"
    if not isinstance(answer.fetched_at, float | int) or not math.isfinite(answer.fetched_at):
        return f"fetched_at {answer.fetched_at!r}"
    return None


def _is_count(value: object) -> bool:
    """True for an integer that SQLite can store and that is not negative."""
    return isinstance(value, int) and 0 <= value < 1 << 63


def log_request(task: FetchTask, result: Fetched | Failed, seconds: float) -> None:
    """Log one request, with the same keys whatever came of it."""
    answer = result.answer
    log.debug(
        "fetched" if isinstance(result, Fetched) else "fetch_failed",
        url=task.url,
        kind=task.kind,
        status=None if answer is None else answer.status,
        bytes=None if answer is None else answer.body_bytes,
        ms=round(seconds * 1000),
        tier=task.tier,
        attempt=task.attempt,
        error=None if isinstance(result, Fetched) else result.reason,
    )
