"""Parts: what the wiring needs that is more than a constructor's call.

May touch: every room, like `app`, the only one to import it.
"""

from __future__ import annotations

from crawler.config import CrawlConfig
from crawler.cookie_file import load
from crawler.ending import peak_memory
from crawler.errors import PenstockError
from crawler.logs import get_logger
from crawler.policies.bandwidth import Bandwidth
from stages.fetchers.plain import PlainOptions
from storage.crawl_store import CrawlStore

log = get_logger()


def plain_options(config: CrawlConfig) -> PlainOptions:
    return PlainOptions(
        user_agent=config.agent,
        headers=dict(config.headers),
        header_origins=config.credential_origins,
        cookies=None if config.cookies is None else load(config.cookies, config.credential_origins),
        proxy=config.exit,
        timeout=config.timeout,
        max_body=config.max_body,
        keep_bodies=config.save_bodies,
        public_only=config.public_only,
        bandwidth=None if config.bandwidth is None else Bandwidth(config.bandwidth),
    )


async def note_end(store: CrawlStore, reason: str) -> None:
    """Note in the file how the run ended. After an error the file may be what failed."""
    try:
        await store.finish(reason, peak_memory(), patient=reason != "error")
    except PenstockError as error:
        if reason != "error":
            raise
        # The error that ended the run is told by whoever called it; this one is only its echo.
        log.debug("run_end_not_noted", error=str(error))
