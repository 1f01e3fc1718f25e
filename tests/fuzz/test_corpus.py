"""Any bytes in, a value out: the fuzzer's seeds, and what hypothesis makes up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.target import LABELS, READERS, one_input

CORPUS = sorted(Path(__file__).with_name("corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_no_input_raises(path: Path) -> None:
    document = path.read_bytes()[2:]
    for reader in range(len(READERS)):
        for label in range(len(LABELS)):
            one_input(bytes((reader, label)) + document)


# Bytes that mean something to one of the readers, so that more than noise comes of it.
WORDS = (
    *rb"""<title> </title> <svg> <!-- ' " > &#x utf-16 ;charset= GMT""".split(),
    *rb"<urlset><url><loc> </loc></url> <feed> <?xml http:// :// @ .. // 99999999999999999999".split(),
    *(b"User-agent: *\n", b"Disallow: /", b"*", b"$", b"%", b"Sitemap: ", b"Crawl-delay: ", b"\0", b"\r\n"),
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x1f\x8b\x08",
        b"\x1b$B",
        b"<a href=",
        b"<meta charset=",
        b"<base href=",
    ),
)
INPUTS = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)), max_size=30).map(b"".join)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(READERS) - 1), st.integers(0, len(LABELS) - 1), INPUTS)
def test_any_bytes_give_a_value(reader: int, label: int, document: bytes) -> None:
    """Canonical URLs stay what they are, titles and texts can be stored, and nothing raises."""
    one_input(bytes((reader, label)) + document)
