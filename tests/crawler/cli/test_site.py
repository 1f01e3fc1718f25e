"""`site`: a report for the browser that needs no network and obeys no title."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

from penstock.crawler.cli import main
from penstock.crawler.cli.html.charts import bars, columns, rising
from penstock.storage.reading.reports import REPORTS
from tests.support.database_rows import MOMENT, SITE, CrawlFile

HOME = f"{SITE}/"
HOSTILE = "</td><script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e\x1b[2J"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

Site = Callable[..., Path]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "crawl.db"
    with CrawlFile(path) as crawl:
        crawl.crawl([f"{SITE}/?q=<script>"])
        crawl.run(pages=14)
        crawl.page(HOME, depth=0, seed=True, title=HOSTILE, body=b"x" * 3000)
        for n in range(12):
            crawl.page(
                f"{SITE}/{n}", title="Same", elapsed_ms=10 ** (n % 4), body=b"y" * n, canonical="javascript:x"
            )
            crawl.link(HOME, f"{SITE}/{n}")
        crawl.page(f"{SITE}/gone", status=404, error="http_404")
        crawl.link(HOME, f"{SITE}/gone", HOSTILE)
        crawl.url("https://other.example/", "skipped", reason="scope")
        crawl.db.execute("UPDATE fetch SET fetched_at = ? + url_id * 1000", (MOMENT,))
    return path


@pytest.fixture
def site(db: Path, tmp_path: Path) -> Site:
    def write(target: str = "out.html") -> Path:
        assert main(["site", str(tmp_path / target), "--db", str(db)]) == 0
        return tmp_path / target

    return write


class CrawlReader(HTMLParser):
    """What a page holds: its elements with their attributes, in order."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


class TestPage:
    def test_the_page_has_numbers_five_charts_and_every_report_with_rows(self, site: Site) -> None:
        page = site()
        reader, html = CrawlReader(page), page.read_text("utf-8")

        assert len(reader.all("svg")) == 5
        named = {attributes["id"] for attributes in reader.all("section")}
        assert {"broken_links", "duplicate_titles", "skipped", "slow_pages"} <= named <= set(REPORTS)
        assert "The first 10 of 12 rows" in html
        assert "No rows: redirects," in html
        assert '<p class="soft">top_pages needs the results of `analyse`' in html
        assert "<dd>13</dd>" in html

    @pytest.mark.parametrize(("target", "page"), [("a.html", "a.html"), ("folder", "folder/index.html")])
    def test_the_whole_of_each_report_lies_beside_and_is_linked(
        self, site: Site, tmp_path: Path, target: str, page: str
    ) -> None:
        site(target)
        path = tmp_path / page

        hrefs = [str(a["href"]) for a in CrawlReader(path).all("a") if str(a["href"]).endswith(".csv")]

        assert len(hrefs) > 5
        lists = {(path.parent / href).name: (path.parent / href).read_text("utf-8") for href in hrefs}
        assert len(list(csv.reader(lists["duplicate_titles.csv"].splitlines()))) == 13

    def test_no_text_of_the_web_becomes_an_element_or_a_script(self, site: Site) -> None:
        reader = CrawlReader(site())

        assert reader.all("script") == reader.all("img") == []
        hrefs = {str(a["href"]) for a in reader.all("a")}
        assert not any(href.startswith("javascript") for href in hrefs)
        assert not any(name.startswith("on") or name == "style" for _, a in reader.elements for name in a)

    def test_what_hides_or_turns_text_is_shown_as_it_is(self, site: Site) -> None:
        html = site().read_text("utf-8")

        assert "\u202e" not in html
        assert "\x1b" not in html
        assert r"\u202e\x1b[2J" in html

    def test_the_page_loads_nothing_from_elsewhere_and_its_policy_forbids_it(self, site: Site) -> None:
        page = site()
        reader = CrawlReader(page)
        policy = next(m["content"] for m in reader.all("meta") if "content-security-policy" in str(m).lower())

        style = page.read_text("utf-8").partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert str(policy).startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
        assert not any({"src", "srcset", "data"} & set(attributes) for _, attributes in reader.elements)
        assert reader.all("link") == []

    def test_a_run_that_was_watched_shows_what_its_stages_did(self, db: Path, site: Site) -> None:
        with closing(sqlite3.connect(db)) as connection, connection:
            connection.execute("INSERT INTO sample VALUES (10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)")
            connection.execute("INSERT INTO stage_sample VALUES (10, 0, 'fetch', 0, 64, 16, 64, 900, 0, 0)")

        page = site()

        assert len(CrawlReader(page).all("svg")) == 6
        assert "fetch (25% busy)" in page.read_text("utf-8")

    def test_a_crawl_that_has_not_begun_has_a_page_too(self, tmp_path: Path) -> None:
        with CrawlFile(tmp_path / "new.db"):
            pass

        assert main(["site", str(tmp_path / "x.html"), "--db", str(tmp_path / "new.db")]) == 0
        assert "Not started" in (tmp_path / "x.html").read_text()

    def test_what_fails_leaves_nothing_behind(self, tmp_path: Path, db: Path) -> None:
        with closing(sqlite3.connect(db)) as connection, connection:
            connection.execute("DROP VIEW depths")

        assert main(["site", str(tmp_path / "folder"), "--db", str(db)]) != 0
        assert not (tmp_path / "folder").exists()

    @pytest.mark.parametrize("target", ["crawl.db", "no/such/folder", "no/such/file.html"])
    def test_a_place_that_cannot_be_is_one_line_and_exit_2(
        self, tmp_path: Path, db: Path, target: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["site", str(tmp_path / target), "--db", str(db)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


class TestCharts:
    def test_lengths_are_in_proportion(self) -> None:
        drawn = bars([("200", 100, "good"), ("404", 50, "bad")], about="x")

        wide, half = map(float, re.findall(r'width="([\d.]+)" height="18"', drawn))
        assert wide == pytest.approx(2 * half, abs=0.2)

    def test_nothing_and_zero_can_be_drawn(self) -> None:
        assert all(
            drawn.startswith("<svg")
            for drawn in (
                bars([], about="x"),
                columns([], about="x"),
                columns([("a", 0, "0")], about="x"),
                rising([0, 0], ("a", "b"), about="x"),
            )
        )

    def test_labels_are_escaped(self) -> None:
        assert "<b>" not in bars([("<b>", 1, "good")], about="<b>")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
class TestBrowser:
    """What a real browser makes of it."""

    def look(self, profile: Path, page: Path, *flags: str) -> str:
        command = [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={profile}", *flags, page.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def test_no_title_is_obeyed_and_the_page_is_drawn(self, site: Site, tmp_path: Path) -> None:
        page, picture = site(), tmp_path / "page.png"

        dom = self.look(
            tmp_path / "profile", page, "--window-size=1280,1000", f"--screenshot={picture}", "--dump-dom"
        )

        assert "<title>owned" not in dom
        width, height = struct.unpack(">II", picture.read_bytes()[16:24])
        assert (width, height) == (1280, 1000)
        assert picture.stat().st_size > 20_000  # an empty page has a tenth of that
