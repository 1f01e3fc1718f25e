"""Tuned: the bare loop, with the one thing done about links that pays most.

Most hrefs of a page repeat within it, and on the next page of the same directory. So each is
joined once per page, a plain relative one by hand, and the others are remembered.

    tuned URL OUTPUT                follow links from URL
    tuned URL OUTPUT --list FILE    fetch the URLs of FILE, one a line, and no others
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from tests.bench.contenders.bare import Links, Loop, Output, join

# A path below the page's own directory. Without a dot at its start there is no `..` to resolve.
PLAIN = re.compile(r"\w[\w-]*(?:[./][\w-]+)*\Z", re.ASCII)


class TunedLinks:
    """Find the links of a page; remember what was joined before, without any bound."""

    def __init__(self) -> None:
        self._joined: dict[str, dict[str, str | None]] = {}  # by directory, then by href

    def __call__(self, url: str, tree: LexborHTMLParser) -> Links:
        texts: dict[str, str] = {}
        for node in tree.css("a[href]"):
            href = (node.attributes["href"] or "").partition("#")[0]
            if not texts.get(href):
                texts[href] = " ".join(node.text().split())
        directory = url[: url.rindex("/", 0, url.find("?")) + 1] if "?" in url else url[: url.rindex("/") + 1]
        joined = self._joined.setdefault(directory, {})
        links: Links = {}
        for href, text in texts.items():
            if PLAIN.match(href):
                target: str | None = directory + href
            elif not href or href[0] == "?":
                target = join(url, href)
            elif href in joined:
                target = joined[href]
            else:
                target = joined[href] = join(url, href)
            if target is not None and not links.get(target):
                links[target] = text
        return links


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("output")
    parser.add_argument("--list", type=Path)
    options = parser.parse_args()
    only = options.list.read_text().split() if options.list else None
    output = Output(options.output)
    asyncio.run(Loop(options.url, output, TunedLinks(), only).run())
    output.close()


if __name__ == "__main__":
    main()
