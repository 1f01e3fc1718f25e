"""Codings: bodies that do not match Content-Encoding, or that decode to far more bytes.

Sources: RFC 9110 section 8.4, RFC 1952; urllib3 CVE-2026-21441 (a bomb in a redirect),
Scrapy CVE-2024-3572 and CVE-2025-6176; aiohttp's tests of member floods.
"""

from __future__ import annotations

import gzip
import zlib
from functools import cache

from tests.hostile.case import Case, fails, head, html, markup
from tests.hostile.markup import SCALE

PAGE = b"<title>A page</title>" + b"<p>Some text that packs well.</p>" * 200
WELL = {"title": "A page", "body_bytes": len(PAGE)}
GZIP = "Content-Encoding: gzip"


def packed(body: bytes, coding: str = "gzip") -> bytes:
    return html(body, f"Content-Encoding: {coding}")


@cache
def bomb() -> bytes:
    """256 MiB in 256 KiB."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(256 // min(SCALE, 8))) + packer.flush()


@cache
def bomb_in_a_bomb() -> bytes:
    return gzip.compress(bomb(), 9)


def br_bomb() -> bytes:
    """A brotli stream of one byte repeated; made by hand, since no encoder may be installed."""
    return b"\x5b\xff\xff\xff\x00\x00" * 100


CASES = (
    Case(name="gzip-good", answer=packed(gzip.compress(PAGE)), stays=True, page=WELL),
    fails("gzip-truncated", packed(gzip.compress(PAGE)[:-20]), "truncated", stays=True),
    fails("gzip-truncated-trailer", packed(gzip.compress(PAGE)[:-8]), "truncated", stays=True),
    fails("gzip-wrong-checksum", packed(gzip.compress(PAGE)[:-8] + bytes(8)), "bad_coding", stays=True),
    Case(
        name="gzip-trailing-garbage", answer=packed(gzip.compress(PAGE) + b"\0garbage"), stays=True, page=WELL
    ),
    fails("gzip-label-on-plain-text", packed(PAGE), "bad_coding", stays=True),
    Case(name="gzip-without-label", answer=html(gzip.compress(PAGE)), stays=True, page={"title": None}),
    Case(
        name="gzip-in-gzip",
        answer=packed(gzip.compress(gzip.compress(PAGE)), "gzip, gzip"),
        stays=True,
        page=WELL,
    ),
    fails("codings-40", packed(gzip.compress(PAGE), ", ".join(["gzip"] * 40)), "unknown_coding", stays=True),
    fails("coding-header-of-60-kb", packed(PAGE, "gzip," * 12_000), "unknown_coding", stays=True),
    fails(
        "gzip-empty-members",
        lambda: packed(gzip.compress(b"") * 200_000),
        "bad_coding",
        "too_large",
        stays=True,
    ),
    Case(name="gzip-empty-body", answer=packed(b""), stays=True, page={"title": None, "body_bytes": 0}),
    Case(name="deflate-raw", answer=packed(zlib.compress(PAGE)[2:-4], "deflate"), stays=True, page=WELL),
    fails("bomb-256-mib", lambda: packed(bomb()), "too_large"),
    fails("bomb-in-bomb", lambda: packed(bomb_in_a_bomb(), "gzip, gzip"), "too_large"),
    Case(
        name="bomb-in-redirect",
        answer=lambda: (
            head("Location: /quick/1", GZIP, f"Content-Length: {len(bomb())}", status="302 Found") + bomb()
        ),
        page={"status": 302},
    ),
    fails(
        "bomb-in-404",
        lambda: head(GZIP, f"Content-Length: {len(bomb())}", status="404 No") + bomb(),
        "http_404",
    ),
    fails("br-bad", packed(br_bomb(), "br"), "bad_coding", "truncated", stays=True),
    fails(
        "zstd-bad",
        packed(b"\x28\xb5\x2f\xfd" + b"\0" * 50, "zstd"),
        "bad_coding",
        "truncated",
        stays=True,
    ),
    Case(name="coding-unknown", answer=packed(PAGE, "x-secret"), stays=True, page=WELL),
    fails("coding-registered", packed(PAGE, "compress"), "unknown_coding:compress", stays=True),
    markup("body-over-max-body", lambda: b"<p>" + b"x" * (11 << 20), "too_large"),
)
