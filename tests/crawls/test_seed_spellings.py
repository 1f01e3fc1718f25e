"""Seeds as people write them: which of them are one, where the crawl goes on, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.reach import Horizon
from penstock.crawler.policies.scope import Scope
from penstock.crawler.scheduler.discovery import Admission
from tests.support.crawls import crawl, rows
from tests.support.synthetic_web import SyntheticWeb


class TestSpelling:
    @pytest.mark.parametrize(
        ("written", "seed"),
        [
            ("http://example.com", "http://example.com/"),
            ("HTTP://EXAMPLE.com/A", "http://example.com/A"),
            ("http://example.com:80/", "http://example.com/"),
            ("https://example.com:443/", "https://example.com/"),
            ("http://example.com:8080/", "http://example.com:8080/"),
            ("http://example.com/#top", "http://example.com/"),
            (" http://example.com/\n", "http://example.com/"),
            ("http://example.com/a/../b", "http://example.com/b"),
            ("http://bücher.example/ü?ü", "http://xn--bcher-kva.example/%C3%BC?%C3%BC"),
            ("http://XN--BCHER-KVA.example/", "http://xn--bcher-kva.example/"),
            ("http://example.com./", "http://example.com./"),
            ("http://127.1/", "http://127.0.0.1/"),
        ],
    )
    def test_a_seed_has_one_canonical_spelling(self, written: str, seed: str) -> None:
        assert CrawlConfig(seeds=[written, seed]).seeds == (seed,)

    @pytest.mark.parametrize("written", ["http://me:secret@example.com/", "http://me@example.com/"])
    def test_a_seed_with_a_user_is_refused_and_no_secret_is_repeated(self, written: str) -> None:
        with pytest.raises(BadConfig) as refused:
            CrawlConfig(seeds=[written])

        assert "secret" not in str(refused.value)
        assert "--auth" in str(refused.value)

    async def test_seeds_that_are_one_are_fetched_once(self, tmp_path: Path) -> None:
        web, db = SyntheticWeb(pages=0), tmp_path / "crawl.db"
        async with web.serve() as url:
            seeds = [url, f"{url}#a", url.replace("http", "HTTP"), url.rstrip("/")]
            await crawl(seeds=seeds, depth=0, db=db)

        assert rows(db, "SELECT count(*) FROM pages") == [(1,)]


class TestWhereASeedLeads:
    """The target of a redirect of a seed, and whether the scope `host` holds it already."""

    @pytest.mark.parametrize(
        ("seed", "target", "is_wider"),
        [
            ("http://example.com/", "https://example.com/", False),
            ("http://example.com/", "https://example.com/home", False),
            ("http://example.com/", "http://www.example.com/", True),
            ("http://www.example.com/", "https://example.com/", True),
            ("http://example.com:8080/", "https://example.com/", True),
            ("http://example.com./", "http://example.com/", True),
        ],
    )
    def test_the_scope_is_widened_by_another_host_not_by_another_scheme(
        self, seed: str, target: str, is_wider: bool
    ) -> None:
        admission = Admission(Scope("host", [CanonicalUrl(seed)]), Horizon(depth=2))

        assert admission.widen(CanonicalUrl(target)) == is_wider
        assert admission.scope.inside(CanonicalUrl(target))
        assert admission.scope.inside(CanonicalUrl(seed))
