"""Rules at work: what they take from a document, and what a document can do to them."""

from __future__ import annotations

from typing import Any

import pytest
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

    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("<p>12<br>kg", "12 kg"),
            ("<div class=x><p>a</p>b<div>c</div><ul><li>d<li>e</ul></div>", "a b c d e"),
            ("<table class=x><tr><td>1<td>2</table>", "1 2"),
            ("<p>a<script>var b</script><style>p{}</style><template>c</template>d", "ad"),
            ("<p>$<!-- -->1<!-- -->2", "$12"),
            ("<p><b>P</b>rice", "Price"),
        ],
    )
    def test_blocks_and_line_breaks_part_words_and_scripts_are_no_text(self, html: str, text: str) -> None:
        assert values(html, "x=.x, p") == [("x", text)]

    def test_elements_that_enclose_one_another_cannot_be_walked_without_end(self) -> None:
        """The square of their number; the parser's own bound on depth does not hold in a child process."""
        collector = taken("<div><b>1</b>" * 2_000, "x[]=div")

        assert "too much" in collector.errors[0].error


class TestNumbers:
    """What the structure of an element says about the number in it."""

    def read(self, html: str, **keys: Any) -> object:
        collector = taken(html, table(type="float", **keys))
        return collector.values[0].value if collector.values else collector.errors[0].error

    @pytest.mark.parametrize(
        ("html", "value"),
        [
            ("<p><del>$20.00</del> <ins>$15.00</ins>", 15.0),
            ("<p><s>20 €</s>", 20.0),
            ("<p><span>12</span><span>.</span><sup>99</sup>", 12.99),
            ("<p><span>$</span>1,299.00", 1299.0),
            ("<p>-<span>$</span>5.00", -5.0),
            ("<p>$<!-- -->1<!-- -->2", 12.0),
            ("<p><b>EUR</b>\n 12,50", 12.5),
            ("<p>12,50<br>EUR", 12.5),
            ("<p>5 <script>99</script>", 5.0),
        ],
    )
    def test_a_number_may_be_spread_over_elements(self, html: str, value: float) -> None:
        assert self.read(html) == value

    @pytest.mark.parametrize(
        ("html", "problem"),
        [
            ("<p>$12<sup>99</sup>", "digits of several elements run together: '$12|99'"),
            ("<p>10<br>20", "several numbers: '10 20'"),
            ("<p>1<br>299", "several numbers: '1 299'"),
            ("<p><i>1</i> <i>299</i>", "several numbers"),
            ("<p>1\n299", "several numbers"),
        ],
    )
    def test_two_numbers_side_by_side_are_not_one(self, html: str, problem: str) -> None:
        assert str(self.read(html)).startswith(problem)

    def test_an_ambiguous_number_is_read_as_the_rule_says(self) -> None:
        assert str(self.read("<p>1.299 €")).startswith("ambiguous number '1.299'")
        assert self.read("<p>1.299 €", decimal=",") == 1299.0
        assert self.read("<p>1.299 €", decimal=".") == 1.299

    def test_or_as_the_language_of_the_page_says_if_the_rule_asks_for_it(self) -> None:
        def read(language: str | None) -> Collector:
            collector = Collector()
            selection = Selection(check_rules("--select", [table(type="float", decimal="lang")]))
            selection.take(LexborHTMLParser("<p>1.299"), URL, collector, language=language)
            return collector

        assert [value.value for value in read("de-DE").values] == [1299.0]
        assert [value.value for value in read("en").values] == [1.299]
        assert "ambiguous number" in read("es").errors[0].error
        assert "ambiguous number" in read(None).errors[0].error


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
