"""Extraction: what the operator wants of each page besides its links, gathered from the tree that is there.

May touch: what gathers (`select`, `structured`, `resources`, `page`, `maintext`), plugins.
Never: raise for what a page contains, or for what a plugin does.

A `Plan` says what is wanted. It can be written down and read by another process, so that
a page yields the same wherever it is read.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from selectolax.lexbor import LexborHTMLParser

from penstock.crawler.config.plugins import Follow, Plugin, load
from penstock.crawler.config.select_rules import rule_from_table
from penstock.crawler.errors import BadConfig
from penstock.crawler.extraction import ExtractionResult, PageText, Value
from penstock.crawler.messages import CanonicalUrl, Content, Link, Links
from penstock.crawler.urls import is_http, without_fragment
from penstock.stages.extractors.fields.collector import Collector, storable_scalar
from penstock.stages.extractors.fields.maintext import main_text
from penstock.stages.extractors.fields.page import MAX_HEADINGS, ParsedDocument, headings, lines
from penstock.stages.extractors.fields.page_resources import resources_of
from penstock.stages.extractors.fields.plan import Plan
from penstock.stages.extractors.fields.select import Selection
from penstock.stages.extractors.fields.structured import structured

SLOW_SECONDS = 0.1  # of a plugin on one page; while it runs on the event loop all else waits
MAX_FOUND = 10_000  # values and links that one plugin may return for a page
_PLUGIN_REL = "plugin"  # rel of a link that only a plugin names


@dataclass(slots=True)
class _Given:
    """What plugins add to a page, until it is known to be good."""

    collector: Collector
    links: dict[CanonicalUrl, str]  # url to text


class FieldExtractor:
    """A plan at work. Raises BadConfig for a selector that is none, or a plugin that cannot be loaded."""

    def __init__(
        self,
        plan: Plan,
        *,
        plugins: Sequence[Plugin] | None = None,  # loaded already; None: load those of the plan
        on_slow: Callable[[str, float, str], None] = lambda plugin, seconds, url: None,
    ) -> None:
        self._plan = plan
        self._selection = Selection(plan.rules)
        self._plugins = [load(plugin) for plugin in plan.plugins] if plugins is None else plugins
        self._on_slow = on_slow  # told of each plugin once
        self._slow: set[str] = set()  # plugins that were warned of

    @property
    def portable(self) -> bool:
        """True if another process can do the same."""
        return all(plugin.importable for plugin in self._plugins)

    def add(
        self,
        content: Content,
        tree: LexborHTMLParser,
        utf8: bytes,
        *,
        url: CanonicalUrl,
        base: str,
        resolve: Callable[[str], str],
    ) -> Content:
        """Return `content` with its extraction, and with the links that plugins name.

        `resolve` makes a canonical URL of what a plugin calls a link, or something that is none.
        """
        collector = Collector()
        self._selection.take(tree, url, collector)
        page = ParsedDocument(tree, url, content)
        links: dict[CanonicalUrl, str] = {}
        for plugin in self._plugins:
            self._call(plugin, page, _Given(collector, links), resolve)
        extraction = ExtractionResult(
            values=collector.values,
            items=structured(tree, base) if self._plan.structured else (),
            text=_page_text(tree, utf8, page) if self._plan.text else None,
            errors=collector.mishaps,
        )
        return replace(
            content,
            extraction=extraction,
            links=_joined(content.links, links),
            resources=resources_of(tree, resolve) if self._plan.resources else (),
        )

    def _call(
        self, plugin: Plugin, page: ParsedDocument, given: _Given, resolve: Callable[[str], str]
    ) -> None:
        """All that a plugin does wrong is a mishap of the page; what came before that is kept."""
        started = time.perf_counter()
        try:
            for count, found in enumerate(_each(plugin.hook(page))):
                if count == MAX_FOUND:
                    given.collector.miss(plugin.name, f"too much: {MAX_FOUND} things were taken, and no more")
                    break
                _take(plugin.name, found, given, resolve)
        except (Exception, SystemExit) as error:
            given.collector.miss(plugin.name, f"{type(error).__name__}: {_text_of(error)}")
        seconds = time.perf_counter() - started
        if seconds >= SLOW_SECONDS and plugin.name not in self._slow:
            self._slow.add(plugin.name)
            self._on_slow(plugin.name, seconds, page.url)


def from_wire(wire: Sequence[Any]) -> FieldExtractor:
    """A harvester in another process, from what `Plan.wire` wrote there.

    What cannot be had here (a function without a name, a module that fails to load in this
    process) becomes a mishap of each page on which it would have been called.
    """
    rules, structured_data, text, plugins, path, resources = wire
    sys.path.extend(entry for entry in path if entry not in sys.path)
    plan = Plan(
        rules=[rule_from_table(rule) for rule in rules],
        structured=structured_data,
        text=text,
        resources=resources,
    )
    return FieldExtractor(plan, plugins=[_found_again(name, importable) for name, importable in plugins])


def _found_again(name: str, importable: bool) -> Plugin:
    reason = "a heavy page, and this function has no name by which another process could find it"
    if importable:
        try:
            return load(name)
        except BadConfig as error:
            reason = str(error)

    def unavailable(page: object) -> None:
        raise LookupError(reason)

    return Plugin(name, unavailable, False)


def _each(returned: Any) -> Iterable[Any]:
    if returned is None:
        return ()
    # A Value is a tuple and a mapping is iterable too: alone, each is one thing that was found.
    return (returned,) if isinstance(returned, Value | Follow | Mapping | str) else returned


def _take(source: str, found: Any, given: _Given, resolve: Callable[[str], str]) -> None:
    if isinstance(found, Follow):
        _follow(source, found, given, resolve)
    elif isinstance(found, Value):
        _put(source, found.name, found.value, given.collector)
    elif isinstance(found, Mapping):
        for name, value in found.items():
            if value is not None:
                _put(source, name, value, given.collector)
    else:
        what = type(found).__name__
        given.collector.miss(source, f"a plugin returns Value, Follow or a mapping of values, not {what}")


def _put(source: str, name: object, value: Any, collector: Collector) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        collector.miss(source, "the name of a value must be text of 1 to 100 characters")
    elif problem := storable_scalar(value):
        collector.miss(source, f"{name}: {problem}")
    else:
        # A subclass (an enum, a library's own number) could not travel to another process.
        plain = next(kind for kind in (bool, int, float, str) if isinstance(value, kind))
        collector.put(source, str(name), plain(value))


def _follow(source: str, found: Follow, given: _Given, resolve: Callable[[str], str]) -> None:
    if not isinstance(found.url, str):
        given.collector.miss(source, f"Follow takes text, not {type(found.url).__name__}")
        return
    url = resolve(without_fragment(_unicode(found.url)))
    if not is_http(url):
        given.collector.miss(source, f"no http(s) URL, or too long a one: {found.url!r}")
    else:
        given.links.setdefault(CanonicalUrl(url), _unicode(str(found.text)[:1000]))


def _unicode(text: str) -> str:
    """A plugin's text may have lone surrogates, which are no Unicode."""
    return text.encode("utf-8", "replace").decode()


def _joined(links: Links, more: Mapping[CanonicalUrl, str]) -> Links:
    """The page's own links, and those of plugins, which are followed whatever the page says of them."""
    if not more:
        return links
    merged = {link.url: link for link in links}
    for url, text in more.items():
        known = merged.get(url)
        if known is None:
            merged[url] = Link(url, text, _PLUGIN_REL, True)
        else:
            merged[url] = replace(known, followed=True, text=known.text or text)
    return Links.of(merged.values())


def _page_text(tree: LexborHTMLParser, utf8: bytes, page: ParsedDocument) -> PageText:
    return PageText(headings(tree)[:MAX_HEADINGS], lines(main_text(utf8, lambda: page.text)))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the plugin's own exception may fail even at that
        return "(its text cannot be had)"
