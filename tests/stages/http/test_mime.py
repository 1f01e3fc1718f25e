"""Content-Type: what a page is, and which charset label came with it."""

from __future__ import annotations

import pytest

from penstock.stages.extractors.text.charset import lookup
from penstock.stages.http.mime import MAX_CHARS, UNKNOWN, Mime, extract_mime, is_html, parse_mime
from tests.support.conformance import Compared, disagreements, read_cases


class TestEssence:
    @pytest.mark.parametrize(
        ("header", "essence"),
        [
            ("text/html", "text/html"),
            ("TEXT/HTML", "text/html"),
            (" text/html \t", "text/html"),
            ("text/html ;charset=utf-8", "text/html"),
            ("application/xhtml+xml", "application/xhtml+xml"),
        ],
    )
    def test_the_essence_is_lower_case_and_without_parameters(self, header: str, essence: str) -> None:
        assert parse_mime(header).essence == essence

    @pytest.mark.parametrize("header", ["", " ", "html", "text/", "/html", "text /html", "text/ html"])
    def test_a_malformed_content_type_is_no_type(self, header: str) -> None:
        assert parse_mime(header) == extract_mime([header]) == UNKNOWN

    def test_of_an_overlong_content_type_the_beginning_is_read(self) -> None:
        assert extract_mime(["text/html;" + "a=b;" * MAX_CHARS]).essence == "text/html"
        assert extract_mime(["x" * MAX_CHARS + ", text/html"]) == UNKNOWN

    def test_html_and_xhtml_are_html(self) -> None:
        types = ["text/html", "application/xhtml+xml", "application/xml", "text/plain", None]

        assert [is_html(essence) for essence in types] == [True, True, False, False, False]


class TestCharset:
    @pytest.mark.parametrize(
        ("header", "charset"),
        [
            ("text/html", None),
            ("text/html;", None),
            ("text/html;charset=GBK", "GBK"),
            ("text/html; Charset = utf-8", None),  # "Charset " is another name
            ('text/html; charset="utf-8"', "utf-8"),
            ('text/html; charset="utf\\-8" junk; charset=gbk', "utf-8"),
            ("text/html;charset=;charset=gbk", "gbk"),
            ("text/html;charset;charset=gbk", "gbk"),
            ("text/html;charset=gbk;charset=utf-8", "gbk"),
            ('text/html;x=";charset=gbk";charset=utf-8', "utf-8"),
            ('text/html;charset="utf-8', "utf-8"),
            ('text/html;charset="utf-8\\', "utf-8\\"),
        ],
    )
    def test_the_first_well_formed_charset_is_taken_as_sent(self, header: str, charset: str | None) -> None:
        assert parse_mime(header) == Mime("text/html", charset)


class TestSeveralValues:
    """Fetch standard, "extract a MIME type". A server and its proxy may each add one."""

    @pytest.mark.parametrize(
        ("lines", "essence", "charset"),
        [
            ([], None, None),
            (["", "text/plain"], "text/plain", None),
            (["text/plain", ""], "text/plain", None),
            (["text/html", "text/plain"], "text/plain", None),
            (["text/plain;charset=gbk", "text/html"], "text/html", None),
            (["text/plain;charset=gbk", "text/html;charset=windows-1254"], "text/html", "windows-1254"),
            (["text/plain;charset=gbk", "text/plain"], "text/plain", "gbk"),
            (["text/plain;charset=gbk", "text/plain;charset=windows-1252"], "text/plain", "windows-1252"),
            (["text/html;charset=gbk", 'text/html;x=",text/plain'], "text/html", "gbk"),
            (["text/html;charset=gbk", "text/plain", "text/html"], "text/html", None),
            (["text/plain", "*/*"], "text/plain", None),
            (["text/html", "*/*"], "text/html", None),
            (["*/*", "text/html"], "text/html", None),
            (["text/plain", "*/*;charset=gbk"], "text/plain", None),
            (["text/html", "*/*;charset=gbk"], "text/html", None),
            (['text/html;x="', "text/plain"], "text/html", None),
            (['text/html;"', "text/plain"], "text/html", None),
            # Of our own: malformed values, and spellings of several at once.
            (["html", "text/html"], "text/html", None),
            (["text/html", "html"], "text/html", None),
            (["text/html; charset=utf-8, html"], "text/html", "utf-8"),
            (["TEXT/HTML;charset=a", "text/html"], "text/html", "a"),
            (["text/html;charset=utf-8", "text/html;charset=utf-8"], "text/html", "utf-8"),
            (['text/html;x="a\\",b", text/plain'], "text/plain", None),
            ([",,text/html,,"], "text/html", None),
            (["*/*"], None, None),
            (["unknown/unknown"], None, None),
            (["application/unknown;charset=utf-8"], None, None),
            (["text/html", "application/unknown"], None, None),
        ],
    )
    def test_the_last_value_that_can_be_parsed_names_the_type(
        self, lines: list[str], essence: str | None, charset: str | None
    ) -> None:
        """Several lines are one list, so a comma inside a line means the same."""
        assert extract_mime(lines) == Mime(essence, charset)
        assert extract_mime([", ".join(lines)]) == Mime(essence, charset)


class TestConformance:
    @pytest.mark.parametrize("name", ["wpt_mime-types.json", "wpt_generated-mime-types.json"])
    def test_web_platform_tests_agree_on_the_essence(self, name: str) -> None:
        cases = read_cases(f"charset/{name}")

        compared = [
            Compared(
                case["input"],
                parse_mime(case["input"]).essence,
                case["output"].partition(";")[0] if case["output"] is not None else None,
            )
            for case in cases
        ]

        assert disagreements(compared, {}) == []

    def test_web_platform_tests_agree_on_the_charset(self) -> None:
        compared = []
        for case in read_cases("charset/wpt_mime-types.json"):
            label = parse_mime(case["input"]).charset
            theirs = (case.get("encoding") or "").lower() or None
            compared.append(Compared(case["input"], lookup(label) if label else None, theirs))

        assert disagreements(compared, {}) == []
