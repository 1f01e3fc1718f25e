"""First cookies: what the first answer of each origin sets, frozen for the run (--cookies-from-seed).

May touch: this room.
Never: log or return a cookie.

One request comes before all pages of an origin, always to the same URL. Its cookies go with every page and
sitemap of the origin, and whatever pages set later is ignored: so a page depends on no other page.
"""

from __future__ import annotations

import asyncio

from penstock.crawler.config.domains import registrable_domain
from penstock.crawler.messages import CanonicalUrl, Failed, FetchTask
from penstock.crawler.policies.cookie_jar import CookieJar
from penstock.crawler.policies.retry import RETRIED_STATUSES
from penstock.crawler.urls import origin
from penstock.stages.http.exchange import HttpClient
from penstock.stages.http.failures import reason_of
from penstock.stages.http.request import CredentialSender

_NONE = CookieJar(registrable_domain)  # of all origins that set no cookie


class FirstCookies:
    """Requests what comes first, once per origin."""

    def __init__(self, client: HttpClient, sender: CredentialSender) -> None:
        self._client = client
        self._sender = sender
        self._turns: dict[str, asyncio.Lock] = {}  # of the origins that are being asked

    async def take(self, url: CanonicalUrl, task: FetchTask) -> Failed | None:
        """Request `url` for its cookies unless that was done. `Failed`: no answer; the page must wait."""
        site = origin(url)
        if site in self._sender.frozen:
            return None
        async with self._turns.setdefault(site, asyncio.Lock()):
            if site in self._sender.frozen:
                return None
            failed = await self._request(url, site, task)
        if failed is None:
            self._turns.pop(site, None)
        return failed

    async def _request(self, url: CanonicalUrl, site: str, task: FetchTask) -> Failed | None:
        jar, exchange = CookieJar(registrable_domain), None
        try:
            exchange = await self._client.request("GET", url, jar)
            answer = exchange.head.answer()
        except Exception as error:
            if (reason := reason_of(error)) is None:
                raise
            return Failed(task=task, reason=reason)
        finally:
            if exchange is not None:
                exchange.close()  # nobody reads the body
        if answer.status in RETRIED_STATUSES:
            return Failed(task=task, reason=f"http_{answer.status}", answer=answer)
        self._sender.frozen[site] = jar if len(jar) else _NONE
        return None
