"""XHTML: what an XML parser sees in a document, written as HTML text that the HTML parser reads alike.

May touch: expat, the table of encodings, the mender.
Never: raise for what a document contains; load what it names; expand entities that hold markup.

So there is one extractor, for one kind of tree. `<script/>`, `<title/>` and `<div/>` end where they
begin, CDATA is text, any prefix may stand for the namespace of XHTML, `xml:lang` is the language, the
named characters of HTML are known (HTML standard, "parsing XML documents"), and names are case-sensitive.

A browser shows an error instead of a document that is not well-formed. Here it is mended as a feed is
(bare ampersands, characters that XML forbids). Where it is damaged still, what came before is kept as
XML, and the rest is read as HTML in which self-closed tags are closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from html import escape, unescape
from html.entities import html5
from xml.parsers import expat

from penstock.stages.extractors.text.charset import BOMS, lookup, sniff, to_utf8
from penstock.stages.extractors.xml.mender import Mender

XHTML = "http://www.w3.org/1999/xhtml"
_FOREIGN = frozenset({"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"})
_PREFIX_OF = {"http://www.w3.org/XML/1998/namespace": "xml", "http://www.w3.org/1999/xlink": "xlink"}

_VOID = frozenset(
    """
    area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr
    """.split()  # noqa: SIM905 (eighteen lines otherwise)
)
# Their content is text for the HTML parser: as it is, or with character references.
_RAW = frozenset({"script", "style"})
_TEXT = frozenset({"title", "textarea"})
_WITHOUT_CONTENT = frozenset({"iframe", "noembed", "noframes"})  # of which a browser shows nothing
# The HTML parser makes something else of these; in XML they are elements like any other.
_RENAMED = {"plaintext": "pre", "xmp": "pre", "listing": "pre", "image": "x:image"}

_XML_DECLARATION = re.compile(
    rb"[\t\n\r ]*+<\?xml[\t\n\r ][^>]*?encoding[\t\n\r ]*+=[\t\n\r ]*+[\"']([A-Za-z0-9._:-]++)"
)
_BLANK = b"\t\n\f\r "
_NAMED = re.compile(rb"&([A-Za-z][A-Za-z0-9._-]{0,40}+);")
_KNOWN_TO_XML = frozenset({"lt", "gt", "amp", "quot", "apos"})
_HREF = re.compile(r"""(?:\A|\s)href\s*=\s*("[^"]*"|'[^']*')""")
_IS_ALTERNATE = re.compile(r"""(?:\A|\s)alternate\s*=\s*["']yes["']""")
_END_OF_RAW = re.compile(r"<(/?(?:script|style))", re.IGNORECASE)
_TAGS = re.compile(
    r"<!--(?:.*?-->|.*)"
    r"|<!\[CDATA\[(.*?)(?:\]\]>|\Z)"
    r"|<([A-Za-z][\w:.-]*+)((?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+)>",
    re.DOTALL,
)
_GROWTH = 10  # times the document; entities of its own could make it any number of times as long
_SPARE = 1 << 20  # characters beside


def xhtml_to_html(body: bytes, charset: str | None) -> tuple[bytes, bytes, str]:
    """Return the document as HTML and as it is, both in UTF-8, and the name of its encoding.

    `charset` is the label of the Content-Type header.
    """
    encoding = xml_encoding(body, charset)
    utf8 = to_utf8(body, encoding)
    if encoding == "utf-8" and not utf8.isascii():
        utf8 = utf8.decode("utf-8", "replace").encode()
    # A blank before the XML declaration is an error, and a common one.
    text = utf8.lstrip(_BLANK)
    rewriter = _Rewriter(text)
    error_at = rewriter.run()
    if error_at is not None:
        mender = Mender()
        mended = (mender.feed(text.decode("utf-8", "replace")) + mender.finish()).encode("utf-8", "replace")
        if mended != text:
            text, rewriter = mended, _Rewriter(mended)
            error_at = rewriter.run()
    html = rewriter.html().encode("utf-8", "replace")
    if error_at is not None:
        html += _TAGS.sub(_closed, text[error_at:].decode("utf-8", "replace")).encode("utf-8", "replace")
    return html, utf8, encoding


def xml_encoding(body: bytes, charset: str | None) -> str:
    """The name of the encoding of XML: byte order mark, header, declaration, UTF-8 (RFC 7303 section 3).

    What is none of these and no UTF-8 is read as HTML would be.
    """
    for mark, name in BOMS:
        if body.startswith(mark):
            return name
    if charset and (labelled := lookup(charset)):
        return labelled
    if body.startswith(b"<\0?\0"):
        return "utf-16le"
    if body.startswith(b"\0<\0?"):
        return "utf-16be"
    declared = _XML_DECLARATION.match(body[:1024])
    if declared is not None and (labelled := lookup(declared[1].decode("ascii"))):
        return "utf-8" if labelled.startswith("utf-16") else labelled  # it was read as ASCII, so it is not
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return sniff(body)
    return "utf-8"


def is_xhtml(body: bytes, charset: str | None) -> bool:
    """True if the root element of an XML document is `html` in the namespace of XHTML."""
    root: list[str] = []

    def start(name: str, attributes: object) -> None:
        root.append(name)
        raise _Damaged

    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = start
    parser.EntityDeclHandler = _refuse
    with suppress(expat.ExpatError, _Damaged):
        parser.Parse(to_utf8(body, xml_encoding(body, charset))[: 64 << 10].lstrip(_BLANK), False)
    return root[:1] == [f"{XHTML} html"]


class _Damaged(Exception):
    """The document is to be read as XML no further."""


def _refuse(*_: object) -> None:
    raise _Damaged


class _Rewriter:
    """Writes one document as HTML."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._parts: list[str] = ["<!DOCTYPE html>"]
        self._room = len(text) * _GROWTH + _SPARE
        self._tags: dict[str, tuple[str, bool]] = {}  # by name in XML: name in HTML, and whether it is HTML
        self._attributes: dict[str, str] = {}  # by name in XML; '': none that HTML knows
        self._root_namespace: str | None = None  # None: there was no root yet
        self._styles: list[str] = []
        self._within: str | None = None  # the open element whose content is only text
        self._below = 0  # open elements within that one
        self._is_own_dtd = False

    def html(self) -> str:
        return "".join(self._parts)

    def run(self) -> int | None:
        """Read the document; the byte from which on it is damaged, None if it is not."""
        parser = expat.ParserCreate("utf-8", " ")
        parser.namespace_prefixes = True
        parser.ordered_attributes = True
        parser.specified_attributes = True
        parser.buffer_text = True
        # With a foreign DTD, expat asks for declarations whether or not there is a DOCTYPE.
        parser.UseForeignDTD(True)
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
        parser.ExternalEntityRefHandler = self._declare
        parser.EntityDeclHandler = self._check_entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._take_text
        parser.ProcessingInstructionHandler = self._instruct
        self._parser = parser
        try:
            parser.Parse(self._text, True)
        except expat.ExpatError:
            at = parser.ErrorByteIndex
        except _Damaged:
            at = parser.CurrentByteIndex
        else:
            return None
        tag = self._text.rfind(b"<", 0, at + 1)
        return at if tag < 0 or b">" in self._text[tag:at] else tag

    def _declare(self, context: str | None, base: object, system: str | None, public: str | None) -> int:
        """Declare the named characters that occur. Other external entities stay empty."""
        if context is not None:  # it is not the DTD that is asked for
            return 1
        names = {name.decode() for name in _NAMED.findall(self._text)} - _KNOWN_TO_XML
        if not names:
            return 1
        self._is_own_dtd = True
        dtd = "".join(map(_declaration, sorted(names)))
        try:
            self._parser.ExternalEntityParserCreate(context).Parse(dtd.encode(), True)
        finally:
            self._is_own_dtd = False
        return 1

    def _check_entity(self, name: str, is_parameter: int, value: str | None, *_: object) -> None:
        """An entity of markup could make any number of elements."""
        if not self._is_own_dtd and (is_parameter or (value is not None and ("<" in value or "&" in value))):
            raise _Damaged

    def _instruct(self, target: str, data: str) -> None:
        """A stylesheet may be named before the root (W3C, "Associating Style Sheets with XML documents")."""
        is_style = target == "xml-stylesheet" and self._root_namespace is None
        if is_style and len(self._styles) < 100 and not _IS_ALTERNATE.search(data):
            self._styles += (unescape(href[1:-1]) for href in _HREF.findall(data)[:1])

    def _start(self, name: str, attributes: Sequence[str]) -> None:
        if self._within is not None:
            self._below += 1
            return
        is_root = self._root_namespace is None
        if is_root:
            self._root_namespace = name.partition(" ")[0] if " " in name else ""
        known = self._tags.get(name)
        if known is None:
            known = self._tags[name] = self._tag(name)
        tag, is_html = known
        self._put(f"<{tag}{''.join(self._written(attributes))}>")
        if is_root and self._styles:
            self._put("".join(f'<link rel="stylesheet" href="{escape(href)}">' for href in self._styles))
        if is_html and (tag in _RAW or tag in _TEXT or tag in _WITHOUT_CONTENT):
            self._within = tag

    def _end(self, name: str) -> None:
        if self._below:
            self._below -= 1
            return
        tag, is_html = self._tags[name]
        self._within = None
        if not is_html or tag not in _VOID:
            self._put(f"</{tag}>")

    def _take_text(self, text: str) -> None:
        if self._within is None or self._within in _TEXT:
            if not self._below:
                self._put(escape(text, quote=False))
        elif self._within in _RAW and not self._below:
            self._put(_END_OF_RAW.sub(r"<\\\1", text))

    def _put(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise _Damaged
        self._parts.append(text)

    def _tag(self, name: str) -> tuple[str, bool]:
        """The name of an element in HTML, and whether it is an HTML element."""
        namespace, local, prefix = _split(name)
        if namespace == XHTML or (namespace == "" == self._root_namespace):
            if local != local.lower():
                return f"x:{local}", False
            return _RENAMED.get(local, local), True
        if namespace in _FOREIGN:
            return local, False
        return f"{prefix or 'x'}:{local}", False

    def _written(self, attributes: Sequence[str]) -> Iterator[str]:
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        language = None
        for name, value in pairs:
            written = self._attributes.get(name)
            if written is None:
                namespace, local, prefix = _split(name)
                if namespace:
                    prefix = _PREFIX_OF.get(namespace, prefix or "x")
                elif local != local.lower():
                    prefix = "x"
                written = self._attributes[name] = f"{prefix}:{local}" if prefix else local
            if written == "xml:lang":
                language = value
        if language is not None:  # HTML standard, "the lang and xml:lang attributes": it wins
            yield f' lang="{escape(language)}"'
        for name, value in pairs:
            written = self._attributes[name]
            if written != "lang" or language is None:
                yield f' {written}="{escape(value)}"'


def _split(name: str) -> tuple[str, str, str]:
    """Namespace, local name and prefix of a name as expat writes it; '' for what it lacks."""
    parts = name.split(" ")
    if len(parts) == 1:
        return "", parts[0], ""
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def _declaration(name: str) -> str:
    """The declaration of a named character; of a name that nobody knows, of what stands there."""
    known = html5.get(f"{name};")
    text = f"&{name};" if known is None else known
    value = "".join(f"&#38;#{ord(char)};" if char in "&<" else f"&#{ord(char)};" for char in text)
    return f'<!ENTITY {name} "{value}">'


def _closed(found: re.Match[str]) -> str:
    """In the rest of a damaged document: close a self-closed tag; write a CDATA section as text."""
    text, section, name, attributes = found[0], found[1], found[2], found[3]
    if section is not None:
        return escape(section, quote=False)
    if name is None or not attributes.endswith("/") or name.lower() in _VOID:
        return text
    return f"<{name}{attributes[:-1]}></{name}>"
