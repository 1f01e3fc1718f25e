"""Extractors: one file per kind of document, and the table of the content types that are read.

A kind of document is a module of this folder, an entry point of the group `penstock.documents`, or
an object that is given to `Crawl(documents={"name": object})`; `KINDS` finds them. It has

    content_types    the types that it reads: lower case, without parameters
    read(document)   return the `Content` (title, links) of a `Document`, or None if the document is
                     of another kind after all: it is then stored like any type that nobody reads

and, where the default does not suit it,

    is_available()   False if a library is not installed; its types are then not read (default: True)
    worker_only      True: read only in a parser process, which has limits and can be stopped, because
                     documents take long or a hostile one could do harm (default: False)
    is_optional      False: a document over --max-body is the failure `too_large`; True: it is stored
                     without having been read (default: True)

`read` is called with one document at a time, in this process or in a parser process. The same
document must give the same content wherever it is read: `read` touches no file, network or clock.
It does not raise for what a document contains, and it has bounds: `LinkCollector` brings those of
links. An exception is a bug: the URL fails with the reason `internal:TYPE`. So is a `Content` with a
value of another type, or with a link that is no canonical http(s) URL.

An object that no other process can import by name is read in this process, whatever its size.

html   links, title, directives, and the fields that the operator asks for
feed   RSS and Atom: the entries are links
pdf    links and title; needs the extra `pdf`
fields/  values that the operator wants of a page besides its links
text/    character encodings, and the text of markup
xml/     bounded reading of sitemaps and feeds
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from msgspec import MsgspecError, Struct, msgpack

from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl, Content, Document, Links
from penstock.crawler.urls import MAX_URL_CHARS, canonical, is_http, resolve
from penstock.stages.extractors.text.markup import collapse

if TYPE_CHECKING:
    from penstock.crawler.plugs import Plugs

# What a document may name. Each target takes a kilobyte of memory on its way to the disk.
MAX_LINKS = 30_000
MAX_LINK_CHARS = 4 << 20  # of the URLs of all targets
MAX_LINK_TEXT = 1_000  # characters of the text of one link

BUILT_IN = f"{__name__}."  # begins the import path of every built-in kind
HTML = "html"  # the kind that the wiring configures with the operator's fields


class DocumentKind(Protocol):
    """What a plug must have. What it may have besides is in the package's docstring."""

    @property
    def content_types(self) -> Iterable[str]: ...
    def read(self, document: Document, /) -> Content | None: ...


class LoadedKind(Struct, frozen=True):
    """A kind of document that is ready for use."""

    name: str
    read: Callable[[Document], Content | None]
    where: str | None  # `module` or `module:object` by which a parser process finds it; None: it cannot
    worker_only: bool = False
    is_optional: bool = True
    # Done in this process after a parser process has read the document: plugins that only it knows.
    complete: Callable[[Document, Content], Awaitable[Content]] | None = None


class DocumentTable:
    """Which content types are read, and by which kind of document. Every stage asks this table."""

    def __init__(
        self, given: Mapping[str, object] | None = None, *, html: DocumentKind | None = None
    ) -> None:
        """`given`: plugs by name, which win over all others. `html`: the configured built-in kind.

        Raises BadConfig for a plug that is no kind of document.
        """
        given = given or {}
        self._by_type: dict[str, LoadedKind] = {}
        self._plugs = plugs = document_plugs()
        self._names = {*given, *plugs.built_in()}
        self._searched = False  # for kinds of installed packages; only once a type is met that nobody reads
        for name, plug in given.items():
            self._add(name, plug, import_path(plug))
        for name in plugs.built_in():
            if name not in given:
                plug = html if name == HTML and html is not None else plugs.load(name)
                self._add(name, plug, f"{plugs.package}.{name}")

    def find(self, content_type: str | None) -> LoadedKind | None:
        """The kind that reads a content type; None if nobody does."""
        kind = self._by_type.get(content_type) if content_type is not None else None
        if kind is None and content_type is not None and not self._searched:
            self._search()
            return self._by_type.get(content_type)
        return kind

    def wants(self, content_type: str | None) -> bool:
        """True if documents of this type are read, so that their bodies are needed."""
        return self.find(content_type) is not None

    def is_optional(self, content_type: str | None) -> bool:
        """True if a document of this type that is too large is stored without having been read."""
        kind = self.find(content_type)
        return kind is None or kind.is_optional

    def _search(self) -> None:
        """Add the kinds of installed packages. To look for them takes 30 ms, so not before it matters."""
        self._searched = True
        for name, where in self._plugs.installed().items():
            if name in self._names:
                continue
            try:
                self._add(name, self._plugs.load(name), where.partition("[")[0].strip())
            except (Exception, SystemExit) as error:  # nobody asked for it, so it fails no document
                from penstock.crawler.output.logs import get_logger

                get_logger().warning("document_kind_unavailable", kind=name, error=str(error))

    def _add(self, name: str, plug: Any, where: str | None) -> None:
        types, read = getattr(plug, "content_types", None), getattr(plug, "read", None)
        if isinstance(types, str) or not isinstance(types, Iterable) or not callable(read):
            raise BadConfig(
                f"kind of document {name!r} must have content_types and a function read(document)"
            )
        worker_only = getattr(plug, "worker_only", False)
        if worker_only and where is None:
            raise BadConfig(
                f"kind of document {name!r} is worker_only, but a parser process cannot import it: "
                "give a module, or an object that a module has under a name"
            )
        try:
            if hasattr(plug, "is_available") and not plug.is_available():
                return
        except (Exception, SystemExit) as error:
            what = f"{type(error).__name__}: {error}"
            raise BadConfig(
                f"kind of document {name!r} cannot tell whether it is available: {what}"
            ) from error
        is_built_in = where is not None and where.startswith(BUILT_IN)
        kind = LoadedKind(
            name=name,
            read=read if is_built_in else checked_reader(name, read),
            where=where,
            worker_only=worker_only,
            is_optional=getattr(plug, "is_optional", True),
            complete=getattr(plug, "complete", None),
        )
        for content_type in types:
            self._by_type.setdefault(str(content_type).lower(), kind)


def document_plugs() -> Plugs:
    """How kinds of document are found. (A parser process needs none of this, and loads it not.)"""
    from penstock.crawler.plugs import Plugs

    return Plugs("kind of document", "penstock.stages.extractors", "penstock.documents")


def import_path(plug: object) -> str | None:
    """The `module` or `module:object` by which another process finds a given plug; None: it cannot."""
    if isinstance(plug, ModuleType):
        return (
            plug.__name__ if sys.modules.get(plug.__name__) is plug and plug.__name__ != "__main__" else None
        )
    module = getattr(plug, "__module__", None)
    if not isinstance(module, str) or module == "__main__" or module not in sys.modules:
        return None
    name = next((name for name, value in vars(sys.modules[module]).items() if value is plug), None)
    return f"{module}:{name}" if name is not None else None


def import_kind(where: str) -> DocumentKind:
    """Import a kind of document by its path, in a parser process."""
    module, _, name = where.partition(":")
    found: Any = import_module(module)
    for attribute in filter(None, name.split(".")):
        found = getattr(found, attribute)
    return cast(DocumentKind, found)


def checked_reader(
    name: str, read: Callable[[Document], Content | None]
) -> Callable[[Document], Content | None]:
    """Check what a kind of document returns that is not built in: another's code, which may be untyped.

    The writer relies on it. One bad link would end the run, and every later one.
    """

    def read_checked(document: Document) -> Content | None:
        content = read(document)
        if content is None:
            return None
        if not isinstance(content, Content):
            raise TypeError(
                f"kind of document {name!r} must return Content or None, not {type(content).__name__}"
            )
        try:
            # msgspec checks no type when a Struct is built, but it does when one is decoded.
            content = msgpack.decode(msgpack.encode(content), type=Content)
        except (MsgspecError, TypeError, ValueError, OverflowError) as error:
            raise TypeError(f"kind of document {name!r} returned an invalid Content: {error}") from error
        _check_content(name, content)
        return content

    return read_checked


def _check_content(name: str, content: Content) -> None:
    """Raise ValueError for values that have the right type and are wrong."""
    urls = content.links.urls
    if len(urls) != len(content.links.texts):
        raise ValueError(
            f"kind of document {name!r} returned {len(urls)} links with {len(content.links.texts)} texts"
        )
    if len(set(urls)) != len(urls):
        raise ValueError(f"kind of document {name!r} returned the same link twice")
    for url in (*urls, *(resource.url for resource in content.resources)):
        if not is_http(url) or canonical(url) != url:
            raise ValueError(
                f"kind of document {name!r} returned a link that is no canonical http(s) URL: {url[:200]!r}"
            )
    counts = (content.other_links, content.long_links, content.dropped_links)
    if not all(0 <= count < 1 << 31 for count in counts):
        raise ValueError(f"kind of document {name!r} returned counts out of range: {counts}")


class LinkCollector:
    """The links of one document, merged by target and bounded. For kinds of document but HTML."""

    def __init__(self, document: Document) -> None:
        self._url = document.url
        self._nofollow = document.nofollow and not document.rules.nofollow
        self._texts: dict[CanonicalUrl, str] = {}
        self._room = MAX_LINK_CHARS
        self.other = 0  # mentions without a valid http(s) URL
        self.too_long = 0  # mentions over the length limit
        self.dropped = 0  # mentions behind the last target that a document may have

    def add(self, reference: str, text: str = "", *, base: str | None = None) -> None:
        """Take one mention of a target: absolute, or relative to `base` or the document's URL."""
        url = resolve(base or self._url, reference) if reference.strip() else None
        if url is None or not is_http(url):
            self.other += 1
        elif len(url) > MAX_URL_CHARS:
            self.too_long += 1
        elif self._texts.get(CanonicalUrl(url)) is None and (
            len(self._texts) >= MAX_LINKS or len(url) > self._room
        ):
            self.dropped += 1
        else:
            target = CanonicalUrl(url)
            if target not in self._texts:
                self._room -= len(target)
            self._texts[target] = self._texts.get(target) or collapse(text)[:MAX_LINK_TEXT]

    def content(self, *, title: str | None = None) -> Content:
        """The links as the content of the document."""
        urls = list(self._texts)
        return Content(
            links=Links(
                urls=urls,
                texts=list(self._texts.values()),
                nofollow=frozenset(range(len(urls))) if self._nofollow else frozenset(),
            ),
            title=title,
            other_links=self.other,
            long_links=self.too_long,
            dropped_links=self.dropped,
        )
