"""What the writer keeps in memory is bounded, also in length."""

from __future__ import annotations

from storage.rows import TwoGenerations


class TestTwoGenerations:
    def test_what_is_bulky_is_kept_for_one_batch_only(self) -> None:
        """40,000 URLs of 2,000 characters would be 80 MiB, twice."""
        memory: TwoGenerations[str, int] = TwoGenerations(10)
        memory.young |= {"short": 1, "long": 2}

        memory.rotate(bulky=["long", "gone already"])

        assert (memory.get("short"), memory.get("long")) == (1, None)
