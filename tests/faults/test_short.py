"""The short form of the fault suite, for whoever runs everything with `pytest -m slow`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.crawls import ROOT

PATIENCE = 900  # seconds; it takes under 240 on two cores that have nothing else to do


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + 60)
def test_no_fault_costs_a_crawl_anything() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--short"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
