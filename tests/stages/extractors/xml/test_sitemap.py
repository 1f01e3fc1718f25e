"""Sitemaps in all their forms: what they list, read from good files and from bad ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence

import pytest

from penstock.crawler.messages import CanonicalUrl, Sitemap
from penstock.crawler.urls import MAX_URL_CHARS
from penstock.stages.extractors.xml.sitemap import MAX_BYTES, MAX_ENTRIES, read_sitemap
from tests.support.conformance import Compared, disagreements, read_bytes

URL = CanonicalUrl("http://example.com/maps/sitemap.xml")
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def read(body: str | bytes, charset: str | None = None) -> Sitemap:
    return read_sitemap(body.encode() if isinstance(body, str) else body, url=URL, charset=charset)


def urlset(*locations: str) -> str:
    """A sitemap of these locations, escaped as they are."""
    urls = "".join(f"<url><loc>{location}</loc></url>" for location in locations)
    return f'{HEAD}<urlset xmlns="{NAMESPACE}">{urls}</urlset>'


def listed(body: str | bytes, charset: str | None = None) -> Sequence[str]:
    sitemap = read(body, charset)
    assert sitemap.error is None
    return sitemap.locations


class TestConformance:
    def test_the_files_of_crawler_commons_list_as_many(self) -> None:
        expected = json.loads(read_bytes("sitemap/expected.json"))
        compared = [
            Compared(name, len(read(read_bytes(f"sitemap/{name}")).locations), case["urls"])
            for name, case in expected.items()
            if case["urls"] is not None
        ]

        assert (len(compared), disagreements(compared, {})) == (9, [])

    def test_a_byte_order_mark_is_no_part_of_the_first_url(self) -> None:
        locations = listed(read_bytes("sitemap/sitemap-with-bom.txt"))

        assert locations == ("http://www.domain.com/page1.html", "http://www.domain.com/page2.html")

    def test_the_protocols_own_sample_limits_and_escapes(self) -> None:
        protocol = json.loads(read_bytes("sitemap/protocol.json"))
        limits = protocol["limits"]

        assert limits["urls"] == limits["index_entries"] == MAX_ENTRIES
        assert limits["bytes_uncompressed"] == MAX_BYTES
        assert limits["loc_max_chars"] <= MAX_URL_CHARS  # we are the more patient ones
        sample = read(protocol["sample"])
        assert (sample.locations, sample.lastmods) == (("http://www.example.com/",), ("2005-01-01",))
        for character, escape in protocol["escapes"].items():
            assert listed(urlset(f"http://a/?{escape}")) == listed(f"http://a/?{character}")

    def test_urls_are_taken_as_the_site_escapes_them(self) -> None:
        """In bytes of its own encoding or of UTF-8; what it left unescaped becomes UTF-8."""
        (case,) = json.loads(read_bytes("sitemap/protocol.json"))["url_encoding"]

        assert listed(urlset(case["in_xml_utf8"])) == (case["utf-8"],)
        assert listed(case["iso-8859-1"]) == (case["iso-8859-1"],)
        assert listed(case["url"]) == (case["utf-8"],)

    def test_a_sitemap_may_list_any_url(self) -> None:
        """The protocol binds it to its own folder, unless robots.txt names it; and only such
        sitemaps are read, or those that the operator names. The crawl's scope judges instead."""
        rule = json.loads(read_bytes("sitemap/protocol.json"))["location_rule"]
        urls = tuple(rule["may"] + rule["may_not"])

        found = read_sitemap("\n".join(urls).encode(), url=CanonicalUrl(rule["sitemap"]))

        assert found.locations == urls


class TestForms:
    def test_a_loc_belongs_to_the_url_that_it_stands_in(self) -> None:
        """Images and videos have locations too, and are no pages."""
        found = read(
            f'{HEAD}<s:urlset xmlns:s="{NAMESPACE}" xmlns:image="i"><s:loc>http://a/0</s:loc><s:url>'
            "<image:loc>http://a/1</image:loc><image:image><image:loc>http://a/2</image:loc></image:image>"
            "<s:loc> http://a/3\n</s:loc><s:loc>http://a/4</s:loc><s:lastmod> 2024-01-01 </s:lastmod>"
            "</s:url><s:url><s:lastmod>2024</s:lastmod></s:url></s:urlset>"
        )

        assert (found.kind, found.locations, found.lastmods) == ("urlset", ("http://a/3",), ("2024-01-01",))
        assert (found.other, found.error) == (1, None)

    def test_an_index_lists_sitemaps(self) -> None:
        found = read(
            f"{HEAD}<sitemapindex><sitemap><loc>http://a/1.xml</loc></sitemap><sitemap>http://a/2.xml</sitemap></sitemapindex>"
        )

        assert (found.kind, found.locations) == ("index", ("http://a/1.xml", "http://a/2.xml"))

    def test_rss_lists_its_items_by_link_or_else_by_guid(self) -> None:
        found = read(
            "<rss><channel><link>http://a/channel</link><item><atom:link href='http://a/no'/><guid>http://a/no</guid>"
            "<link>http://a/1</link><pubDate>Thu, 05 Jan 2017</pubDate></item><item><link/>"
            "<guid>http://a/2</guid></item><item><guid>urn:3</guid></item></channel></rss>"
        )

        assert (found.kind, found.locations, found.other) == ("rss", ("http://a/1", "http://a/2"), 1)
        assert found.lastmods == ("Thu, 05 Jan 2017", None)
        assert listed("<rdf:RDF><channel/><item><link>http://a/1</link></item></rdf:RDF>") == ("http://a/1",)

    def test_atom_lists_the_first_alternate_link_of_each_entry(self) -> None:
        """RFC 4287 section 4.2.7.2: a link without rel is one. It may be relative to xml:base."""
        found = read(
            "<feed xml:base='http://b/x/'><link href='http://a/no'/><entry><link rel='edit' href='no'/>"
            "<link href='1'/><link href='no'/><updated>2024</updated></entry>"
            "<entry xml:base='y/'><link href='2'/></entry></feed>"
        )

        assert (found.kind, found.locations) == ("atom", ("http://b/x/1", "http://b/x/y/2"))
        assert listed("<feed><entry><link href='1'/></entry></feed>") == ("http://example.com/maps/1",)

    def test_text_lists_a_url_a_line(self) -> None:
        found = read("\n http://a/1 \r\n\rhttp://a/2\n\nftp://a/3\nwww.a/4\nhttp://a/" + "x" * 3_000)

        assert (found.kind, found.locations) == ("text", ("http://a/1", "http://a/2"))
        assert (found.other, found.too_long, found.error) == (2, 1, None)

    def test_locations_are_absolute_canonical_and_distinct(self) -> None:
        found = read(
            urlset(
                "HTTP://A:80/x/../%7e?#f",
                "http://user@a/%7e?",
                "mailto:a@b",
                "http://a/" + "x" * 3_000,
            )
        )

        assert (found.locations, found.other, found.too_long) == (("http://a/%7e?",), 1, 1)


class TestTolerance:
    @pytest.mark.parametrize(
        ("encoding", "declared", "charset"),
        [
            ("utf-8", "utf-8", None),
            ("utf-8-sig", "iso-8859-1", "iso-8859-1"),
            ("utf-8", None, None),
            ("utf-8", "utf-16", None),
            ("iso-8859-1", "ISO-8859-1", None),
            ("iso-8859-1", None, "latin1"),
            ("shift_jis", "Shift_JIS", None),
            ("shift_jis", "utf-8", "Shift_JIS"),
            ("utf-16", "utf-16", None),
            ("utf-16-le", "utf-16", None),
            ("utf-16-be", None, None),
        ],
    )
    def test_encodings(self, encoding: str, declared: str | None, charset: str | None) -> None:
        """The byte order mark, the header, the declaration, UTF-8: in this order."""
        letter = "ア" if encoding == "shift_jis" else "é"
        declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
        body = f"{declaration}<urlset><url><loc>http://a/{letter}</loc></url></urlset>".encode(encoding)

        assert listed(body, charset) == listed(f"http://a/{letter}")

    @pytest.mark.parametrize("charset", ["no-such", "utf-7", "utf-16", "replacement", "base64", "\ud800", ""])
    def test_a_label_of_nothing_or_a_wrong_one_is_not_believed(self, charset: str) -> None:
        assert listed("http://a/\n", charset) == ("http://a/",)

    @pytest.mark.parametrize(
        "junk",
        ["\n", "\ufeff\r\n \t", " " * 5_000, "<!-- x -->", "<!DOCTYPE urlset>", "<!DOCTYPE a SYSTEM 'b'>"],
    )
    def test_what_may_stand_before_it(self, junk: str) -> None:
        assert listed(junk + urlset("http://a/").removeprefix(HEAD)) == ("http://a/",)
        assert junk.startswith("<") or listed(junk + urlset("http://a/")) == ("http://a/",)

    def test_an_entity_of_html_is_read_and_reported(self) -> None:
        """Feeds are full of them; XML knows five."""
        found = read(
            "<rss><item><title>a&nbsp;b</title><link>http://a/1</link></item><item><link>http://a/&eacute;</link></item></rss>"
        )

        assert (found.locations, found.error) == (("http://a/1", "http://a/%C3%A9"), "bad_xml")


class TestPacking:
    def test_the_content_says_whether_it_is_packed(self) -> None:
        assert listed(gzip.compress(urlset("http://a/").encode())) == ("http://a/",)
        assert listed(gzip.compress(b"http://a/1\n") + gzip.compress(b"http://a/2")) == (
            "http://a/1",
            "http://a/2",
        )

    @pytest.mark.parametrize(("cut", "error"), [(slice(-9), "truncated"), (slice(3), "truncated")])
    def test_a_packed_file_that_breaks_off_yields_whole_lines(self, cut: slice, error: str) -> None:
        found = read(gzip.compress(b"http://a/1\nhttp://a/22")[cut])

        assert found.error == error
        assert found.locations in [("http://a/1",), ()]

    def test_what_only_looks_packed_is_named(self) -> None:
        assert read(b"\x1f\x8bhttp://a/").error == "bad_coding"
