"""Crawlee: its parsel crawler, storage in memory, concurrency fixed, sessions and retries off."""

# mypy: disable-error-code="import-not-found, misc, untyped-decorator"

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any
from urllib.parse import urlsplit

from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler
from crawlee.http_clients import ImpitHttpClient
from crawlee.storage_clients import MemoryStorageClient

from tests.bench.contenders.page import line, links_of, title_of


async def crawl(url: str, path: str) -> None:
    logging.disable(logging.CRITICAL)
    site = "{0.scheme}://{0.netloc}/".format(urlsplit(url))
    seen = {url}
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        http_client=ImpitHttpClient(persist_cookies_per_session=False, browser=None, follow_redirects=False),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=64, max_concurrency=64, desired_concurrency=64
        ),
        max_request_retries=0,
        use_session_pool=False,
        retry_on_blocked=False,
        configure_logging=False,
        respect_robots_txt_file=False,
        ignore_http_error_status_codes=range(400, 600),
    )
    with open(path, "w") as file:  # noqa: ASYNC230, as below: a line a page

        @crawler.router.default_handler
        async def read(context: Any) -> None:
            here, status = context.request.url, context.http_response.status_code
            content_type = context.http_response.headers.get("content-type") or ""
            if status != 200 or not content_type.startswith("text/html"):
                file.write(line(here, status))
                return
            body = await context.http_response.read()
            root = context.selector.root
            links = links_of(here, root)
            file.write(line(here, status, body, title_of(root), links.items()))
            # Faster than its own enqueue_links, which finds and joins every link a second time.
            new = [target for target in links if target not in seen and target.startswith(site)]
            seen.update(new)
            await context.add_requests(new)

        await crawler.run([url])


def main() -> None:
    _, url, path = sys.argv
    asyncio.run(crawl(url, path))


if __name__ == "__main__":
    main()
