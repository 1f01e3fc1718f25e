"""Field extractor: what the operator wants of each page besides its links, taken from its tree.

May touch: the modules beside it, plugins.
Never: raise for what a page contains, or for what a plugin does.

A `Plan` says what is wanted. It can be sent to another process, so that a page yields the same
wherever it is read. Plugins that no other process can import run in this one: a parser process
reads a heavy page without them, and `add_plugins` adds what they find.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from msgspec import msgpack
from msgspec.structs import replace
from selectolax.lexbor import LexborHTMLParser

from penstock.crawler.config.plugins import Follow, Plugin, load_plugin, load_plugins
from penstock.crawler.config.select_rules import rule_from_table
from penstock.crawler.errors import BadConfig
from penstock.crawler.extraction import ExtractionResult, PageText, Scalar, Value
from penstock.crawler.messages import CanonicalUrl, Content, Document, Link, Links
from penstock.crawler.urls import is_http, without_fragment
from penstock.stages.extractors.fields.collector import MAX_TEXT, Collector, as_unicode
from penstock.stages.extractors.fields.page import ParsedDocument
from penstock.stages.extractors.fields.page_resources import read_resources
from penstock.stages.extractors.fields.plan import Plan, WirePlan
from penstock.stages.extractors.fields.select import Selection
from penstock.stages.extractors.fields.structured import read_structured
from penstock.stages.extractors.text.page_text import main_text

SLOW_SECONDS = 0.1  # of a plugin on one page; on the event loop everything else waits meanwhile
MAX_FOUND = 10_000  # values and links that one plugin may return for a page
_PLUGIN_REL = "plugin"  # rel of a link that only a plugin names
_LARGEST = 2**63 - 1  # SQLite's

Resolve = Callable[[str], str]
"""Makes a canonical URL of a reference without fragment, or something that is no http(s) URL."""


class FieldExtractor:
    """Carries out a plan. Raises BadConfig for an invalid selector, or a plugin that cannot be loaded."""

    def __init__(
        self,
        plan: Plan,
        *,
        plugins: Sequence[Plugin] | None = None,  # loaded already; None: load those of the plan
        on_slow: Callable[[str, float, str], None] = lambda plugin, seconds, url: None,
    ) -> None:
        self._plan = plan
        self._selection = Selection(plan.rules)
        self._plugins = load_plugins(plan.plugins) if plugins is None else plugins
        self._on_slow = on_slow  # called once for each plugin
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
        document: Document,
        base: str,
        resolve: Resolve,
    ) -> Content:
        """Return `content` with the fields, and with the links that plugins name."""
        collector = Collector()
        self._selection.take(tree, document.url, collector, language=content.language)
        page = ParsedDocument(tree, utf8, document, content)
        links = self._run_plugins(page, collector, resolve)
        text = None
        if self._plan.text:
            text = PageText(*main_text(tree))
        return replace(
            content,
            extraction=ExtractionResult(
                values=collector.values,
                items=read_structured(tree, base) if self._plan.structured else (),
                text=text,
                errors=collector.errors,
                sources=collector.sources,
            ),
            links=_joined(content.links, links),
            resources=read_resources(tree, resolve) if self._plan.resources else (),
        )

    def add_plugins(
        self, content: Content, tree: LexborHTMLParser, utf8: bytes, document: Document, resolve: Resolve
    ) -> Content:
        """Add what the plugins find to what a parser process extracted without them."""
        extraction = content.extraction or ExtractionResult()
        collector = Collector.of(extraction)
        links = self._run_plugins(ParsedDocument(tree, utf8, document, content), collector, resolve)
        return replace(
            content,
            extraction=replace(
                extraction, values=collector.values, errors=collector.errors, sources=collector.sources
            ),
            links=_joined(content.links, links),
        )

    def _run_plugins(
        self, page: ParsedDocument, collector: Collector, resolve: Resolve
    ) -> Mapping[CanonicalUrl, str]:
        """Whatever a plugin does wrong is an error of the page; what it found before that is kept."""
        links: dict[CanonicalUrl, str] = {}
        for plugin in self._plugins:
            started = time.perf_counter()
            with collector.applying(plugin.name, is_plugin=True):
                self._run_plugin(plugin, page, _Findings(plugin.name, collector, links, resolve))
            seconds = time.perf_counter() - started
            if seconds >= SLOW_SECONDS and plugin.name not in self._slow:
                self._slow.add(plugin.name)
                self._on_slow(plugin.name, seconds, page.url)
        return links

    def _run_plugin(self, plugin: Plugin, page: ParsedDocument, findings: _Findings) -> None:
        try:
            for count, found in enumerate(_each(plugin.hook(page))):
                if count == MAX_FOUND:
                    findings.note(f"too much: only the first {MAX_FOUND} findings are kept")
                    break
                findings.take(found)
        except (Exception, SystemExit) as error:
            try:
                text = str(error)
            except Exception:  # the exception's own __str__ may fail
                text = "(no text: __str__ failed)"
            findings.note(f"{type(error).__name__}: {text}")


def from_wire(message: bytes) -> FieldExtractor:
    """A field extractor in a parser process, from what `Plan.to_wire` wrote.

    A plugin whose module fails to load in this process is an error of each page on which it would
    have been called.
    """
    wire = msgpack.decode(message, type=WirePlan)
    path = [entry.decode(sys.getfilesystemencoding(), "surrogateescape") for entry in wire.path]
    sys.path.extend(entry for entry in path if entry not in sys.path)
    plan = Plan(
        rules=list(map(rule_from_table, wire.rules)),
        structured=wire.structured,
        text=wire.text,
        resources=wire.resources,
    )
    return FieldExtractor(plan, plugins=[_loaded_or_failing(name) for name in wire.plugins])


def _loaded_or_failing(name: str) -> Plugin:
    try:
        return load_plugin(name)
    except BadConfig as error:
        reason = str(error)

    def fail(page: object) -> NoReturn:
        raise LookupError(reason)

    return Plugin(name, fail, False)


def _each(returned: Any) -> Iterable[Any]:
    if returned is None:
        return ()
    # A mapping and a text are iterable too: alone, each is one finding.
    return (returned,) if isinstance(returned, Value | Follow | Mapping | str) else returned


class _Findings:
    """Checks what one plugin returns, and takes what is good."""

    def __init__(
        self, source: str, collector: Collector, links: dict[CanonicalUrl, str], resolve: Resolve
    ) -> None:
        self._source = source
        self._collector = collector
        self._links = links  # url to text
        self._resolve = resolve

    def take(self, found: Any) -> None:
        if isinstance(found, Follow):
            self._follow(found)
        elif isinstance(found, Value):
            self._put(found.name, found.value)
        elif isinstance(found, Mapping):
            for name, value in found.items():
                if value is not None:
                    self._put(name, value)
        else:
            what = type(found).__name__
            self.note(f"a plugin returns Value, Follow or a mapping of values, not {what}")

    def _put(self, name: object, value: Any) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= 100:
            self.note("the name of a value must be text of 1 to 100 characters")
            return
        try:
            scalar = storable(value)
        except (ValueError, TypeError, RecursionError) as error:
            self.note(f"{name}: {error}")
        else:
            self._collector.put(self._source, as_unicode(str(name)), scalar)

    def _follow(self, found: Follow) -> None:
        if not isinstance(found.url, str):
            self.note(f"Follow takes text, not {type(found.url).__name__}")
            return
        url = self._resolve(without_fragment(as_unicode(found.url)))
        if not is_http(url):
            self.note(f"no http(s) URL, or one that is too long: {found.url!r}")
        else:
            self._links.setdefault(CanonicalUrl(url), as_unicode(str(found.text)[:1000]))

    def note(self, error: str) -> None:
        self._collector.note(self._source, error)


def storable(value: Any) -> Scalar:
    """A value of a plugin as it is stored: dicts, lists and tuples are JSON text.

    Raises ValueError, TypeError or RecursionError: it cannot be stored.
    """
    if isinstance(value, dict | list | tuple):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if len(text) > MAX_TEXT:
            raise ValueError(f"JSON of more than {MAX_TEXT} characters")
        return as_unicode(text)
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("a whole number of more than 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number that can be stored")
    # A subclass (an enum, a library's own number) could not travel to another process.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return as_unicode(kind(value)) if kind is str else kind(value)
    raise TypeError(
        f"a value must be text, a number, a truth value, a dict or a list, not {type(value).__name__}"
    )


def _joined(links: Links, more: Mapping[CanonicalUrl, str]) -> Links:
    """The page's own links, and those of plugins, which are followed even where the page forbids it."""
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
