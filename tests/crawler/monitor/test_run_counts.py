"""RunCounts: what a run has done, our own bugs included, wherever they were met."""

from __future__ import annotations

import pytest

from penstock.crawler.messages import Dead, RobotsAnswer, RobotsTask, Verdict
from penstock.crawler.monitor.run_counts import RunCounts
from tests.support.fakes import task

ROBOTS = RobotsTask(origin="http://h", host="h")


class TestInternalFailures:
    @pytest.mark.parametrize(
        ("verdict", "counted"),
        [
            (Dead(task=task(), reason="internal:KeyError"), 1),
            (Dead(task=task(), reason="timeout"), 0),
            (Dead(task=task(kind="sitemap"), reason="internal:KeyError"), 1),
            (Dead(task=task(kind="sitemap"), reason="http_404"), 0),
            (RobotsAnswer(task=ROBOTS, fetched_at=0.0, error="internal:KeyError"), 1),
            (RobotsAnswer(task=ROBOTS, fetched_at=0.0, error="timeout"), 0),
            (RobotsAnswer(task=ROBOTS, fetched_at=0.0, status=200), 0),
        ],
        ids=str,
    )
    def test_internal_failures_count_on_every_kind_of_task(self, verdict: Verdict, counted: int) -> None:
        """Otherwise a run would end with exit code 0 though no page of a host could be requested."""
        counts = RunCounts()

        counts.count_verdict(verdict)

        assert counts.internal == counted
