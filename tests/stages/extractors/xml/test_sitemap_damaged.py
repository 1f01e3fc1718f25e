"""Sitemaps as sites really write them: damage costs no entry but its own, and is reported."""

from __future__ import annotations

import gzip
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl, Sitemap
from penstock.stages.extractors.xml.sitemap import read_chunks, read_sitemap

URL = CanonicalUrl("http://shop.example/maps/sitemap.xml")
XMLNS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def read(body: str | bytes, charset: str | None = None) -> Sitemap:
    return read_sitemap(body.encode() if isinstance(body, str) else body, url=URL, charset=charset)


def urlset(*locations: str) -> str:
    return f"{HEAD}<urlset {XMLNS}>{''.join(map(entry, locations))}</urlset>"


def entry(location: str) -> str:
    return f"<url><loc>{location}</loc></url>"


FIRST, LAST = entry("http://a/first"), entry("http://a/last")


def between(damage: str) -> str:
    """A sitemap of two good entries with a damaged one between them."""
    return f"{HEAD}<urlset {XMLNS}>{FIRST}{damage}{LAST}</urlset>"


class TestDamage:
    @pytest.mark.parametrize(
        ("damage", "meant"),
        [
            (entry("http://a/?b=1&c=2"), "http://a/?b=1&c=2"),
            (entry("http://a/?b=1&c=2&amp;d=3&"), "http://a/?b=1&c=2&d=3&"),
            (entry("http://a/?b=1&copy=2&lt=3"), "http://a/?b=1&copy=2&lt=3"),
            (entry("http://a/R&D"), "http://a/R&D"),
            (entry("http://a/?x=1&#2"), "http://a/?x=1&"),
            (entry("http://a/b\x0b"), "http://a/b"),
            (entry("http://a/\x00b\x1f"), "http://a/b"),
            (entry("http://a/b&#11;&#x0;"), "http://a/b"),
            (entry("http://a/caf&eacute;"), "http://a/caf%C3%A9"),
            (entry("http://a/?b&nosuch;c"), "http://a/?b&nosuch;c"),
            (entry("http://a/b < c"), "http://a/b%20%3C%20c"),
            (entry("<![CDATA[http://a/?b=1&c=\x0c2]]>"), "http://a/?b=1&c=2"),
            (entry("http://a/?b=1&amp;c=2") + "<!-- a -- b -->", "http://a/?b=1&c=2"),
            ("<url><loc>http://a/b</loc><title>Q & A</title></url>", "http://a/b"),
            ("<url><loc>http://a/b</loc><title>Q & A</url>", "http://a/b"),
            ("<url><loc>http://a/b</loc><priority>1<priority></url>", "http://a/b"),
            ("<url><loc>http://a/b</loc></URL>", "http://a/b"),
            ("<url a=b><loc>http://a/b</loc></url>", None),
            ("<url><loc>http://a/b</locc></url>", None),
            ("<url><loc>http://a/b</url>", None),
            ("<url><loc>http://a/b<c</loc></url>", None),
            ("<url><loc>http://a/b</loc>", "http://a/b"),
            ("</url>", None),
            ("</urlset>", None),
            ("</urlset><urlset>", None),
            (f"</urlset>\n{HEAD}<urlset {XMLNS}>", None),
            ("<b>no & <i></b>", None),
            ("&nbsp; & &lt;", None),
        ],
    )
    def test_the_entries_before_and_after_it_are_kept_and_the_file_is_reported(
        self, damage: str, meant: str | None
    ) -> None:
        found = read(between(damage))

        assert found.error == "bad_xml"
        assert found.locations[0] == "http://a/first"
        assert found.locations[-1] == "http://a/last"
        assert list(found.locations[1:-1]) == ([meant] if meant is not None else [])

    def test_an_entry_that_cannot_be_read_is_counted(self) -> None:
        assert read(between("<url><loc>http://a/b</url>")).other == 1
        assert read(between(entry("http://a/?b&c"))).other == 0

    @pytest.mark.parametrize("kind", ["index", "rss", "atom"])
    def test_every_form_is_read_on(self, kind: str) -> None:
        bodies = {
            "index": "<sitemapindex><sitemap><loc>http://a/1?x&y</loc></sitemap>"
            "<sitemap><loc>http://a/2</sitemap><sitemap><loc>http://a/3</loc></sitemap></sitemapindex>",
            "rss": "<rss><channel><title>Tips & Tricks</title><item><title>Q & A</title><link>http://a/1?x&y</link>"
            "</item><item><title><b></title></item><item><link>http://a/3</link></item></channel></rss>",
            "atom": "<feed><title>Tips & Tricks</title><entry><link href='http://a/1?x&y'/></entry>"
            "<entry><link href=x/></entry><entry><link href='http://a/3'/></entry></feed>",
        }

        found = read(bodies[kind])

        assert (found.kind, found.error) == (kind, "bad_xml")
        assert found.locations == ("http://a/1?x&y", "http://a/3")

    @pytest.mark.parametrize(
        "body",
        [
            "<br />\n<b>Warning</b>: Undefined variable in /srv/map.php on line 3<br />\n"
            + urlset("http://a/"),
            "Warning: Undefined variable in /srv/map.php on line 3\n" + urlset("http://a/"),
            "\x01" + urlset("http://a/"),
            urlset("http://a/").replace("?>", ">"),
            urlset("http://a/").replace("<?xml", "<?XML "),
            urlset("http://a/").replace(XMLNS, f"{XMLNS} {XMLNS}"),
            urlset("http://a/").replace(XMLNS, "xmlns=http://www.sitemaps.org/schemas/sitemap/0.9"),
            urlset("http://a/").replace(XMLNS, f'{XMLNS} xsi:schemaLocation="http://a/?b&c"'),
            urlset("http://a/") + "<!-- generated & cached -- in 0.1 s -->",
            urlset("http://a/") + "<script>if (a < b && c) {}</script>",
            urlset("http://a/") + urlset("http://a/"),
        ],
    )
    def test_what_stands_around_the_document_costs_nothing(self, body: str) -> None:
        found = read(body)

        assert (found.kind, found.locations) == ("urlset", ("http://a/",))
        assert found.error in ("bad_xml", None)

    @pytest.mark.parametrize(
        "body",
        [
            "<!doctype html><html><body><a href='/x'>Not found</a></body></html>",
            "<!DOCTYPE html>\n<html><head><title>Q & A</title></head></html>",
            "<html><body><br><p>no such page",
            "\n<p>404",
            '{"error": "not found"}',
            "Not found & gone",
        ],
    )
    def test_a_page_in_the_place_of_a_sitemap_is_named(self, body: str) -> None:
        found = read(body)

        assert (found.kind, found.locations, found.error) == (None, (), "not_a_sitemap")

    def test_a_document_of_damage_alone_takes_seconds_not_minutes(self) -> None:
        """50 MiB of the costliest kinds; each ends by a bound, or reads every entry once."""
        for unit in (
            "<url><loc>http://a/</url>",
            "<url>",
            "<url x=y>",
            "</x>",
            "<url><loc>http://a/?b&c</loc></url>",
        ):
            piece = (unit * (65_536 // len(unit))).encode()
            started = time.perf_counter()

            read_chunks([b"<urlset>", *([piece] * 150)], url=URL)

            assert time.perf_counter() - started < 15, unit


class TestWriting:
    """What sites write otherwise than the protocol, without any damage."""

    @pytest.mark.parametrize(
        ("location", "meant"),
        [
            ("\n\t http://a/b \r\n", "http://a/b"),
            ("http://a/\nb", "http://a/b"),
            ("\u200bhttp://a/b\ufeff\xa0", "http://a/b"),
            ("http://a/b c", "http://a/b%20c"),
            ("<![CDATA[http://a/?b=1&c=2]]>", "http://a/?b=1&c=2"),
            ("<![CDATA[ http://a/b ]]>", "http://a/b"),
            ("http://a/?b=1&amp;amp;c=2", "http://a/?b=1&c=2"),
            ("<![CDATA[http://a/?b=1&amp;c=2]]>", "http://a/?b=1&c=2"),
            ("http://a/?b=1&amp;copy=2", "http://a/?b=1&copy=2"),
            ("http://a/?b=1&#38;c=2&#x26;d=3", "http://a/?b=1&c=2&d=3"),
            ("/b", "http://shop.example/b"),
            ("b.html", "http://shop.example/maps/b.html"),
            ("../b?c=1&amp;d", "http://shop.example/b?c=1&d"),
            ("//other.example/b", "http://other.example/b"),
            ("shop.example/b", "http://shop.example/b"),
            ("www.shop.example/b", "http://www.shop.example/b"),
            ("HTTP://A/b", "http://a/b"),
            ("http://ä.example/ü", "http://xn--4ca.example/%C3%BC"),
            ("http://a/b#c", "http://a/b"),
        ],
    )
    def test_a_location_means_one_url(self, location: str, meant: str) -> None:
        found = read(urlset(location))

        assert (found.locations, found.error) == ((meant,), None)

    @pytest.mark.parametrize(
        "location", ["", " ", "mailto:a@b", "javascript:void(0)", "http://", "http://a b/", "ftp://a/"]
    )
    def test_what_is_no_http_url_is_counted(self, location: str) -> None:
        found = read(urlset("http://a/", location))

        assert (found.locations, found.other, found.error) == (("http://a/",), 1, None)

    @pytest.mark.parametrize(
        "root",
        [
            "<urlset>",
            '<urlset xmlns="https://www.sitemaps.org/schemas/sitemap/0.9">',
            '<urlset xmlns="http://www.google.com/schemas/sitemap/0.84">',
            '<urlset xmlns="">',
            '<URLSET xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
        ],
    )
    def test_the_namespace_does_not_decide(self, root: str) -> None:
        end = "</URLSET>" if "URL" in root else "</urlset>"

        found = read(f"{root}<url><loc>http://a/</loc></url>{end}")

        assert (found.locations, found.error) == (("http://a/",), None)

    def test_names_in_upper_case_are_read(self) -> None:
        found = read("<URLSET><URL><LOC>http://a/</LOC><LastMod>2024</LastMod></URL></URLSET>")

        assert (found.locations, found.lastmods, found.error) == (("http://a/",), ("2024",), None)

    def test_alternates_images_videos_and_news_are_not_taken_for_pages(self) -> None:
        found = read(
            f'<urlset {XMLNS} xmlns:xhtml="http://www.w3.org/1999/xhtml" xmlns:i="i" xmlns:n="n"><url>'
            '<xhtml:link rel="alternate" hreflang="de" href="http://a/de"/>'
            "<i:image><i:loc>http://a/i.png</i:loc></i:image><video:video><video:content_loc>http://a/v"
            "</video:content_loc></video:video><n:news><n:title>x</n:title></n:news><loc>http://a/en</loc></url></urlset>"
        )

        assert (found.locations, found.error) == (("http://a/en",), None)

    @pytest.mark.parametrize(
        ("encoding", "declared", "charset", "letter", "error"),
        [
            ("utf-8", "iso-8859-1", None, "é", None),
            ("utf-8", "utf-8", "iso-8859-1", "é", None),
            ("utf-8", "us-ascii", "windows-1251", "é", None),
            ("iso-8859-1", "utf-8", None, "é", "bad_encoding"),
            ("windows-1252", None, None, "é", "bad_encoding"),
            ("windows-1251", "windows-1251", None, "ж", None),
            ("koi8-r", None, "KOI8-R", "ж", None),
            ("gb18030", "GB2312", None, "中", None),
            ("euc-jp", "EUC-JP", None, "日", None),
            ("utf-16", "utf-8", "utf-8", "é", None),
            ("utf-8-sig", "utf-16", "utf-16", "é", None),
        ],
    )
    def test_a_wrong_declaration_changes_no_url(
        self, encoding: str, declared: str | None, charset: str | None, letter: str, error: str | None
    ) -> None:
        head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
        body = f"{head}<urlset>{entry(f'http://a/{letter}')}</urlset>".encode(encoding)

        found = read(body, charset)

        assert (found.locations, found.error) == (read(f"http://a/{letter}").locations, error)

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_a_file_may_be_packed_more_than_once(self, times: int) -> None:
        body = urlset("http://a/1", "http://a/2").encode()
        for _ in range(times):
            body = gzip.compress(body)

        assert read(body).locations == ("http://a/1", "http://a/2")

    def test_a_packed_file_in_a_packed_one_that_breaks_off_yields_what_came(self) -> None:
        lines = "".join(f"http://a/{number * 7919:x}\n" for number in range(2_000))
        whole = gzip.compress(gzip.compress(lines.encode()), 0)

        found = read(whole[:-2_000])

        assert found.error == "truncated"
        assert 100 < len(found.locations) < 2_000


_PARTS = st.sampled_from(
    (FIRST, LAST, "<url>", "</url>", "<loc>", "</loc>", "<url a=b>", "<x>", "</urlset>", "<!--", "-->")
) | st.sampled_from(("http://a/?b&c", "&eacute;", "&#0;", "\x0b", "< ", "<![CDATA[", "]]>", ">", "&"))
_BODIES = st.lists(_PARTS, max_size=12).map(lambda parts: f"<urlset>{FIRST}{''.join(parts)}{LAST}".encode())


class TestPromises:
    @given(body=_BODIES, cuts=st.lists(st.integers(0, 400), max_size=6))
    def test_a_damaged_file_means_the_same_in_any_division(self, body: bytes, cuts: list[int]) -> None:
        ends = [*sorted(cuts), len(body)]
        chunks = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]

        found = read_chunks(chunks, url=URL)

        assert found == read(body)
        assert found.locations[0] == "http://a/first"
