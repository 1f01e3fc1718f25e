"""Main text: the article of a page, without menus and footers, if the extra `maintext` is installed.

May touch: resiliparse, which nobody else imports.

Of the maintained libraries, trafilatura takes 17 ms a page of 28 kB, all of it on the event
loop, and resiliparse (Apache-2.0) 0.9 ms for the same amount of text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

ENOUGH = 400  # characters of main text that are accepted without a comparison
LEAST_SHARE = 0.05  # of the visible text; with less, the page has no article


def main_text(utf8: bytes, visible: Callable[[], str]) -> str:
    """The article of the page; the `visible` text if none is found or the library is missing."""
    extract = extractor()
    if extract is None:
        return visible()
    html = utf8.decode("utf-8", "replace")
    found: str = extract(html, main_content=True, alt_texts=False, form_fields=False)
    if len(found) >= ENOUGH:
        return found
    seen = visible()
    return found if len(found) > LEAST_SHARE * len(seen) else seen


@cache
def extractor() -> Any:
    """resiliparse's function, imported at the first call; None if the extra is not installed."""
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ImportError:
        return None
    return extract_plain_text
