"""Scrapling: its Spider with uvloop; no impersonation, no blocked-page retries, logging off."""

# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from scrapling.fetchers import FetcherSession
from scrapling.spiders import Request, Spider

from tests.bench.contenders.page import join, line


class Site(Spider):
    name = "site"
    concurrent_requests = 64
    max_blocked_retries = 0
    logging_level = logging.CRITICAL

    def __init__(self, url: str, path: str) -> None:
        self.start_urls = [url]
        self._seen = {url}
        self._site = "{0.scheme}://{0.netloc}/".format(urlsplit(url))
        self._file = open(path, "w")  # noqa: SIM115, closed with the spider
        super().__init__()

    def configure_sessions(self, manager: Any) -> None:
        session = FetcherSession(impersonate=None, stealthy_headers=False, retries=1, follow_redirects=False)
        manager.add("default", session)

    async def is_blocked(self, response: Any) -> bool:
        return False

    async def parse(self, response: Any) -> AsyncIterator[Any]:
        url, status = response.url, response.status
        if status != 200 or not response.headers.get("content-type", "").startswith("text/html"):
            self._file.write(line(url, status))
            return
        links: dict[str, str] = {}
        for node in response.css("a[href]"):
            target = join(url, node.attrib["href"])
            if target is not None and not links.get(target):
                links[target] = " ".join(node.get_all_text(separator="").split())
        title = response.css("title::text").get()
        self._file.write(line(url, status, response.body, title and title.strip(), links.items()))
        for target in links:
            if target not in self._seen and target.startswith(self._site):
                self._seen.add(target)
                yield Request(target)

    async def on_close(self) -> None:
        self._file.close()


def main() -> None:
    _, url, path = sys.argv
    Site(url, path).start(use_uvloop=True)


if __name__ == "__main__":
    main()
