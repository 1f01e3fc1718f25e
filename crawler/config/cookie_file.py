"""Cookie file: the operator's cookies, read once at the start.

May touch: a file, the clock, the log.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from penstock.crawler.config.option_files import read_text
from penstock.crawler.errors import BadConfig
from penstock.crawler.output.logs import get_logger
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.policies.cookies import Cookies, read_cookies

log = get_logger()


def load_cookies(path: str | Path, origins: Iterable[str]) -> Cookies:
    """Read a file in Netscape's format; `-` is standard input.

    Raises BadConfig in one line. Says so if none of the cookies is ever sent to one of
    `origins`: the file is another site's then, or too old.
    """
    text = read_text("--cookies", str(path))
    try:
        cookies = read_cookies(text)
    except ValueError as error:
        raise BadConfig(f"--cookies {escape_control_chars(str(path))}: {error}") from None
    if not any(cookies.has_any_for(origin, now=time.time()) for origin in origins):
        log.warning(
            "cookies_unused",
            file=str(path),
            cookies=cookies.count,
            reason="they belong to other hosts, or have expired",
        )
    return cookies
