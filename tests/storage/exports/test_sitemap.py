"""The sitemap export: which pages it lists, and that it holds nothing else."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from penstock.crawler.cli import main
from tests.support.database_rows import SITE, CrawlFile

HOME = f"{SITE}/"
SPACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


class Sitemaps:
    """A crawl's file, and the sitemaps that are made of it."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.db, self.capture = folder, folder / "crawl.db", capture
        self.err = ""

    def export(self, *words: str) -> int:
        code = main(["export", "sitemap", *words, "--db", str(self.db)])
        self.err = self.capture.readouterr().err
        return code

    def of(self, fill: Callable[[CrawlFile], object], **url_rules: Any) -> str:
        """The text of the sitemap of a crawl with these pages, besides the seed's."""
        self.db.unlink(missing_ok=True)
        with CrawlFile(self.db) as crawl:
            crawl.crawl([HOME], **url_rules)
            crawl.run(pages=1)
            crawl.page(HOME, depth=0, seed=True)
            fill(crawl)
        path = self.folder / "map.xml"
        path.unlink(missing_ok=True)
        assert self.export(str(path)) == 0, self.err
        return path.read_text("utf-8")


@pytest.fixture
def sitemaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Sitemaps:
    return Sitemaps(tmp_path, capsys)


def locations(text: str, element: str = "url") -> list[str | None]:
    root = ElementTree.fromstring(text)
    return [found.findtext(f"{SPACE}loc") for found in root.findall(f"{SPACE}{element}")]


class TestWhichPages:
    @pytest.mark.parametrize(
        ("page", "is_listed"),
        [
            ({}, True),
            ({"content_type": "application/xhtml+xml"}, True),
            ({"content_type": "application/pdf"}, False),
            ({"content_type": "image/jpeg"}, False),
            ({"content_type": "text/plain"}, False),
            ({"content_type": ""}, False),
            ({"status": 203}, False),
            ({"status": 404, "error": "http_404"}, False),
            ({"status": None, "error": "timeout"}, False),
            ({"status": 200, "error": "truncated"}, False),
            ({"status": 301, "redirect_to": HOME}, False),
            ({"status": 302, "redirect_text": "https://elsewhere.example/"}, False),
        ],
        ids=str,
    )
    def test_html_of_status_200_is_listed(
        self, sitemaps: Sitemaps, page: dict[str, Any], is_listed: bool
    ) -> None:
        text = sitemaps.of(lambda crawl: crawl.page(f"{SITE}/x", **page))

        assert locations(text) == [HOME, f"{SITE}/x"][: 1 + is_listed]

    @pytest.mark.parametrize(
        ("canonical", "is_listed"),
        [
            (None, True),
            (f"{SITE}/shoes?sort=price", True),
            (f"{SITE}/shoes?sort=price#top", True),
            ("HTTPS://SITE.example:443/shoes?sort=price", True),
            (f"{SITE}/a/../shoes?sort=price", True),
            (f"{SITE}/shoes", False),
            (f"{SITE}/shoes?sort=name", False),
            (f"{SITE}/Shoes?sort=price", False),
            (f"{SITE}/shoes/?sort=price", False),
            ("http://site.example/shoes?sort=price", False),
            ("https://www.site.example/shoes?sort=price", False),
            ("https://site.example:8443/shoes?sort=price", False),
            ("https://elsewhere.example/", False),
            ("urn:isbn:1", False),
            ("https://exa mple/", False),
        ],
    )
    def test_a_page_whose_canonical_link_names_another_page_is_left_out(
        self, sitemaps: Sitemaps, canonical: str | None, is_listed: bool
    ) -> None:
        page = f"{SITE}/shoes?sort=price"

        text = sitemaps.of(lambda crawl: crawl.page(page, canonical=canonical))

        assert locations(text) == [HOME, page][: 1 + is_listed]

    @pytest.mark.parametrize(
        ("rules", "url", "canonical", "listed"),
        [
            ({"fold_index": True}, "/d/", "/d/index.html", "/d/index.html"),
            ({"sort_query": True}, "/d?a=1&b=2", "/d?b=2&a=1", "/d?b=2&a=1"),
            ({"strip_param": ["utm_*"]}, "/d", "/d?utm_source=x", "/d"),
            ({"strip_sessions": True}, "/d", "/d?PHPSESSID=0123456789abcdef0123456789abcdef", "/d"),
            ({"strip_param": ["utm_*"]}, "/d?page=2", "/d?utm_source=x", None),
            ({}, "/d/", "/d/index.html", None),
        ],
        ids=str,
    )
    def test_the_url_rules_of_the_crawl_hold_for_canonical_links_too(
        self, sitemaps: Sitemaps, rules: dict[str, object], url: str, canonical: str, listed: str | None
    ) -> None:
        """The page's URL was rewritten before it was stored, the canonical link was not."""
        text = sitemaps.of(lambda crawl: crawl.page(SITE + url, canonical=SITE + canonical), **rules)

        assert locations(text) == [HOME] + ([SITE + listed] if listed else [])

    @pytest.mark.parametrize(
        ("robots", "is_listed"),
        [
            (None, True),
            ("noindex", False),
            ("NoIndex, follow", False),
            ("follow,noindex", False),
            ("noindex nofollow", False),
            ("follow; noindex", False),
            ("noindex;nofollow", False),
            ("nofollow|noindex", False),
            ("noarchive\nnoindex", False),
            ("None", False),
            ("none; noarchive", False),
            ("nofollow", True),
            ("index, follow", True),
            ("max-image-preview: none", True),
            ("max-image-preview:none; max-snippet:-1", True),
            ("max-snippet:-1, noindex", False),
            ("otherbot: noindex", True),
            ("noindexing", True),
            ("", True),
        ],
    )
    def test_a_page_that_may_not_be_indexed_is_left_out(
        self, sitemaps: Sitemaps, robots: str | None, is_listed: bool
    ) -> None:
        text = sitemaps.of(lambda crawl: crawl.page(f"{SITE}/x", robots=robots))

        assert locations(text) == [HOME, f"{SITE}/x"][: 1 + is_listed]

    def test_a_crawl_without_a_page_to_list_is_refused(self, sitemaps: Sitemaps) -> None:
        """The schema of sitemaps.org asks for at least one URL."""
        with CrawlFile(sitemaps.db) as crawl:
            crawl.crawl([HOME])
            crawl.page(HOME, robots="noindex", seed=True)
        path = sitemaps.folder / "map.xml"

        assert sitemaps.export(str(path)) == 2
        assert "no page belongs in a sitemap" in sitemaps.err
        assert not path.exists()


class TestText:
    def test_a_sitemap_holds_nothing_but_the_pages(self, sitemaps: Sitemaps) -> None:
        """It is made to be published: no options, no paths, no dates of runs, no name of a tool."""

        def fill(crawl: CrawlFile) -> None:
            crawl.run(
                db="/home/me/crawl.db", cookies="/home/me/jar", proxy="http://proxy", strip_param=["secret_*"]
            )
            crawl.page(f"{SITE}/a")

        assert sitemaps.of(fill, strip_param=["secret_*"]) == (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"<url><loc>{HOME}</loc></url>\n<url><loc>{SITE}/a</loc></url>\n</urlset>\n"
        )

    @pytest.mark.parametrize(
        ("url", "written"),
        [
            (f"{SITE}/?a=1&b=2", f"{SITE}/?a=1&amp;b=2"),
            (f"{SITE}/it's", f"{SITE}/it&apos;s"),
            (f"{SITE}/%C3%BC?q=%E2%82%AC", f"{SITE}/%C3%BC?q=%E2%82%AC"),
            (f"{SITE}/a%01b%00", f"{SITE}/a%01b%00"),
            ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
            (f"{SITE}/%22%3Cb%3E", f"{SITE}/%22%3Cb%3E"),
        ],
    )
    def test_a_url_is_written_in_ascii_with_the_five_xml_entities(
        self, sitemaps: Sitemaps, url: str, written: str
    ) -> None:
        text = sitemaps.of(lambda crawl: crawl.page(url))

        assert f"<loc>{written}</loc>" in text
        assert url in locations(text)
        assert text.isascii()

    @pytest.mark.parametrize(
        ("url", "is_listed"),
        [
            (f"{SITE}/{'x' * (2_047 - len(HOME))}", True),
            (f"{SITE}/{'x' * (2_048 - len(HOME))}", False),
            ("https://user:password@site.example/", False),
        ],
        ids=["2047", "2048", "user"],
    )
    def test_a_url_that_is_too_long_or_has_a_user_name_is_left_out(
        self, sitemaps: Sitemaps, url: str, is_listed: bool
    ) -> None:
        assert (url in locations(sitemaps.of(lambda crawl: crawl.page(url)))) == is_listed

    @pytest.mark.parametrize(
        ("header", "lastmod"),
        [
            (None, None),
            ("", None),
            ("Fri, 20 Nov 2026 10:53:26 GMT", "2026-11-20T10:53:26Z"),
            ("Fri, 20 Nov 2026 11:53:26 +0100", "2026-11-20T10:53:26Z"),
            ("Fri, 20 Nov 2026 10:53:26 -0000", "2026-11-20T10:53:26Z"),
            ("Friday, 20-Nov-26 10:53:26 GMT", "2026-11-20T10:53:26Z"),
            ("Fri, 20 Nov 2026 10:57:00 GMT", "2026-11-20T10:57:00Z"),  # within what clocks differ
            ("Sat, 21 Nov 2026 10:53:26 GMT", None),  # fetched the day before
            ("Wed, 01 Jan 2070 00:00:00 GMT", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", None),
            ("Tue, 01 Jan 1980 00:00:00 GMT", None),
            ("Mon, 01 Jan 1601 00:00:00 GMT", None),
            ("Fri, 31 Feb 2020 10:00:00 GMT", None),
            ("Fri, 20 Nov 2026 10:53:26 +9999", None),
            ("20.11.2026", None),
            ("0", None),
            ("now", None),
        ],
    )
    def test_lastmod_is_a_last_modified_that_can_be_true(
        self, sitemaps: Sitemaps, header: str | None, lastmod: str | None
    ) -> None:
        text = sitemaps.of(lambda crawl: crawl.page(f"{SITE}/x", last_modified=header))

        assert text.count("<lastmod>") == (lastmod is not None)
        assert lastmod is None or f"<loc>{SITE}/x</loc><lastmod>{lastmod}</lastmod>" in text

    def test_urls_are_sorted_whatever_their_order_of_arrival(self, sitemaps: Sitemaps) -> None:
        names = [f"{SITE}/{name}" for name in "badc"]

        texts = {
            sitemaps.of(lambda crawl, order=order: [crawl.page(url) for url in order])  # type: ignore[misc]
            for order in (names, names[::-1])
        }

        assert [locations(text) for text in texts] == [[HOME, *sorted(names)]]


class TestSeveralFiles:
    @pytest.fixture(autouse=True)
    def one_url_per_file(self, monkeypatch: pytest.MonkeyPatch, sitemaps: Sitemaps) -> None:
        sitemaps.of(lambda crawl: crawl.page(f"{SITE}/x"))
        monkeypatch.setattr("penstock.storage.exports.sitemap.MAX_URLS", 1)

    def test_too_many_urls_become_parts_and_an_index(self, sitemaps: Sitemaps) -> None:
        index = sitemaps.folder / "a map's.xml"

        assert sitemaps.export(str(index)) == 0

        said = index.read_text()
        assert locations(said, "sitemap") == [f"{SITE}/a%20map%27s-{n}.xml" for n in (1, 2)]
        assert "<!--" not in said
        parts = [(sitemaps.folder / f"a map's-{n}.xml").read_text() for n in (1, 2)]
        assert [locations(part) for part in parts] == [[HOME], [f"{SITE}/x"]]

    def test_parts_of_a_compressed_sitemap_are_compressed(self, sitemaps: Sitemaps) -> None:
        index = sitemaps.folder / "all.xml.gz"

        assert sitemaps.export(str(index)) == 0

        said = gzip.decompress(index.read_bytes()).decode()
        assert locations(said, "sitemap") == [f"{SITE}/all-{n}.xml.gz" for n in (1, 2)]
        part = gzip.decompress((sitemaps.folder / "all-2.xml.gz").read_bytes()).decode()
        assert locations(part) == [f"{SITE}/x"]

    def test_an_index_is_refused_on_standard_output(self, sitemaps: Sitemaps) -> None:
        assert sitemaps.export("-") == 2
        assert "name a file" in sitemaps.err

    def test_a_file_stays_below_50_mib(self, sitemaps: Sitemaps, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("penstock.storage.exports.sitemap.MAX_URLS", 50_000)
        monkeypatch.setattr("penstock.storage.exports.sitemap.MAX_BYTES", 20_000)
        pages = [f"{SITE}/{n}/{'x' * 1_500}" for n in range(30)]
        sitemaps.of(lambda crawl: [crawl.page(url) for url in pages])

        parts = sorted(sitemaps.folder.glob("map-*.xml"))

        assert all(part.stat().st_size < 20_000 for part in parts)
        assert sum(len(locations(part.read_text())) for part in parts) == 31
