"""Feeds: the entries of RSS and Atom are links; every other XML is somebody else's."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl, Content, Document, Link
from penstock.stages.extractors import MAX_LINKS, feed

URL = CanonicalUrl("http://h/news/feed.xml")


def read(body: str | bytes, *, charset: str | None = None, nofollow: bool = False) -> Content | None:
    body = body.encode() if isinstance(body, str) else body
    return feed.read(Document(url=URL, body=body, charset=charset, nofollow=nofollow))


def read_feed(body: str | bytes, **options: str | None) -> Content:
    content = read(body, charset=options.get("charset"))
    assert content is not None
    return content


def rss(items: str, head: str = "<title>News</title>") -> str:
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'


def atom(entries: str, attributes: str = "") -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}><title>News</title>{entries}</feed>'


class TestRss:
    def test_items_are_links_with_their_titles(self) -> None:
        item = "<item><title> One &amp;\n two</title><link>http://h/1</link></item>"
        item += "<item><link>http://h/2</link></item>"

        assert list(read_feed(rss(item)).links) == [
            Link(CanonicalUrl("http://h/1"), "One & two", "", True),
            Link(CanonicalUrl("http://h/2"), "", "", True),
        ]

    def test_a_guid_stands_in_for_a_missing_link(self) -> None:
        assert read_feed(rss("<item><guid>http://h/1</guid></item>")).links.urls == ["http://h/1"]

    def test_relative_links_lead_from_xml_base_or_from_the_feed(self) -> None:
        items = '<item><link>a</link></item><item xml:base="/b/"><link>c</link></item>'

        assert read_feed(rss(items)).links.urls == ["http://h/news/a", "http://h/b/c"]

    def test_rss_1_has_its_items_beside_the_channel(self) -> None:
        body = (
            '<rdf:RDF xmlns:rdf="r" xmlns="s"><channel><title>Old</title></channel>'
            "<item><title>t</title><link>http://h/1</link></item></rdf:RDF>"
        )

        content = read_feed(body)

        assert (content.title, content.links.urls) == ("Old", ["http://h/1"])

    def test_the_title_is_the_channels_own(self) -> None:
        head = "<itunes:title>no</itunes:title><image><title>no</title></image><title>Yes</title>"
        head += "<title>late</title>"

        assert read_feed(rss("<item><title>no</title></item>", head)).title == "Yes"

    @pytest.mark.parametrize(("head", "title"), [("", None), ("<title/>", "")])
    def test_a_missing_title_is_not_an_empty_one(self, head: str, title: str | None) -> None:
        assert read_feed(rss("", head)).title == title


class TestAtom:
    def test_entries_are_links_of_their_alternates(self) -> None:
        entry = (
            '<entry><title>E</title><link rel="self" href="/s"/><link href="/1"/><link href="/2"/></entry>'
        )

        assert list(read_feed(atom(entry)).links) == [Link(CanonicalUrl("http://h/1"), "E", "", True)]

    def test_relative_links_lead_from_every_xml_base_around_them(self) -> None:
        entry = '<entry xml:base="y/"><link href="z"/></entry>'

        assert read_feed(atom(entry, 'xml:base="http://o/x/"')).links.urls == ["http://o/x/y/z"]

    def test_the_title_of_a_source_is_not_that_of_the_entry(self) -> None:
        entry = '<entry><source><title>no</title></source><title>yes</title><link href="/1"/></entry>'

        assert read_feed(atom(entry)).links.texts == ["yes"]


class TestAnyFeed:
    def test_x_robots_tag_forbids_to_follow_the_links(self) -> None:
        content = read(rss("<item><link>/1</link></item>"), nofollow=True)

        assert content is not None
        assert [link.followed for link in content.links] == [False]

    @pytest.mark.parametrize(
        "body", ["<urlset/>", "<html/>", "<svg/>", "", "text", "\x1f\x8b", "<!-- only this -->"]
    )
    def test_another_document_is_not_read(self, body: str) -> None:
        assert read(body) is None

    def test_the_encoding_is_that_of_the_declaration_or_of_the_header(self) -> None:
        title = "<rss><channel><title>gr\u00fcn</title></channel></rss>"
        declared = '<?xml version="1.0" encoding="iso-8859-1"?>' + title

        assert read_feed(declared.encode("latin-1")).title == "gr\u00fcn"
        assert read_feed(title.encode("latin-1"), charset="latin1").title == "gr\u00fcn"

    def test_blank_lines_before_the_declaration_are_skipped(self) -> None:
        assert read_feed("\n\n " + rss("")).title == "News"

    def test_other_targets_are_counted(self) -> None:
        items = (
            "<item><link>mailto:a@b</link></item><item/><item><link>http://h/"
            + "x" * 3_000
            + "</link></item>"
        )

        content = read_feed(rss(items))

        assert (len(content.links), content.other_links, content.long_links) == (0, 2, 1)

    def test_what_comes_before_an_error_is_kept(self) -> None:
        assert read_feed(rss("<item><link>/1</link></item><item><link>/2</link>")).links.urls == [
            "http://h/1",
            "http://h/2",
        ]
        assert read_feed("<rss><channel><item><link>/1</link></item></b>").links.urls == ["http://h/1"]


class TestHostile:
    def test_entities_are_not_even_declared(self) -> None:
        laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        started = time.perf_counter()

        content = read(
            f'<!DOCTYPE rss [<!ENTITY a0 "ha">{laughs}]><rss><channel><title>&a11;</title></channel></rss>'
        )

        assert content is None
        assert time.perf_counter() - started < 0.5

    def test_no_file_is_read_through_an_entity(self) -> None:
        assert (
            read('<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel>&x;</channel></rss>')
            is None
        )

    def test_a_document_type_without_declarations_is_harmless(self) -> None:
        """RSS 0.91 has one."""
        assert (
            read_feed('<!DOCTYPE rss PUBLIC "-//N//DTD" "http://h/rss.dtd">' + rss("")[21:]).title == "News"
        )

    @pytest.mark.parametrize("unit", ["<x>", "<item><link>http://h/1</link>", "<item a='1' ", "&x;", "<!--"])
    def test_depth_and_length_take_no_more_than_a_second(self, unit: str) -> None:
        tracemalloc.start()
        started = time.perf_counter()
        try:
            read("<rss><channel>" + unit * (2_000_000 // len(unit)))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert time.perf_counter() - started < 10
        assert peak < 30 << 20

    def test_targets_beyond_the_bound_are_dropped(self) -> None:
        items = "".join(f"<item><link>/{number}</link></item>" for number in range(MAX_LINKS + 5))

        content = read_feed(rss(items))

        assert (len(content.links), content.dropped_links) == (MAX_LINKS, 1)

    @given(st.binary(max_size=300))
    @example(b"<rss><channel><item><link>\xff</link>")
    def test_any_bytes_are_read_without_an_error(self, body: bytes) -> None:
        read(body)
        read(b"<rss><channel><item>" + body)
