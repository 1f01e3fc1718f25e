"""WARC 1.1: the saved bodies as an archive that replay tools read (ISO 28500:2017).

May touch: warcio (the extra `warc`); see the package.

What is kept of an answer is its body with the content-coding undone. So that a record is
true by itself, the headers that spoke of the coded body are kept under names beginning with
X-Archive-Orig-, as other archivers do, and Content-Length is that of the body in the record.
A file name that ends in .gz is compressed, record by record.
"""

from __future__ import annotations

import http
import json
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from penstock.crawler.errors import BadQuery
from penstock.crawler.version import VERSION
from penstock.storage.exports import ExportFiles, ExportSource, missing_extra

try:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter
except ImportError as error:
    raise missing_extra("warcio", "warc") from error

ABOUT = "WARC 1.1 of the bodies that --save-bodies kept; compressed if FILE ends in .gz"
TAKES = "crawl"
SIDECAR = False

_KEPT = """
    SELECT url_text.url, last_fetch.status,
           strftime('%Y-%m-%dT%H:%M:%fZ', last_fetch.fetched_at / 1000.0, 'unixepoch'),
           body.headers, body.body
    FROM body
    JOIN last_fetch ON last_fetch.url_id = body.url_id AND last_fetch.generation = body.generation
    JOIN url_text ON url_text.id = body.url_id
"""
# They told how the body was sent, and it is no longer as it was sent (RFC 9110 §8.4, RFC 9112 §6).
_OF_THE_CODED_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def write(source: ExportSource, files: ExportFiles) -> int:
    """Raises BadQuery if the crawl kept no bodies."""
    kept: Any = source.reader.select(_KEPT)
    writer = WARCWriter(files.main(), gzip=files.name.endswith(".gz"), warc_version="1.1")
    about = {
        "software": f"Penstock/{VERSION}",
        "format": "WARC File Format 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        **{name: json.dumps(value) for name, value in source.provenance.items() if name != "software"},
    }
    writer.write_record(writer.create_warcinfo_record(files.name if files.name != "-" else None, about))
    count = 0
    for url, status, moment, headers, packed in kept:
        body = zlib.decompress(packed)
        writer.write_record(
            writer.create_warc_record(
                url,
                "response",
                payload=BytesIO(body),
                length=len(body),
                http_headers=_answer(status, headers, len(body)),
                warc_headers_dict={"WARC-Date": moment},
            )
        )
        count += 1
        source.on_record()
    if not count:
        raise BadQuery("no bodies were saved: crawl with --save-bodies, and there is something to archive")
    return count


def _answer(status: int, packed: bytes, length: int) -> StatusAndHeaders:
    """Status line and headers of the answer, as they are true of the body that is kept."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = [*_true(json.loads(zlib.decompress(packed))), ("Content-Length", str(length))]
    return StatusAndHeaders(f"{status} {phrase}", headers, protocol="HTTP/1.1")


def _true(headers: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        coded = name.lower() in _OF_THE_CODED_BODY
        yield (f"X-Archive-Orig-{name}" if coded else name, value)
