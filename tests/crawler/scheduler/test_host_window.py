"""The window: one queue per host, hosts in turn, and none asked too often or too soon."""

from __future__ import annotations

import pytest

from penstock.crawler.messages import CanonicalUrl, Handshake
from penstock.crawler.policies.breaker import CLOSED, BreakerState
from penstock.crawler.ports import HostThrottle, Pending
from penstock.crawler.scheduler.host_window import HostQueue, HostWindow
from tests.support.host_windows import NEVER, NOW, answer, feed, pending, start_all, start_next, window_of


class TestOrder:
    def test_a_host_is_asked_breadth_first(self) -> None:
        window = window_of(*(pending("h", str(i), depth) for i, depth in enumerate([2, 0, 1, 0, 2])))

        assert [first[-1] for first in start_all(window)] == ["1", "3", "2", "0", "4"]

    def test_a_nearer_url_that_is_found_later_goes_first(self) -> None:
        window = window_of(pending("h", "deep", 3))
        window.note_new_urls("h")
        feed(window, [pending("h", "deep", 3), pending("h", "near", 1)])

        assert start_all(window) == ["http://h/near", "http://h/deep"]

    def test_hosts_take_turns(self) -> None:
        """A host with a thousand URLs does not keep one with a single URL waiting."""
        window = window_of(*(pending(host, str(i)) for host in "abc" for i in range(3)))

        assert "".join(first[7] for first in start_all(window)) == "abcabcabc"

    def test_a_url_in_memory_is_not_queued_again(self) -> None:
        """Neither while it waits nor while it is in flight, though the disk still calls it pending."""
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window)
        window.add([pending("h", "1"), pending("h", "2")])

        assert start_all(window) == ["http://h/2"]
        assert window.held == 2

    def test_a_url_that_is_settled_may_come_again(self) -> None:
        """A retry that is due."""
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window)
        answer(window, "h")
        window.forget("h", "http://h/1")
        window.add([pending("h", "1")])

        assert start_all(window) == ["http://h/2", "http://h/1"]

    def test_a_handshake_goes_on_first_but_not_in_place_of_the_url_that_is_becoming_a_request(self) -> None:
        """The rules of a host may come from the disk after its URL was chosen: a request of a handshake
        that ends meanwhile must neither be lost nor make the chosen URL be requested twice."""
        window = window_of(pending("h", "1"), pending("h", "2"))
        host = window.take_ready(NOW)
        assert host is not None
        chosen = host.first()
        begun = Handshake(url=CanonicalUrl("http://g/"), at=CanonicalUrl("http://h/next"), hops=1)
        window.add([Pending(CanonicalUrl("http://g/"), "h", 0, 0, "page", True, False, begun)])

        assert host.first() == chosen
        window.start(host, now=NOW, next_start=NOW)
        assert start_all(window) == ["http://g/", "http://h/2"]


class TestBounds:
    def test_no_more_requests_are_open_than_allowed(self) -> None:
        window = window_of(*(pending("h", str(i)) for i in range(5)), first_limit=2)

        assert len(start_all(window)) == 2
        answer(window, "h")
        assert len(start_all(window)) == 1

    def test_one_hosts_bound_does_not_hold_up_another(self) -> None:
        window = window_of(*(pending(host, str(i)) for host in "ab" for i in range(3)), first_limit=1)

        assert [first[7] for first in start_all(window)] == ["a", "b"]
        answer(window, "b")
        assert [first[7] for first in start_all(window)] == ["b"]

    def test_an_answer_frees_the_connection_before_the_page_is_stored(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"), first_limit=1)
        start_next(window)
        answer(window, "h")

        assert start_next(window) == "http://h/2"
        assert window.held == 2

    def test_a_dropped_url_takes_no_connection(self) -> None:
        """A URL that robots.txt forbids is never asked for."""
        window = window_of(pending("h", "1"), pending("h", "2"), first_limit=1)
        host = window.take_ready(NOW)
        assert host is not None
        window.drop_first(host)

        assert start_all(window) == ["http://h/2"]


class TestTime:
    def test_a_host_waits_until_its_time(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window, next_start=NOW + 5)

        assert start_next(window, NOW + 4.9) is None
        assert window.next_ready() == NOW + 5
        assert start_next(window, NOW + 5) == "http://h/2"

    def test_no_host_waits_for_one_whose_time_has_not_come(self) -> None:
        window = window_of(*(pending(host, str(i)) for host in "ab" for i in range(2)))
        start_next(window, next_start=NOW + 5)

        assert [first[7] for first in start_all(window)] == ["b", "b"]

    def test_the_hosts_whose_time_has_come_go_in_the_order_of_their_times(self) -> None:
        window = window_of(*(pending(host, str(i)) for host in "abc" for i in range(2)))
        for rest in (3, 1, 2):
            start_next(window, next_start=NOW + rest)
        start_all(window)

        assert [first[7] for first in start_all(window, NOW + 9)] == ["b", "c", "a"]

    def test_a_pause_moves_a_time_only_further_away(self) -> None:
        window = window_of(*(pending("h", str(i)) for i in range(3)))
        start_next(window, next_start=NOW + 9)
        answer(window, "h", pause_until=NOW + 2)

        assert start_next(window, NOW + 8) is None
        assert start_next(window, NOW + 9) is not None

    def test_a_pause_binds_a_host_that_is_ready_already(self) -> None:
        window = window_of(*(pending("h", str(i)) for i in range(3)))
        start_next(window)
        answer(window, "h", pause_until=NOW + 60)

        assert start_next(window, NOW + 59) is None
        assert window.next_ready() == NOW + 60

    def test_there_is_no_next_time_if_no_host_waits_for_its_time(self) -> None:
        window = window_of(pending("h"), first_limit=1)
        start_next(window, next_start=NOW + 5)

        assert window.next_ready() == NEVER

    def test_a_host_that_left_the_window_keeps_its_time(self) -> None:
        """Else a host with one URL at a time would never have to rest."""
        window = window_of(pending("h", "1"))
        start_next(window, next_start=NOW + 60)
        answer(window, "h")
        window.forget("h", "http://h/1")
        assert window.queues == {}

        window.note_new_urls("h")
        feed(window, [pending("h", "2")])

        assert start_next(window, NOW + 59) is None
        assert start_next(window, NOW + 60) == "http://h/2"

    def test_of_the_hosts_that_left_the_latest_times_are_kept(self) -> None:
        """Their number is bounded, and those that are over say nothing."""
        window = HostWindow(first_limit=8, max_hosts=10)
        for number in range(11):
            name = f"h{number}"
            window.add([pending(name)])
            feed(window, [])
            start_next(window, next_start=NOW + number)
            answer(window, name)
            window.forget(name, f"http://{name}/")

        remembered = [name for name in (f"h{number}" for number in range(11)) if window.rests(name, 0.0, NOW)]
        assert remembered == ["h6", "h7", "h8", "h9", "h10"]


class TestBreaker:
    """A host that fell silent is asked by one request at a time whether it is back."""

    RESTING = BreakerState(failures=10, openings=1)

    def test_a_host_with_an_open_breaker_is_asked_one_request_at_a_time(self) -> None:
        window = window_of(*(pending("h", str(i)) for i in range(5)), first_limit=8)
        start_next(window)
        answer(window, "h", breaker=self.RESTING)

        assert len(start_all(window)) == 1

    def test_a_host_that_answers_again_gets_its_full_limit(self) -> None:
        window = window_of(*(pending("h", str(i)) for i in range(5)), first_limit=3)
        start_next(window)
        answer(window, "h", breaker=self.RESTING)
        start_next(window)
        answer(window, "h", breaker=CLOSED)

        assert len(start_all(window)) == 3

    def test_a_changed_throttle_is_returned_once(self) -> None:
        """For the commit that comes next, so that a restart does not ask sooner."""
        window = window_of(pending("a"), pending("b"), pending("c"))
        start_next(window, next_start=NOW + 60)
        start_next(window, next_start=NOW + 0.1)
        start_next(window)
        answer(window, "c", breaker=self.RESTING, pause_until=NOW + 5)

        assert window.changed_throttles() == {
            "a": HostThrottle(NOW + 60, 0, 0, 8),
            "c": HostThrottle(NOW + 5, 10, 1, 8),
        }
        assert window.changed_throttles() == {}


class TestRobots:
    def blocked(self, *found: Pending, first_limit: int = 1) -> tuple[HostWindow, HostQueue]:
        window = window_of(*found, first_limit=first_limit)
        host = window.take_ready(NOW)
        assert host is not None
        window.block(host)
        return window, host

    def test_a_blocked_host_is_not_asked(self) -> None:
        window, _ = self.blocked(pending("a", "1"), pending("a", "2"), pending("b"), first_limit=8)

        assert start_all(window) == ["http://b/"]

    def test_the_request_for_robots_txt_counts_as_active(self) -> None:
        window, host = self.blocked(pending("h"))
        assert host.active == 1

        answer(window, "h")

        assert (host.active, start_all(window)) == (0, [])

    @pytest.mark.parametrize("answer_first", [True, False])
    def test_a_blocked_host_is_ready_when_it_is_both_answered_and_unblocked(self, answer_first: bool) -> None:
        window, host = self.blocked(pending("h"))
        if answer_first:
            answer(window, "h")
            window.unblock(host, pause_until=0.0)
        else:
            window.unblock(host, pause_until=0.0)
            assert start_all(window) == []
            answer(window, "h")

        assert start_all(window) == ["http://h/"]

    def test_an_unblocked_host_may_have_to_wait(self) -> None:
        window, host = self.blocked(pending("h"))
        answer(window, "h")
        window.unblock(host, pause_until=NOW + 5)

        assert start_next(window, NOW + 4) is None
        assert start_next(window, NOW + 5) == "http://h/"
