"""PDF: the title, and the links of the pages. Needs the extra `pdf`.

May touch: pypdf, which nobody else imports.

Of the libraries that are kept up, pypdf (BSD) is the one in pure Python: a hostile document can
make it slow or large, which a parser process bounds, but cannot corrupt memory, as in those of C
and C++ (pypdfium2, pikepdf). It needs 0.2 ms for a link, so the number of links is bounded too.
A document that cannot be read (encrypted with a password, damaged) is stored without title and links.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from penstock.crawler.messages import Document
from penstock.stages.extractors import LinkCollector
from penstock.stages.extractors.text.markup import collapse

if TYPE_CHECKING:
    from penstock.crawler.messages import Content

content_types = ("application/pdf", "application/x-pdf")
worker_only = True

MAX_PAGES = 1_000
MAX_ANNOTATIONS = 2_500  # 0.5 s
MAX_TITLE = 10_000  # characters
_HEADER_BYTES = 1_024  # the header is within these (ISO 32000-1, annex H.3, note 13)


def is_available() -> bool:
    return find_spec("pypdf") is not None


def read(document: Document) -> Content | None:
    """Read one PDF document; None if it cannot be read. Raises MemoryError, nothing else."""
    if b"%PDF-" not in document.body[:_HEADER_BYTES]:
        return None
    from pypdf import PdfReader

    try:
        reader = PdfReader(BytesIO(document.body))
        if reader.is_encrypted and not reader.decrypt(""):
            return None
        title = _title(reader)
        base = _text(_get(_get(reader.root_object, "/URI"), "/Base")) or document.url
    except MemoryError:
        raise  # the limit of the parser process, not the document's contents
    except Exception:  # pypdf raises nearly anything for a damaged document
        return None
    links = LinkCollector(document)
    try:
        for target, text in islice(_links(reader), MAX_ANNOTATIONS):
            if target is not None:
                links.add(target, text, base=base)
    except MemoryError:
        raise
    except Exception:
        pass  # the links of the pages before are kept
    return links.content(title=title)


def _title(reader: Any) -> str | None:
    title = _text(_get(reader.trailer.get("/Info"), "/Title"))
    return None if title is None else collapse(title[:MAX_TITLE])


def _links(reader: Any) -> Iterator[tuple[str | None, str]]:
    """Target and text of every annotation, in page order; None for one that is no link to a URI."""
    for page in islice(reader.pages, MAX_PAGES):
        for annotation in _resolved(page.get("/Annots")) or ():
            annotation = _resolved(annotation)
            action = _get(annotation, "/A")
            is_link = _get(annotation, "/Subtype") == "/Link" and _get(action, "/S") == "/URI"
            yield (
                (_text(_get(action, "/URI")) if is_link else None),
                _text(_get(annotation, "/Contents")) or "",
            )


def _resolved(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def _get(holder: Any, name: str) -> Any:
    """The entry of a dictionary, references followed; None if there is none."""
    holder = _resolved(holder)
    return _resolved(holder.get(name)) if isinstance(holder, dict) else None


def _text(value: Any) -> str | None:
    """A text of the document as Unicode; None if the value is no text."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    return str(value).encode("utf-8", "replace").decode()
