"""Bench: milliseconds per page of the extractor, beside the least that any extractor must do.

Run it as a script on a directory of saved pages, or on a list of URLs:

    python -m tests.bench.extract DIRECTORY --site http://localhost/ [--pages 300]
    python -m tests.bench.extract http://localhost/index.html http://localhost/a.html

The baseline parses, selects `a[href]` and resolves every href with urljoin: a plain
crawler's loop. `parse` alone is the floor that no code of ours can go under. Rounds
alternate and the least of each counts, so that a busy machine hurts all alike.
"""

from __future__ import annotations

import argparse
import random
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

from selectolax.lexbor import LexborHTMLParser

from penstock.crawler.messages import CanonicalUrl, Document
from penstock.crawler.urls import Joiner
from penstock.stages.extractors.html import HtmlExtractor


class Page(NamedTuple):
    url: CanonicalUrl
    body: bytes


Run = Callable[[Sequence[Page]], int]  # returns how many links it found


def parse_only(pages: Sequence[Page]) -> int:
    for page in pages:
        LexborHTMLParser(page.body)
    return 0


def baseline(pages: Sequence[Page]) -> int:
    found = 0
    for page in pages:
        nodes = LexborHTMLParser(page.body).css("a[href]")
        found += len({urldefrag(urljoin(page.url, node.attributes["href"] or ""))[0] for node in nodes})
    return found


def baseline_unresolved(pages: Sequence[Page]) -> int:
    return sum(len(LexborHTMLParser(page.body).css("a[href]")) for page in pages)


def extractor(pages: Sequence[Page]) -> int:
    read = HtmlExtractor(Joiner()).read  # a new memory each round: the first pages count too
    return sum(len(read(Document(url=page.url, body=page.body, charset="utf-8")).links) for page in pages)


RUNS: dict[str, Run] = {
    "parse": parse_only,
    "parse + css": baseline_unresolved,
    "parse + css + urljoin": baseline,
    "extractor": extractor,
}


def saved_pages(directory: Path, site: str, count: int) -> list[Page]:
    files = sorted(directory.rglob("*.html"))
    random.Random(0).shuffle(files)
    return [
        Page(CanonicalUrl(urljoin(site, file.relative_to(directory).as_posix())), file.read_bytes())
        for file in files[:count]
    ]


def fetched_pages(urls: Sequence[str]) -> list[Page]:
    pages = []
    for url in urls:
        with urllib.request.urlopen(url) as answer:
            pages.append(Page(CanonicalUrl(url), answer.read()))
    return pages


def measure(pages: Sequence[Page], rounds: int) -> None:
    least = dict.fromkeys(RUNS, float("inf"))
    links = dict.fromkeys(RUNS, 0)
    for _ in range(rounds):
        for name, run in RUNS.items():
            start = time.perf_counter()
            links[name] = run(pages)
            least[name] = min(least[name], time.perf_counter() - start)
    size = sum(len(page.body) for page in pages) / len(pages)
    print(f"{len(pages)} pages of {size / 1024:.1f} KiB on average")
    for name, seconds in least.items():
        per_page = seconds / len(pages) * 1000
        print(f"{name:>22} {per_page:7.3f} ms/page {links[name] / len(pages):8.1f} links/page")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the HTML extractor on real pages.")
    parser.add_argument("source", nargs="+", help="a directory of .html files, or URLs")
    parser.add_argument("--site", default="http://localhost/", help="where the directory is served")
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    directory = Path(options.source[0])
    if directory.is_dir():
        pages = saved_pages(directory, options.site, options.pages)
    else:
        pages = fetched_pages(options.source)
    measure(pages, options.rounds)


if __name__ == "__main__":
    main()
