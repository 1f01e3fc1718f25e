"""X-Robots-Tag: each header line may name an agent, and a date is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.policies.robots_txt import forbids_following, rules_for


class TestRobotsTag:
    @pytest.mark.parametrize(
        ("lines", "rules"),
        [
            ("noindex, NoFollow", ["noindex", "nofollow"]),
            ("googlebot: noindex", []),
            ("googlebot: noindex, nofollow", []),
            ("googlebot: noindex\nnofollow", ["nofollow"]),
            ("penstock: noindex, nofollow", ["noindex", "nofollow"]),
            ("PENSTOCK : none", ["none"]),
            ("Penstock/2.0: none", ["none"]),
            ("*: none", ["none"]),
            ("penstocker: none", []),
            ("noarchive, googlebot: nofollow, nosnippet", ["noarchive"]),
            ("googlebot: noindex, penstock: nofollow, noarchive", ["nofollow", "noarchive"]),
            ("360spider: none", []),
            ("", []),
            (" , ,\n", []),
        ],
    )
    def test_a_name_binds_the_rest_of_its_line(self, lines: str, rules: list[str]) -> None:
        assert list(rules_for(lines, "Penstock")) == rules

    @pytest.mark.parametrize(
        "dated",
        [
            "unavailable_after: 25 Jun 2030 15:00:00 PST",
            "unavailable_after: Wednesday, 25-Jun-30 15:00:00 GMT",
            "unavailable_after: 2030-06-25T15:00:00",
            "max-snippet: 20",
            "max-image-preview: none",
        ],
    )
    def test_a_rule_with_a_value_is_not_an_agent(self, dated: str) -> None:
        """What stands behind it on its line still binds everybody."""
        assert forbids_following(f"{dated}, nofollow", "Penstock")
        assert not forbids_following(f"googlebot: {dated}, nofollow", "Penstock")
        assert not forbids_following(dated, "Penstock")

    def test_the_agent_is_named_by_the_product_token_of_robots_txt(self) -> None:
        assert forbids_following("mybot: nofollow", "MyBot")
        assert not forbids_following("penstock: nofollow", "MyBot")

    def test_no_header_forbids_nothing(self) -> None:
        assert not forbids_following(None, "Penstock")

    @given(st.text("ab:,\n */-1") | st.text())
    def test_no_text_raises(self, text: str) -> None:
        forbids_following(text, "Penstock")
