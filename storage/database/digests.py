"""Digests: short numbers by which long texts are looked up. The texts found are then compared.

May touch: nothing but sqlite3 connections that others opened.

They are stored in the file (url_digest, phrase_digest), so the digest of a text cannot change without
a migration. They are parts of a cryptographic hash: with a plain checksum a hostile site could name a
million URLs that share one, and every look-up would read them all.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from zlib import crc32

# SQLite keeps a number in 1, 2, 3, 4, 6 or 8 bytes. With 24 bits a look-up among ten million texts
# reads less than one unwanted row.
DIGEST_BYTES = 3

_ENDING = b".abcdefghijklmnopqrstuvwxyz"  # of a name, behind its number


def digest_of_text(text: str) -> int:
    """A signed number of 24 bits for any text that SQLite can keep."""
    return int.from_bytes(blake2b(text.encode()).digest()[:DIGEST_BYTES], "big", signed=True)


def digest_of_path(path: str) -> int:
    """A signed number of 48 bits for path and query of a URL.

    URLs that are found together get neighbouring digests, so that a commit changes few pages of the
    index. The first twelve bits are those of the folder, the next twelve those of the series:
    /item/12345.html shares them with all of /item/12*. Without them, a million URLs of one folder
    took four times as long to write, and 7 GB of log instead of 0.2.
    """
    text = path.encode()
    folder = (crc32(text[: text.rfind(b"/")]) & 0xFFF) - 0x800
    series = crc32(text.rstrip(_ENDING)[:-3]) & 0xFFF
    place = int.from_bytes(blake2b(text).digest()[:DIGEST_BYTES], "big")
    return (folder << 36) + (series << 24) + place


def teach(connection: sqlite3.Connection) -> None:
    """Let the schema's steps work out the digests of rows that are older than they.

    No table, index or view may mention these functions: other programs do not have them.
    """
    connection.create_function("digest_of_path", 1, digest_of_path, deterministic=True)
    connection.create_function("digest_of_text", 1, digest_of_text, deterministic=True)
