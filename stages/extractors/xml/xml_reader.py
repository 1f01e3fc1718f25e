"""XML reader: take the entries out of urlset, sitemapindex, RSS and Atom, one piece at a time.

May touch: expat.
Never: load or obey a DTD. Nothing outside the file is opened, and no entity is ever declared, so
none can expand. An entity that XML itself does not define is left out.

Namespaces are not looked at, since many sitemaps get theirs wrong. What counts is where an element
stands: a `loc` directly within a `url`, with the same prefix. So `sit:loc` counts in a `sit:url`,
and `image:loc` never does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from xml.parsers import expat

# Bounds on what a file can make us hold or do, generous beside 50 MiB of real entries.
MAX_TEXT = 16 * 1024  # characters of one element; no URL that we take is written with more
MAX_ELEMENTS = 2_500_000  # 50 for each of 50,000 entries
MAX_DEPTH = 256
MAX_NAMES = 10_000  # different ones of elements and attributes: expat keeps each for good
MAX_TOKEN = 1024 * 1024  # bytes: expat reads an unfinished tag or comment anew with each piece
PIECE_CHARS = 64 * 1024

_CODES = expat.errors.codes
_BROKEN_OFF = frozenset(
    {
        _CODES[expat.errors.XML_ERROR_NO_ELEMENTS],
        _CODES[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
        _CODES[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
    }
)


class Stopped(Exception):
    """The rest of the file is not read. `reason` is one of the words of `Sitemap.error`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AddEntry(Protocol):
    def __call__(self, location: str, lastmod: str | None, title: str, bases: Sequence[str]) -> None:
        """Take one entry, as written; '' for a location or a title that it has not.

        `bases`: the values of xml:base around it, outermost first.
        """
        ...


_OWN_TEXT = ""  # of an entry, before its first child; some write the location straight into it


class _Form(NamedTuple):
    """How one kind of document spells its entries; names in lower case."""

    kind: str
    entry: str
    location: str
    lastmod: str
    instead: str = _OWN_TEXT  # where the location may be if that is missing
    title: str | None = None
    head: str | None = None  # the element that holds the title of the whole, if it is not the root


_RSS = _Form("rss", "item", "link", "pubdate", "guid", title="title", head="channel")
_FORMS = {
    "urlset": _Form("urlset", "url", "loc", "lastmod"),
    "sitemapindex": _Form("index", "sitemap", "loc", "lastmod"),
    "rss": _RSS,
    "rdf": _RSS,  # RSS 1.0
    "feed": _Form("atom", "entry", "link", "updated", title="title"),
}


@dataclass(slots=True)
class _OpenEntry:
    depth: int
    prefix: str
    bases: list[str]
    found: dict[str, str] = field(default_factory=dict)  # by child: the first text that is not blank


class XmlReader:
    """Reads one document; calls `add` for each entry. Raises Stopped, and what `add` raises."""

    def __init__(self, add: AddEntry) -> None:
        self.kind: str | None = None  # known after the first tag
        self.title: str | None = None  # of a feed; '' for an empty one
        self._add = add
        self._form = _RSS
        self._bases: list[str] = []
        self._depth = 0
        self._elements = 0
        self._fed = 0  # bytes
        self._head: tuple[int, str] = (0, "")  # depth and prefix of the element that holds the title
        self._entry: _OpenEntry | None = None
        self._child: str | None = None  # of the entry or of the head, whose text is collected
        self._texts: list[str] = []
        self._room = 0  # characters that it may still have
        self._parser = parser = expat.ParserCreate("utf-8")  # whatever the declaration says
        parser.buffer_text = True
        # With a foreign DTD, which is not loaded, expat leaves out unknown entities, such as those of
        # HTML. They are an error otherwise.
        parser.UseForeignDTD(True)
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
        parser.StartDoctypeDeclHandler = _refuse_declarations
        parser.EntityDeclHandler = _refuse_entity
        parser.SkippedEntityHandler = self._drop_text
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def feed(self, text: str) -> None:
        for start in range(0, len(text), PIECE_CHARS):
            self._parse(text[start : start + PIECE_CHARS].encode("utf-8", "replace"), False)
            if len(self._parser.intern) > MAX_NAMES or self._fed - self._parser.CurrentByteIndex > MAX_TOKEN:
                raise Stopped("bad_xml")

    def finish(self) -> None:
        self._parse(b"", True)

    def flush(self) -> None:
        """The document broke off: take an entry that had its location already."""
        if self._entry is not None and self._form.location in self._entry.found:
            self._finish_entry(self._entry)

    def _parse(self, piece: bytes, is_last: bool) -> None:
        self._fed += len(piece)
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            raise Stopped("truncated" if is_last and error.code in _BROKEN_OFF else "bad_xml") from None

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise Stopped("bad_xml")
        if self._entry is not None and self._depth > self._entry.depth + 1:
            return
        prefix, _, local = name.rpartition(":")
        local = local.lower()
        form = self._form
        if self._depth == 1:
            self._start_document(prefix, local, attributes)
        elif self._entry is not None:
            self._start_child(self._entry, prefix, local, attributes)
        elif local == form.entry:
            self._entry = _OpenEntry(self._depth, prefix, [*self._bases, *_base(attributes)])
            self._collect(_OWN_TEXT)
        elif local == form.head and self._depth == 2:
            self._head = (2, prefix)
            self._bases += _base(attributes)
        elif local == form.title and self.title is None and self._head == (self._depth - 1, prefix):
            self._collect(local)

    def _start_document(self, prefix: str, local: str, attributes: Mapping[str, str]) -> None:
        if local not in _FORMS:
            raise Stopped("not_a_sitemap")
        self._form = _FORMS[local]
        self.kind = self._form.kind
        self._bases = _base(attributes)
        if self._form.head is None:
            self._head = (1, prefix)

    def _start_child(self, entry: _OpenEntry, prefix: str, local: str, attributes: Mapping[str, str]) -> None:
        self._keep_text(entry)
        if prefix != entry.prefix or local in entry.found:
            return
        form = self._form
        if form.kind == "atom" and local == "link":
            href = attributes.get("href")
            if href and attributes.get("rel", "alternate") == "alternate":  # RFC 4287 section 4.2.7.2
                entry.found[local] = href
        elif local in form[2:6]:
            self._collect(local)

    def _end(self, name: str) -> None:
        entry = self._entry
        if entry is not None:
            if self._depth <= entry.depth + 1:
                self._keep_text(entry)
                if self._depth == entry.depth:
                    self._finish_entry(entry)
        elif self._child is not None and self._depth == self._head[0] + 1:
            self.title = "".join(self._texts)
            self._stop_collecting()
        self._depth -= 1

    def _finish_entry(self, entry: _OpenEntry) -> None:
        self._entry = None
        form, found = self._form, entry.found
        location = found.get(form.location) or found.get(form.instead, "")
        title = found.get(form.title, "") if form.title is not None else ""
        self._add(location, found.get(form.lastmod), title, entry.bases)

    def _collect(self, child: str) -> None:
        self._child, self._texts, self._room = child, [], MAX_TEXT
        self._parser.CharacterDataHandler = self._take_text

    def _take_text(self, text: str) -> None:
        if self._room > 0:
            self._texts.append(text)
            self._room -= len(text)

    def _keep_text(self, entry: _OpenEntry) -> None:
        if self._child is not None and (text := "".join(self._texts).strip()):
            entry.found[self._child] = text
        self._parser.CharacterDataHandler = None
        self._child = None

    def _stop_collecting(self) -> None:
        self._parser.CharacterDataHandler = None
        self._child = None

    def _drop_text(self, name: str, is_parameter: int) -> None:
        """An unknown entity belongs to this text: without it, the text is another one."""
        self._stop_collecting()


def _base(attributes: Mapping[str, str]) -> list[str]:
    return [attributes["xml:base"]] if "xml:base" in attributes else []


def _refuse_declarations(name: str, system: str | None, public: str | None, has_subset: int) -> None:
    if has_subset:  # at its opening bracket: all that could follow are declarations
        raise Stopped("dtd")


def _refuse_entity(*_: object) -> None:
    raise Stopped("dtd")
