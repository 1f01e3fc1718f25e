"""Scrapy by somebody in a hurry: uvloop, another parser, an own set of known URLs, little between.

What the documentation's page on optimization advises (no cookies, no retries, unused components
off, another event loop), and what experienced users do on top of it.
"""

# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse
from selectolax.lexbor import LexborHTMLParser

from tests.bench.contenders.page import join, line
from tests.bench.contenders.scrapy_crawlspider import SETTINGS

OFF = {
    "SPIDER_MIDDLEWARES": {
        "scrapy.spidermiddlewares.httperror.HttpErrorMiddleware": None,
        "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
        "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,
        "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
    },
    "DOWNLOADER_MIDDLEWARES": {
        "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
        "scrapy.downloadermiddlewares.httpauth.HttpAuthMiddleware": None,
        "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
        "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,
        "scrapy.downloadermiddlewares.stats.DownloaderStats": None,
    },
    "EXTENSIONS": {
        "scrapy.extensions.corestats.CoreStats": None,
        "scrapy.extensions.logstats.LogStats": None,
        "scrapy.extensions.memusage.MemoryUsage": None,
    },
    "DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter",  # none: the spider knows its URLs
    "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
    "SCRAPER_SLOT_MAX_ACTIVE_SIZE": 50_000_000,
}


class Lean(Spider):
    name = "lean"
    seed: str
    output: str

    async def start(self) -> AsyncIterator[Any]:
        self.seen = {self.seed}
        self.site = "{0.scheme}://{0.netloc}/".format(urlsplit(self.seed))
        self.file = open(self.output, "w")  # noqa: ASYNC230, SIM115, closed with the spider
        yield Request(self.seed)

    def parse(self, response: Any) -> Iterator[Any]:
        url = response.url
        if response.status != 200 or not isinstance(response, HtmlResponse):
            self.file.write(line(url, response.status))
            return
        body = response.body
        tree = LexborHTMLParser(body)
        links: dict[str, str] = {}
        for node in tree.css("a[href]"):
            target = join(url, node.attributes["href"] or "")
            if target is not None and not links.get(target):
                links[target] = " ".join(node.text().split())
        title = tree.css_first("title")
        self.file.write(line(url, response.status, body, title and title.text().strip(), links.items()))
        for target in links:
            if target not in self.seen and target.startswith(self.site):
                self.seen.add(target)
                yield Request(target)

    def closed(self, reason: str) -> None:
        self.file.close()


def main() -> None:
    _, url, path = sys.argv
    process = CrawlerProcess({**SETTINGS, **OFF})
    process.crawl(Lean, seed=url, output=path)
    process.start()


if __name__ == "__main__":
    main()
