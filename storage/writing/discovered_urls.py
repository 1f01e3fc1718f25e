"""Discovered URLs: the rows of `url`, `host` and `link` that one commit adds and changes.

May touch: the database's statements, the URL table, interned strings, discovery.
Never: a decision. Discovery decides; this module loads the rows that it asks for and writes the result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from penstock.crawler.messages import CanonicalUrl, Done, Links, UrlVerdict
from penstock.crawler.scheduler.discovery import Discovery, UrlKind
from penstock.crawler.urls import host_of
from penstock.storage.database.batching import CHUNK_SIZE, chunkwise, in_chunks
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.interned_strings import InternedStrings
from penstock.storage.writing.rows import UrlRow
from penstock.storage.writing.url_table import UrlTable

_REFRESH = 2  # how a child was found, in FIND_CHILDREN


class DiscoveredUrls:
    """`note` verdicts, `write` new URLs and links, `spread` better reaches when all else is written."""

    def __init__(
        self,
        database: Database,
        urls: UrlTable,
        strings: InternedStrings,
        discovery: Discovery[UrlRow],
        generation: int,
    ) -> None:
        self._database = database
        self._urls = urls
        self._strings = strings
        self._discovery = discovery
        self._generation = generation
        self._links: list[object] = []  # parameters of ADD_LINK, row after row
        self._plain_links: list[object] = []  # of ADD_PLAIN_LINK: followed, without a rel
        self._bare_links: list[object] = []  # of ADD_BARE_LINK: these, without a text
        self._moves: list[tuple[int, int]] = []
        self.grown: set[str] = set()  # hosts of new pending URLs, after `write`
        self.links = 0

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        if not isinstance(verdict, Done) or verdict.content is None:
            return
        links = verdict.content.links
        self.links += len(links)
        async for begin in chunkwise(range(0, len(links), CHUNK_SIZE), 1):
            part = links.part(begin, begin + CHUNK_SIZE)
            self._note_links(row, part, self._discovery.follow_links(row, part))
        if (url := verdict.content.moved_to) is not None:
            self._note_move(row, url, links)

    def _note_move(self, source: UrlRow, url: CanonicalUrl, links: Links) -> None:
        """A refresh is obeyed like a link: not if the page says nofollow."""
        if url in links.urls and links.urls.index(url) not in links.nofollow:
            self._moves.append((source.id, self._urls.pages[url].id))
            self._discovery.follow_move(source, url)

    def _note_links(self, source: UrlRow, links: Links, targets: Sequence[UrlRow]) -> None:
        strings, rels, nofollow = self._strings.recent, links.rels, links.nofollow
        numbers = [target.id for target in targets]
        texts = [strings[text] if text else None for text in links.texts]
        special = {*rels, *nofollow}
        for at in special:
            rel_id = strings[rel] if (rel := rels.get(at)) else None
            self._links += (source.id, numbers[at], texts[at], rel_id, 0 if at in nofollow else 1)
        if special or None in texts:
            for at, text in enumerate(texts):
                if text is None and at not in special:
                    self._bare_links += (source.id, numbers[at])
            plain_at = [at for at, text in enumerate(texts) if text is not None and at not in special]
            numbers, texts = [numbers[at] for at in plain_at], [texts[at] for at in plain_at]
        plain: list[object] = [source.id] * (3 * len(numbers))
        plain[1::3], plain[2::3] = numbers, texts
        self._plain_links += plain

    async def write(self) -> None:
        """Write new URLs and links."""
        await self._widen_scope()
        discovery = self._discovery
        self.grown = await self._urls.write_new(discovery.new, discovery.seeds)
        await self._database.run_multi_row(sql.ADD_PLAIN_LINK, self._plain_links)
        await self._database.run_multi_row(sql.ADD_BARE_LINK, self._bare_links)
        await self._database.run_multi_row(sql.ADD_LINK, self._links)
        if self._moves:
            await self._database.run_many(sql.ADD_REFRESH, self._moves)

    async def spread(self) -> None:
        """Let better reaches flow on until nothing improves, then write the changed rows.

        It reads links and redirects, so those of this commit are written before.
        """
        while sources := self._discovery.take_spreading():
            pages = {row.id: row for row in sources if row.kind == UrlKind.PAGE}
            if pages:
                await self._spread_pages(pages)
            resources = {row.id: row for row in sources if row.kind == UrlKind.RESOURCE}
            if resources:
                params: dict[str, object] = {"sources": json.dumps(list(resources))}
                for (number,), target in await self._urls.rows(sql.FIND_TARGETS, params):
                    self._discovery.spread_redirect(resources[number], target)
            sitemaps = {row.id: row for row in sources if row.kind == UrlKind.SITEMAP}
            if sitemaps:
                await self._spread_sitemaps(sitemaps)
            await self._widen_scope()
        async for chunk in in_chunks(self._discovery.improved):
            await self._urls.update(chunk)
        if moved := self._discovery.moved:
            await self._database.run_many(sql.SET_MOVES, [(row.id, moves) for row, moves in moved.items()])

    async def _spread_pages(self, sources: dict[int, UrlRow]) -> None:
        discovery = self._discovery
        params = {"sources": json.dumps(list(sources)), "generation": self._generation}
        async for chunk in in_chunks(await self._urls.rows(sql.FIND_CHILDREN, params)):
            for (number, followed, redirect), target in chunk:
                if redirect == _REFRESH:
                    discovery.spread_move(sources[number], target)
                elif redirect:
                    discovery.spread_redirect(sources[number], target)
                else:
                    discovery.spread_link(sources[number], target, followed=bool(followed))

    async def _spread_sitemaps(self, sources: dict[int, UrlRow]) -> None:
        params: dict[str, object] = {"sources": json.dumps(list(sources))}
        for (number, redirect), target in await self._urls.rows(sql.FIND_SITEMAP_CHILDREN, params):
            spread = self._discovery.spread_redirect if redirect else self._discovery.spread_index
            spread(sources[number], target)

    async def _widen_scope(self) -> None:
        """Note the scope's new parts and judge again what had been kept out of them."""
        discovery = self._discovery
        taken, part = discovery.take_widened()
        if not taken:
            return
        await self._database.run_many(sql.ADD_SCOPE, [(url,) for url in taken])
        hosts: Iterable[str] = {host_of(url) for url in taken}
        if part.kind == "domain":
            hosts = part.hosts_of(name for (name,) in await self._database.rows(sql.ALL_HOSTS))
        found = await self._urls.rows(sql.FIND_OUT_OF_SCOPE, {"hosts": json.dumps([*hosts])})
        discovery.judge_scope_again(row for _, row in found)
        discovery.judge_scope_again(discovery.new)
        named = await self._urls.rows(sql.FIND_UNPROVEN_SITEMAPS, {})
        discovery.judge_sitemaps_again((row, origin.partition("://")[2]) for (origin,), row in named)
