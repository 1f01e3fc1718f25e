"""WARC 1.1: the saved bodies as an archive for replay tools (ISO 28500:2017).

May touch: warcio (the extra `warc`); see the package.

Whatever was answered is a record: pages, redirects, errors, sitemaps, and each hop to a robots.txt, each
with its request (but credentials, and headers of the operator, which may be secrets). A body that
the same URL had before becomes a revisit record: few tools resolve one across URLs.

Bodies are stored after content-coding. So that a record is consistent, the headers that describe the
coded body get names beginning with X-Archive-Orig-, as other archivers do, and Content-Length is that of
the body in the record. If the file name ends in .gz, each record is compressed.
"""

from __future__ import annotations

import base64
import hashlib
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


class _Head(StatusAndHeaders):  # type: ignore[misc]
    """A head in UTF-8, as it came. The library allows ASCII alone in a status line, and escapes all else."""

    def to_ascii_bytes(self, filter_func: Any = None) -> bytes:
        text: str = self.to_str(filter_func)
        return text.encode("utf-8", "surrogateescape") + b"\r\n"


ABOUT = "WARC 1.1 of the answers saved by --save-bodies; compressed if FILE ends in .gz"
TAKES = "crawl"

_ROBOTS = """
    SELECT url, status, strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at / 1000.0, 'unixepoch'),
           status_line, headers, request, body
    FROM robots_exchange ORDER BY origin, position
"""
_BODIES = """
    SELECT url_text.url, coalesce(fetch.status, sitemap.status),
           strftime(
               '%Y-%m-%dT%H:%M:%fZ', coalesce(fetch.fetched_at, sitemap.fetched_at) / 1000.0, 'unixepoch'
           ),
           body_head.status_line, body.headers, body_head.request, body.body
    FROM body
    LEFT JOIN body_head ON body_head.url_id = body.url_id AND body_head.generation = body.generation
    LEFT JOIN fetch ON fetch.url_id = body.url_id AND fetch.generation = body.generation
    LEFT JOIN sitemap ON sitemap.url_id = body.url_id
    JOIN url_text ON url_text.id = body.url_id
    WHERE coalesce(fetch.status, sitemap.status) IS NOT NULL
"""
# They describe the body as it was sent, before decoding (RFC 9110 §8.4, RFC 9112 §6).
_CODED_BODY_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def write(source: ExportSource, files: ExportFiles) -> int:
    """Raises BadQuery if the crawl saved no bodies."""
    writer = WARCWriter(files.main(), gzip=files.name.endswith(".gz"), warc_version="1.1")
    about = {
        "software": f"Penstock/{VERSION}",
        "format": "WARC File Format 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        **{name: json.dumps(value) for name, value in source.provenance.items() if name != "software"},
    }
    writer.write_record(writer.create_warcinfo_record(files.name if files.name != "-" else None, about))
    count = 0
    known: dict[bytes, str] = {}  # digest of a URL and its body to the date of the first record
    for query in (_ROBOTS, _BODIES):
        rows: Any = source.reader.select(query)
        for row in rows:
            for record in _records(writer, known, *row):
                writer.write_record(record)
            count += 1
            source.on_record()
    if not count:
        raise BadQuery("no bodies were saved: crawl with --save-bodies")
    return count


def _records(
    writer: Any,
    known: dict[bytes, str],
    url: str,
    status: int,
    moment: str,
    line: str | None,
    headers: bytes,
    request: bytes | None,
    packed: bytes,
) -> Iterator[Any]:
    """The answer as a response, or as a revisit of an equal body (WARC 1.1 section 6.7.2); its request."""
    body = zlib.decompress(packed)
    digest = hashlib.sha1(body).digest()
    payload_digest = f"sha1:{base64.b32encode(digest).decode()}"
    http_headers = _answer(status, line, headers, len(body))
    key = hashlib.sha1(url.encode() + digest).digest()
    first = known.get(key) if body else None
    if first is not None:
        answer = writer.create_revisit_record(
            url,
            payload_digest,
            url,
            first,
            http_headers=http_headers,
            warc_headers_dict={"WARC-Date": moment},
        )
    else:
        known[key] = moment
        answer = writer.create_warc_record(
            url,
            "response",
            payload=BytesIO(body),
            length=len(body),
            http_headers=http_headers,
            warc_headers_dict={"WARC-Date": moment, "WARC-Payload-Digest": payload_digest},
        )
    yield answer
    if request is not None:
        path = url.split("/", 3)[3]
        asked = StatusAndHeaders(
            f"GET /{path} HTTP/1.1", json.loads(zlib.decompress(request)), is_http_request=True
        )
        identity = answer.rec_headers.get_header("WARC-Record-ID")
        yield writer.create_warc_record(
            url,
            "request",
            http_headers=asked,
            warc_headers_dict={"WARC-Date": moment, "WARC-Concurrent-To": identity},
        )


def _answer(status: int, line: str | None, packed: bytes, length: int) -> _Head:
    """Status line and headers of the answer, consistent with the stored body."""
    protocol, _, rest = (line or f"HTTP/1.1 {status} {_phrase(status)}").partition(" ")
    sent = [(str(name), str(value)) for name, value in json.loads(zlib.decompress(packed))]
    described = [(name.lower(), value) for name, value in sent if name.lower() in _CODED_BODY_HEADERS]
    if described == [("content-length", str(length))]:
        return _Head(rest, sent, protocol=protocol)
    headers = [
        (f"X-Archive-Orig-{name}" if name.lower() in _CODED_BODY_HEADERS else name, value)
        for name, value in sent
    ]
    headers.append(("Content-Length", str(length)))
    return _Head(rest, headers, protocol=protocol)


def _phrase(status: int) -> str:
    """The reason of the standard, for files of a version that did not store the one that was sent."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
