"""The window and the disk: what is read when, how much of it, and what leaves again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from penstock.crawler.scheduler.host_window import MAX_BATCH, MAX_URLS, MIN_BATCH, HostWindow
from tests.support.host_windows import answer, feed, pending, start_all, start_next, window_of


class TestTheDisk:
    def test_a_new_host_runs_low_once(self) -> None:
        window = HostWindow(first_limit=8)
        window.note_new_urls("h")
        window.note_new_urls("h")

        assert [host.name for host in window.take_low()] == ["h"]
        assert window.take_low() == []

    def test_a_host_runs_low_again_when_its_queue_shrinks_and_the_disk_has_more(self) -> None:
        window = HostWindow(first_limit=1000)
        window.note_new_urls("h")
        feed(window, [pending("h", str(i)) for i in range(200)], more=True)
        window.take_low()
        low = window.batch() // 4

        while window.pending > low:
            start_next(window)
        assert window.take_low() == []
        start_next(window)
        assert [host.name for host in window.take_low()] == ["h"]

    def test_a_host_does_not_run_low_while_it_is_being_filled(self) -> None:
        """Its queue was short only while it was being filled; to read on would hold twice as much."""
        window = HostWindow(first_limit=8)
        window.note_new_urls("h")
        feed(window, [pending("h", str(i)) for i in range(window.batch())], more=True)

        assert window.take_low() == []

    def test_a_host_that_was_read_to_its_end_does_not_run_low(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_all(window)

        assert window.take_low() == []

    def test_a_host_without_work_leaves_the_window(self) -> None:
        window = window_of(pending("h", "1"))
        start_next(window)
        answer(window, "h")
        assert list(window.queues) == ["h"]

        window.forget("h", "http://h/1")

        assert (window.queues, window.held, window.pending) == ({}, 0, 0)

    @pytest.mark.parametrize(("hosts", "batch"), [(1, MAX_BATCH), (100, MAX_URLS // 100), (9_999, MIN_BATCH)])
    def test_the_hosts_share_the_size_of_the_window(self, hosts: int, batch: int) -> None:
        window = HostWindow(first_limit=8, max_hosts=hosts)
        for number in range(hosts):
            window.note_new_urls(f"h{number}")

        assert window.batch() == batch

    def test_the_number_of_hosts_is_bounded(self) -> None:
        """The others wait on disk, and are told of by the answer."""
        window = HostWindow(first_limit=8, max_hosts=2)

        assert [window.note_new_urls(name) for name in ("a", "b", "c", "a")] == [True, True, False, True]
        assert not window.has_room_for_hosts()

    def test_the_window_has_room_again_when_half_of_its_hosts_have_left(self) -> None:
        """So that the disk is not asked for hosts each time a single one leaves."""
        window = HostWindow(first_limit=8, max_hosts=4)
        for name in "abcd":
            window.note_new_urls(name)
        rooms = []
        for host in window.take_low():
            window.refill(host, [], more=False)
            rooms.append(window.has_room_for_hosts())

        assert rooms == [False, False, True, True]

    def test_a_host_that_returned_stays_when_its_former_queue_is_refilled(self) -> None:
        """It grew while its queue was being read, so it was hungry when its last URL was settled;
        that page had links, so there are two of its name among the hungry."""
        window = HostWindow(first_limit=8)
        window.note_new_urls("h")
        [host] = window.take_low()
        window.note_new_urls("h")
        window.refill(host, [pending("h", "1")], more=False)
        start_next(window)
        answer(window, "h")
        window.forget("h", "http://h/1")
        window.note_new_urls("h")

        feed(window, [pending("h", "2")])

        assert start_next(window) == "http://h/2"
        answer(window, "h")

    def test_a_host_that_returned_during_a_read_stays_when_the_read_ends(self) -> None:
        """It left, and came back, while the disk was asked on its behalf."""
        window = window_of(pending("h", "1"))
        window.note_new_urls("h")
        [host] = window.take_low()
        window.note_new_urls("h")
        window.refill(host, [], more=False)
        [again] = window.take_low()
        start_next(window)
        answer(window, "h")
        window.forget("h", "http://h/1")
        window.note_new_urls("h")

        window.refill(again, [pending("h", "2")], more=False)

        assert start_next(window) == "http://h/2"
        answer(window, "h")

    def test_the_reprs_of_window_and_host_show_their_state(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window)

        assert repr(window) == "<HostWindow hosts=1 pending=1 held=2>"
        assert repr(window.queues["h"]) == "<HostQueue h READY urls=1 active=1 held=2>"


class TestKinds:
    def test_a_page_and_a_sitemap_of_one_url_are_two_things(self) -> None:
        page = pending("h", "sitemap.xml")
        sitemap = replace(page, kind="sitemap")
        window = window_of(page, sitemap)
        assert window.held == 2

        window.forget("h", page.url, "sitemap")

        assert window.held == 1
        window.add([page, sitemap])
        assert window.held == 2


class TestIsolated:
    """What may have killed an earlier run comes after everything else, one URL at a time."""

    def test_an_isolated_url_waits_until_it_is_released(self) -> None:
        window = HostWindow(first_limit=8)
        window.isolate(["http://h/2", "http://h/3"])
        window.note_new_urls("h")
        feed(window, [pending("h", str(i)) for i in range(5)])

        assert [first[-1] for first in start_all(window)] == ["0", "1", "4"]
        assert window.isolated == 2
        released = []
        while window.release_isolated():
            released += start_all(window)
        assert sorted(released) == ["http://h/2", "http://h/3"]

    def test_an_isolated_url_that_was_read_twice_is_released_once(self) -> None:
        window = HostWindow(first_limit=8)
        window.isolate(["http://h/2"])
        window.add([pending("h", "2")])
        window.add([pending("h", "2")])

        assert [window.release_isolated(), window.release_isolated()] == [True, False]
        window.add([pending("h", "2")])
        assert start_all(window) == ["http://h/2"]

    def test_an_isolated_url_counts_as_held_and_not_as_pending(self) -> None:
        """Else a host would look as if it had more on disk for ever."""
        window = HostWindow(first_limit=8)
        window.isolate(["http://h/2"])
        window.add([pending("h", "1"), pending("h", "2")])

        assert (window.held, window.pending) == (2, 1)
