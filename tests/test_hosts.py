"""The window: one queue per host, hosts in turn, and none asked too often or too soon."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from crawler.hosts import MAX_BATCH, MAX_URLS, MIN_BATCH, HostQueue, HostWindow
from crawler.ports import Pending
from tests.fakes import url

NOW = 100.0
NEVER = float("inf")


def pending(host: str, path: str = "", depth: int = 0) -> Pending:
    return Pending(url(f"http://{host}/{path}"), host, depth, 0)


def window_of(*found: Pending, per_host: int = 8, max_hosts: int = 100) -> HostWindow:
    """A window that holds these URLs, and knows that the disk has no more."""
    window = HostWindow(per_host=per_host, max_hosts=max_hosts)
    for name in dict.fromkeys(one.host for one in found):
        window.grew(name)
    feed(window, found)
    return window


def feed(window: HostWindow, found: Iterable[Pending], *, more: bool = False) -> None:
    """Answer the hungry hosts out of `found`."""
    rows = list(found)
    for host in window.hungry():
        window.feed(host, [row for row in rows if row.host == host.name], more=more)


def start_next(window: HostWindow, now: float = NOW, *, next_start: float = 0.0) -> str | None:
    """Start the next URL, if a host may be asked now."""
    host = window.take_ready(now)
    if host is None:
        return None
    first = host.first().url
    window.start(host, next_start=next_start)
    return first


def start_all(window: HostWindow, now: float = NOW) -> list[str]:
    started = []
    while (first := start_next(window, now)) is not None:
        started.append(first)
    return started


class TestOrder:
    def test_a_host_is_asked_breadth_first(self) -> None:
        window = window_of(*(pending("h", str(i), depth) for i, depth in enumerate([2, 0, 1, 0, 2])))

        assert [first[-1] for first in start_all(window)] == ["1", "3", "2", "0", "4"]

    def test_a_nearer_url_that_is_found_later_goes_first(self) -> None:
        window = window_of(pending("h", "deep", 3))
        window.grew("h")
        feed(window, [pending("h", "deep", 3), pending("h", "near", 1)])

        assert start_all(window) == ["http://h/near", "http://h/deep"]

    def test_hosts_take_turns(self) -> None:
        """A host with a thousand URLs does not keep one with a single URL waiting."""
        window = window_of(*(pending(host, str(i)) for host in "abc" for i in range(3)))

        assert "".join(first[7] for first in start_all(window)) == "abcabcabc"

    def test_a_url_in_memory_is_not_taken_in_again(self) -> None:
        """Neither while it waits nor while it is in flight, though the disk still calls it pending."""
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window)
        window.take_in([pending("h", "1"), pending("h", "2")])

        assert start_all(window) == ["http://h/2"]
        assert window.held == 2

    def test_a_url_that_is_settled_may_come_again(self) -> None:
        """A retry that is due."""
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window)
        window.answered("h", ready_at=None)
        window.forget("h", "http://h/1")
        window.take_in([pending("h", "1")])

        assert start_all(window) == ["http://h/2", "http://h/1"]


class TestBounds:
    def test_no_more_requests_are_open_than_allowed(self) -> None:
        window = window_of(*(pending("h", str(i)) for i in range(5)), per_host=2)

        assert len(start_all(window)) == 2
        window.answered("h", ready_at=None)
        assert len(start_all(window)) == 1

    def test_one_hosts_bound_does_not_hold_up_another(self) -> None:
        window = window_of(*(pending(host, str(i)) for host in "ab" for i in range(3)), per_host=1)

        assert [first[7] for first in start_all(window)] == ["a", "b"]
        window.answered("b", ready_at=None)
        assert [first[7] for first in start_all(window)] == ["b"]

    def test_an_answer_frees_the_connection_before_the_page_is_stored(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"), per_host=1)
        start_next(window)
        window.answered("h", ready_at=None)

        assert start_next(window) == "http://h/2"
        assert window.held == 2

    def test_a_dropped_url_takes_no_connection(self) -> None:
        """A URL that robots.txt forbids is never asked for."""
        window = window_of(pending("h", "1"), pending("h", "2"), per_host=1)
        host = window.take_ready(NOW)
        assert host is not None
        window.drop_first(host)

        assert start_all(window) == ["http://h/2"]


class TestTime:
    def test_a_host_rests_until_its_time(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window, next_start=NOW + 5)

        assert start_next(window, NOW + 4.9) is None
        assert window.next_ready() == NOW + 5
        assert start_next(window, NOW + 5) == "http://h/2"

    def test_nobody_waits_for_a_host_that_rests(self) -> None:
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
        window.answered("h", ready_at=NOW + 2)

        assert start_next(window, NOW + 8) is None
        assert start_next(window, NOW + 9) is not None

    def test_a_pause_counts_for_a_host_that_stood_in_line_already(self) -> None:
        window = window_of(*(pending("h", str(i)) for i in range(3)))
        start_next(window)
        window.answered("h", ready_at=NOW + 60)

        assert start_next(window, NOW + 59) is None
        assert window.next_ready() == NOW + 60

    def test_without_anybody_resting_there_is_no_next_time(self) -> None:
        window = window_of(pending("h"), per_host=1)
        start_next(window, next_start=NOW + 5)

        assert window.next_ready() == NEVER

    def test_a_host_that_left_the_window_keeps_its_time(self) -> None:
        """Else a host with one URL at a time would never have to rest."""
        window = window_of(pending("h", "1"))
        start_next(window, next_start=NOW + 60)
        window.answered("h", ready_at=None)
        window.forget("h", "http://h/1")
        assert window.hosts == {}

        window.grew("h")
        feed(window, [pending("h", "2")])

        assert start_next(window, NOW + 59) is None
        assert start_next(window, NOW + 60) == "http://h/2"

    def test_of_the_times_of_hosts_that_left_the_latest_are_kept(self) -> None:
        """Their number is bounded, and those that are over say nothing."""
        window = HostWindow(per_host=8, max_hosts=10)
        for number in range(11):
            name = f"h{number}"
            window.take_in([pending(name)])
            feed(window, [])
            start_next(window, next_start=NOW + number)
            window.answered(name, ready_at=None)
            window.forget(name, f"http://{name}/")

        assert sorted(window._clocks) == ["h10", "h6", "h7", "h8", "h9"]


class TestRobots:
    def blocked(self, *found: Pending, per_host: int = 1) -> tuple[HostWindow, HostQueue]:
        window = window_of(*found, per_host=per_host)
        host = window.take_ready(NOW)
        assert host is not None
        window.block(host)
        return window, host

    def test_a_blocked_host_is_not_asked(self) -> None:
        window, _ = self.blocked(pending("a", "1"), pending("a", "2"), pending("b"), per_host=8)

        assert start_all(window) == ["http://b/"]

    def test_its_request_for_robots_txt_is_a_request(self) -> None:
        window, host = self.blocked(pending("h"))
        assert host.active == 1

        window.answered("h", ready_at=None)

        assert (host.active, start_all(window)) == (0, [])

    @pytest.mark.parametrize("answer_first", [True, False])
    def test_it_goes_on_when_it_is_both_answered_and_unblocked(self, answer_first: bool) -> None:
        window, host = self.blocked(pending("h"))
        if answer_first:
            window.answered("h", ready_at=None)
            window.unblock(host, ready_at=None)
        else:
            window.unblock(host, ready_at=None)
            assert start_all(window) == []
            window.answered("h", ready_at=None)

        assert start_all(window) == ["http://h/"]

    def test_it_may_have_to_rest_before_the_next_try(self) -> None:
        window, host = self.blocked(pending("h"))
        window.answered("h", ready_at=None)
        window.unblock(host, ready_at=NOW + 5)

        assert start_next(window, NOW + 4) is None
        assert start_next(window, NOW + 5) == "http://h/"


class TestTheDisk:
    def test_a_new_host_is_hungry_once(self) -> None:
        window = HostWindow(per_host=8)
        window.grew("h")
        window.grew("h")

        assert [host.name for host in window.hungry()] == ["h"]
        assert window.hungry() == []

    def test_a_host_is_hungry_again_when_its_queue_runs_low_and_the_disk_has_more(self) -> None:
        window = HostWindow(per_host=1000)
        window.grew("h")
        feed(window, [pending("h", str(i)) for i in range(200)], more=True)
        low = window.batch() // 4

        while window.pending > low:
            start_next(window)
        assert window.hungry() == []
        start_next(window)
        assert [host.name for host in window.hungry()] == ["h"]

    def test_a_host_that_was_read_to_its_end_is_not_hungry(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_all(window)

        assert window.hungry() == []

    def test_a_host_without_work_leaves_the_window(self) -> None:
        window = window_of(pending("h", "1"))
        start_next(window)
        window.answered("h", ready_at=None)
        assert list(window.hosts) == ["h"]

        window.forget("h", "http://h/1")

        assert (window.hosts, window.held, window.pending) == ({}, 0, 0)

    @pytest.mark.parametrize(("hosts", "batch"), [(1, MAX_BATCH), (100, MAX_URLS // 100), (9_999, MIN_BATCH)])
    def test_the_hosts_share_the_size_of_the_window(self, hosts: int, batch: int) -> None:
        window = HostWindow(per_host=8, max_hosts=hosts)
        for number in range(hosts):
            window.grew(f"h{number}")

        assert window.batch() == batch

    def test_the_number_of_hosts_is_bounded(self) -> None:
        """The others wait on disk, and are told of by the answer."""
        window = HostWindow(per_host=8, max_hosts=2)

        assert [window.grew(name) for name in ("a", "b", "c", "a")] == [True, True, False, True]
        assert not window.has_room_for_hosts()

    def test_there_is_room_again_when_half_of_them_are_gone(self) -> None:
        """So that the disk is not asked for hosts each time a single one leaves."""
        window = HostWindow(per_host=8, max_hosts=4)
        for name in "abcd":
            window.grew(name)
        rooms = []
        for host in window.hungry():
            window.feed(host, [], more=False)
            rooms.append(window.has_room_for_hosts())

        assert rooms == [False, False, True, True]

    def test_a_host_that_comes_back_is_not_thrown_out_with_its_former_self(self) -> None:
        """It grew while its queue was being read, so it was hungry when its last URL was settled;
        that page had links, so there are two of its name among the hungry."""
        window = HostWindow(per_host=8)
        window.grew("h")
        [host] = window.hungry()
        window.grew("h")
        window.feed(host, [pending("h", "1")], more=False)
        start_next(window)
        window.answered("h", ready_at=None)
        window.forget("h", "http://h/1")
        window.grew("h")

        feed(window, [pending("h", "2")])

        assert start_next(window) == "http://h/2"
        window.answered("h", ready_at=None)

    def test_its_state_can_be_read(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window)

        assert repr(window) == "<HostWindow hosts=1 pending=1 held=2>"
        assert repr(window.hosts["h"]) == "<HostQueue h queue=1 active=1 held=2>"
