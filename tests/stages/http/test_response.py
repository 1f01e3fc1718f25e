"""Single header fields: read as the RFC has them, and None where they cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.stages.http.response import content_length, parse_retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC).timestamp()


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            ("120", 120),
            (" 5 ", 5),
            ("9" * 400, 999_999_999_999_999),
            ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
            ("Friday, 20-Nov-26 12:00:30 GMT", 30),
            ("Fri Nov 20 12:00:30 2026", 30),
            ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ],
    )
    def test_retry_after_is_a_number_of_seconds_or_a_date(self, value: str, seconds: float) -> None:
        """RFC 9110 section 10.2.3; all three forms of a date, and never a negative wait."""
        assert parse_retry_after(value, NOW) == seconds

    @pytest.mark.parametrize("value", [None, "", "soon", "1.5", "-1", "+1", "1s", "１２", "99 Nov 2026"])
    def test_a_retry_after_that_cannot_be_read_is_none(self, value: str | None) -> None:
        """The site's mistake must not cost us the page."""
        assert parse_retry_after(value, NOW) is None

    @settings(deadline=None, max_examples=100)
    @given(
        st.one_of(
            st.text(max_size=40),
            st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,6} [\d:]{0,9} \S{0,6}"),
        )
    )
    def test_nothing_a_server_sends_raises(self, value: str) -> None:
        seconds = parse_retry_after(value, NOW)

        assert seconds is None or seconds >= 0


class TestContentLength:
    @pytest.mark.parametrize(
        ("headers", "size"),
        [
            ({"Content-Length": "12"}, 12),
            ({"Content-Length": " 12 "}, 12),
            ({}, None),
            ({"Content-Length": "twelve"}, None),
            ({"Content-Length": "-1"}, None),
            ({"Content-Length": "9" * 16}, None),
            ({"Content-Length": "12", "Content-Encoding": "gzip"}, None),
        ],
    )
    def test_content_length_counts_only_for_a_body_without_coding(
        self, headers: dict[str, str], size: int | None
    ) -> None:
        assert content_length(headers) == size
