"""Site: the two sites on loopback that the examples crawl.

`https://example.com` sells kettles: items with prices, a guide, news with a feed, a PDF, a text, redirects, a
missing page, a robots.txt and a sitemap. `https://intranet.example` wants a user and a password.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    location: str = ""


ITEMS = (
    ("Copper kettle", "1,051.77", "Holds one litre. Made of copper by hand.", "luxury"),
    ("Steel kettle", "39.50", "Boils two litres of water in three minutes.", "everyday"),
    ("Glass kettle", "24.00", "Shows the water while it boils.", "everyday"),
)


def page(title: str, *body: str) -> Answer:
    return Answer(f"<!doctype html><html lang=en><title>{title}</title>{''.join(body)}</html>".encode())


def links(*targets: str) -> str:
    return "<ul>" + "".join(f'<li><a href="{target}">{target}</a>' for target in targets) + "</ul>"


def _item(number: int, name: str, price: str, text: str, tag: str) -> Answer:
    data = f'{{"@type": "Product", "name": "{name}", "sku": "K{number}"}}'
    return page(
        name,
        f"<h1>{name}</h1><img src=/img/{number}.png alt=''><p class=price>&pound; {price}</p><p>{text}</p>",
        f"<ul><li class=tag>kettle<li class=tag>{tag}</ul>",
        f'<script type="application/ld+json">{data}</script><a href="./">all items</a>',
    )


def _shop() -> dict[str, Answer]:
    guide = page(
        "Guide", "<h1>Guide</h1><p>How to choose a kettle.</p>", links("descale.html", "litres.html")
    )
    feed = (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>/news/</link>'
        "<item><title>Winter sale</title><link>/news/sale.html</link></item>"
        "<item><title>New shop</title><link>/news/shop.html</link></item></channel></rss>"
    )
    site = {
        "/": page(
            "Kettles",
            "<h1>Kettles</h1><p>Kettles of every kind.</p>",
            links("/items/", "/guide/", "/guide/index.html", "/news/", "/about.html", "/old.html"),
            links("/missing.html", "/manual.pdf", "/kettles.txt", "/private/", "https://elsewhere.example/"),
            '<a href="/login" rel=nofollow>log in</a>',
        ),
        "/items/": page("Items", "<h1>Items</h1>", links("1.html", "2.html", "3.html")),
        "/guide/": guide,
        "/guide/index.html": guide,
        "/guide/descale.html": page("Descaling", "<h1>Descaling</h1><p>Vinegar dissolves lime.</p>"),
        "/guide/litres.html": page("How many litres?", "<h1>Litres</h1><p>One litre makes four cups.</p>"),
        "/news/": page(
            "News", '<link rel=alternate type="application/rss+xml" href=/news/feed.xml><h1>News</h1>'
        ),
        "/news/feed.xml": Answer(feed.encode(), "application/rss+xml"),
        "/news/sale.html": page("Winter sale", "<h1>Winter sale</h1>"),
        "/news/shop.html": page("New shop", "<h1>New shop</h1>"),
        "/about.html": page("About us", "<h1>About us</h1><p>We sell kettles.</p>"),
        "/old.html": Answer(b"", status=301, location="/about.html"),
        "/orphan.html": page("Known to the sitemap only", "<h1>Nobody links here</h1>"),
        "/private/": page("Private"),
        "/login": page("Log in"),
        "/manual.pdf": Answer(_pdf(), "application/pdf"),
        "/img/1.png": Answer(b"\x89PNG\r\n\x1a\n", "image/png"),
        "/img/2.png": Answer(b"\x89PNG\r\n\x1a\n", "image/png"),
    }
    return site | {f"/items/{n}.html": _item(n, *item) for n, item in enumerate(ITEMS, 1)}


def _pdf() -> bytes:
    """One page, a title, and a link."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Annots [4 0 R] >>",
        b"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (/guide/litres.html) >> >>",
        b"<< /Title (Manual of the kettles) >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, text in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(out)


def _intranet() -> dict[str, Answer]:
    return {"/": page("Intranet", links("/wiki.html")), "/wiki.html": page("Wiki", "<h1>Wiki</h1>")}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, site: dict[str, Answer], credentials: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.authorization = f"Basic {b64encode(credentials.encode()).decode()}" if credentials else None
        self.site = site
        if not credentials:
            listed = f"<url><loc>{self.base}/orphan.html</loc></url><url><loc>{self.base}/</loc></url>"
            site["/sitemap.xml"] = Answer(
                f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</urlset>'.encode(),
                "application/xml",
            )
            site["/kettles.txt"] = Answer(
                f"Kettles in plain text\n{self.base}/plain.html\n".encode(), "text/plain"
            )
            site["/plain.html"] = page("Named in a text")
            robots = f"User-agent: *\nDisallow: /private/\nSitemap: {self.base}/sitemap.xml\n"
            site["/robots.txt"] = Answer(robots.encode(), "text/plain")

    def handle_error(self, request: object, client_address: object) -> None:
        """A crawl that ends resets its connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path  # a proxy is sent the whole URL
        answer = self.server.site.get(path, page("Not found")._replace(status=404))
        wanted = self.server.authorization
        if wanted is not None and self.headers["Authorization"] != wanted:
            answer = page("Who are you?")._replace(status=401)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.location:
            self.send_header("Location", answer.location)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve() -> Iterator[dict[str, str]]:
    """The address on loopback of each placeholder."""
    shop = _Server(_shop())
    servers = {
        "https://example.com": shop,
        "https://intranet.example": _Server(_intranet(), "user:password"),
        "http://proxy-1.example:8080": shop,  # as a proxy it answers itself
        "http://proxy-2.example:8080": shop,
    }
    for server in set(servers.values()):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield {placeholder: server.base for placeholder, server in servers.items()}
    finally:
        for server in set(servers.values()):
            server.shutdown()
            server.server_close()
