"""Plugins for tests: a module that another process can import."""

from __future__ import annotations

import time
from collections.abc import Iterator

from penstock import Follow, Page, Value


def on_page(page: Page) -> Iterator[Value | Follow]:
    """The README's shape: values and links, in under ten lines."""
    for tag in page.css("li.tag"):
        yield Value("tag", tag.text)
    yield Follow("/hidden")


def broken_text(page: Page) -> Follow:
    return Follow("/x", "a lone \ud800")


def headline(page: Page) -> dict[str, str | int | None]:
    found = page.first("h1")
    return {"headline": found.text if found else None, "links": len(page.links), "title": page.title}


def response(page: Page) -> dict[str, object]:
    return {
        "status": page.status,
        "type": page.headers["content-type"],
        "has_source": "<h1>gr\u00fcn</h1>" in page.html,
    }


def nested(page: Page) -> list[Value]:
    circle: list[object] = []
    circle.append(circle)
    return [
        Value("offer", {"price": 1.5, "in stock": True, "name": "gr\u00fcn \ud800"}),
        Value("cells", [("a", 1), ["b", None]]),
        Value("bad", [{1}]),
        Value("nan", [float("nan")]),
        Value("circle", circle),
        Value("long", ["x" * 100_000]),
    ]


def failing(page: Page) -> Iterator[Value]:
    yield Value("before", 1)
    raise RuntimeError(f"cannot read\n{page.url}")


def leaving(page: Page) -> None:
    raise SystemExit(3)


def wrong(page: Page) -> list[object]:
    return [7, Value("", 1), Value("big", 2**64), Value("nan", float("nan")), Follow("mailto:a@b")]


def endless(page: Page) -> Iterator[Value]:
    while True:
        yield Value("again", 1)


def slow(page: Page) -> None:
    time.sleep(0.11)


async def asynchronous(page: Page) -> None:
    return


NO_FUNCTION = 7
