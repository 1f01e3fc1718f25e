"""Head mending: the head of a response that the parser refuses, in the words of RFC 9112.

May touch: nothing. Pure bytes in, bytes out.

Servers, and what stands before them, write heads that no grammar allows, and browsers read them. The
strict parser sees a head first. Only one that it refuses comes here, so ordinary responses pay nothing.

    read                                            as
    Content-Length twice, or as a list, all equal   that length (RFC 9112 section 6.3)
    Transfer-Encoding and Content-Length            Transfer-Encoding (section 6.3)
    a transfer coding that is not registered        not there: identity, none, binary, an empty value
    chunked twice, or with parameters               chunked (section 6.1: it is applied only once)
    white space before a colon                      not there (section 5.1)
    a bare CR in a line                             a space (section 2.2)
    a folded line                                   one line (section 5.2)
    a line without a colon, with no valid name      not there
    `HTTP/1.1  200`, `http/1.1 200`, `HTTP/2 200`   HTTP/1.1 200

Different lengths, a length that is no number, a NUL and anything that is no status line stay errors.
A response that was mended ends its connection: nobody can be sure where it ended.
"""

from __future__ import annotations

import re

_STATUS_LINE = re.compile(
    rb"[ \t]*(?:HTTP(?:/(\d{1,2})(?:\.(\d{1,2}))?)?|ICY)[ \t]+([1-9]\d\d)(?!\d)[ \t]*(.*)", re.I | re.S
)
_STARTS = (b"http", b"icy ")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_END = re.compile(rb"\n\r?\n")

# IANA, "HTTP Transfer Coding Registry", without "identity" and "trailers", which change nothing.
_TRANSFER_CODINGS = frozenset({b"chunked", b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"})


def end_of_head(data: bytes | bytearray, start: int = 0) -> int:
    """The position behind the empty line that ends a head, looked for from `start`; -1: not yet there."""
    found = _END.search(data, start)
    return -1 if found is None else found.end()


def may_be_head(data: bytes | bytearray) -> bool:
    """False if `data` is not the beginning of any response."""
    start = data[:64].lstrip().lower()[:4]
    return any(word.startswith(start) for word in _STARTS)


def mend_head(head: bytes) -> bytes | None:
    """The head of a response as RFC 9112 has it; None if its status or its length cannot be known."""
    if b"\0" in head:
        return None  # browsers refuse it, and it may be meant to hide the rest of a line
    lines = _lines(head)
    if not lines or (status := _STATUS_LINE.match(lines[0])) is None:
        return None
    fields: list[tuple[bytes, bytes]] = []
    codings: list[bytes] = []
    lengths: list[bytes] = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        name, value = name.rstrip(b" \t"), value.strip(b" \t")
        if not colon or not _NAME.match(name):
            continue
        if name.lower() == b"transfer-encoding":
            codings += _codings(value)
        elif name.lower() == b"content-length":
            lengths += [length.strip(b" \t") for length in value.split(b",")]
        else:
            fields.append((name, value))
    framing = _framing(codings, lengths)
    if framing is None:
        return None
    major, minor, code, reason = status.groups()
    version = b"HTTP/1.0" if major in (None, b"0") or (major == b"1" and minor == b"0") else b"HTTP/1.1"
    first = b"%b %b %b" % (version, code, reason)
    return b"\r\n".join([first, *(b"%b: %b" % field for field in [*fields, *framing]), b"", b""])


def _lines(head: bytes) -> list[bytes]:
    """The lines up to the empty one, folded lines joined; empty lines before the first are dropped."""
    lines: list[bytes] = []
    for line in head.lstrip(b"\r\n").split(b"\n"):
        line = line.removesuffix(b"\r").replace(b"\r", b" ")
        if line[:1] in (b" ", b"\t") and lines:
            if len(lines) > 1:  # what folds the status line belongs to nothing
                lines[-1] += b" " + line.strip(b" \t")
        else:
            lines.append(line)
    return lines


def _codings(value: bytes) -> list[bytes]:
    """The registered transfer codings of one field value, without parameters."""
    names = (coding.partition(b";")[0].strip(b" \t\"'").lower() for coding in value.split(b","))
    return [name for name in names if name in _TRANSFER_CODINGS]


def _framing(codings: list[bytes], lengths: list[bytes]) -> list[tuple[bytes, bytes]] | None:
    """The fields that tell where the body ends; None if nobody knows."""
    if b"chunked" in codings and codings.index(b"chunked") + codings.count(b"chunked") < len(codings):
        # Something was applied on top of the chunks: the body ends with the connection (section 6.3).
        return [(b"Transfer-Encoding", b", ".join(codings))]
    if codings:
        names = [name for name in codings if name != b"chunked"]
        if len(names) < len(codings):
            names.append(b"chunked")
        return [(b"Transfer-Encoding", b", ".join(names))]
    if not lengths:
        return []
    if len(set(lengths)) > 1 or not lengths[0].isdigit():
        return None
    return [(b"Content-Length", lengths[0])]
