"""Odd links: hrefs that lead to no page of this site. None raises, and none is requested.

Sources: URL standard; Crawlee CVE-2026-46497 and GHSA-23j4-mw76-5v7h (schemes), CVE-2026-45409
(hosts too long for IDNA), the classic parser-confusion list.
"""

from __future__ import annotations

from tests.hostile.case import Case, fails, head, html, markup

HREFS = (
    "javascript:fetch('/odd')",
    "JaVaScRiPt:0",
    "mailto:a@b",
    "data:text/html,<a href=/odd>",
    "file:///etc/passwd",
    "ftp://127.0.0.1/odd",
    "gopher://127.0.0.1:70/_odd",
    "view-source:http://x/",
    "blob:http://x/odd",
    "about:blank",
    "http:",
    "http://",
    "http:///",
    "//",
    "///",
    "http://[",
    "http://[::1",
    "http://[v1.x]/",
    "http://a..b/",
    "http://.",
    "http://%00/",
    "http://exa mple/",
    "http://exa%20mple/",
    "http://a:99999/",
    "http://a:-1/",
    "http://a:b/",
    "http://" + "a" * 300 + ".test/",
    "http://" + "a." * 200 + "test/",
    "http://" + "@" * 2_000 + "/odd",
    "http://user:pass@far.test/odd",
    "http://0x7f.1.test.0x7f/",
    "http://xn--/",
    "http://xn--a/",
    "http://xn--999999999/",
    "http://\u0130\u0131.test/",
    "http://\u2460\u2461.test/",
    "http://\u202eelgoog.test/",
    "http://a\u200db.test/",
    "http://\ud83d\ude00.test/",
    "http://faß.test/",
    "http://٣.test/",
    "/far/\u202egpj.exe",
    "/far/\x00\x01\x02",
    "/far/a\r\nX-Injected: 1\r\n\r\nGET /odd HTTP/1.1",
    "/far/%0d%0aX-Injected:%201",
    "/far/a b\tc\nd",
    "/far/\\..\\..\\x",
    "/far/%",
    "/far/%zz%u1234",
    "/far/../../../../odd/../far/x",
    "/far/%2e%2e/%2e%2e/far/y",
    "/far/?" + "a=b&" * 400,
    "/far/#" + "f" * 100_000,
    "/far/" + "x" * 3_000,
    "?" * 1_000,
    "#",
    "",
    " ",
    "\\\\far.test\\x",
    "http:/\\/far.test",
    "https:far/x",
    "http://127.0.0.1.test@far.test/",
)


def attribute(value: str) -> bytes:
    text = value.replace("&", "&amp;").replace("'", "&#39;").replace("\r", "&#13;").replace("\n", "&#10;")
    return text.encode("utf-8", "surrogatepass")


def page() -> bytes:
    return b"<title>odd</title>" + b"".join(b"<a href='%s'>x</a>" % attribute(href) for href in HREFS)


def hidden() -> bytes:
    """Places where a browser sees no link that a person could follow."""
    inside = b"<a href=/case/odd-seen/9>x</a>"
    return (
        b"<title>hidden</title><!--%b--><script>var a = '%b';</script><style>%b</style>"
        b"<textarea>%b</textarea><template>%b</template>"
        b"<form action=/case/odd-seen/8 method=post><input type=submit formaction=/case/odd-seen/7></form>"
        b"<iframe src=/case/odd-seen/6></iframe><img src=/case/odd-seen/5>"
        b"<object data=/case/odd-seen/4></object>" % ((inside,) * 5)
    )


# A redirect is an answer, wherever it leads; one that leads nowhere is none.
LOCATIONS = (
    ("javascript:0", True),
    ("file:///etc/passwd", True),
    ("http://[", False),
    ("http://a..b/", True),
    ("//", False),
    ("data:,x", True),
    ("ftp://127.0.0.1/", True),
    ("\\\\x\\y", True),
    ("http://" + "a" * 300 + "/", True),
    ("/" + "x" * 60_000, True),
    ("\x01", True),
    ("http://user:pw@127.0.0.1:1/", True),
)


def redirect(name: str, *locations: str, good: bool = True) -> Case:
    answer = head(*(f"Location: {to}" for to in locations), "Content-Length: 0", status="302 Found")
    if good:
        return Case(name=name, answer=answer, stays=True, page={"status": 302})
    return fails(name, answer, "redirect_invalid", stays=True)


CASES = (
    markup("odd-hrefs", page, page={"title": "odd"}),
    markup("odd-base", lambda: b"<base href='javascript:0'><a href=far/1>x</a><base href=/far/>", links=1),
    markup("odd-base-data", lambda: b"<base href='data:text/html,x'><a href=far/1>x</a>", links=1),
    markup("hidden-links", hidden, page={"title": "hidden"}),
    markup("odd-at-signs", lambda: b"<a href='http://" + b"@" * 200_000 + b"/'>x</a>"),
    markup("odd-dots", lambda: b"<a href='/" + b"../" * 300_000 + b"'>x</a>"),
    *(redirect(f"location-{number}", to, good=good) for number, (to, good) in enumerate(LOCATIONS)),
    redirect("redirect-to-itself", "?"),
    redirect("location-twice", "/far/1", "/far/2"),
    Case(
        name="retry-after-odd",
        answer=head("Retry-After: " + "9" * 5_000, "Content-Length: 0", status="503 Busy"),
        stays=True,
        state="failed",
        reasons=("retry_after_too_long",),
    ),
    Case(
        name="type-of-60-kb",
        answer=html(b"<title>x</title>", kind="text/html;" + "a=b;" * 15_000),
        stays=True,
        page={"title": "x"},
    ),
)
