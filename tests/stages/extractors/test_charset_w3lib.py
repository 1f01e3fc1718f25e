"""w3lib's cases of encodings, held against ours: what Scrapy makes of a header and a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.stages.extractors.text.charset import lookup, prescan, sniff, to_utf8
from penstock.stages.http.mime import parse_mime
from tests.support.conformance import Compared, as_bytes, disagreements, read_cases

STANDARD = "the MIME Sniffing standard's own parser reads it so"
NO_DECLARATION = "the standard's prescan finds no tag, or no Content-Type, in it"

# What a deviating case has in it, and the reason.
DEVIATIONS: Mapping[str, str] = {
    'text/html; charset="utf-8': STANDARD,  # without an end, or with something behind it
    'foo=bar; charset="utf-8"': STANDARD,
    'charset=""; charset=utf-8': STANDARD,
    "charset=utf-8, text/": "two headers in one; where there are two, the first is ours to begin with",
    "bad html still supported": NO_DECLARATION,
    "Fake-Content-Type-Header": NO_DECLARATION,
    "httpequiv": NO_DECLARATION,
    "this isn't searched": "a prescan looks at 1,024 bytes, wherever the body begins",
    "charset=utf-32": "no browser reads UTF-32: the standard took it out",
    r"None b'\x00\x00\xfe\xff": "UTF-32",
    r"None b'\xff\xfe\x00\x00": "UTF-32",
    r"charset=utf-16 b'\x00h\x00i'": "without a mark the standard's UTF-16 is little-endian",
}


def header(text: str | None) -> str | None:
    """The label in a Content-Type, with or without the field's name."""
    return parse_mime((text or "").removeprefix("Content-Type:").strip()).charset


def name_of(label: str | None) -> str | None:
    """One name for one encoding, theirs and ours: `gb18030` reads all that `gbk` does."""
    found = lookup(label) if label else None
    return None if found is None else {"gbk": "gb18030"}.get(found, found)


def compared(case: Mapping[str, Any]) -> Compared:
    function, arguments, expected = case["fn"], case["args"], case.get("expected")
    if function == "http_content_type_encoding":
        [text] = arguments
        return Compared(f"{function}: {text}", name_of(header(text)), name_of(expected))
    if function == "html_body_declared_encoding":
        body = as_bytes(arguments[0])
        return Compared(f"{function}: {body!r}", name_of(prescan(body)), name_of(expected))
    body = as_bytes(arguments[1])
    text = to_utf8(body, sniff(body, header(arguments[0]))).decode("utf-8-sig", "replace")
    return Compared(f"{function}: {arguments[0]} {body!r}", text, expected and expected[1])


class TestConformance:
    def test_w3lib_agrees_where_the_standard_does(self) -> None:
        found = [compared(case) for case in read_cases("charset/w3lib_encoding.json")]
        known = {
            row.case: reason
            for row in found
            for mark, reason in DEVIATIONS.items()
            if row.ours != row.theirs and mark in row.case.replace("\\'", "'")
        }

        assert (len(found), set(known.values())) == (91, set(DEVIATIONS.values()))
        assert disagreements(found, known) == []
