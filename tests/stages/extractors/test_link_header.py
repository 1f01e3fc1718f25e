"""Link header: the links that an answer names in its headers (RFC 8288 section 3)."""

from __future__ import annotations

import time

import pytest

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
