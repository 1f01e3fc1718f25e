"""Rules at work: what they take from a document, and what a document can do to them."""

from __future__ import annotations

from typing import Any

from selectolax.lexbor import LexborHTMLParser

from penstock.crawler.config.select_rules import check_rules
from penstock.crawler.extraction import ExtractionError
from penstock.stages.extractors.fields.collector import (
    MAX_CHARS,
    MAX_ERRORS,
    MAX_TEXT,
    MAX_VALUES,
    Collector,
)
from penstock.stages.extractors.fields.select import Selection

URL = "http://shop.example/item/1"


def taken(html: str, *items: object, url: str = URL) -> Collector:
    collector = Collector()
    Selection(check_rules("--select", items)).take(LexborHTMLParser(html), url, collector)
    return collector


def values(html: str, *items: object, url: str = URL) -> list[tuple[str, object]]:
    return [(value.name, value.value) for value in taken(html, *items, url=url).values]


def table(**keys: Any) -> dict[str, Any]:
    return {"name": "x", "css": "p", **keys}


class TestText:
    def test_an_elements_text_is_collapsed(self) -> None:
        assert values("<p> a <b>b</b>\n c ", "x=p") == [("x", "a b c")]

    def test_the_first_element_counts_or_all_of_them(self) -> None:
        assert values("<p>a<p>b", "x=p") == [("x", "a")]
        assert values("<p>a<p>b", "x[]=p") == [("x", "a"), ("x", "b")]

    def test_an_element_that_matches_twice_is_taken_once(self) -> None:
        assert values("<p class=a>x<p>y", "x[]=.a, p") == [("x", "x"), ("x", "y")]

    def test_an_attribute_is_taken_whatever_its_case(self) -> None:
        assert values("<img SRC=' /a.png '>", "x=img@Src") == [("x", "/a.png")]

    def test_where_nothing_matches_there_is_no_row_and_nothing_to_report(self) -> None:
        collector = taken("<p>a", "x=div", table(css="div", type="int"))

        assert (collector.values, collector.errors) == ([], [])


class TestFallback:
    def test_the_first_selector_that_yields_anything_counts(self) -> None:
        ways = {"name": "x", "css": ["meta@content", "b", "p"]}

        assert values("<p>c<b>a</b>", ways) == [("x", "a")]
        assert values("<p>c", ways) == [("x", "c")]

    def test_an_empty_element_or_a_missing_attribute_yields_nothing(self) -> None:
        ways = {"name": "x", "css": ["meta@content", "b", "p"]}

        assert values("<meta name=price><b> </b><p>c", ways) == [("x", "c")]

    def test_what_cannot_be_read_leads_on_too_and_is_reported_if_nothing_can(self) -> None:
        ways = {"name": "x", "css": ["b", "p"], "type": "float"}

        assert values("<b>sold out</b><p>3.50", ways) == [("x", 3.5)]
        assert taken("<b>sold out</b><p>soon", ways).errors == [ExtractionError("x", "no number: 'sold out'")]


class TestRegex:
    def test_its_first_group_counts_or_all_of_it(self) -> None:
        assert values("<p>SKU: 12-b", table(regex=r"SKU: (\S+)")) == [("x", "12-b")]
        assert values("<p>SKU: 12-b", table(regex=r"\d+")) == [("x", "12")]

    def test_where_it_is_not_found_there_is_no_value(self) -> None:
        assert values("<p>a<p>b7", table(regex=r"\d")) == [("x", "7")]

    def test_no_text_of_a_page_makes_it_slow(self) -> None:
        """Python's own `re` would take years over this one."""
        assert values("<p>" + "a" * 5_000 + "b", table(regex="(a|aa)+$")) == []

    def test_texts_in_any_script_are_searched(self) -> None:
        assert values("<p>Größe: XL €", table(regex="Größe: (..) €")) == [("x", "XL")]

    def test_of_a_truth_it_is_the_question(self) -> None:
        rule = table(css="link", attr="href", regex="InStock", type="bool")

        assert values("<link href=https://schema.org/InStock>", rule) == [("x", True)]
        assert values("<link href=https://schema.org/SoldOut>", rule) == [("x", False)]


class TestPages:
    def test_a_rule_can_be_for_some_urls_only(self) -> None:
        rule = table(url=r"/item/\d+$")

        assert values("<p>a", rule, url=URL) == [("x", "a")]
        assert values("<p>a", rule, url="http://shop.example/about") == []


class TestBounds:
    def test_a_page_cannot_yield_values_without_end(self) -> None:
        collector = taken("<p>a" * (MAX_VALUES + 5), "x[]=p")

        assert len(collector.values) == MAX_VALUES
        assert "too much" in collector.errors[0].error

    def test_elements_that_enclose_one_another_cannot_multiply_their_text(self) -> None:
        html = "<div>" * 200 + "x" * 50_000

        assert taken(html, "x[]=div").chars <= MAX_CHARS + MAX_TEXT

    def test_a_long_text_is_cut(self) -> None:
        assert len(str(taken("<p>" + "x" * (MAX_TEXT + 5), "x=p").values[0].value)) == MAX_TEXT

    def test_only_the_first_mishaps_of_a_page_are_kept(self) -> None:
        many = [{"name": f"x{n}", "css": "p", "type": "int"} for n in range(MAX_ERRORS + 5)]

        assert len(taken("<p>none", *many).errors) == MAX_ERRORS
