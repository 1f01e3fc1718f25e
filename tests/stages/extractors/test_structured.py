"""Structured data: what pages say of themselves for machines, and what hostile ones try with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from penstock.crawler.extraction import Item
from penstock.stages.extractors.fields.structured import (
    MAX_ITEM,
    MAX_ITEMS,
    MAX_PAGE,
    MAX_SOURCE,
    read_structured,
)

URL = "http://shop.example/item/1"


def items(html: str) -> list[Item]:
    return read_structured(LexborHTMLParser(html), URL)


def data(html: str, kind: str) -> list[Any]:
    return [json.loads(item.data or "null") for item in items(html) if item.kind == kind]


def script(text: str, type_: str = "application/ld+json") -> str:
    return f'<script type="{type_}">{text}</script>'


class TestJsonLd:
    def test_each_script_is_an_item_and_so_is_each_member_of_an_array(self) -> None:
        html = script('{"@type": "Product", "name": "Ünïcode"}') + script('[{"a": 1}, {"b": 2}]')

        assert data(html, "json-ld") == [{"@type": "Product", "name": "Ünïcode"}, {"a": 1}, {"b": 2}]

    @pytest.mark.parametrize("type_", ["Application/LD+JSON", " application/ld+json; charset=utf-8"])
    def test_the_type_is_read_as_a_mime_type(self, type_: str) -> None:
        assert data(script("{}", type_), "json-ld") == [{}]

    def test_other_scripts_are_none(self) -> None:
        assert items(script("{}", "application/json") + "<script>{}</script>") == []

    @pytest.mark.parametrize(
        ("text", "data", "repairs"),
        [
            ('{"a":"A"};', {"a": "A"}, "semicolon"),
            ('{"a":"A",}', {"a": "A"}, "trailing_comma"),
            ('{"a":[1,2,\n],\n}', {"a": [1, 2]}, "trailing_comma"),
            ('/* json */ {"a":"A"}', {"a": "A"}, "comment"),
            ('// product\n{"a":"A"}', {"a": "A"}, "comment"),
            ('{"a":1 // one\n}', {"a": 1}, "comment"),
            ('{"a":1, /* last */ }', {"a": 1}, "comment,trailing_comma"),
            ('{"a":"//x /* y */ <!-- z --> ,}",}', {"a": "//x /* y */ <!-- z --> ,}"}, "trailing_comma"),
            ('{"url":"http://h//p", // x\n"b":"a\\"//b"}', {"url": "http://h//p", "b": 'a"//b'}, "comment"),
            ("{&quot;a&quot;:&quot;B &amp;amp; C&quot;}", {"a": "B &amp; C"}, "entities"),
            ('{"a":"one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}, "control_character"),
            ('{"a":"one\ntwo",}', {"a": "one\ntwo"}, "trailing_comma,control_character"),
            ('\ufeff{"a":1}', {"a": 1}, "bom"),
            ('\n\ufeff {"a":1}', {"a": 1}, "bom"),
            ("<!-- {} -->", {}, "wrapper"),
            ("<!--\n{}\n//-->", {}, "wrapper,comment"),
            ("<!--\n{}", {}, "wrapper"),
            ("<!-- product -->\n{}", {}, "comment"),
            ("<![CDATA[{}]]>", {}, "wrapper"),
            ("//<![CDATA[\n{}\n//]]>", {}, "wrapper"),
            ("/*<![CDATA[*/{}/*]]>*/", {}, "comment"),
            ('{"price":NaN,"b":-Infinity}', {"price": None, "b": None}, "nan"),
            ('{"a":"it\\\'s"}', {"a": "it's"}, "escape"),
        ],
    )
    def test_what_sites_write_instead_of_json_is_read_and_marked(
        self, text: str, data: Any, repairs: str
    ) -> None:
        [item] = items(script(text))

        assert json.loads(item.data or "") == data
        assert item.error == f"repaired:{repairs}"

    @pytest.mark.parametrize(
        ("text", "repairs"),
        [
            ('{"a":1}{"a":2}', "several_values"),
            ('{"a":1},\n{"a":2}', "several_values"),
            ('{"a":1};{"a":2};', "semicolon,several_values"),
            ('[{"a":1}] {"a":2,}', "trailing_comma,several_values"),
        ],
    )
    def test_values_one_behind_another_are_items(self, text: str, repairs: str) -> None:
        assert items(script(text)) == [
            Item("json-ld", '{"a":1}', f"repaired:{repairs}"),
            Item("json-ld", '{"a":2}', f"repaired:{repairs}"),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            '{"a":"A &amp; B"}',
            '{"a":"http://h//p","b":"/* c */"}',
            '[{"a":"\\u00e9,]"}]',
            " {} ",
            '{"a":"&quot;"}',
        ],
    )
    def test_json_is_neither_changed_nor_marked(self, text: str) -> None:
        """A browser decodes no entities in a script, so they are the value."""
        [item] = items(script(text))

        value = json.loads(text)
        assert json.loads(item.data or "") == (value[0] if isinstance(value, list) else value)
        assert item.error is None

    @pytest.mark.parametrize("text", ["", " \n ", "// nothing", "/* {} */", ";"])
    def test_a_script_without_a_value_is_empty(self, text: str) -> None:
        assert items(script(text)) == [Item("json-ld", None, "empty")]

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "{'a': 1}",
            '{"a":1',
            '{"a":1}}',
            '{"a":1} text',
            "1 2",
            "1e999",
            "9" * 5000,
            "undefined",
            '{"a":"b',
        ],
    )
    def test_what_cannot_be_read_is_a_row_that_says_so(self, text: str) -> None:
        """A broken block is what a site's owner wants to hear of."""
        assert items(script(text)) == [Item("json-ld", None, "bad_json")]

    @pytest.mark.parametrize(
        "unit",
        [
            '"',
            '\\"',
            '"\\',
            "/*",
            "//",
            "<!--",
            ",",
            ", ",
            "[,",
            "/",
            "-->",
            "{}",
            ";",
            '","',
            "&quot;",
            '{"a":1},',
            "[",
        ],
    )
    def test_the_time_is_linear_in_the_length_whatever_a_script_holds(self, unit: str) -> None:
        """The square of 500,000 characters would be hours, and the test's time-out ends it."""
        found = items(script(unit * (MAX_SOURCE // len(unit))))

        assert all(item.error for item in found)

    def test_scripts_that_are_no_json_are_read_up_to_a_bound(self) -> None:
        found = items(script("{" + " " * 400_000 + "}") + script("{," + " " * 500_000) * 5 + script("{}"))

        assert [item.error for item in found] == [None, *["bad_json"] * 3, *["too_large"] * 3]

    @pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
    def test_json_without_bottom_is_too_deep_or_broken(self, deep: str) -> None:
        [item] = items(script(deep))

        assert item.error in ("too_deep", "bad_json")

    def test_what_sqlite_could_not_read_is_too_deep(self) -> None:
        assert items(script('{"a":' * 100 + "1" + "}" * 100)) == [Item("json-ld", None, "too_deep")]

    def test_sizes_are_bounded(self) -> None:
        large = json.dumps({"a": "x" * (MAX_ITEM - 100)})

        assert items(script(" " * MAX_SOURCE + "{}"))[0].error == "too_large"
        assert items(script(json.dumps("x" * (MAX_ITEM + 1))))[0].error == "too_large"
        found = items(script(large) * 50)
        assert sum(len(item.data or "") for item in found) <= MAX_PAGE
        assert found[-1] == Item("json-ld", None, "too_many")
        assert len(items(script("[" + "1," * 5000 + "1]"))) == MAX_ITEMS + 1


class TestCards:
    def test_all_properties_of_a_card_are_one_item(self) -> None:
        html = (
            '<meta property="og:title" content=" A  title "><meta property="og:image" content="/1.png">'
            '<meta property="og:image" content="/2.png"><meta property="article:author" content="Jo">'
            '<meta name="twitter:card" content="summary">'
        )

        assert data(html, "opengraph") == [
            {"og:title": "A title", "og:image": ["/1.png", "/2.png"], "article:author": "Jo"}
        ]
        assert data(html, "twitter") == [{"twitter:card": "summary"}]

    def test_either_attribute_is_taken_for_both(self) -> None:
        html = '<meta name="OG:title" content=a><meta property="twitter:site" content=b>'

        assert data(html, "opengraph") == [{"og:title": "a"}]
        assert data(html, "twitter") == [{"twitter:site": "b"}]


class TestMicrodata:
    """HTML standard, "microdata"; the first two are its own examples, shortened."""

    def test_properties_belong_to_the_nearest_item(self) -> None:
        html = """
            <div itemscope itemtype="https://schema.org/Product https://schema.org/Thing" itemid="../p/7">
             <span itemprop="name brand">Kettle</span>
             <div itemprop="offers" itemscope><meta itemprop="price" content="12.50"></div>
             <img itemprop="image" src="/k.png">
             <time itemprop="made" datetime="2026-01-02">last winter</time>
             <data itemprop="sku" value="77">number 77</data>
            </div>
            <p itemprop="name">nobody's</p>
        """

        assert data(html, "microdata") == [
            {
                "type": ["https://schema.org/Product", "https://schema.org/Thing"],
                "id": "http://shop.example/p/7",
                "properties": {
                    "name": ["Kettle"],
                    "brand": ["Kettle"],
                    "offers": [{"properties": {"price": ["12.50"]}}],
                    "image": ["http://shop.example/k.png"],
                    "made": ["2026-01-02"],
                    "sku": ["77"],
                },
            }
        ]

    def test_a_property_that_is_cut_is_marked(self) -> None:
        long, short = "x" * 10_001, "x" * 10_000
        found = items(f"<div itemscope><p itemprop=a>{long}</div><div itemscope><p itemprop=a>{short}</div>")

        assert [(len(item.data or ""), item.error) for item in found] == [
            (len(short) + len('{"properties":{"a":[""]}}'), "cut"),
            (len(short) + len('{"properties":{"a":[""]}}'), None),
        ]

    def test_itemref_takes_properties_from_elsewhere(self) -> None:
        html = """
            <div itemscope itemref="a b"></div>
            <p id=a>Name: <span itemprop=name>Amanda</span></p>
            <div id=b itemprop=band itemscope><p itemprop=name>Jazz Band</p></div>
        """

        assert data(html, "microdata") == [
            {"properties": {"name": ["Amanda"], "band": [{"properties": {"name": ["Jazz Band"]}}]}}
        ]

    def test_an_item_within_itself_ends_there(self) -> None:
        html = "<div itemscope itemref=x><div id=x itemprop=a itemscope itemref=x></div></div>"

        assert len(json.dumps(data(html, "microdata"))) < 200

    def test_items_that_refer_to_each_other_many_times_over_do_not_multiply(self) -> None:
        """Each of 30 items holds the next one twice: two to the power of thirty, if nobody counts."""
        html = "".join(
            f'<p id=a{n} itemprop=a itemscope itemref="a{n + 1} b{n + 1}"></p>'
            f'<p id=b{n} itemprop=b itemscope itemref="a{n + 1} b{n + 1}"></p>'
            for n in range(30)
        )

        assert len(items(f"<div itemscope itemref=a0>{html}</div>")) <= 2

    def test_items_in_items_without_end_are_bounded(self) -> None:
        html = "<div itemprop=a itemscope>" * 2_000

        assert all(item.error in (None, "too_deep") for item in items("<div itemscope>" + html))


def test_a_page_without_any_has_no_rows() -> None:
    assert items("<title>x</title><p>y") == []
