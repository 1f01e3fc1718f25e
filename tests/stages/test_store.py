"""Store: what arrived is judged, committed, and only then told to the frontier."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from penstock.crawler.errors import StorageFailed, TooManyInternalFailures
from penstock.crawler.messages import (
    Content,
    Dead,
    Done,
    Failed,
    ParsedPage,
    Rejected,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Sitemap,
    Skipped,
    Verdict,
)
from penstock.crawler.policies.retry import Retry
from penstock.crawler.ports import Saved
from penstock.stages.store import StoreStage
from tests.support.fakes import START, FakeClock, FakeHold, answer, task, url

ROBOTS = RobotsTask(origin="http://h", host="h")


class FakeStore:
    def __init__(self, error: Exception | None = None) -> None:
        self.saved: list[Verdict] = []
        self.told: list[Verdict] = []
        self._error = error

    async def save(self, verdict: Verdict) -> Saved:
        if self._error is not None:
            raise self._error
        self.saved.append(verdict)
        return Saved(pending=len(self.saved))

    def settled(self, verdict: Verdict, saved: Saved) -> None:
        assert saved.pending == len(self.saved)
        assert verdict is self.saved[-1]  # only after the commit
        self.told.append(verdict)


def store_stage(store: FakeStore | None = None, *, chance: float = 0.5, **retry: Any) -> StoreStage:
    store = store or FakeStore()
    return StoreStage(
        store=store, frontier=store, retry=Retry(**retry), clock=FakeClock(), jitter=lambda: chance
    )


def parsed(status: int = 200, *, attempt: int = 1, content: Content | None = None, **said: Any) -> ParsedPage:
    return ParsedPage(task=task(attempt=attempt), answer=answer(status, **said), content=content)


class TestJudge:
    @pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
    def test_a_success_is_done(self, status: int) -> None:
        assert isinstance(store_stage().judge(parsed(status)), Done)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_done_wherever_it_leads(self, status: int) -> None:
        for location in ("http://elsewhere/", "mailto:me@h"):
            assert isinstance(store_stage().judge(parsed(status, location=location)), Done)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_that_leads_nowhere_is_dead(self, status: int) -> None:
        verdict = store_stage().judge(parsed(status))

        assert verdict == Dead(task=task(), reason="redirect_invalid", answer=answer(status))

    @pytest.mark.parametrize("status", [300, 304, 400, 404, 410, 501])
    def test_a_final_status_is_dead(self, status: int) -> None:
        verdict = store_stage().judge(parsed(status))

        assert verdict == Dead(task=task(), reason=f"http_{status}", answer=answer(status))

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 522])
    def test_a_passing_status_is_tried_again_as_often_as_allowed(self, status: int) -> None:
        stage = store_stage(retries=2)

        verdicts = [stage.judge(parsed(status, attempt=attempt)) for attempt in (1, 2, 3)]

        assert [type(verdict) for verdict in verdicts] == [RetryAt, RetryAt, Dead]
        assert verdicts[-1] == Dead(task=task(attempt=3), reason=f"http_{status}", answer=answer(status))

    @pytest.mark.parametrize(("chance", "wait"), [(0.0, 5), (0.5, 10), (0.75, 12.5)])
    def test_a_retry_waits_from_now_for_half_to_one_and_a_half_of_the_backoff(
        self, chance: float, wait: float
    ) -> None:
        """The jitter keeps URLs that failed together from coming back together."""
        verdict = store_stage(chance=chance, first_wait=10).judge(parsed(503))

        assert verdict == RetryAt(task=task(), at=START + wait, reason="http_503")

    def test_retry_after_binds_the_url(self) -> None:
        verdict = store_stage(first_wait=1).judge(parsed(503, retry_after=40))

        assert verdict == RetryAt(task=task(), at=START + 40, reason="http_503")

    def test_a_retry_after_that_is_too_long_is_the_end(self) -> None:
        verdict = store_stage(max_retry_after=30).judge(parsed(503, retry_after=40))

        assert isinstance(verdict, Dead)
        assert verdict.reason == "retry_after_too_long"

    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            ("timeout", RetryAt),
            ("truncated", RetryAt),
            ("tls", Dead),
            ("too_large", Dead),
            ("internal:X", Dead),
        ],
    )
    def test_a_failure_is_judged_by_its_reason_whatever_had_arrived(
        self, reason: str, kind: type[RetryAt] | type[Dead]
    ) -> None:
        for arrived in (None, answer(200), answer(404)):
            verdict = store_stage().judge(Failed(task=task(), stage="fetch", reason=reason, answer=arrived))

            assert isinstance(verdict, kind)
            assert verdict.reason == reason
            if isinstance(verdict, Dead):
                assert verdict.answer == arrived

    @pytest.mark.parametrize(("state", "kind"), [("skipped", Skipped), ("failed", Dead)])
    def test_a_url_that_was_refused_was_not_requested(
        self, state: str, kind: type[Skipped] | type[Dead]
    ) -> None:
        verdict = store_stage().judge(Rejected(task=task(), state=state, reason="robots"))

        assert isinstance(verdict, kind)
        assert verdict.reason == "robots"
        assert not (isinstance(verdict, Dead) and verdict.requested)

    def test_a_robots_txt_is_no_page(self) -> None:
        said = RobotsAnswer(task=ROBOTS, fetched_at=START, status=503)

        assert store_stage().judge(said) == said

    def test_the_sitemaps_that_it_names_are_noted(self) -> None:
        stage = store_stage()
        named = [url("http://h/sitemap.xml")]
        stage.with_sitemaps = lambda answer: msgspec.structs.replace(answer, sitemaps=named)

        verdict = stage.judge(RobotsAnswer(task=ROBOTS, fetched_at=START, status=200))

        assert isinstance(verdict, RobotsAnswer)
        assert verdict.sitemaps == ["http://h/sitemap.xml"]

    def test_an_address_that_no_connection_may_go_to_is_skipped(self) -> None:
        """A rule of ours; nothing was sent."""
        verdict = store_stage().judge(Failed(task=task(), stage="fetch", reason="address"))

        assert verdict == Skipped(task=task(), reason="address")

    def test_what_a_sitemap_lists_goes_on_with_it(self) -> None:
        of, found = task(kind="sitemap"), Sitemap(kind="urlset")

        verdict = store_stage().judge(ParsedPage(task=of, answer=answer(), sitemap=found))

        assert verdict == Done(task=of, answer=answer(), sitemap=found)

    def test_a_bug_over_a_robots_txt_is_no_answer(self) -> None:
        verdict = store_stage().judge(Failed(task=ROBOTS, stage="fetch", reason="internal:KeyError"))

        assert verdict == RobotsAnswer(task=ROBOTS, fetched_at=START, error="internal:KeyError")


class TestStore:
    async def test_the_frontier_hears_of_it_after_the_commit(self) -> None:
        store = FakeStore()

        assert await store_stage(store).handle(parsed()) == []

        assert store.told == store.saved == [Done(task=task(), answer=answer())]

    async def test_what_could_not_be_saved_is_not_settled(self) -> None:
        """It stays pending on disk, and the run ends."""
        store, hold = FakeStore(StorageFailed("full")), FakeHold()
        page = ParsedPage(task=task(), answer=answer(), body=b"x", holds=[hold])

        with pytest.raises(StorageFailed):
            await store_stage(store).handle(page)

        assert (store.told, hold.released) == ([], 1)

    async def test_a_kept_body_gives_its_bytes_back_when_it_is_stored(self) -> None:
        hold = FakeHold()

        await store_stage().handle(ParsedPage(task=task(), answer=answer(), body=b"x", holds=[hold]))

        assert hold.released == 1


BUG = Failed(task=task(), stage="parse", reason="internal:KeyError")


class TestWatch:
    """A bug that strikes every page must not eat the whole frontier."""

    async def test_the_twentieth_internal_failure_in_a_row_ends_the_run(self) -> None:
        store = FakeStore()
        stage = store_stage(store)
        for _ in range(19):
            await stage.handle(BUG)

        with pytest.raises(TooManyInternalFailures, match=r"20 internal failures.*KeyError.*http://h/"):
            await stage.handle(BUG)
        assert len(store.told) == 20

    @pytest.mark.parametrize("between", [parsed(), parsed(404), parsed(503)], ids=["done", "dead", "retry"])
    async def test_a_page_that_is_none_breaks_the_row(self, between: ParsedPage) -> None:
        stage = store_stage()
        for _ in range(4):
            for _ in range(19):
                await stage.handle(BUG)
            await stage.handle(between)

    @pytest.mark.parametrize(
        "between",
        [
            RobotsAnswer(task=ROBOTS, fetched_at=START, status=404),
            Rejected(task=task(), state="skipped", reason="robots"),
            Rejected(task=task(), state="failed", reason="host_unreachable"),
        ],
        ids=lambda message: type(message).__name__,
    )
    async def test_what_was_no_page_does_not_break_it(self, between: RobotsAnswer | Rejected) -> None:
        """On many hosts there is a robots.txt before every page."""
        stage = store_stage()
        for _ in range(19):
            await stage.handle(BUG)
            await stage.handle(between)

        with pytest.raises(TooManyInternalFailures):
            await stage.handle(BUG)
