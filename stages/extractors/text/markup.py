"""Markup: white space, tokens and refresh directives of HTML; a bound on the number of tags.

May touch: nothing. Pure text in, plain values out; does not raise.
"""

from __future__ import annotations

import re

HTML_SPACE = " \t\n\f\r"  # less than Python's: a no-break space is text

_BLANKS = re.compile(r"[ \t\n\f\r]+")

# 0-9, because \d would take the digits of any script.
_REFRESH_TIME = re.compile(r"[ \t\n\f\r]*[0-9.]+(?:[;,]|[ \t\n\f\r]+[;,]?)[ \t\n\f\r]*")
_REFRESH_SECONDS = re.compile(r"[ \t\n\f\r]*(?=[0-9.])([0-9]{0,9})(?![0-9])")
_REFRESH_NAME = re.compile(r"url[ \t\n\f\r]*=[ \t\n\f\r]*", re.IGNORECASE)


def has_more_tags(body: bytes, count: int) -> bool:
    """True if a document may have more than `count` tags.

    No tag has less than three bytes, and to count those of an ordinary page takes 7 us.
    """
    return len(body) > 3 * count and body.count(b"<") > count


def collapse(text: str) -> str:
    """Strip HTML white space, and replace each run of it by one blank."""
    text = text.strip(HTML_SPACE)
    if text.isprintable() and "  " not in text:  # nearly always, and far cheaper than the pattern
        return text
    return _BLANKS.sub(" ", text)


def tokens(text: str | None) -> dict[str, None]:
    """The distinct words of an attribute such as rel, lower case, in order."""
    return dict.fromkeys((text or "").lower().split())


MAX_INSTANT_SECONDS = 1
"""A refresh that comes so soon is a redirect: browsers leave the page out of their history then."""
MAX_NOTICE_SECONDS = 30
"""Notices that a page has moved count down for seconds. What reloads a page waits for minutes."""


def is_move(content: str, *, is_notice: bool) -> bool:
    """True if the refresh, a meta element's or a header's, means that the page has moved. `is_notice`:
    the page leads nowhere else, so it is no page to stay on."""
    seconds = _REFRESH_SECONDS.match(content)
    longest = MAX_NOTICE_SECONDS if is_notice else MAX_INSTANT_SECONDS
    return seconds is not None and int(seconds[1] or "0") <= longest


def refresh_target(content: str) -> str | None:
    """Return the target of a meta refresh or a Refresh header, as written; None: none, or the page itself.

    HTML standard, "shared declarative refresh steps". A browser heeds the first refresh of
    a document only; we take each as a link, since which of them fires is a matter of time.
    """
    time = _REFRESH_TIME.match(content)
    if not time:
        return None
    target = content[time.end() :]
    name = _REFRESH_NAME.match(target)
    if name:
        target = target[name.end() :]
    if target.startswith(('"', "'")):
        target = target[1:].partition(target[0])[0]
    return target or None
