"""Values: what people write on pages, read as numbers, dates and truths."""

from __future__ import annotations

import pytest

from penstock.crawler.config.values import UnreadableValue, parse_value


class TestNumbers:
    """`test_numbers` has the table."""

    @pytest.mark.parametrize("text", ["", "sold out", "1.2.3", "1..2", "12,34,5", "9" * 50])
    def test_a_text_without_a_number_cannot_be_parsed_as_one(self, text: str) -> None:
        with pytest.raises(UnreadableValue):
            parse_value(text, "float")

    def test_a_whole_number_has_nothing_behind_its_point(self) -> None:
        assert parse_value("1,299.00", "int") == 1299
        with pytest.raises(UnreadableValue, match="no whole number"):
            parse_value("3.5", "int")

    def test_a_whole_number_has_no_decimals_so_that_its_sign_groups_thousands(self) -> None:
        assert parse_value("1,299", "int") == 1299
        assert parse_value("1.299", "int") == 1299
        with pytest.raises(UnreadableValue, match="ambiguous number"):
            parse_value("1.299", "float")

    @pytest.mark.parametrize(("text", "type"), [("1e999", "float"), ("1e999", "int"), ("1e-3", "int")])
    def test_an_exponent_beyond_the_type_is_no_value(self, text: str, type: str) -> None:
        with pytest.raises(UnreadableValue):
            parse_value(text, type)

    def test_more_than_64_bits_are_no_whole_number(self) -> None:
        with pytest.raises(UnreadableValue):
            parse_value(str(2**63), "int")


class TestDates:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("2026-11-21", "2026-11-21"),
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00+02:00", "2026-11-21T08:00:00Z"),
            ("2026-11-21 10:30", "2026-11-21T10:30:00"),
            ("Sat, 21 Nov 2026 10:00:00 GMT", "2026-11-21T10:00:00Z"),
            ("21 November 2026", "2026-11-21"),
            ("Nov 3, 2026", "2026-11-03"),
        ],
    )
    def test_a_date_becomes_iso_8601_and_a_moment_utc(self, text: str, value: str) -> None:
        assert parse_value(text, "date") == value

    @pytest.mark.parametrize(
        "text",
        [
            "21 Nov 2026 10:00:00 CET",
            "21 Nov 2026 10:00 PM",
            "May 5, 2026 10:00 p.m.",
            "3 Apr 26 10:00:00 GMT",
            "21 Nov 26 10:00",
        ],
    )
    def test_a_zone_or_a_century_that_the_text_leaves_open_is_not_guessed(self, text: str) -> None:
        with pytest.raises(UnreadableValue, match="no date"):
            parse_value(text, "date")

    @pytest.mark.parametrize("text", ["03/04/2026", "soon", "0001-01-01T00:00:00+14:00", "2026-13-01"])
    def test_what_could_be_two_dates_is_none(self, text: str) -> None:
        with pytest.raises(UnreadableValue, match="no date"):
            parse_value(text, "date")

    def test_a_format_says_which_is_the_day(self) -> None:
        assert parse_value("03/04/2026", "date", format="%d/%m/%Y") == "2026-04-03"


class TestTruths:
    @pytest.mark.parametrize(("text", "value"), [("Yes", True), ("true", True), ("0", False), ("off", False)])
    def test_words_for_true_and_false(self, text: str, value: bool) -> None:
        assert parse_value(text, "bool") is value

    def test_any_other_word_is_no_value(self) -> None:
        with pytest.raises(UnreadableValue, match="neither true nor false"):
            parse_value("maybe", "bool")


def test_an_error_quotes_a_long_text_in_short() -> None:
    with pytest.raises(UnreadableValue) as caught:
        parse_value("x" * 100_000, "float")

    assert len(str(caught.value)) < 120
