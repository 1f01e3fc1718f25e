"""Link header: the links that an answer names in its headers (RFC 8288 section 3)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl, Document, LinkRules
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.extractors.text.link_header import MAX_LINKS, read_link_header


@pytest.mark.parametrize(
    ("header", "links"),
    [
        ("</a>; rel=next", [{"href": "/a", "rel": "next"}]),
        (
            '</a>; rel="prev next", </b>;rel=alternate',
            [{"href": "/a", "rel": "prev next"}, {"href": "/b", "rel": "alternate"}],
        ),
        (" , ,</a>,, </b> ,", [{"href": "/a"}, {"href": "/b"}]),
        ('</a,b;c>; title="x, <y>; z"', [{"href": "/a,b;c", "title": "x, <y>; z"}]),
        (r'</a>; title="say \"so\""', [{"href": "/a", "title": 'say "so"'}]),
        ("</a>; REL=next; rel=prev", [{"href": "/a", "rel": "next"}]),
        ("</a>; rel=next; anchor=#part", []),
        ("no link, </a>; rel=next", [{"href": "/a", "rel": "next"}]),
        ("</a", []),
        ("", []),
        ("</a>, </b", [{"href": "/a"}]),
    ],
)
def test_a_header_is_read_as_the_grammar_has_it(header: str, links: list[dict[str, str]]) -> None:
    assert list(read_link_header(header)) == links


def test_the_links_of_one_answer_are_bounded() -> None:
    assert len(list(read_link_header("</a>," * (MAX_LINKS + 9)))) == MAX_LINKS


@pytest.mark.parametrize("end", ["", ">"])
@pytest.mark.parametrize("unit", ["<", "<,", "<a ", '<a "', " ,", "x,", "; ", '"', "<a>;b "])
def test_the_time_is_linear_in_the_length_whatever_a_header_holds(unit: str, end: str) -> None:
    began = time.process_time()
    list(read_link_header(unit * (100_000 // len(unit)) + end))
    assert time.process_time() - began < 2.0  # up to 20 s if it were quadratic


def links(header: str) -> list[tuple[str | None, str | None]]:
    return [(link["href"], link.get("rel")) for link in read_link_header(header)]


class TestSyntax:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("<a>; rel=next", [("a", "next")]),
            ('<a>; rel="next"', [("a", "next")]),
            ('<a>;rel="next",<b>;rel="prev"', [("a", "next"), ("b", "prev")]),
            ("<a,b;c>; rel=next, <d>; rel=prev", [("a,b;c", "next"), ("d", "prev")]),
            ("<a?x=1,2;y=3>;rel=next", [("a?x=1,2;y=3", "next")]),
            ('<a>; rel="next  prev"', [("a", "next  prev")]),
            ("<a>; REL=next; Title=x", [("a", "next")]),
            ("<a>; rel=next; rel=prev", [("a", "next")]),
            ('<a>\t;\trel = "next" ; type="text/html;level=2"', [("a", "next")]),
            ('<a>; title="x, <b>; rel=no; \\"y\\""; rel=next, <c>; rel=prev', [("a", "next"), ("c", "prev")]),
            ("<a>; title*=UTF-8''x%2c%20y; rel=next, <b>", [("a", "next"), ("b", None)]),
            ('<a>; rel="ne\\xt"', [("a", "next")]),
            ('<a>; rel="next', [("a", "next")]),
            ("<a>; crossorigin; rel=next", [("a", "next")]),
            ("<a>;; ;rel=next;", [("a", "next")]),
            ("<a>; rel", [("a", "")]),
            ("<a>", [("a", None)]),
            ("<>; rel=next", [("", "next")]),
            ("< a >; rel=next", [("a", "next")]),
            ("<a> junk; rel=next, <b>; rel=prev", [("a", None), ("b", "prev")]),
            ("<a>; title=x y, <b>; rel=prev", [("a", None), ("b", "prev")]),
            (",, ,<a>; rel=next,,", [("a", "next")]),
            ("", []),
            (" , ;", []),
            ("a; rel=next", []),
            ("junk, <a>; rel=next", [("a", "next")]),
            ('"<no>; rel=next", <a>; rel=next', [("a", "next")]),
            ("<a; rel=next", []),
            ("<a; rel=next, <b>; rel=prev", [("b", "prev")]),
        ],
    )
    def test_each_link_ends_at_its_comma(self, header: str, expected: list[tuple[str, str | None]]) -> None:
        assert links(header) == expected

    @pytest.mark.parametrize("anchor", ['anchor="/other"', "anchor=''", "ANCHOR=#part", "anchor"])
    def test_a_link_of_another_document_is_left_out(self, anchor: str) -> None:
        assert links(f"<a>; rel=next; {anchor}, <b>; rel=prev") == [("b", "prev")]

    @pytest.mark.parametrize(
        ("titles", "title"),
        [
            ("title=plain", "plain"),
            ("title*=UTF-8'de'n%c3%a4chste", "nächste"),
            ("title=x; title*=utf-8''%E2%82%AC", "€"),
            ("title*=iso-8859-1'en'%A3; title=x", "£"),
            ("title*=koi8-r''%C1; title=x", "x"),
            ("title*=junk; title=x", "x"),
        ],
    )
    def test_the_title_with_an_encoding_wins_if_it_can_be_read(self, titles: str, title: str) -> None:
        (link,) = read_link_header(f"<a>; rel=next; {titles}")

        assert link["title"] == title

    @given(st.text('<>;,="\\ arel*') | st.text())
    def test_no_text_raises(self, text: str) -> None:
        list(read_link_header(text))


class TestLinks:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("</2>; rel=NEXT", [("/2", "next")]),
            ("<2>; rel=next", [("/2", "next")]),
            ("<2>; rel='next'", []),
            ('</2>; rel="next last"', [("/2", "next last")]),
            ("</2>; rel=stylesheet", []),
            ("</2>; rel=preload, </3>; rel=alternate; hreflang=de", [("/3", "alternate")]),
            ("</2>; rel=alternate; type=application/json", []),
            ("</wp-json>; rel=alternate; type='application/json+oembed'", []),
            ("<http://[>; rel=next", []),
            ("<mailto:a@b>; rel=next", []),
        ],
    )
    def test_those_of_a_header_are_those_of_link_elements(
        self, header: str, expected: list[tuple[str, str]]
    ) -> None:
        """The targets are relative to the URL of the answer, whatever a base element says."""
        document = Document(
            url=CanonicalUrl("http://example.com/1"),
            body=b"<base href=/base/>",
            charset="utf-8",
            link=header,
            rules=LinkRules(head_links=True),
        )

        found = HtmlExtractor().read(document).links

        assert [(link.url.removeprefix("http://example.com"), link.rel) for link in found] == expected
        assert all(link.followed for link in found)
