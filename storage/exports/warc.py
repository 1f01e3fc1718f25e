"""WARC 1.1: the saved bodies as an archive for replay tools (ISO 28500:2017).

May touch: warcio (the extra `warc`); see the package.

Bodies are stored after content-coding. So that a record is consistent, the headers that describe the
coded body get names beginning with X-Archive-Orig-, as other archivers do, and Content-Length is that of
the body in the record. If the file name ends in .gz, each record is compressed.
"""

from __future__ import annotations

import http
import json
import zlib
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

ABOUT = "WARC 1.1 of the bodies saved by --save-bodies; compressed if FILE ends in .gz"
TAKES = "crawl"

_BODIES = """
    SELECT url_text.url, last_fetch.status,
           strftime('%Y-%m-%dT%H:%M:%fZ', last_fetch.fetched_at / 1000.0, 'unixepoch'),
           body.headers, body.body
    FROM body
    JOIN last_fetch ON last_fetch.url_id = body.url_id AND last_fetch.generation = body.generation
    JOIN url_text ON url_text.id = body.url_id
"""
# They describe the body as it was sent, before decoding (RFC 9110 §8.4, RFC 9112 §6).
_CODED_BODY_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def write(source: ExportSource, files: ExportFiles) -> int:
    """Raises BadQuery if the crawl saved no bodies."""
    bodies: Any = source.reader.select(_BODIES)
    writer = WARCWriter(files.main(), gzip=files.name.endswith(".gz"), warc_version="1.1")
    about = {
        "software": f"Penstock/{VERSION}",
        "format": "WARC File Format 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        **{name: json.dumps(value) for name, value in source.provenance.items() if name != "software"},
    }
    writer.write_record(writer.create_warcinfo_record(files.name if files.name != "-" else None, about))
    count = 0
    for url, status, moment, headers, packed in bodies:
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
        raise BadQuery("no bodies were saved: crawl with --save-bodies")
    return count


def _answer(status: int, packed: bytes, length: int) -> StatusAndHeaders:
    """Status line and headers of the answer, consistent with the stored body."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    sent: list[tuple[str, str]] = json.loads(zlib.decompress(packed))
    headers = [
        (f"X-Archive-Orig-{name}" if name.lower() in _CODED_BODY_HEADERS else name, value)
        for name, value in sent
    ]
    headers.append(("Content-Length", str(length)))
    return StatusAndHeaders(f"{status} {phrase}", headers, protocol="HTTP/1.1")
