"""Near duplicates: which texts are nearly the same, by a hash that small changes change little.

May touch: nothing. Pure values in and out.

Simhash (Charikar 2002) has 64 bits over runs of three words. Two texts are similar if at most 3 bits
differ, as measured on eight billion web pages (Manku, Jain, Das Sarma 2007).
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b
from itertools import groupby

MAX_BITS = 3
MIN_WORDS = 20  # in a shorter text, one changed word changes too many bits
_RUN = 3  # words; the order counts, so that the same words in another order are another text

# A character of a script that is written without spaces counts as a word.
_WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W\u2e80-\u9fff\uf900-\ufaff]+")
_BITS = [bytes((value >> bit) & 1 for value in range(256)) for bit in range(8)]


def _spread(rest: int, block: int) -> int:
    """Insert 16 zero bits at `block` into 48 bits."""
    low = rest & ((1 << (16 * block)) - 1)
    return low | ((rest ^ low) << 16)


# 3 bits lie in at most 3 of 4 blocks of 16 bits, so one block is equal; likewise one of the four blocks
# of 12 bits in the remaining 48. Each of the 16 masks is one such pair.
_MASKS = [
    (0xFFFF << (16 * block)) | _spread((0xFFF << (12 * part)), block)
    for block in range(4)
    for part in range(4)
]
_MAX_NEIGHBOURS = 200  # compared with each hash; more under one mask are a chain of similar texts


def split_words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def simhash(text: Sequence[str]) -> int | None:
    """The simhash of a text, 64 bits; None if it is too short to compare."""
    if len(text) < MIN_WORDS:
        return None
    runs = {" ".join(text[i : i + _RUN]) for i in range(len(text) - _RUN + 1)}
    hashes = b"".join([blake2b(run.encode(), digest_size=8).digest() for run in runs])
    result = 0
    for byte in range(8):
        column = hashes[byte::8]
        for bit in range(8):
            # A bit is set if more than half of the runs have it.
            if column.translate(_BITS[bit]).count(1) * 2 > len(runs):
                result |= 1 << (8 * byte + bit)
    return result


def group_similar(hashes: Sequence[int]) -> array[int]:
    """For each hash the position of the first one in its group; its own if it is alone.

    A group is connected: each member is similar to at least one other, not to all.
    """
    distinct = array("Q", (value for value, _ in groupby(sorted(hashes))))
    root = array("i", range(len(distinct)))
    for mask in _MASKS:
        _unite_under(mask, distinct, root)
    first = array("q", [-1]) * len(distinct)
    found = array("q")
    for i, value in enumerate(hashes):
        group = _find(root, bisect_left(distinct, value))
        if first[group] < 0:
            first[group] = i
        found.append(first[group])
    return found


def _unite_under(mask: int, distinct: Sequence[int], root: array[int]) -> None:
    """Unite the similar hashes among those whose bits under `mask` are equal."""
    order = sorted(range(len(distinct)), key=lambda i: distinct[i] & mask)
    for at, one in enumerate(order):
        for other in order[at + 1 : at + 1 + _MAX_NEIGHBOURS]:
            difference = distinct[one] ^ distinct[other]
            if difference & mask:
                break
            if difference.bit_count() <= MAX_BITS:
                _unite(root, one, other)


def _find(root: array[int], at: int) -> int:
    while root[at] != at:
        root[at] = root[root[at]]
        at = root[at]
    return at


def _unite(root: array[int], one: int, other: int) -> None:
    one, other = _find(root, one), _find(root, other)
    root[max(one, other)] = min(one, other)
