"""What `analyse` works out: PageRank, words, like texts. Small cases whose answer is known."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from penstock.crawler.cli import main
from penstock.stages.extractors.text.visible_text import visible_text
from penstock.storage.database.file_lock import FileLock
from penstock.storage.jobs.near_duplicates import MAX_BITS, group_similar, simhash, split_words
from penstock.storage.jobs.pagerank import DAMPING, TOLERANCE, Graph, pagerank
from tests.support.database_rows import SITE, CrawlFile

HTML = [("Content-Type", "text/html; charset=utf-8")]


def ranks(nodes: int, *links: tuple[int, int]) -> list[float]:
    return list(pagerank(Graph(nodes, sorted(links, key=lambda link: link[1]))).rank)


class TestPageRank:
    def test_two_pages_that_link_to_each_other_have_equal_ranks(self) -> None:
        assert ranks(2, (0, 1), (1, 0)) == pytest.approx([0.5, 0.5])

    def test_the_ranks_of_a_star_are_the_known_ones(self) -> None:
        """By hand, with h for the hub and l for each leaf: l = (1-d)/4 + d*h/3, h = (1-d)/4 + 3*d*l."""
        leaf = (1 - DAMPING) / 4 * (1 + DAMPING / 3) / (1 - DAMPING**2)
        hub = (1 - DAMPING) / 4 + 3 * DAMPING * leaf
        links = [link for n in (1, 2, 3) for link in ((0, n), (n, 0))]

        assert ranks(4, *links) == pytest.approx([hub, leaf, leaf, leaf], abs=1e-6)

    def test_the_rank_of_a_page_without_links_goes_to_all_pages(self) -> None:
        """b = 0.15/2 + 0.85*(a + b/2) and a + b = 1 give b = 0.925/1.425."""
        assert ranks(2, (0, 1)) == pytest.approx([0.5 / 1.425, 0.925 / 1.425], abs=1e-6)

    def test_ranks_add_up_to_one_and_converge(self) -> None:
        rng = Random(1)
        links = {(rng.randrange(300), rng.randrange(300)) for _ in range(1000)}
        found = pagerank(Graph(300, sorted(links, key=lambda link: link[1])))

        assert sum(found.rank) == pytest.approx(1)
        assert found.change < TOLERANCE

    def test_a_graph_without_pages_has_no_ranks(self) -> None:
        assert ranks(0) == []


class TestLikeness:
    def test_a_small_change_of_a_text_changes_few_bits_of_its_simhash(self) -> None:
        rng = Random(2)
        text = [f"w{rng.randrange(5000)}" for _ in range(2000)]
        changed = [*text[:1000], "changed", *text[1001:]]
        other = [f"w{rng.randrange(5000)}" for _ in range(2000)]

        one, near, far = (simhash(words) or 0 for words in (text, changed, other))

        assert (one ^ near).bit_count() <= MAX_BITS
        assert (one ^ far).bit_count() > 10

    def test_a_text_too_short_to_compare_has_no_simhash(self) -> None:
        assert simhash(["word"] * 19) is None

    def test_every_pair_of_hashes_within_three_bits_is_one_group(self) -> None:
        """Wherever the bits are: this is what the masks are for."""
        base = Random(3).getrandbits(64)
        for bits in Random(4).sample(list(combinations(range(64), 3)), 500):
            near = base ^ sum(1 << bit for bit in bits)
            assert list(group_similar([base, near])) == [0, 0], bits
            assert list(group_similar([base, near ^ 1 << (bits[0] + 1) % 64])) in ([0, 1], [0, 0])

    def test_hashes_that_differ_in_four_bits_are_not_grouped(self) -> None:
        assert list(group_similar([0, 0b1111, 1 << 63])) == [0, 1, 0]

    def test_a_character_of_a_script_without_spaces_counts_as_a_word(self) -> None:
        assert split_words("It's two: 日本 Ünïcode") == ["it", "s", "two", "日", "本", "ünïcode"]


class TestVisibleText:
    @pytest.mark.parametrize(
        ("html", "seen"),
        [
            ("<p>one</p><p>two</p>", "one two"),
            ("a<script>if (a < b) x('</p>')</script>b", "ab"),
            ("a<STYLE>p {}</Style >b<!-- c > d -->e", "abe"),
            ("<title>no</title>x &amp; y", "x & y"),
            ("1 < 2", "1 < 2"),
            ("a<script>never closed", "a"),
            ("a<!-- never closed", "a"),
            ("a<b never closed", "a"),
            ("", ""),
        ],
    )
    def test_the_visible_text_is_what_stands_between_tags(self, html: str, seen: str) -> None:
        assert visible_text(html.encode(), None).split() == seen.split()

    def test_the_charset_of_the_header_counts(self) -> None:
        assert visible_text("é".encode("latin-1"), "iso-8859-1") == "é"

    @pytest.mark.parametrize("piece", ["<", "<!--", "<script>", "</", "<p ", "&", "<script></scrip"])
    def test_a_hostile_page_takes_no_longer_than_another(self, piece: str) -> None:
        """A megabyte; were it quadratic, this would take hours."""
        visible_text(piece.encode() * (1_000_000 // len(piece)), "utf-8")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    text = " ".join(f"word{n}" for n in range(600))
    path = tmp_path / "crawl.db"
    with CrawlFile(path) as crawl:
        crawl.crawl()
        for name, body in (("b", text + " one"), ("a", text + " other"), ("c", text[::-1]), ("d", "short")):
            crawl.page(f"{SITE}/{name}", body=body.encode())
            crawl.saved(f"{SITE}/{name}", f"<p>{body}</p>".encode(), HTML)
        crawl.redirect(f"{SITE}/old", f"{SITE}/a")
        crawl.page(f"{SITE}/gone", status=404, error="http_404")
        crawl.link(f"{SITE}/b", f"{SITE}/a")
        crawl.link(f"{SITE}/c", f"{SITE}/c")
        crawl.link(f"{SITE}/c", f"{SITE}/gone")
        crawl.link(f"{SITE}/d", f"{SITE}/c", followed=False)
    return path


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


class TestAnalyse:
    def test_analyse_stores_ranks_words_and_groups(
        self, db: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["analyse", "--db", str(db)]) == 0

        assert "ranked 5 URLs by 2 links" in capsys.readouterr().err
        assert rows(db, "SELECT sum(rank) FROM analysis") == [(pytest.approx(1),)]
        assert rows(db, "SELECT url FROM top_pages LIMIT 1") == [(f"{SITE}/a",)]
        assert rows(db, "SELECT url, words FROM thin_pages WHERE words IS NOT NULL") == [(f"{SITE}/d", 1)]
        near = rows(db, "SELECT first, copies, url, distance <= 3 FROM near_duplicates")
        assert near == [(f"{SITE}/a", 2, f"{SITE}/a", 1), (f"{SITE}/a", 2, f"{SITE}/b", 1)]

    def test_a_second_analyse_replaces_the_results_of_the_first(self, db: Path) -> None:
        main(["analyse", "--db", str(db)])
        main(["analyse", "--db", str(db)])

        assert rows(db, "SELECT count(*) FROM analysis") == [(5,)]

    def test_pages_fetched_after_analyse_are_noted_beside_the_report(
        self, db: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        main(["analyse", "--db", str(db)])
        with closing(sqlite3.connect(db)) as connection, connection:
            connection.execute("UPDATE fetch SET fetched_at = 0")
        assert main(["report", "top_pages", "--db", str(db)]) == 0
        assert capsys.readouterr().err.count("\n") == 1

        with closing(sqlite3.connect(db)) as connection, connection:
            connection.execute("UPDATE fetch SET fetched_at = 1000 * strftime('%s', 'now', '1 hour')")
        assert main(["report", "top_pages", "--db", str(db)]) == 0
        assert "run it again" in capsys.readouterr().err

    def test_analyse_refuses_a_running_crawl(self, db: Path, capsys: pytest.CaptureFixture[str]) -> None:
        lock = FileLock.acquire(db)
        try:
            assert main(["analyse", "--db", str(db)]) == 75
        finally:
            lock.release()

        assert "another crawl is running" in capsys.readouterr().err

    def test_analyse_does_not_create_a_missing_file(self, tmp_path: Path) -> None:
        assert main(["analyse", "--db", str(tmp_path / "typo.db")]) == 2
        assert list(tmp_path.iterdir()) == []

    def test_near_duplicates_is_refused_without_saved_bodies(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "crawl.db"
        with CrawlFile(path) as crawl:
            crawl.crawl()
            crawl.page(f"{SITE}/")
        main(["analyse", "--db", str(path)])

        assert main(["report", "near_duplicates", "--db", str(path)]) == 2
        assert "--save-bodies" in capsys.readouterr().err
