"""Scrapy as its tutorial has it: a CrawlSpider with one rule, items into a feed of JSON lines."""

# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule

from tests.bench.contenders.page import links_of, record, title_of

SETTINGS = {
    "CONCURRENT_REQUESTS": 64,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 64,
    "DOWNLOAD_DELAY": 0,
    "ROBOTSTXT_OBEY": False,
    "AUTOTHROTTLE_ENABLED": False,
    "RETRY_ENABLED": False,
    "REDIRECT_ENABLED": False,
    "METAREFRESH_ENABLED": False,
    "COOKIES_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "HTTPERROR_ALLOW_ALL": True,
    "LOG_ENABLED": False,
}


class Site(CrawlSpider):
    name = "site"
    # By default links to archives, images and so on are not even asked for: not an equal crawl.
    rules = (Rule(LinkExtractor(deny_extensions=[]), callback="read", follow=True),)

    def parse_start_url(self, response: Any, **kwargs: Any) -> Iterator[dict[str, object]]:
        return self.read(response)

    def read(self, response: Any) -> Iterator[dict[str, object]]:
        if response.status != 200 or not isinstance(response, HtmlResponse):
            yield record(response.url, response.status)
            return
        root = response.selector.root
        links = links_of(response.url, root).items()
        yield record(response.url, response.status, response.body, title_of(root), links)


def main() -> None:
    _, url, path = sys.argv
    process = CrawlerProcess({**SETTINGS, "FEEDS": {path: {"format": "jsonlines"}}})
    process.crawl(Site, start_urls=[url], allowed_domains=[urlsplit(url).hostname])
    process.start()


if __name__ == "__main__":
    main()
