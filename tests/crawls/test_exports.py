"""Exports of whole crawls: from the pages of a server to the file that another program reads."""

from __future__ import annotations

import re
from pathlib import Path

from penstock.crawler.cli import main
from tests.support.crawls import crawl
from tests.support.synthetic_web import SyntheticWeb
from tests.support.synthetic_web_resource import Resource


def shop() -> SyntheticWeb:
    """A shop whose lists exist in several orders, beside pages that no sitemap lists."""
    web = SyntheticWeb(pages=0)

    def put(path: str, body: str, content_type: str = "text/html", header: str | None = None) -> None:
        web.resources[path] = Resource(
            path=path, content_type=content_type, raw=body.encode(), nofollow_header=header
        )

    def canonical(target: str) -> str:
        return f"<title>Shoes</title><link rel=canonical href={target}>"

    paths = ("/shoes", "/sizes", "/old", "/doc.pdf", "/a.jpg", "/hidden", "/soft")
    put("/", canonical("/#top") + "".join(f"<a href={path}>x</a>" for path in paths))
    put("/shoes", canonical("/shoes") + "<a href='/shoes?sort=price'>1</a><a href='/shoes?sort=name'>2</a>")
    put("/shoes?sort=price", canonical("/shoes"))
    put("/shoes?sort=name", canonical("/shoes"))
    put("/sizes", "<title>Sizes</title>", "application/xhtml+xml")
    put("/old", canonical("http://127.0.0.2:9/new"))
    put("/doc.pdf", "%PDF-1.4", "application/pdf")
    put("/a.jpg", "\xff", "image/jpeg")
    put("/hidden", "<title>h</title><meta name=robots content='noindex; follow'>")
    put("/soft", "<title>h</title>", header="noindex")
    return web


class TestSitemap:
    async def test_a_sitemap_lists_the_pages_that_are_their_own_canonical(self, tmp_path: Path) -> None:
        db, path = tmp_path / "crawl.db", tmp_path / "sitemap.xml"
        async with shop().serve() as url:
            await crawl(seeds=[url], db=db, strip_param=["utm_*"], header=["X-Key: secret"])

        assert main(["export", "sitemap", str(path), "--db", str(db)]) == 0

        text = path.read_text()
        assert re.findall("<loc>(.*?)</loc>", text) == [url, f"{url}shoes", f"{url}sizes"]
        assert not re.search("<!--|utm_|X-Key|crawl.db|Penstock", text)
