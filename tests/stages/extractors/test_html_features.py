"""What is read of an HTML page: what a browser without scripts would show, feature by feature."""

from __future__ import annotations

import pytest

from penstock.crawler.messages import CanonicalUrl, Content, Document
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.extractors.text.markup import refresh_target

FOLLOWED, RECORDED = True, False


def read(html: str, content_type: str | None = None) -> Content:
    url = CanonicalUrl("http://example.com/p")
    body = html.encode()
    return HtmlExtractor().read(Document(url=url, body=body, charset="utf-8", content_type=content_type))


class TestLinks:
    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<template><a href=/x>x</a></template>", {}),
            ("<div><template shadowrootmode=open><a href=/x>x</a></template></div>", {"/x": FOLLOWED}),
            (
                "<div><template shadowrootmode=closed><a href=x>x</a><base href=/b/></template>",
                {"/x": FOLLOWED},
            ),
            ("<template><div><template shadowrootmode=open><a href=/x></template></div></template>", {}),
            ("<noscript><a href=/x>x</a></noscript>", {"/x": FOLLOWED}),
            ("<noframes><a href=/x>x</a></noframes>", {}),
            ("<noembed><a href=/x>x</a></noembed>", {}),
            ("<frameset><frame src=/f><noframes><a href=/x>x</a></noframes></frameset>", {"/f": RECORDED}),
            ("<iframe src=/f><a href=/x>x</a></iframe>", {"/f": RECORDED}),
            ("<iframe src='about:blank'></iframe><iframe src></iframe>", {}),
            ("<iframe srcdoc='<a href=/x>x</a>' src=/f></iframe>", {"/x": FOLLOWED}),
            ("<iframe srcdoc='<base href=/b/><a href=x>x</a>'></iframe>", {"/x": FOLLOWED}),
            ("<object data=/o><a href=/x>instead</a></object><embed src=/e>", {"/x": FOLLOWED}),
            ("<svg><a href=/new>n</a><a xlink:href=/old>o</a></svg>", {"/new": FOLLOWED, "/old": FOLLOWED}),
            ("<svg><foreignObject><a href=/x>x</a></foreignObject></svg>", {"/x": FOLLOWED}),
            ("<svg><use href=/u /><image href=/i /></svg><math href=/m></math>", {}),
            ("<map><area href=/x alt=x></map>", {"/x": FOLLOWED}),
            ("<form action=/f><button formaction=/g></button><input formaction=/h></form>", {}),
            ("<body><p><meta http-equiv=refresh content='9;url=/x'>", {"/x": FOLLOWED}),
            ("<noscript><meta http-equiv=refresh content='0;/x'></noscript>", {"/x": FOLLOWED}),
            ("<link rel=next href=/x>", {"/x": RECORDED}),
            ("<body><p><link rel=alternate hreflang=de href=/x>", {"/x": RECORDED}),
            ("<!-- <a href=/x>x</a> -->", {}),
            ("<![CDATA[<a href=/x>x</a>]]>", {}),
            ("<svg><![CDATA[<a href=/x>x</a>]]></svg>", {}),
            ("<plaintext><a href=/x>x</a>", {}),
            ("<xmp><a href=/x>x</a></xmp><textarea><a href=/y>y</a></textarea>", {}),
            ("<script>'<a href=/x>x</a>'</script><style><a href=/x></style>", {}),
            ("<script type=speculationrules>{'prefetch': [{'urls': ['/x']}]}</script>", {}),
            (
                "<a hidden href=/x>x</a><div style='display:none'><a href=/y>y</a></div>",
                {"/x": True, "/y": True},
            ),
            (
                "<details><a href=/x>x</a></details><dialog><a href=/y>y</a></dialog>",
                {"/x": True, "/y": True},
            ),
            ("<a href='javascript:x()'>x</a><a onclick='x()'>y</a><a data-href=/z>z</a>", {}),
            ("<a href=' \n/x\ty '>x</a>", {"/xy": FOLLOWED}),
            ("<a href=/x>1<a href=/y>2</a></a>", {"/x": FOLLOWED, "/y": FOLLOWED}),
            ("<a name=x>x</a><blockquote cite=/x></blockquote><img longdesc=/y><a ping=/z>z</a>", {}),
            ("<a href=/x download>x</a>", {"/x": FOLLOWED}),
            (
                "<select><option><a href=/x>x</a></select><table><a href=/y>y</a></table>",
                {"/x": True, "/y": True},
            ),
            ("<?xml version='1.0'?><?php echo 1 ?><a href=/x>x</a>", {"/x": FOLLOWED}),
        ],
    )
    def test_they_are_those_that_a_visitor_without_scripts_can_reach(
        self, html: str, expected: dict[str, bool]
    ) -> None:
        found = {link.url.removeprefix("http://example.com"): link.followed for link in read(html).links}

        assert found == expected

    @pytest.mark.parametrize(
        ("base", "target"),
        [
            ("<base href=/b/>", "/b/x"),
            ("<body><p><base href=/b/>", "/b/x"),
            ("<base target=_top><base href=/b/><base href=/c/>", "/b/x"),
            ("<base href='data:text/html,x'>", "/x"),
            ("<base href='javascript:x'>", "/x"),
            ("<template><base href=/b/></template>", "/x"),
            ("<svg><base href=/b/></base></svg>", "/x"),
            ("<svg><foreignObject><base href=/b/></foreignObject></svg>", "/b/x"),
        ],
    )
    def test_they_are_relative_to_the_first_base_element_of_html_with_an_href(
        self, base: str, target: str
    ) -> None:
        (link,) = read(f"{base}<a href=x>x</a>").links

        assert link.url == f"http://example.com{target}"


class TestLanguage:
    @pytest.mark.parametrize(
        ("html", "language"),
        [
            ("<html lang=de xml:lang=fr>", "de"),
            ("<html xml:lang=fr>", None),
            ("<html lang=de><body lang=fr>", "de"),
            ("<body lang=fr>", "fr"),
            ("<meta http-equiv=content-language content=de>", "de"),
            ("<meta http-equiv=content-language content='de, fr'>", None),
            ("<html lang=fr><meta http-equiv=content-language content=de>", "fr"),
            ("<html lang=''><meta http-equiv=content-language content=de>", None),
            ("<meta name=language content=de>", None),
            ("<p lang=de>x", None),
        ],
    )
    def test_it_is_that_of_the_document_as_the_standard_says(self, html: str, language: str | None) -> None:
        assert read(html).language == language


class TestTitle:
    @pytest.mark.parametrize(
        ("html", "title"),
        [
            ("<title>a</title><title>b</title>", "a"),
            ("<body><p>x<title>late</title>", "late"),
            ("<svg><title>icon</title></svg><title>page</title>", "page"),
            ("<svg><title>icon</title></svg>", None),
            ("<template><title>t</title></template>", None),
        ],
    )
    def test_it_is_the_first_title_element_of_html(self, html: str, title: str | None) -> None:
        assert read(html).title == title


class TestXhtml:
    DOCUMENT = (
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="de"><head><title>t</title><script src="s"/>'
        '</head><body><a href="/x">x</a></body></html>'
    )

    def test_as_xml_its_self_closed_elements_end_where_they_begin(self) -> None:
        content = read(self.DOCUMENT, content_type="application/xhtml+xml")

        assert (content.title, content.language, len(content.links)) == ("t", "de", 1)

    def test_as_html_it_is_read_as_every_browser_reads_it(self) -> None:
        """There, `<script src="s"/>` is open until the end."""
        content = read(self.DOCUMENT, content_type="text/html")

        assert (content.title, content.language, len(content.links)) == ("t", None, 0)


class TestRefresh:
    @pytest.mark.parametrize(
        ("content", "target"),
        [
            *(
                ("", None),
                (" ", None),
                ("x", None),
                (";url=/x", None),
                ("-1;url=/x", None),
                ("+1;url=/x", None),
            ),
            *(("5", None), ("5 ", None), ("5.", None), ("5;", None), ("5; ", None), ("5,", None)),
            *(("5;url=/x", "/x"), ("5,url=/x", "/x"), ("5 url=/x", "/x"), (" \t\n5;url=/x", "/x")),
            *((".5;url=/x", "/x"), ("5.5.5;url=/x", "/x"), (".;url=/x", "/x"), ("5x;url=/x", None)),
            *(("5  ;  url=/x", "/x"), ("5;;url=/x", ";url=/x"), ("5 , /x", "/x")),
            *(
                ("5;/x", "/x"),
                ("5;x", "x"),
                ("5;u", "u"),
                ("5;ur", "ur"),
                ("5;url", "url"),
                ("5;urlx", "urlx"),
            ),
            *(("5;URL=/x", "/x"), ("5;uRl \t=\n /x", "/x"), ("5;url =/x", "/x"), ("5;url /x", "url /x")),
            *(("5;url=", None), ("5;url= ", None), ("5;url=''", None), ('5;url=""', None)),
            *(("5;url='/x'", "/x"), ('5;url="/x"', "/x"), ("5;url='/x", "/x"), ("5;url='/x'y", "/x")),
            *(("5;'/x'", "/x"), ("5;url='/x\"y'", '/x"y'), ("5;url=/x'y'", "/x'y'"), ("5;url=/x y", "/x y")),
            ("\N{ARABIC-INDIC DIGIT FIVE};url=/x", None),
            ("5\N{NO-BREAK SPACE};url=/x", None),
        ],
    )
    def test_it_is_read_by_the_steps_that_meta_element_and_header_share(
        self, content: str, target: str | None
    ) -> None:
        assert refresh_target(content) == target


@pytest.mark.parametrize(
    "recorded",
    ['<link rel=next title="Chapter 2" href=/2>', '<iframe title="Chapter 2" src=/2></iframe>'],
)
def test_the_text_of_a_link_is_that_of_its_anchor_whatever_else_names_the_target(recorded: str) -> None:
    """The title of a head link comes first in the document, but nobody reads it there."""
    [link] = read(f"{recorded}<a href=/2>Next</a>").links
    assert (link.text, link.followed) == ("Next", True)
    [alone] = read(recorded).links
    assert (alone.text, alone.followed) == ("", False)
