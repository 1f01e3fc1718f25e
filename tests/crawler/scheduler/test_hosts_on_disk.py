"""Hosts that must wait keep no other host from being asked, however many hosts there are."""

from __future__ import annotations

from collections import defaultdict

import pytest

from penstock.crawler.messages import CanonicalUrl, Handshake, RetryAt
from penstock.crawler.policies.cookie_jar import CookieJar
from penstock.crawler.policies.politeness import Politeness
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.ports import Pending
from penstock.crawler.scheduler import host_window
from penstock.crawler.scheduler.frontier import FIRST_CONTACT_SECONDS
from penstock.crawler.scheduler.host_window import HostQueue, HostWindow, Place
from tests.support.fakes import START, MemoryCrawl, in_virtual_time
from tests.support.frontier_rig import Rig
from tests.support.host_windows import NOW, answer, feed, pending, start_all, start_next

HOSTS = 90  # of which the window holds 60


@pytest.fixture(autouse=True)
def _small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_window, "MAX_HOSTS", 60)


def place_of(host: HostQueue) -> Place:
    return host.place


@in_virtual_time
class TestRounds:
    async def test_more_hosts_than_the_window_holds_are_asked_while_others_wait_for_their_delay(self) -> None:
        """With a window of hosts that never leave, the last ones were asked after a whole delay."""
        memory = MemoryCrawl.of(*(f"http://h{number}/" for number in range(HOSTS)))
        rig = Rig(memory, politeness=Politeness(adaptive=False, delay=20.0))
        web = {f"http://h{number}/": [f"http://h{number}/next"] for number in range(HOSTS)}

        leased = await rig.crawl(web, latency=lambda url: 0.0)

        times = defaultdict(list)
        for at, url in leased:
            times[url.removeprefix("http://").partition("/")[0]].append(at)
        assert len(times) == HOSTS
        assert max(first for first, _ in times.values()) < 5.0
        assert min(second - first for first, second in times.values()) >= 19.9
        assert max(second - first for first, second in times.values()) < 25.0
        assert memory.states("settled") == list(memory.rows)

    async def test_a_retry_that_is_due_while_its_host_must_wait_is_made_when_the_host_may_be_asked(
        self,
    ) -> None:
        memory = MemoryCrawl.of(*(f"http://h{number}/" for number in range(HOSTS)))
        rig = Rig(memory, politeness=Politeness(adaptive=False, delay=20.0))

        leased = await rig.crawl({}, latency=lambda url: 0.0, fails=lambda task: task.attempt == 1)

        times = defaultdict(list)
        for at, url in leased:
            times[url].append(at)
        assert {len(found) for found in times.values()} == {2}
        assert min(second - first for first, second in times.values()) >= 19.9
        assert max(second - first for first, second in times.values()) < 25.0
        assert memory.states("settled") == list(memory.rows)

    async def test_a_host_that_comes_back_is_not_asked_for_its_robots_txt_again(self) -> None:
        memory = MemoryCrawl.of(*(f"http://h{number}/" for number in range(HOSTS)))
        rig = Rig(memory, politeness=Politeness(adaptive=False, delay=5.0), robots=RobotsPolicy(token="x"))
        asked: list[str] = []

        def robots(task: object) -> tuple[int, str]:
            asked.append(str(task))
            return 200, "User-agent: *\nDisallow: /no\n"

        web = {f"http://h{number}/": [f"http://h{number}/no", f"http://h{number}/yes"] for number in range(9)}
        leased = await rig.crawl(web, latency=lambda url: 0.0, robots=robots)

        assert len(asked) == len(set(asked)) == HOSTS
        assert len(leased) == HOSTS + 9
        assert memory.states("settled") == list(memory.rows)


class TestRest:
    """A window for four hosts, of which two make it half full."""

    def test_a_host_that_waits_leaves_a_window_that_is_half_full(self) -> None:
        window = HostWindow(first_limit=1, max_hosts=4)
        window.add([pending("a", "1"), pending("a", "2"), pending("b", "1")])
        host = window.queues["a"]
        assert start_next(window, next_start=NOW + 10) == "http://a/1"
        answer(window, "a")
        assert start_next(window) == "http://b/1"
        assert start_next(window) is None
        assert place_of(host) is Place.LATER  # its page is not stored yet

        window.forget("a", "http://a/1")

        assert place_of(host) is Place.LEFT
        assert (list(window.queues), window.pending, window.held) == (["b"], 0, 1)
        assert window.returns_at == NOW + 10

    def test_a_host_in_the_midst_of_a_handshake_stays(self) -> None:
        """The jar is in memory alone: the exchange would begin anew, and never end."""
        window = HostWindow(first_limit=1, max_hosts=2)
        window.add([pending("a", "1")])
        start_next(window, next_start=NOW + 10)
        answer(window, "a")
        window.forget("a", "http://a/1")
        target = CanonicalUrl(pending("a", "1").url)
        begun = Handshake(
            url=target, at=CanonicalUrl(pending("a", "2").url), hops=1, jar=CookieJar(lambda host: host)
        )

        window.add([Pending(target, "a", 0, 0, "page", True, False, begun)])

        assert start_next(window) is None
        assert window.queues["a"].place is Place.LATER
        assert start_next(window, now=NOW + 10) == target

    def test_a_host_stays_in_a_window_with_room(self) -> None:
        window = HostWindow(first_limit=1, max_hosts=4)
        window.add([pending("a", "1"), pending("a", "2")])
        start_next(window, next_start=NOW + 10)
        answer(window, "a")
        window.forget("a", "http://a/1")

        assert start_next(window) is None
        assert window.queues["a"].place is Place.LATER

    @pytest.mark.parametrize(("now", "rests"), [(NOW, True), (NOW + 8.9, True), (NOW + 9.0, False)])
    def test_a_host_that_rests_may_enter_shortly_before_its_time(self, now: float, rests: bool) -> None:
        window = HostWindow(first_limit=1, max_hosts=4)
        assert window.rests("a", NOW + 10, now) is rests

    def test_a_time_too_far_in_the_future_was_written_by_a_wrong_clock(self) -> None:
        assert not HostWindow(first_limit=1).rests("a", NOW + 301, NOW)

    def test_a_host_with_a_shorter_wait_stays(self) -> None:
        window = HostWindow(first_limit=1, max_hosts=2)
        window.add([pending("a", "1"), pending("a", "2")])
        start_next(window, next_start=NOW + 1)
        answer(window, "a")
        window.forget("a", "http://a/1")
        feed(window, [])

        assert start_next(window) is None
        assert window.queues["a"].place is Place.LATER


class TestShares:
    """While quick hosts are there, slow and unknown ones have a part of the fetchers only."""

    def window(self, slow: int, unknown: int, quick: int) -> HostWindow:
        window = HostWindow(first_limit=1, fetchers=8, max_hosts=100)
        for kind, count in (("slow", slow), ("unknown", unknown), ("quick", quick)):
            for number in range(count):
                window.add([pending(f"{kind}{number}", "1"), pending(f"{kind}{number}", "2")])
                if kind != "unknown":
                    window.note_latency(window.queues[f"{kind}{number}"], slow=kind == "slow")
        return window

    def started(self, window: HostWindow) -> dict[str, int]:
        kinds = [url.split("//")[1].rstrip("/12").rstrip("0123456789") for url in start_all(window)]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}

    @pytest.mark.parametrize(
        ("slow", "unknown", "quick", "expected"),
        [
            (9, 0, 2, {"slow": 4, "quick": 2}),
            (0, 9, 2, {"unknown": 6, "quick": 2}),
            (9, 9, 2, {"slow": 4, "unknown": 2, "quick": 2}),
            (9, 9, 0, {"slow": 9, "unknown": 9}),
            (3, 2, 2, {"slow": 3, "unknown": 2, "quick": 2}),
        ],
    )
    def test_quick_hosts_always_find_a_fetcher(
        self, slow: int, unknown: int, quick: int, expected: dict[str, int]
    ) -> None:
        assert self.started(self.window(slow, unknown, quick)) == expected

    @pytest.mark.parametrize("kind", ["slow", "unknown"])
    def test_a_request_that_ends_makes_room_for_one_of_its_class(self, kind: str) -> None:
        window = self.window(slow=9 if kind == "slow" else 0, unknown=9 if kind == "unknown" else 0, quick=1)
        start_all(window)

        answer(window, f"{kind}0")

        assert self.started(window) == {kind: 1}

    def test_a_share_is_used_whole_after_a_host_that_waited_for_it_became_quick(self) -> None:
        """Such a host takes no part of the share that was freed for it."""
        window = HostWindow(first_limit=1, fetchers=4, max_hosts=100)
        for name in ("quick", "slow0", "slow1", "slow2", "slow3", "slow4"):
            window.add([pending(name, "1")])
            window.note_latency(window.queues[name], slow=name != "quick")
        assert sorted(start_all(window)) == ["http://quick/1", "http://slow0/1", "http://slow1/1"]

        window.note_latency(window.queues["slow2"], slow=False)
        answer(window, "slow0")

        assert sorted(start_all(window)) == ["http://slow2/1", "http://slow3/1"]

    def test_without_quick_hosts_nobody_is_kept_waiting(self) -> None:
        window = self.window(slow=9, unknown=0, quick=1)
        start_all(window)

        window.note_latency(window.queues["quick0"], slow=True)

        assert self.started(window) == {"slow": 5}

    def test_a_slow_host_beyond_the_share_leaves_a_window_that_is_half_full(self) -> None:
        window = HostWindow(first_limit=1, fetchers=2, max_hosts=4)
        for name in ("quick", "slow1", "slow2"):
            window.add([pending(name, "1")])
            window.note_latency(window.queues[name], slow=name != "quick")

        assert sorted(start_all(window)) == ["http://quick/1", "http://slow1/1"]
        assert "slow2" not in window.queues
        assert window.returns_at == NOW + host_window.SLOW_REST

    def test_a_host_that_comes_back_is_still_slow(self) -> None:
        window = HostWindow(first_limit=1, fetchers=2, max_hosts=4)
        window.add([pending("a", "1")])
        window.note_latency(window.queues["a"], slow=True)
        start_next(window)
        answer(window, "a")
        feed(window, [])
        window.forget("a", "http://a/1")
        assert "a" not in window.queues

        window.add([pending("a", "2")])
        assert window.queues["a"].slow


@in_virtual_time
class TestFirstContact:
    @pytest.mark.parametrize(
        ("hosts", "retries", "timeout"), [(3, 3, FIRST_CONTACT_SECONDS), (2, 3, None), (3, 0, None)]
    )
    async def test_it_ends_early_only_while_hosts_wait_for_a_fetcher_and_it_can_be_repeated(
        self, hosts: int, retries: int, timeout: float | None
    ) -> None:
        memory = MemoryCrawl.of(*(f"http://h{number}/" for number in range(hosts)))
        rig = Rig(memory, robots=RobotsPolicy(token="x"), fetchers=2, retries=retries)
        asked = await rig.ask_robots()
        assert (asked.attempt, asked.timeout) == (1, timeout)

    async def test_the_next_request_has_its_whole_time(self) -> None:
        memory = MemoryCrawl.of(*(f"http://h{number}/" for number in range(3)))
        rig = Rig(memory, fetchers=2)
        first = await rig.lease()
        assert first.timeout == FIRST_CONTACT_SECONDS
        rig.answered(first, failure="timeout")
        await rig.settle(RetryAt(task=first, at=START, reason="timeout"))

        others = [await rig.lease() for _ in range(3)]

        assert {task.url: task.timeout for task in others}[first.url] is None
