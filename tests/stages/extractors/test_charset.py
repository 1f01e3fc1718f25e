"""Charset: which encoding a page is in. The order is the HTML standard's."""

from __future__ import annotations

import base64
import json
import random

import pytest

from penstock.crawler.urls import resolve
from penstock.stages.extractors.text.charset import escape_query, lookup, prescan, sniff, to_utf8
from tests.support.conformance import Compared, disagreements, read_bytes, read_cases, read_html5lib

META = b'<!DOCTYPE html><meta charset="koi8-r">'


class TestOrder:
    def test_a_byte_order_mark_beats_the_header(self) -> None:
        assert sniff(b"\xef\xbb\xbf" + META, "gbk") == "utf-8"
        assert sniff(b"\xff\xfe<\0", "gbk") == "utf-16le"
        assert sniff(b"\xfe\xff\0<", "gbk") == "utf-16be"

    def test_the_header_beats_the_page(self) -> None:
        assert sniff(META, "gbk") == "gbk"

    @pytest.mark.parametrize(
        "label", [None, "", "klingon", "base64", "utf-7", "rot13", "utf-8\udcff", "\ud800"]
    )
    def test_a_header_that_names_no_encoding_is_passed_over(self, label: str | None) -> None:
        """`base64` is a codec to Python and nothing to the web."""
        assert sniff(META, label) == "koi8-r"

    def test_text_that_is_valid_utf_8_is_utf_8_though_nobody_says_so(self) -> None:
        assert sniff("<p>é".encode()) == "utf-8"

    def test_otherwise_it_is_windows_1252(self) -> None:
        assert sniff(b"<p>\xe9") == "windows-1252"
        assert sniff(b"<p>e") == "windows-1252"
        assert sniff(b"") == "windows-1252"

    def test_a_declaration_behind_the_first_1024_bytes_counts_when_there_is_no_other(self) -> None:
        """A browser that meets it while parsing starts again with what it says."""
        late = b"<!--" + b"x" * 2_000 + b"-->" + META

        assert prescan(late) is None
        assert sniff(late) == "koi8-r"
        assert sniff(late, "gbk") == "gbk"


class TestPrescan:
    @pytest.mark.parametrize(
        ("body", "found"),
        [
            (b'<meta charset="gbk">', "gbk"),
            (b"<META CHARSET=GBK>", "gbk"),
            (b"<meta/charset=gbk>", "gbk"),
            (b"<meta name=x charset = 'gbk' y>", "gbk"),
            (b"<meta charset=gbk charset=koi8-r>", "gbk"),  # the first of two attributes
            (b"<metadata charset=gbk>", None),
            (b"<p title='<meta charset=gbk>'>", None),
            (b"</p title='<meta charset=gbk>'>", None),
            (b"<!-- <meta charset=gbk> -->", None),
            (b"<!--><meta charset=gbk>", "gbk"),  # a whole comment
            (b"<? <meta charset=gbk>", None),
            (b"<meta charset=klingon><meta charset=gbk>", "gbk"),
            (b"<meta charset=gbk", None),  # the tag has no end
            (b"<meta http-equiv=content-type content='text/html; charset=gbk'>", "gbk"),
            (b"<meta content='text/html; charset=gbk' http-equiv=Content-Type>", "gbk"),
            (b"<meta content='text/html; charset=gbk'>", None),  # nothing says it is the type
            (b"<meta http-equiv=content-type content='charset charset = \"gbk\" x'>", "gbk"),
            (b"<meta http-equiv=content-type content='charset=\"gbk'>", None),
            (b"<meta charset=utf-16>", "utf-8"),  # its ASCII could be read
            (b"<meta charset=x-user-defined>", "windows-1252"),
            (b"<?xml version='1.0' encoding='gbk'?><html>", "gbk"),
            (b"<?xml version='1.0' encoding='gbk'?><meta charset=koi8-r>", "koi8-r"),
            (b"<\0?\0x\0m\0l\0", "utf-16le"),
            (b"\0<\0?\0x\0m\0l", "utf-16be"),
        ],
    )
    def test_it_reads_tags_as_the_standard_does(self, body: bytes, found: str | None) -> None:
        assert prescan(body) == found

    def test_it_looks_at_1024_bytes(self) -> None:
        tag = b"<meta charset=gbk>"

        assert prescan(b" " * (1024 - len(tag)) + tag + b" ") == "gbk"
        assert prescan(b" " * (1025 - len(tag)) + tag + b" ") is None

    def test_what_one_page_said_holds_for_those_alone_that_begin_with_the_same_bytes(self) -> None:
        """The latest declaration is remembered together with all that stood before it."""
        begun = b"<!doctype html><meta name=a><meta charset=gbk>"

        assert prescan(begun + b"<title>1</title>") == "gbk"
        assert prescan(begun + b"<title>2</title><meta charset=utf-8>") == "gbk"
        assert prescan(begun[:-1] + b"x>") is None
        assert prescan(b"<!--" + begun) is None
        assert prescan(begun.replace(b"gbk", b"big5")) == "big5"
        assert prescan(begun) == "gbk"

    def test_it_survives_whatever_it_is_given(self) -> None:
        """Random strings of the pieces that mean something to it."""
        pieces = [
            b"<",
            b">",
            b"meta",
            b"charset",
            b"=",
            b'"',
            b"'",
            b"/",
            b" ",
            b"<!--",
            b"-->",
            b"<?xml",
            b"x",
        ]
        chance = random.Random(1)

        for _ in range(5_000):
            prescan(b"".join(chance.choices(pieces, k=20)))


class TestTranscoding:
    def test_utf_8_is_handed_on_as_it_is_but_for_its_mark(self) -> None:
        body = b"<p>\xff"

        assert to_utf8(body, "utf-8") is body
        assert to_utf8(b"\xef\xbb\xbf<p>", "utf-8") == b"<p>"

    def test_a_mark_of_another_encoding_is_text(self) -> None:
        assert to_utf8(b"\xef\xbb\xbf", "windows-1252") == "ï»¿".encode()

    def test_what_cannot_be_read_is_replaced(self) -> None:
        assert to_utf8(b"\xff\xfea\0\0\xd8b\0", "utf-16le").decode() == "a\N{REPLACEMENT CHARACTER}b"
        assert to_utf8(b"a\xff", "euc-jp").decode() == "a\N{REPLACEMENT CHARACTER}"

    def test_gbk_is_read_with_the_larger_table_of_gb18030(self) -> None:
        assert to_utf8("㐀".encode("gb18030"), "gbk").decode() == "㐀"

    def test_every_encoding_of_the_web_can_be_read(self) -> None:
        names = {lookup(label) for label in json.loads(read_bytes("charset/whatwg_labels.json"))["labels"]}

        for name in names - {None, "utf-8"}:
            to_utf8(bytes(range(256)) * 2 + b"\xff", str(name)).decode()

    def test_a_query_is_sent_in_the_encoding_of_its_page(self) -> None:
        """The link ?q=é on a windows-1252 page asks for ?q=%E9."""
        assert escape_query("é?q=é&x=1", "windows-1252") == "é?q=%E9&x=1"
        assert escape_query("?q=é", "utf-8") == "?q=é"  # the URL parser's own business
        assert escape_query("é", "windows-1252") == "é"  # paths are UTF-8 everywhere
        assert escape_query("?a=1&b=†;", "iso-8859-2") == "?a=1&b=%26%238224%3B;"
        assert escape_query("?é \n", "windows-1252") == "?%E9"


class TestConformance:
    @pytest.mark.parametrize("name", ["html5lib_tests1.dat", "html5lib_tests2.dat", "html5lib_yahoo_jp.dat"])
    def test_html5lib_agrees(self, name: str) -> None:
        compared = [
            Compared(f"{number}: {body[:60]!r}", sniff(body), lookup(label))
            for number, (body, label) in enumerate(read_html5lib(f"charset/{name}"))
        ]

        assert disagreements(compared, {}) == []

    @pytest.mark.parametrize("header", [None, "windows-1251"])
    def test_jsdom_agrees(self, header: str | None) -> None:
        key = "expected_no_header" if header is None else f"expected_with_header_{header}"
        compared = [
            Compared(case["name"], sniff(base64.b64decode(case["body_base64"]), header), case[key].lower())
            for case in read_cases("charset/jsdom_sniffer.json")
        ]

        assert disagreements(compared, {}) == []

    def test_the_label_table_is_the_standards(self) -> None:
        labels = json.loads(read_bytes("charset/whatwg_labels.json"))["labels"]

        compared = [Compared(label, lookup(f" {label.upper()}\n"), name) for label, name in labels.items()]

        assert disagreements(compared, {}) == []

    def test_web_platform_tests_agree_on_queries(self) -> None:
        compared = []
        for case in read_cases("url/wpt_percent-encoding.json"):
            for encoding, expected in case["output"].items():
                url = resolve("http://a/", "?" + escape_query("?" + case["input"], encoding)[1:])
                ours = url and url.removeprefix("http://a/?")
                compared.append(Compared(f"{case['input']!a} in {encoding}", ours, expected))

        deviations = {
            r"'\x0eA' in iso-2022-jp": "the standard refuses shift characters; Python's encoder lets them by",
            r"'\ue5e5' in gb18030": "a private character that only Python's older table maps",
        }
        assert disagreements(compared, deviations) == []
