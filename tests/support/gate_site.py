"""Gate site: pages behind cookie gates of every kind, on loopback.

Each gate knows only what the request brings, so the site answers every first visitor alike. `SECRET` is
part of each cookie's value.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.support.app_server import serving

SECRET = "gh7-not-to-be-kept"

Setting = tuple[str, str]  # name and attributes of a cookie


class GateSite:
    """Serve with `serving`. `url` is its seed, `other` the same server under another host name."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.cookies: list[tuple[str, str]] = []  # path and Cookie header of the requests that had one
        self.before: Callable[[str], Awaitable[None]] | None = None  # called with every path
        self._numbers = itertools.count()
        self.url = self.other = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[GateSite]:
        async with serving(self._answer) as self.url:
            self.other = self.url.replace("127.0.0.1", "localhost")
            yield self

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path
        self.requests[path] += 1
        if "Cookie" in request.headers:
            self.cookies.append((path, request.headers["Cookie"]))
        if self.before is not None:
            await self.before(path)
        return self._page(request, path)

    def _page(self, request: web.Request, path: str) -> web.StreamResponse:
        has = {name for name, value in request.cookies.items() if SECRET in value}
        match path.partition("?")[0].strip("/").split("/"):
            case [""]:
                return page("home", "/direct", "/by-check", "/file", "/forbidden", "/circle-1", "/stuck",
                            "/sibling", "/fresh", "/chain/1", "/two", "/abroad", "/secure", "/deleted",
                            "/into", "/gone", "/private/gate", "/elsewhere", "/plain")  # fmt: skip
            case ["direct"]:
                return page("direct", "/direct/child") if "d" in has else self.to("/direct", ("d", ""))
            case ["by-check"]:
                return page("by-check") if "c" in has else self.to("/check?back=/by-check")
            case ["check"]:
                return self.to(request.query.get("back", "/"), ("c", "; Path=/"))
            case ["file"]:
                return self.to("/signed", ("s", "; Path=/"))
            case ["signed"]:
                return page("signed", "/direct") if "s" in has else web.Response(status=403)
            case ["forbidden"]:
                return self.to("/denied", ("f", "; Path=/"))
            case ["denied"]:
                return web.Response(status=401)
            case ["circle-1" | "circle-2" as name]:
                return self.to("/circle-2" if name == "circle-1" else "/circle-1")
            case ["stuck"]:
                return self.to("/stuck", ("x", ""))
            case ["sibling"]:
                return page("sibling") if "y" in has else self.to("/sibling", ("y", "; Domain=other.test"))
            case ["fresh"]:
                return page("fresh") if "n" in has else self.to("/fresh", ("n", ""))
            case ["chain", number]:
                n = int(number)
                found = page(f"chain {n}", *([f"/chain/{n + 1}"] if n < 4 else []))
                return found if f"k{n}" in has else self.to(path, (f"k{n}", "; Path=/"))
            case ["two"]:
                if "t2" in has:
                    return page("two")
                return self.to("/two", ("t2" if "t1" in has else "t1", ""))
            case ["abroad"]:
                if "a" in has:
                    return page("abroad")
                return self.to(f"{self.other}/pass?back={self.url}/abroad", ("a", ""))
            case ["pass"]:
                return self.to(request.query["back"], ("p", ""))
            case ["secure"]:
                return page("secure") if "e" in has else self.to("/secure", ("e", "; Secure"))
            case ["deleted"]:
                return page("deleted") if "m" in has else self.to("/deleted", ("m", "; Max-Age=0"))
            case ["into"]:  # leads into a circle, and is remembered by its cookie
                return page("into") if {"i", "j"} <= has else self.to("/turn", ("i", "; Path=/"))
            case ["turn"]:
                if "j" not in has:
                    return self.to("/turn", ("j", "; Path=/"))
                return self.to("/into") if "i" in has else page("turn")
            case ["gone"]:
                return web.Response(status=404) if "g" in has else self.to("/gone", ("g", ""))
            case ["private", _]:
                return page("private") if "v" in has else self.to(path, ("v", ""))
            case ["elsewhere"]:
                return self.to("/landing", ("l", "; Path=/"))
            case ["landing"]:
                return page("landing") if "l" in has else self.to("/elsewhere")
        return page(path)

    def to(self, target: str, *cookies: Setting) -> web.Response:
        """A redirect. The values of its cookies are new each time."""
        answer = web.Response(status=302, headers={"Location": target})
        for name, attributes in cookies:
            answer.headers.add("Set-Cookie", f"{name}={SECRET}-{next(self._numbers)}{attributes}")
        return answer


def page(title: str, *links: str) -> web.Response:
    body = f"<title>{title}</title>" + "".join(f"<a href={link}>{link}</a>" for link in links)
    return web.Response(text=body, content_type="text/html")


ANSWERS: dict[str, tuple[int, str | None]] = {
    "/": (200, "home"),
    "/direct": (200, "direct"),
    "/direct/child": (200, "/direct/child"),
    "/by-check": (200, "by-check"),
    "/check?back=/by-check": (302, None),
    "/file": (302, None),
    "/signed": (200, "signed"),
    "/forbidden": (302, None),
    "/denied": (401, None),
    "/circle-1": (302, None),
    "/circle-2": (302, None),
    "/stuck": (302, None),
    "/sibling": (302, None),
    "/fresh": (200, "fresh"),
    **{f"/chain/{n}": (200, f"chain {n}") for n in range(1, 5)},
    "/two": (200, "two"),
    "/abroad": (200, "abroad"),
    "/secure": (302, None),
    "/deleted": (302, None),
    "/into": (200, "into"),
    "/turn": (200, "turn"),
    "/gone": (404, None),
    "/private/gate": (200, "private"),
    "/elsewhere": (302, None),
    "/landing": (200, "landing"),
    "/plain": (200, "/plain"),
}
"""Status and title of every URL of the first host at the end of a crawl."""
