"""Draw a synthetic web from a seed: the same numbers always give the same web.

A tree of pages (some of its edges run through redirects) decides what can be reached at
all, extra links make shortcuts, and then every oddity that a crawler must survive is
hung on pages chosen by lot.
"""

from __future__ import annotations

import html
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.support.synthetic_web_resource import AWAY, ELSEWHERE, HERE, PORT, Charset, Mention, Resource

DIRECTORIES = ("/", "/a/", "/a/b/", "/docs/v1/", "/docs/v2/deep/er/", "/caf%C3%A9/")
CHAIN = 24  # redirects in a row, four more than a crawler follows

_CHARSETS = (
    Charset(header=None, meta="utf-8"),
    Charset(header="UTF-8", bom=b"\xef\xbb\xbf"),
    Charset(codec="cp1252", header="iso-8859-1"),  # by the Encoding standard this label means cp1252
    Charset(codec="cp1252", header=None, meta="windows-1252"),
    Charset(codec="koi8-r", header="KOI8-R", meta="utf-8"),  # the header wins over meta
    Charset(codec="cp932", header=None, meta="shift_jis"),
    Charset(codec="utf-16-le", header=None, bom=b"\xff\xfe"),
    Charset(codec="utf-8", header="windows-1252", bom=b"\xef\xbb\xbf"),  # and the BOM over both
)
_TITLES: Sequence[tuple[str | None, str | None]] = (  # value, markup (None: the value, escaped)
    (None, None),
    ("", ""),
    ("", " \n\t "),
    ("one two three", "\n  one \t two\r\n three\f "),
    ("\xa0kept & kept\xa0", "&nbsp;kept &amp; kept&nbsp;"),  # no-break space is no HTML white space
    ("a <b>bold</b> title", "a <b>bold</b> title"),  # RCDATA: tags are text here
    ("Größe – “quoted” €", None),
    ("Привет, 世界", None),
)

_BASES = (  # base[href] as written, and the path it means
    ("/docs/", "/docs/"),
    (f"{HERE}/a/b/index.html?q", "/a/b/index.html"),
    (f"//0x7f.1:{PORT}/a/#f", "/a/"),
)


@dataclass(slots=True)
class Drawing:
    """A web half drawn: what there is so far, and the lots still to be drawn."""

    rng: Random
    odd_spellings: bool
    resources: dict[str, Resource] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)  # canonical base path of pages with base[href]

    def add(self, resource: Resource) -> Resource:
        self.resources[resource.path] = resource
        return resource

    def link(self, source: Resource, target: str, *, rel: str = "", text: str | None = None) -> None:
        """Mention `target` on `source`, in one spelling or in several."""
        words = f"to {target}" if text is None else text
        for _ in range(1 if self.rng.random() < 0.9 else 3):
            first, space, rest = html.escape(words).partition(" ")
            markup = f"{first} \n <b>{rest}</b>\t" if space else first
            source.mentions.append(
                Mention(href=self.spell(source, target), target=target, markup=markup, text=words, rel=rel)
            )

    def spell(self, source: Resource, target: str) -> str:
        """Write `target` in one of the ways that a browser, standing on `source`, reads as it."""
        base = self.bases.get(source.path, source.path)
        path, mark, query = target.partition("?")
        directory = posixpath.dirname(base.partition("?")[0]) or "/"
        relative = posixpath.relpath(path, directory) + ("/" if path.endswith("/") else "") + mark + query
        if path == "/" or relative.startswith(".//"):
            relative = target
        ways = [target, relative, relative, HERE + target, f"//127.0.0.1:{PORT}{target}", f"{target}#part"]
        if self.odd_spellings:
            ways += [
                f" \n{target}\t ",
                f"HTTP://127.0.0.1:{PORT}{target}",
                f"http://0x7F.1:{PORT}{target}#x",
                f"http://user:secret@127.0.0.1:{PORT}{target}",
                f"/a/../.{target}",
                f"/%2e/a/%2E%2e{target}",
                f"http:\\\\127.0.0.1:{PORT}{path.replace('/', chr(92))}{mark}{query}",
                target[:3] + "\n" + target[3:],
                target.replace("%C3%A9", "é").replace("%20", " "),
                f"{target}#" if relative == target else f"./{relative}#",
            ]
        return self.rng.choice(ways)


def draw_pages(drawing: Drawing, count: int, *, nofollow: bool) -> list[Resource]:
    """Draw the tree of pages, then the shortcuts; the first page is the seed `/`."""
    rng = drawing.rng
    pages: list[Resource] = []
    for number in range(count):
        directory = rng.choice(DIRECTORIES)
        query = f"?n={number}&x=1" if rng.random() < 0.1 else ""
        name = rng.choice((f"p{number}.html", f"p{number}.html", f"p{number}.html", f"p%20{number}.html"))
        page = drawing.add(_page(rng, f"{directory}{name}{query}" if number else "/", number))
        if rng.random() < 0.1:
            bases = _BASES if drawing.odd_spellings else _BASES[:2]
            page.base_href, drawing.bases[page.path] = rng.choice(bases)
        if pages:
            _grow(drawing, rng.choice(pages[-40:]), page.path, number, nofollow)
        pages.append(page)
    for page in pages:
        for other in rng.sample(pages, k=min(len(pages), rng.choice((0, 1, 2, 4)))):
            rel = rng.choice(("", "", "", "noopener", "nofollow", "Noopener NOFOLLOW")) if nofollow else ""
            drawing.link(page, other.path, rel=rel.lower(), text=rng.choice(("", "see this", "more")))
        rng.shuffle(page.mentions)
    if nofollow:
        for page in rng.sample(pages[1:], k=min(len(pages) - 1, max(1, count // 30))):
            directives = rng.choice(("nofollow", "NOINDEX, NoFollow", "none"))
            page.nofollow, page.nofollow_header = rng.choice(((directives, None), (None, directives)))
    return pages


def _page(rng: Random, path: str, number: int) -> Resource:
    page = Resource(path=path, title=f"Page {number}", body_note=f"number {number}")
    if rng.random() < 0.3:
        page.title, page.title_markup = rng.choice(_TITLES)
    if rng.random() < 0.25:
        page.charset = rng.choice(_CHARSETS)
    if rng.random() < 0.3:
        page.coding = rng.choice(("gzip", "deflate"))
    if rng.random() < 0.1:
        page.canonical = f"/canonical/{number}"
    if rng.random() < 0.1 and page.title_markup is None and page.charset.codec == "utf-8":
        page.content_type = "application/xhtml+xml"
    return page


def _grow(drawing: Drawing, parent: Resource, path: str, number: int, nofollow: bool) -> None:
    """Make `path` reachable from `parent`: by a link, a refresh, an area or through redirects."""
    rng = drawing.rng
    lot = rng.random()
    if lot < 0.12:  # through one to three redirects
        for hop in range(rng.randint(1, 3)):
            door = f"/r/{number}.{hop}"
            spelled = rng.choice((path, HERE + path, f"{HERE}{path}#frag", f"../r/..{path}"))
            status = rng.choice((301, 302, 303, 307, 308))
            drawing.add(Resource(path=door, status=status, location=spelled, redirect_to=path))
            path = door
        drawing.link(parent, path)
    elif lot < 0.17:
        parent.mentions.append(Mention(href=drawing.spell(parent, path), target=path, tag="area"))
    elif lot < 0.20 and not any(mention.tag == "refresh" for mention in parent.mentions):
        parent.mentions.append(Mention(href=path, target=path, tag="refresh", rel="refresh"))
    else:
        drawing.link(parent, path, rel="nofollow" if nofollow and rng.random() < 0.03 else "")


def draw_oddities(drawing: Drawing, pages: Sequence[Resource], *, failing: int, flaky: int, hub: int) -> None:
    """Hang everything that is not a good page on pages chosen by lot."""
    rng = drawing.rng

    def hang(resource: Resource) -> None:
        drawing.link(rng.choice(pages[: max(3, len(pages) // 3)]), drawing.add(resource).path)

    lure = Mention(href="/from-an-error", target="/from-an-error", markup="no", text="no")
    for status in (404, 410, 403, 418):
        hang(Resource(path=f"/broken/{status}", status=status, title="Sorry", mentions=[lure]))
    for number in range(failing):
        hang(Resource(path=f"/broken/always-{number}", status=rng.choice((500, 502, 503))))
    for number in range(flaky):
        hang(Resource(path=f"/flaky/{number}", title="At last", fails_first=1 + number % 2))
    for number in range(2):
        hang(Resource(path=f"/same/{number}", title="The same", body_note="duplicate"))
    hang(Resource(path="/tilde/~a", title="tilde"))
    hang(Resource(path="/tilde/%7Ea", title="not the same path as the tilde"))
    hang(Resource(path="/file.png", content_type="image/png", raw=bytes(70_000)))
    hang(Resource(path="/file.zip", content_type="application/zip", raw=b"PK" + bytes(200_000)))
    hang(Resource(path="/file.txt", content_type="text/plain", raw=b"<a href=/from-a-text>", chunked=True))
    hang(Resource(path="/empty.bin", content_type="application/octet-stream", raw=b""))
    for resource in _redirects():
        hang(resource)
    for hop in range(CHAIN):
        drawing.add(
            Resource(path=f"/chain/{hop}", status=302, location=str(hop + 1), redirect_to=f"/chain/{hop + 1}")
        )
    drawing.add(Resource(path=f"/chain/{CHAIN}", title="too far"))
    drawing.link(pages[0], "/chain/0")
    for page in rng.sample(list(pages), k=min(len(pages), 12)):
        page.mentions.append(rng.choice(_OUTWARD))
        page.mentions.append(rng.choice(_ROWLESS))
    if hub:
        centre = drawing.add(Resource(path="/hub/", title="Hub"))
        drawing.link(pages[0], centre.path)
        for number in range(hub):
            spoke = drawing.add(Resource(path=f"/hub/{number}", title=f"Spoke {number}"))
            centre.mentions.append(Mention(href=str(number), target=spoke.path, markup="spoke", text="spoke"))


def _redirects() -> list[Resource]:
    return [
        Resource(path="/loop/1", status=302, location="/loop/2", redirect_to="/loop/2"),
        Resource(path="/loop/2", status=302, location="/loop/1", redirect_to="/loop/1"),
        Resource(path="/loop/self", status=301, location="#again", redirect_to="/loop/self"),
        Resource(path="/to/away", status=302, location=f"{AWAY}/landing#x", redirect_to=f"{AWAY}/landing"),
        Resource(
            path="/to/mail", status=302, location="MailTo:who@else.where", redirect_to="mailto:who@else.where"
        ),
        Resource(path="/to/nowhere", status=302),
        Resource(path="/to/nonsense", status=302, location="http://[::1/broken"),
        Resource(path="/to/broken", status=307, location="/broken/404", redirect_to="/broken/404"),
        Resource(path="/to/file", status=308, location="/file.png", redirect_to="/file.png"),
    ]


def _outward(href: str, target: str) -> Mention:
    return Mention(href=href, target=target, markup="out", text="out")


_OUTWARD = (
    _outward(f"{AWAY}/x", f"{AWAY}/x"),
    _outward(f"{AWAY}/y#frag", f"{AWAY}/y"),
    _outward(f"//{ELSEWHERE}:80", f"http://{ELSEWHERE}/"),
    _outward(f"HTTP://{ELSEWHERE.upper()}:80/./x/../z", f"http://{ELSEWHERE}/z"),
    _outward(f"https://{ELSEWHERE}:443/z", f"https://{ELSEWHERE}/z"),
    _outward(f"https://{ELSEWHERE}:80/z", f"https://{ELSEWHERE}:80/z"),
)
_ROWLESS = (
    Mention(href="mailto:a@elsewhere.invalid", target=None, markup="mail", text="mail"),
    Mention(href="javascript:void(0)", target=None, markup="js", text="js"),
    Mention(href="data:text/html,<a href=/from-data>", target=None, markup="data", text="data"),
    Mention(href="ftp://elsewhere.invalid/", target=None, markup="ftp", text="ftp"),
    Mention(href="http://[bad/", target=None, markup="bad", text="bad"),
    Mention(href="/long/" + "x" * 2100, target=None, markup="long", text="long"),
)
