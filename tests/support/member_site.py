"""Member site: pages for those who have logged in. A form with a CSRF token, and sessions that end.

`PASSWORD` and the session's cookie, which contains `SECRET`, must not be found anywhere afterwards.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.support.app_server import serving

USER, PASSWORD = "reader", "pa55 wörd&=+"
SECRET = "sh9-not-to-be-kept"
PAGES = 12


class MemberSite:
    """Serve with `serving`. `url` is its seed."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.headers: list[tuple[str, str]] = []  # path and Cookie header of every request
        self.lasts = -1  # pages that a session is good for; -1: any number
        self.log_ins = 0
        self.refuses = False  # log-ins that look right are good for nothing
        self.answers_out: Callable[[], web.Response] = lambda: redirect("/login?next=/")
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.url = ""
        self._tokens: set[str] = set()
        self._sessions: dict[str, int] = {}  # pages that are left
        self._numbers = itertools.count()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[MemberSite]:
        async with serving(self._answer) as self.url:
            yield self

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.requests[f"{request.method} {path}"] += 1
        self.headers.append((path, request.headers.get("Cookie", "")))
        if self.before is not None:
            await self.before(path)
        if path == "/login":
            return await self._log_in(request)
        if path == "/robots.txt":
            return web.Response(status=404)
        session = request.cookies.get("session", "")
        if path in ("/logout", "/account/sign_out"):
            self._sessions.pop(session, None)
            return redirect("/login")
        if not self._sessions.get(session, 0):
            return self.answers_out()
        self._sessions[session] -= 1
        answer = member_page(path)
        if path != "/":
            answer.set_cookie("session", f"{SECRET}-other")  # whoever keeps it is logged out
        return answer

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            token = f"{SECRET}-token-{next(self._numbers)}"
            self._tokens.add(token)
            answer = web.Response(text=LOGIN.format(token=token), content_type="text/html")
            answer.set_cookie("csrf", token)
            return answer
        form = await request.post()
        token = str(form.get("token"))
        right = token in self._tokens and request.cookies.get("csrf") == token
        self._tokens.discard(token)
        if not (right and form.get("user") == USER and form.get("password") == PASSWORD):
            return web.Response(text=LOGIN.format(token=""), content_type="text/html")
        self.log_ins += 1
        name = f"{SECRET}-{next(self._numbers)}"
        self._sessions[name] = self.lasts if not self.refuses else 1  # the page after the log-in
        answer = redirect("/")
        answer.set_cookie("session", name)
        answer.del_cookie("csrf")
        return answer


LOGIN = """<title>Log in</title><form action=/search><input name=q></form>
<form method=post action="/login"><input type=hidden name=token value="{token}">
<input name=user><input type=password name=password><button>Log in</button></form>"""


def member_page(path: str) -> web.Response:
    links = ["/login", "/logout", "/account/sign_out", "/blog-offers"] if path == "/" else []
    if path == "/":
        links += [f"/p{n}" for n in range(1, PAGES // 2 + 1)]
    elif path.startswith("/p") and int(path[2:]) < PAGES // 2:
        links += [f"/p{min(int(path[2:]) + PAGES // 2, PAGES - 1)}"]
    body = "".join(f"<a href={link}>{link}</a>" for link in links)
    text = f"<title>{path}</title><nav><a class=me href=/>reader</a></nav>{body}"
    return web.Response(text=text, content_type="text/html")


def redirect(target: str) -> web.Response:
    return web.Response(status=302, headers={"Location": target})


MEMBER_PAGES = {"/", "/blog-offers", *(f"/p{n}" for n in range(1, PAGES))}
