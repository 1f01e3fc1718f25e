"""Messages: frozen facts, and nothing that a search for circles would have to find and cannot."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from penstock.crawler.messages import Fetched, Hold, Link, Links, Message, ParsedPage
from tests.support.fakes import answer, task, url


class Remembering:
    """A hold that leads back to what it stands for, as one does for which somebody waits."""

    def __init__(self) -> None:
        self.message: Message | None = None

    def release(self) -> None: ...


def fetched(hold: Hold) -> Message:
    return Fetched(task=task(), answer=answer(), hold=hold)


def parsed(hold: Hold) -> Message:
    return ParsedPage(task=task(), answer=answer(), holds=[hold])


@pytest.mark.parametrize("make", [fetched, parsed])
def test_a_reference_cycle_through_a_hold_is_collected(make: Callable[[Hold], Message]) -> None:
    """Else a body would stay in memory for good."""
    hold = Remembering()
    hold.message = make(hold)
    trace = weakref.ref(hold)

    del hold
    gc.collect()

    assert trace() is None


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        task().depth = 1  # type: ignore[misc]


LINKS = [
    Link(url("http://h/a"), "A", "", True),
    Link(url("http://h/b"), "", "me", True),
    Link(url("http://h/c"), "C", "nofollow", False),
    Link(url("http://h/d"), "", "", False),
    Link(url("http://h/e"), "E", "next", True),
]


class TestLinks:
    @pytest.mark.parametrize("count", range(len(LINKS) + 1))
    def test_columns_give_back_the_links_they_were_built_from(self, count: int) -> None:
        links = Links.of(LINKS[:count])

        assert (list(links), len(links)) == (LINKS[:count], count)

    @pytest.mark.parametrize("begin", range(len(LINKS) + 1))
    @pytest.mark.parametrize("end", range(len(LINKS) + 2))
    def test_a_part_equals_the_slice_of_the_links(self, begin: int, end: int) -> None:
        assert list(Links.of(LINKS).part(begin, end)) == LINKS[begin:end]
