"""Placement: where a document is read. A decision on values, without processes and without an event loop."""

from __future__ import annotations

import pytest

from penstock.stages.parse import Placement

LIGHT = b"<p>"
HEAVY_BY_BYTES = b"x" * 101
HEAVY_BY_TAGS = b"<p>" * 6


class TestPlacement:
    placement = Placement(max_bytes=100, max_tags=5, shares_light=True, warm_up=10)

    @pytest.mark.parametrize("body", [HEAVY_BY_BYTES, HEAVY_BY_TAGS])
    @pytest.mark.parametrize("has_room", [True, False])
    def test_a_heavy_document_goes_to_a_parser_process_whether_one_is_free_or_not(
        self, body: bytes, has_room: bool
    ) -> None:
        assert self.placement.is_for_worker(body, count=1, has_room=has_room)

    @pytest.mark.parametrize(
        ("count", "has_room", "elsewhere"), [(9, True, False), (10, True, True), (10, False, False)]
    )
    def test_a_light_one_goes_to_a_free_parser_process_once_there_is_enough_work(
        self, count: int, has_room: bool, elsewhere: bool
    ) -> None:
        assert self.placement.is_for_worker(LIGHT, count=count, has_room=has_room) is elsewhere

    def test_without_sharing_a_light_one_is_read_in_this_process(self) -> None:
        placement = Placement(max_bytes=100, warm_up=10)

        assert not placement.is_for_worker(LIGHT, count=1_000, has_room=True)
        assert not placement.starts_workers(10)

    def test_parser_processes_are_started_ahead_at_one_document_only(self) -> None:
        assert [count for count in range(30) if self.placement.starts_workers(count)] == [10]
