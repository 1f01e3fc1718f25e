"""--public-only in whole crawls: pages, redirects, robots.txt and sitemaps, each held to the same table."""

from __future__ import annotations

import json
import socket
from functools import partial
from pathlib import Path

import pytest

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.addresses import is_public
from penstock.crawler.urls import canonical, is_http, split
from penstock.stages.http.resolver import public_socket
from tests.support.conformance import read_bytes
from tests.support.crawls import crawl, rows
from tests.support.small_site import Reply, Site, page, to

OUTSIDE = "127.0.0.9"  # stands for the public internet


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as one:
        try:
            one.bind((OUTSIDE, 0))
        except OSError:
            pytest.skip(f"this machine has no address {OUTSIDE}")
    allows = partial(public_socket, allows=lambda address: address == OUTSIDE or is_public(address))
    monkeypatch.setattr("penstock.stages.http.exchange.public_socket", allows)


def blocked_urls() -> list[str]:
    """What the table's hosts are to us: those that are no valid host are no URL either."""
    hosts = [case["host"] for case in json.loads(read_bytes("ssrf/addresses.json"))["blocked"]]
    urls = [url for host in hosts if (url := canonical(f"http://{host}/x")) is not None]
    assert (len(hosts), len(set(urls))) > (50, 30)
    return sorted({url for url in urls if is_http(url)})


class TestPublicOnly:
    async def test_a_public_only_crawl_of_this_machine_sends_no_request(self, tmp_path: Path) -> None:
        """Neither for the page, nor for its robots.txt, nor for a sitemap that the operator names."""
        site = Site(lambda path: page())
        async with site.serve() as base:
            report = await crawl(
                seeds=[f"{base}/a", base.replace("127.0.0.1", "localhost")],
                sitemap=f"{base}/map.xml",
                public_only=True,
                no_robots=False,
                db=tmp_path / "a.db",
            )

        assert (report.exit_code, site.asked) == (4, {})
        assert rows(tmp_path / "a.db", "SELECT DISTINCT state, reason FROM urls") == [("skipped", "address")]
        assert rows(tmp_path / "a.db", "SELECT state, reason FROM sitemaps") == [("skipped", "address")]
        assert set(rows(tmp_path / "a.db", "SELECT status, error FROM robots")) == {(None, "address")}

    @pytest.mark.usefixtures("outside")
    async def test_no_host_of_the_table_is_reached_from_outside(self, tmp_path: Path) -> None:
        """By a link or by a redirect, its robots.txt asked first."""
        blocked = blocked_urls()
        leads: dict[str, Reply] = {f"/to/{number}": to(url) for number, url in enumerate(blocked)}
        linked = [url.removesuffix("x") + "y" for url in blocked]
        site = Site(lambda path: page(*leads, *linked) if path == "/" else leads.get(path))
        async with site.serve(OUTSIDE) as base:
            await crawl(
                seeds=[base],
                depth=1,
                scope="any",
                public_only=True,
                no_robots=False,
                retries=0,
                db=tmp_path / "a.db",
            )

        found = rows(tmp_path / "a.db", f"SELECT url, state, reason FROM urls WHERE url NOT LIKE '{base}%'")
        assert sorted(found) == sorted((url, "skipped", "address") for url in [*blocked, *linked])
        hosts = {split(CanonicalUrl(url)).host for url in blocked}
        asked = rows(tmp_path / "a.db", "SELECT origin, error FROM robots WHERE status IS NULL")
        assert sorted(asked) == sorted((f"http://{host}", "address") for host in hosts)

    @pytest.mark.usefixtures("outside")
    async def test_neither_robots_txt_nor_sitemaps_lead_inside(self, tmp_path: Path) -> None:
        inside = Site(lambda path: page())
        async with inside.serve("127.0.0.1") as within:
            index = f"<sitemapindex><sitemap><loc>{within}/b.xml</loc></sitemap></sitemapindex>"
            listed = f"<urlset><url><loc>{within}/listed</loc></url></urlset>"
            replies = {
                "/": page(),
                "/robots.txt": Reply(
                    body=f"Sitemap: {{base}}/a.xml\nSitemap: {within}/c.xml\nSitemap: {{base}}/d.xml",
                    headers={"Content-Type": "text/plain"},
                ),
                "/a.xml": Reply(body=index),
                "/d.xml": Reply(body=listed),
            }
            moved = Site(lambda path: to(f"{within}/robots.txt") if path == "/robots.txt" else page())
            async with Site(replies.get).serve(OUTSIDE) as one, moved.serve(OUTSIDE) as other:
                await crawl(
                    seeds=[one, other],
                    depth=1,
                    scope="any",
                    public_only=True,
                    no_robots=False,
                    db=tmp_path / "a.db",
                )

        assert inside.asked == {}
        found = rows(
            tmp_path / "a.db",
            f"SELECT url, reason FROM urls WHERE url LIKE '{within}%' "
            f"UNION SELECT url, reason FROM sitemaps WHERE url LIKE '{within}%'",
        )
        assert sorted(found) == [(f"{within}/{name}", "address") for name in ("b.xml", "c.xml", "listed")]
