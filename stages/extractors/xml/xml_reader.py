"""XML reader: take the entries out of urlset, sitemapindex, RSS and Atom, one piece at a time.

May touch: expat.
Never: load or obey a DTD. Nothing outside the file is opened, and no entity is ever declared, so
none can expand. An entity of HTML is read as its character, and another one as it is written.

A document that is not well-formed is read to its end (`is_damaged`). After the first damage `Mender`
corrects what is plainly meant otherwise. Where that does not help, the entry is given up, unless it
had its location already, and reading goes on with the next one.

Namespaces are not looked at, since many sitemaps get theirs wrong. What counts is where an element
stands: a `loc` directly within a `url`, with the same prefix. So `sit:loc` counts in a `sit:url`,
and `image:loc` never does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.entities import html5
from typing import NamedTuple, Protocol
from xml.parsers import expat

from penstock.stages.extractors.xml.mender import Mender

# Bounds on what a file can make us hold or do, generous beside 50 MiB of real entries.
MAX_TEXT = 16 * 1024  # characters of one element; no URL that we take is written with more
MAX_ELEMENTS = 2_500_000  # 50 for each of 50,000 entries
MAX_DEPTH = 256
MAX_NAMES = 10_000  # different ones of elements and attributes: expat keeps each for good
MAX_TOKEN = 1024 * 1024  # bytes: expat reads an unfinished tag or comment anew with each piece
PIECE_CHARS = 64 * 1024
MENDED_PIECE_CHARS = 512  # what stands behind a damage in its piece is read once more
MAX_READ_AGAIN = 128 * 1024 * 1024  # characters in all, behind damages
MAX_VAIN_DAMAGES = 5_000  # where no location was found; each costs a new parser
MAX_SEARCHED = 64 * 1024  # characters before the root element of a damaged document

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

    @property
    def next_entry(self) -> re.Pattern[str]:
        return re.compile(rf"<(?:[\w.-]{{1,60}}:)?{self.entry}(?=[\s>/])", re.IGNORECASE)


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


_ROOT = re.compile(r"<(?:[\w.-]{1,60}:)?(?:urlset|sitemapindex|rss|rdf|feed)(?=[\s>/])", re.IGNORECASE)
# Behind another root only these: documents of many kinds have RDF somewhere.
_SITEMAP_ROOT = re.compile(r"<(?:[\w.-]{1,60}:)?(?:urlset|sitemapindex)(?=[\s>/])", re.IGNORECASE)
_TAIL_CHARS = 80  # a tag that is searched for may be divided between two pieces


def has_sitemap_root(text: str) -> bool:
    """True if a sitemap in XML begins somewhere in the text."""
    return _SITEMAP_ROOT.search(text) is not None


class _OtherRoot(Exception):
    """The root element is none that we know."""


class XmlReader:
    """Reads one document; calls `add` for each entry. Raises Stopped, and what `add` raises."""

    def __init__(self, add: AddEntry) -> None:
        self.kind: str | None = None  # known after the first tag
        self.title: str | None = None  # of a feed; '' for an empty one
        self.is_damaged = False  # the document is not well-formed
        self.lost = 0  # entries that could not be read
        self._add = add
        self._form = _RSS
        self._bases: list[str] = []
        self._root = ""  # its name as written
        self._outer: list[str] = []  # open elements outside of entries: their names as written
        self._depth = 0
        self._elements = 0
        self._head: tuple[int, str] = (0, "")  # depth and prefix of the element that holds the title
        self._entry: _OpenEntry | None = None
        self._child: str | None = None  # of the entry or of the head, whose text is collected
        self._texts: list[str] = []
        self._room = 0  # characters that it may still have
        self._names_a_dtd = False
        self._mender: Mender | None = None  # after the first damage
        self._wanted: re.Pattern[str] | None = None  # the tag from which on the text is parsed again
        self._skipped = ""  # the end of what was passed over on the way there
        self._searched = 0  # characters, for the root
        self._read_again = 0  # characters
        self._vain_damages = 0
        self._open_parser()

    def feed(self, text: str) -> None:
        self._read(text if self._mender is None else self._mender.feed(text))

    def finish(self) -> None:
        if self._hides_root():
            self._read(self._recover(self._fed, _ROOT))
        if self._mender is not None:
            self._read(self._mender.finish())
        if self._wanted is not None:
            raise Stopped("not_a_sitemap" if self.kind is None else "bad_xml")
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise Stopped("truncated" if error.code in _BROKEN_OFF else "bad_xml") from None

    def flush(self) -> None:
        """The document broke off: take an entry that had its location already."""
        if self._entry is not None and self._form.location in self._entry.found:
            self._finish_entry(self._entry)

    def _open_parser(self) -> None:
        """Begin with a new parser, within the elements that are open outside of entries."""
        self._parser = parser = expat.ParserCreate("utf-8")  # whatever the declaration says
        parser.buffer_text = True
        # With a foreign DTD, which is not loaded, expat reports unknown entities, such as those of
        # HTML. They are an error otherwise.
        parser.UseForeignDTD(True)
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
        outer = "".join(f"<{name}>" for name in self._outer).encode("utf-8", "replace")
        parser.Parse(outer, False)
        parser.StartDoctypeDeclHandler = self._start_doctype
        parser.EntityDeclHandler = _refuse_entity
        parser.SkippedEntityHandler = self._take_entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._depth = len(self._outer)
        self._entry = self._child = None
        self._fed = len(outer)  # bytes, to this parser
        self._held = b""  # the last of them, from `_mark` or from an unfinished token on
        self._mark: int | None = None  # byte at which the open entry or the open title begins
        self._elements_before = self._elements

    def _read(self, text: str) -> None:
        todo = [text]
        while todo:
            text = todo.pop()
            if self._wanted is not None and not (text := self._search(self._wanted, text)):
                continue
            size = PIECE_CHARS if self._mender is None else MENDED_PIECE_CHARS
            if len(text) > size:
                todo.append(text[size:])
                text = text[:size]
            if again := self._parse(text):
                todo.append(again)

    def _parse(self, text: str) -> str:
        """Return the text that is to be read again, after a damage."""
        parser, piece = self._parser, text.encode("utf-8", "replace")
        self._fed += len(piece)
        self._held += piece
        try:
            parser.Parse(piece, False)
        except expat.ExpatError:
            return self._recover(parser.ErrorByteIndex, _ROOT)
        except _OtherRoot:
            return self._recover(parser.CurrentByteIndex, _SITEMAP_ROOT)
        if self._fed - parser.CurrentByteIndex > MAX_TOKEN and self._hides_root():
            return self._recover(self._fed, _ROOT)
        if len(parser.intern) > MAX_NAMES or self._fed - parser.CurrentByteIndex > MAX_TOKEN:
            raise Stopped("bad_xml")
        kept_from = parser.CurrentByteIndex
        if self._mark is not None:
            kept_from = max(self._mark, self._fed - MAX_TOKEN)
        self._held = self._held[len(self._held) - (self._fed - kept_from) :]
        return ""

    def _hides_root(self) -> bool:
        """True if an XML declaration without end has swallowed the document."""
        is_open = self.kind is None and self._mender is None and self._held.startswith(b"<?")
        return is_open and _ROOT.search(self._held.decode("utf-8", "replace")) is not None

    def _recover(self, error_at: int, root: re.Pattern[str]) -> str:
        """The document is not well-formed at this byte. Return the text to read again."""
        entry, held, is_first = self._entry, self._held, self._mender is None
        begin = len(held) - (self._fed - (error_at if self._mark is None else self._mark))
        text = held[max(begin, 0) if self.kind is not None else 0 :].decode("utf-8", "replace")
        self.is_damaged = True
        self._read_again += len(text)
        if self._read_again > MAX_READ_AGAIN or self._vain_damages > MAX_VAIN_DAMAGES:
            raise Stopped("bad_xml")
        if self._mender is None:
            self._mender = Mender()
            text = self._mender.feed(text)
        if self.kind is None:
            text = self._find_root(text, root, is_first=is_first)
        elif is_first and self._mark is not None and begin >= 0:
            if entry is None:
                self._outer.pop()  # the title is read anew
        else:
            if entry is None or self._form.location not in entry.found:
                self._vain_damages += 1
                self.lost += entry is not None
            self.flush()
            self._outer = self._outer or [self._root]
            self._wanted = self._form.next_entry
            if entry is not None or self._elements == self._elements_before:
                text = text[1:]  # not the same tag once more
        self._open_parser()
        return text

    def _find_root(self, text: str, root: re.Pattern[str], *, is_first: bool) -> str:
        """Read on from the root element; if that is damaged itself, by its name alone."""
        self._outer = []
        if not is_first and (tag := root.match(text)) is not None:
            self._root = tag[0][1:]
            self._start_document(*_split(self._root), {})
            self._outer, self._wanted = [self._root], self._form.next_entry
        else:
            self._wanted = root
        return text

    def _search(self, wanted: re.Pattern[str], text: str) -> str:
        """Return the text from the wanted tag on; '' if it has not come yet."""
        self._searched += len(text)
        text = self._skipped + text
        if (found := wanted.search(text)) is not None:
            self._wanted, self._skipped = None, ""
            return text[found.start() :]
        if self.kind is None and self._searched > MAX_SEARCHED:
            raise Stopped("not_a_sitemap")
        self._skipped = text[-_TAIL_CHARS:]
        return ""

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise Stopped("bad_xml")
        if self._entry is not None and self._depth > self._entry.depth + 1:
            return
        prefix, local = _split(name)
        form = self._form
        if self._depth == 1:
            self._root = name
            self._start_document(prefix, local, attributes)
        elif self._entry is not None:
            self._start_child(self._entry, prefix, local, attributes)
        elif local == form.entry:
            self._entry = _OpenEntry(self._depth, prefix, [*self._bases, *_base(attributes)])
            self._mark = self._parser.CurrentByteIndex
            self._collect(_OWN_TEXT)
            return
        elif local == form.head and self._depth == 2:
            self._head = (2, prefix)
            self._bases += _base(attributes)
        elif local == form.title and self.title is None and self._head == (self._depth - 1, prefix):
            self._mark = self._parser.CurrentByteIndex
            self._collect(local)
        if self._entry is None:
            self._outer.append(name)

    def _start_document(self, prefix: str, local: str, attributes: Mapping[str, str]) -> None:
        if local not in _FORMS:
            raise _OtherRoot
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
        else:
            if self._child is not None and self._depth == self._head[0] + 1:
                self.title = "".join(self._texts)
                self._mark = None
                self._stop_collecting()
            self._outer.pop()
        self._depth -= 1

    def _finish_entry(self, entry: _OpenEntry) -> None:
        self._entry = self._mark = None
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

    def _take_entity(self, name: str, is_parameter: int) -> None:
        """An entity that nobody declared: it is damage, unless a DTD that is not loaded may declare it."""
        if self._child is None or is_parameter:
            return
        if self._names_a_dtd:
            self._stop_collecting()  # it belongs to this text: without it, the text is another one
            return
        self.is_damaged = True
        self._take_text(html5.get(f"{name};", f"&{name};"))

    def _start_doctype(self, name: str, system: str | None, public: str | None, has_subset: int) -> None:
        if has_subset:  # at its opening bracket: all that could follow are declarations
            raise Stopped("dtd")
        self._names_a_dtd = system is not None or public is not None


def _split(name: str) -> tuple[str, str]:
    """The prefix, and the local name in lower case."""
    prefix, _, local = name.rpartition(":")
    return prefix, local.lower()


def _base(attributes: Mapping[str, str]) -> list[str]:
    return [attributes["xml:base"]] if "xml:base" in attributes else []


def _refuse_entity(*_: object) -> None:
    raise Stopped("dtd")
