"""Parts: what the wiring needs that is more than a constructor's call.

May touch: every room, like `app`, the only one to import it.

What most crawls do not ask for is loaded here, when one does: a small crawl is mostly loading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.config import CrawlConfig
from crawler.ending import peak_memory
from crawler.errors import PenstockError
from crawler.logs import get_logger
from crawler.policies.bandwidth import Bandwidth
from crawler.watch import warn_of_slow_plugin
from stages.fetchers.plain import PlainOptions
from storage.crawl_store import CrawlStore

if TYPE_CHECKING:
    from crawler.policies.rewrite import Rewrite
    from stages.extractors.harvest import Harvester
    from stages.extractors.plan import Plan

log = get_logger()


def plain_options(config: CrawlConfig) -> PlainOptions:
    cookies = None
    if config.cookies is not None:
        from crawler.cookie_file import load

        cookies = load(config.cookies, config.credential_origins)
    return PlainOptions(
        user_agent=config.agent,
        headers=dict(config.headers),
        header_origins=config.credential_origins,
        cookies=cookies,
        proxy=config.exit,
        timeout=config.timeout,
        max_body=config.max_body,
        keep_bodies=config.save_bodies,
        public_only=config.public_only,
        bandwidth=None if config.bandwidth is None else Bandwidth(config.bandwidth),
    )


def harvester_of(plan: Plan | None) -> Harvester | None:
    """What gathers by the plan; None if nothing is wanted of pages but their links."""
    if plan is None:
        return None
    from stages.extractors.harvest import Harvester

    return Harvester(plan, on_slow=warn_of_slow_plugin)


def rewrite_of(config: CrawlConfig) -> Rewrite | None:
    """The operator's URL rules; None, which costs nothing, if there are none."""
    if not (config.strip_param or config.strip_sessions or config.sort_query or config.fold_index):
        return None
    from crawler.policies.rewrite import Rewrite

    return Rewrite(config.strip_param, config.strip_sessions, config.sort_query, config.fold_index)


async def note_end(store: CrawlStore, reason: str) -> None:
    """Note in the file how the run ended. After an error the file may be what failed."""
    try:
        await store.finish(reason, peak_memory(), patient=reason != "error")
    except PenstockError as error:
        if reason != "error":
            raise
        # The error that ended the run is told by whoever called it; this one is only its echo.
        log.debug("run_end_not_noted", error=str(error))
