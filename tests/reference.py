"""The plain reference walk: a crawl of a real site in forty lines, one request at a time.

    python -m tests.reference URL [--depth N] [--save FILE.json] [--compare crawl.db]

Standard library only; ada_url is asked for nothing but the canonical spelling of a URL,
because `urljoin` leaves `a b`, `%2e` and upper case as they are. No concurrency, no
retries beyond a lost connection, no robots.txt: slow and easy to believe.
"""

from __future__ import annotations

import argparse
import codecs
import http.client
import json
import re
import sqlite3
import sys
from collections import deque
from html import unescape
from html.parser import HTMLParser
from math import inf
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin, urlsplit

import ada_url

REDIRECTS = (301, 302, 303, 307, 308)
HTML = ("text/html", "application/xhtml+xml")
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
META_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)""", re.I)
REFRESH = re.compile(r"""\s*[\d.]+\s*[;,\s]\s*(?:url\s*=\s*)?["']?([^"']+)""", re.I)
FORBIDS = re.compile("nofollow|none", re.I)  # robots directives, of meta and of X-Robots-Tag
# Labels that the Encoding standard reads otherwise than Python does.
LABELS = {"iso-8859-1": "cp1252", "us-ascii": "cp1252", "shift_jis": "cp932"}


class Seen(NamedTuple):
    """One stored HTML page."""

    status: int
    depth: int
    title: str | None


class Reader(HTMLParser):
    """Collect hrefs, the base and the first title."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.base = ""
        self.title: str | None = None
        self.followed = True
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}
        refused = "nofollow" in given.get("rel", "").lower().split()
        if tag in ("a", "area") and "href" in given and not refused:
            self.hrefs.append(given["href"])
        elif tag == "base" and not self.base:
            self.base = given.get("href", "")
        elif tag == "title" and self.title is None:
            self.title, self._in_title = "", True
            self.set_cdata_mode(tag)  # no tags inside; character references we undo ourselves
        elif tag == "meta" and given.get("name", "").lower() == "robots":
            self.followed &= not FORBIDS.search(given.get("content", ""))
        elif tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            target = REFRESH.match(given.get("content", ""))
            self.hrefs += [target[1]] if target else []

    def handle_endtag(self, tag: str) -> None:
        self._in_title = self._in_title and tag != "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = (self.title or "") + unescape(data)


def walk(seed: str, depth: float = inf) -> dict[str, Seen]:
    """Walk the seed's host: links cost one, redirects nothing. Return the HTML pages of status 200."""
    seed = spelled(seed, "")
    origin = urlsplit(seed)[:2]
    found: dict[str, Seen] = {}
    best = {seed: 0}
    todo = deque([(0, seed)])
    connection = http.client.HTTPConnection(origin[1], timeout=30)
    while todo:
        at, url = todo.popleft()
        if at > best[url]:
            continue  # a redirect has brought us here for less
        status, headers, body = get(connection, url)
        steps: list[tuple[int, str]] = []
        if status in REDIRECTS and headers["Location"]:
            steps = [(at, spelled(url, headers["Location"]))]
        elif status == 200 and headers.get_content_type() in HTML:
            reader = read(body, headers.get_content_charset())
            found[url] = Seen(status, at, collapse(reader.title))
            base = urljoin(url, reader.base.strip())
            if reader.followed and not FORBIDS.search(headers.get("X-Robots-Tag", "")):
                steps = [(at + 1, spelled(base, href)) for href in reader.hrefs]
        for further, target in steps:
            if urlsplit(target)[:2] == origin and further <= depth and further < best.get(target, inf):
                best[target] = further
                (todo.append if further > at else todo.appendleft)((further, target))
    connection.close()
    return found


def get(connection: http.client.HTTPConnection, url: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    for attempt in range(4):
        try:
            connection.request("GET", urlsplit(url)._replace(scheme="", netloc="").geturl() or "/")
            response = connection.getresponse()
            body = response.read()
        except (http.client.HTTPException, ConnectionError):
            connection.close()  # a keep-alive connection may be gone; a new one is opened by itself
            continue
        if response.status not in (429, 500, 502, 503, 504) or attempt == 3:
            return response.status, response.headers, body
    raise ConnectionError(f"no answer for {url}")


def spelled(base: str, href: str) -> str:
    """Join as RFC 3986 does, then write it as a browser would; '' if it is no URL."""
    path, mark, rest = re.split("([?#])", href.strip(" \t\n\f\r") + "#", maxsplit=1)
    try:
        joined = urljoin(base, path.replace("\\", "/") + mark + rest)  # to a browser both are slashes
        return str(ada_url.normalize_url(urldefrag(joined)[0]))
    except ValueError:
        return ""


def collapse(title: str | None) -> str | None:
    return None if title is None else re.sub("[ \t\n\f\r]+", " ", title).strip(" ")


def read(body: bytes, header: str | None) -> Reader:
    meta = META_CHARSET.search(body[:1024])
    bom = next((name for mark, name in BOMS if body.startswith(mark)), None)
    label = bom or header or (meta and meta[1].decode()) or "cp1252"
    label = LABELS.get(label.lower(), label)
    reader = Reader()
    reader.feed(body.decode(label, errors="replace").removeprefix("\ufeff"))
    reader.close()
    return reader


def differences(found: dict[str, Seen], database: str) -> list[str]:
    """Compare a walk with the HTML pages in a crawl's database."""
    query = """
        SELECT url, status, depth, title FROM pages
        WHERE status = 200 AND error IS NULL AND content_type IN ('text/html', 'application/xhtml+xml')
    """
    connection = sqlite3.connect(f"{Path(database).resolve().as_uri()}?mode=ro", uri=True)
    crawled = {url: Seen(*rest) for url, *rest in connection.execute(query)}
    connection.close()
    return [
        f"{url}: reference {found.get(url)}, crawl {crawled.get(url)}"
        for url in sorted(found.keys() | crawled.keys())
        if found.get(url) != crawled.get(url)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description=__doc__.split("\n\n")[0])
    parser.add_argument("url")
    parser.add_argument("--depth", type=float, default=inf)
    parser.add_argument("--save", metavar="FILE.json")
    parser.add_argument("--load", metavar="FILE.json", help="a saved walk, instead of walking again")
    parser.add_argument("--compare", metavar="crawl.db")
    options = parser.parse_args()
    if options.load:
        found = {url: Seen(*seen) for url, seen in json.loads(Path(options.load).read_text()).items()}
    else:
        found = walk(options.url, options.depth)
    if options.save:
        Path(options.save).write_text(json.dumps(found, ensure_ascii=False, indent=0))
    deepest = max((seen.depth for seen in found.values()), default=0)
    per_depth = [sum(seen.depth == depth for seen in found.values()) for depth in range(deepest + 1)]
    print(f"{len(found)} HTML pages; by depth {per_depth}")
    wrong = differences(found, options.compare) if options.compare else []
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
