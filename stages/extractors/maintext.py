"""Main text: the article of a page without its menus and footers, if an extractor for it is installed.

May touch: resiliparse, which nobody else imports; it comes with the extra `maintext`.

Of those that are kept up, trafilatura finds a little more of the text and takes ten times
as long, 20 to 50 ms a page on the event loop; resiliparse (Apache-2.0) takes 0.2 to 10.
"""

from __future__ import annotations

from functools import cache
from typing import Any

LEAST_SHARE = 0.05  # of the visible text; less than that is a page that has no article


def main_text(utf8: bytes, visible: str) -> str:
    """The main part of the page, or `visible` where none is found or none can be looked for."""
    extract = extractor()
    if extract is None:
        return visible
    found: str = extract(
        utf8.decode("utf-8", "replace"), main_content=True, alt_texts=False, form_fields=False
    )
    return found if len(found) > LEAST_SHARE * len(visible) else visible


@cache
def extractor() -> Any:
    """resiliparse's function, or None if the extra is not installed. Loaded when first needed."""
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ImportError:
        return None
    return extract_plain_text
