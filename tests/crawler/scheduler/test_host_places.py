"""The places that a host moves through: the table of moves, and walks over all of it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from penstock.crawler.policies.congestion import ConcurrencyState
from penstock.crawler.ports import Pending
from penstock.crawler.scheduler.host_window import HostQueue, HostWindow, Move, Place
from tests.support.host_windows import NOW, answer, feed, pending, start_all, start_next, window_of

MOVES = {
    (Place.IDLE, Move.LINE_UP): Place.READY,
    (Place.IDLE, Move.LEAVE): Place.LEFT,
    (Place.READY, Move.TAKE): Place.TAKEN,
    (Place.READY, Move.WAIT): Place.LATER,
    (Place.READY, Move.STALL): Place.IDLE,
    (Place.READY, Move.REST): Place.LEFT,
    (Place.LATER, Move.REST): Place.LEFT,
    (Place.LATER, Move.WAKE): Place.IDLE,
    (Place.TAKEN, Move.RELEASE): Place.IDLE,
    (Place.TAKEN, Move.BLOCK): Place.BLOCKED,
    (Place.BLOCKED, Move.UNBLOCK): Place.IDLE,
}


def place_of(host: HostQueue) -> Place:
    return host.place


def taken(window: HostWindow, now: float = NOW) -> HostQueue:
    host = window.take_ready(now)
    assert host is not None
    return host


class TestTable:
    @pytest.mark.parametrize("place", Place)
    @pytest.mark.parametrize("move", Move)
    def test_a_host_makes_these_moves_and_no_other(self, place: Place, move: Move) -> None:
        host = HostQueue("h")
        host.place = place

        if (place, move) in MOVES:
            host.move(move)
            assert host.place is MOVES[place, move]
        else:
            with pytest.raises(RuntimeError, match=f"<HostQueue h {place.name} .* cannot {move.name}"):
                host.move(move)
            assert host.place is place

    def test_every_place_is_entered_and_every_place_but_the_last_is_left(self) -> None:
        assert {Place.IDLE, *MOVES.values()} == set(Place)
        assert {place for place, _ in MOVES} == set(Place) - {Place.LEFT}


class TestPlaces:
    """What the window does to a host, place by place."""

    def test_a_host_without_urls_is_idle(self) -> None:
        window = HostWindow(first_limit=1)
        window.note_new_urls("h")

        assert place_of(window.queues["h"]) is Place.IDLE
        assert window.take_ready(NOW) is None

    def test_a_host_with_a_url_is_ready(self) -> None:
        assert window_of(pending("h")).queues["h"].place is Place.READY

    def test_a_host_whose_time_has_not_come_is_later(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"))
        start_next(window, next_start=NOW + 5)
        assert window.take_ready(NOW) is None

        assert place_of(window.queues["h"]) is Place.LATER
        assert taken(window, NOW + 5).place is Place.TAKEN

    def test_a_host_with_all_its_connections_in_use_is_idle(self) -> None:
        window = window_of(pending("h", "1"), pending("h", "2"), first_limit=1)
        start_next(window)
        assert place_of(window.queues["h"]) is Place.IDLE

        answer(window, "h")

        assert place_of(window.queues["h"]) is Place.READY

    def test_a_host_whose_limit_fell_while_it_was_ready_is_idle_at_its_turn(self) -> None:
        window = window_of(*(pending("h", str(number)) for number in range(4)), first_limit=4)
        start_next(window)
        start_next(window)
        host = window.queues["h"]
        assert place_of(host) is Place.READY
        host.concurrency = ConcurrencyState(limit=1)

        assert window.take_ready(NOW) is None
        assert place_of(host) is Place.IDLE

    def test_new_urls_do_not_line_up_a_host_that_is_taken(self) -> None:
        """Its caller is still deciding; another one would get the same first URL."""
        window = window_of(pending("h", "1"))
        host = taken(window)
        window.add([pending("h", "2")])

        assert window.take_ready(NOW) is None
        window.drop_first(host)
        assert start_all(window) == ["http://h/2"]

    def test_a_released_host_is_ready_again(self) -> None:
        window = window_of(pending("h", "1"))
        window.release(taken(window))

        assert start_all(window) == ["http://h/1"]

    def test_a_taken_host_cannot_be_released_twice(self) -> None:
        window = window_of(pending("h", "1"))
        host = taken(window)
        window.release(host)

        with pytest.raises(RuntimeError, match="cannot RELEASE"):
            window.release(host)

    def test_a_host_that_was_not_taken_cannot_be_blocked(self) -> None:
        window = window_of(pending("h", "1"))

        with pytest.raises(RuntimeError, match="cannot BLOCK"):
            window.block(window.queues["h"])

    def test_a_host_whose_budget_may_be_used_up_by_the_pages_in_flight_is_idle(self) -> None:
        """So it leaves at once when they are stored, from no queue and from no heap."""
        window = HostWindow(first_limit=2, max_pages=1)
        window.add([pending("h", "1"), pending("h", "2")])
        feed(window, [])
        host = window.queues["h"]
        start_next(window)
        answer(window, "h")
        assert place_of(host) is Place.IDLE

        window.record_pages(host, 1)
        window.forget("h", "http://h/1")

        assert (place_of(host), window.queues) == (Place.LEFT, {})

    def test_a_host_that_is_spent_when_it_is_taken_leaves_when_it_is_released(self) -> None:
        """A resumed crawl learns only then how many pages the host has. Were it to stay, a thousand
        such hosts would fill the window for ever."""
        window = HostWindow(first_limit=2, max_pages=1)
        window.add([pending("h", "1")])
        feed(window, [])
        host = taken(window)
        window.record_pages(host, 1)

        window.release(host)

        assert (place_of(host), window.queues, window.pending, window.held) == (Place.LEFT, {}, 0, 0)


class TestWalk:
    """Whatever happens in whatever order, each URL is started once and each host leaves."""

    @pytest.mark.parametrize("seed", range(20))
    def test_every_url_is_started_once_and_every_host_leaves(self, seed: int) -> None:
        lot = random.Random(seed)
        window = HostWindow(first_limit=2, max_hosts=6)
        unread = [pending(lot.choice("abcdef"), str(number), lot.randrange(3)) for number in range(120)]
        expected = Counter(str(found.url) for found in unread)
        on_disk: list[Pending] = []  # read once, and again if the host left the window to rest
        started: Counter[str] = Counter()
        open_pages: list[tuple[str, str]] = []  # (host, URL) of requests without an answer
        unsettled: list[tuple[str, str]] = []
        blocked: list[HostQueue] = []
        now = NOW

        def step() -> None:
            nonlocal now
            what = lot.randrange(6)
            if what == 0:
                on_disk.extend(unread.pop() for _ in range(min(len(unread), 9)))
                window.add(found for found in on_disk if str(found.url) not in started)
                feed(window, [])
            elif what == 1 and open_pages:
                name, url = open_pages.pop(lot.randrange(len(open_pages)))
                answer(window, name, pause_until=lot.choice([0.0, now + 3]))
                unsettled.append((name, url))
            elif what == 2 and unsettled:
                window.forget(*unsettled.pop(lot.randrange(len(unsettled))))
            elif what == 3 and blocked:
                known = blocked.pop()
                answer(window, known.name)
                window.unblock(known, pause_until=lot.choice([0.0, now + 2]))
            elif what == 4:
                now += lot.random()
            elif (host := window.take_ready(now)) is not None:
                url = str(host.first().url)
                match lot.randrange(5):
                    case 0:
                        window.release(host)
                    case 1:
                        window.block(host, next_start=now + 1)
                        blocked.append(host)
                    case _:
                        window.start(host, now=now, next_start=now + lot.choice([0.0, 1.5]))
                        started[url] += 1
                        open_pages.append((host.name, url))

        for _ in range(20_000):
            step()
            if len(started) == len(expected) and not window.queues:
                break

        assert started == expected
        assert (window.queues, window.pending, window.held, window.open_requests) == ({}, 0, 0, 0)

    def test_the_walks_cover_the_whole_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Else a row of it would be there without need."""
        seen = set()
        move = HostQueue.move

        def recorded(host: HostQueue, what: Move) -> None:
            seen.add((host.place, what))
            move(host, what)

        monkeypatch.setattr(HostQueue, "move", recorded)
        for seed in range(3):
            self.test_every_url_is_started_once_and_every_host_leaves(seed)
        TestPlaces().test_a_host_whose_limit_fell_while_it_was_ready_is_idle_at_its_turn()

        assert seen == set(MOVES)
