"""Messages: frozen facts, and nothing that a search for circles would have to find and cannot."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from crawler.messages import Fetched, Hold, Message, ParsedPage
from tests.fakes import answer, task


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
def test_a_circle_through_a_hold_is_found(make: Callable[[Hold], Message]) -> None:
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
