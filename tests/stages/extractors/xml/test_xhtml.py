"""XHTML: links, title and language as an XML parser sees them."""

from __future__ import annotations

import random
import time

import pytest

from penstock.crawler.messages import CanonicalUrl, Content, Document
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.extractors.xml.xhtml import is_xhtml, xhtml_to_html, xml_encoding

NAMESPACE = "http://www.w3.org/1999/xhtml"
DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
)


def read(document: str | bytes, charset: str | None = None) -> Content:
    body = document.encode() if isinstance(document, str) else document
    return HtmlExtractor().read(
        Document(
            url=CanonicalUrl("http://h/"), body=body, content_type="application/xhtml+xml", charset=charset
        )
    )


def page(body: str, head: str = "<title>t</title>", root: str = "") -> str:
    return (
        f'<?xml version="1.0"?>\n{DOCTYPE}<html xmlns="{NAMESPACE}" {root}>'
        f"<head>{head}</head><body>{body}</body></html>"
    )


def paths(content: Content) -> list[str]:
    return [url.removeprefix("http://h") for url in content.links.urls]


class TestElements:
    @pytest.mark.parametrize(
        "tag",
        """
        script style title textarea iframe div a p span noscript xmp plaintext listing noframes
        noembed select button object video canvas template h1 table option svg b
        """.split(),  # noqa: SIM905
    )
    def test_a_self_closed_element_ends_where_it_begins(self, tag: str) -> None:
        assert paths(read(page(f'<{tag}/><a href="/x">x</a>'))) == ["/x"]

    @pytest.mark.parametrize("tag", ["script", "style", "title"])
    def test_so_it_does_in_the_head(self, tag: str) -> None:
        content = read(page('<a href="/x">x</a>', head=f"<{tag}/><title>late</title>"))

        assert paths(content) == ["/x"]
        assert content.title == ("" if tag == "title" else "late")

    @pytest.mark.parametrize(
        "body",
        [
            '<pre><![CDATA[<a href="/no">no</a>]]></pre>',
            '<!-- <a href="/no">no</a> -->',
            '<?php <a href="/no">no</a> ?>',
            '<A href="/no">names are case-sensitive</A>',
            '<a HREF="/no">so are those of attributes</a>',
            '<x:a xmlns:x="urn:other" href="/no">another namespace</x:a>',
            '<textarea><a href="/no">shown as text</a></textarea>',
            '<iframe><a href="/no">never shown</a></iframe>',
            '<script><a href="/no">no</a></script>',
            '<p xml:href="/no"/>',
        ],
    )
    def test_what_is_no_link_of_xhtml_is_none(self, body: str) -> None:
        assert paths(read(page(f'{body}<a href="/x">x</a>'))) == ["/x"]

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            (f'<h:a xmlns:h="{NAMESPACE}" href="/x">x</h:a>', ["/x"]),
            ('<xmp><a href="/x">an element like any other</a></xmp>', ["/x"]),
            ('<br></br><a href="/x">x</a>', ["/x"]),
            (
                '<svg xmlns="http://www.w3.org/2000/svg" xmlns:l="http://www.w3.org/1999/xlink">'
                '<title>no</title><a l:href="/x"><text>x</text></a><a href="/y"/></svg>',
                ["/x", "/y"],
            ),
            ('<p xml:base="http://other/"><a href="x">xml:base is no base of HTML</a></p>', ["/x"]),
            ('<a href="/?a=1&amp;b=2">x</a>', ["/?a=1&b=2"]),
            ('<a href="/?q=&eacute;">x</a>', ["/?q=%C3%A9"]),
        ],
    )
    def test_what_is_one_is_found(self, body: str, found: list[str]) -> None:
        assert paths(read(page(body))) == found

    def test_a_prefix_may_stand_for_the_namespace_everywhere(self) -> None:
        content = read(
            f'<h:html xmlns:h="{NAMESPACE}"><h:head><h:title>T</h:title></h:head>'
            '<h:body><h:a href="/x">x</h:a><a href="/no">no</a></h:body></h:html>'
        )

        assert (content.title, paths(content)) == ("T", ["/x"])

    def test_a_root_without_the_namespace_is_read_all_the_same(self) -> None:
        assert paths(read('<html><body><script/><a href="/x">x</a></body></html>')) == ["/x"]

    def test_a_stylesheet_in_the_prolog_is_a_link_element(self) -> None:
        content = read('<?xml-stylesheet href="/s.css"?>' + page('<a href="/x">x</a>').split("?>", 1)[1])

        assert paths(content) == ["/x"]


class TestText:
    @pytest.mark.parametrize(
        ("title", "expected"),
        [
            ("caf&eacute; &copy; &hellip;", "café © …"),
            ("&lt;b&gt; &amp;amp;", "<b> &amp;"),
            ("<![CDATA[a <b> c]]>", "a <b> c"),
            ("&#233;&#xe9;", "éé"),
            ("&unknown; x", "&unknown; x"),
        ],
    )
    @pytest.mark.parametrize("doctype", [DOCTYPE, "", "<!DOCTYPE html>"])
    def test_named_characters_are_those_of_html(self, title: str, expected: str, doctype: str) -> None:
        html = f'{doctype}<html xmlns="{NAMESPACE}"><head><title>{title}</title></head><body/></html>'

        assert read(html).title == expected

    @pytest.mark.parametrize(
        ("root", "language"),
        [
            ('xml:lang="de"', "de"),
            ('lang="en"', "en"),
            ('lang="en" xml:lang="de"', "de"),
            ('xml:lang=""', None),
            ("", None),
        ],
    )
    def test_xml_lang_is_the_language(self, root: str, language: str | None) -> None:
        assert read(page("x", root=root)).language == language

    @pytest.mark.parametrize(
        ("body", "charset", "encoding"),
        [
            (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', None, "windows-1252"),
            (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "utf-8", "utf-8"),
            (b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "koi8-r", "utf-8"),
            (b'<?xml version="1.0" encoding="utf-16"?><a/>', None, "utf-8"),
            (b"<a/>", None, "utf-8"),
            (b'<html><meta charset="koi8-r"/></html>', None, "utf-8"),
            (b'<html><meta charset="koi8-r"/>\xe9</html>', None, "koi8-r"),
            ("<a/>".encode("utf-16-le"), None, "utf-8"),
            ('<?xml version="1.0"?>'.encode("utf-16-le"), None, "utf-16le"),
            ('<?xml version="1.0"?>'.encode("utf-16-be"), None, "utf-16be"),
            ("\ufeff<a/>".encode("utf-16-be"), None, "utf-16be"),
        ],
    )
    def test_the_encoding_is_that_of_xml(self, body: bytes, charset: str | None, encoding: str) -> None:
        """RFC 7303 section 3: mark, header, declaration. A meta element decides only where there is
        neither, and the bytes are no UTF-8."""
        assert xml_encoding(body, charset) == encoding


class TestDamage:
    @pytest.mark.parametrize(
        "body",
        [
            '<a href="/?a=1&b=2">bare ampersand</a>',
            "<p>AT&T, 1 < 2, a\x00\x0b</p>",
            "<p>&nbsp</p>",
            "<b><i>misnested</b></i>",
            '<p class="a" class="b">twice</p>',
            "<p class=a>no quotes</p>",
            "<x:y>no such namespace</x:y>",
            "<br>",
            "<a",
            "</p>",
            "]]>",
        ],
    )
    def test_links_before_and_after_it_are_found(self, body: str) -> None:
        document = page(
            f'<script/><a href="/before">x</a>{body}\n<div/><script/><a href="/after">y</a>', head="<title/>"
        )

        assert {"/before", "/after"} <= set(paths(read(document)))

    @pytest.mark.parametrize("prefix", [" ", "\n\n", "\ufeff \n"])
    def test_blanks_before_the_declaration_do_no_harm(self, prefix: str) -> None:
        assert paths(read(prefix + page('<title/><a href="/x">x</a>'))) == ["/x"]

    def test_a_document_that_breaks_off_is_read_to_its_end(self) -> None:
        assert paths(read(page('<script/><a href="/x">x</a>').partition("</body>")[0])) == ["/x"]

    def test_entities_of_markup_are_not_expanded(self) -> None:
        laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
        document = f'<!DOCTYPE html [<!ENTITY a0 "<b/>">{laughs}]>' + page(
            '&a8;<script/><a href="/x">x</a>'
        ).replace(DOCTYPE, "")

        assert paths(read(document)) == ["/x"]

    def test_neither_are_files(self) -> None:
        document = page("<title>x</title>&passwd;", head="<title>&passwd;</title>").replace(
            DOCTYPE, '<!DOCTYPE html [<!ENTITY passwd SYSTEM "file:///etc/passwd">]>'
        )

        assert read(document).title == ""

    def test_text_of_entities_has_a_bound(self) -> None:
        document = page(f'<a href="/before">x</a>{"&long;" * 10_000}<a href="/after">x</a>').replace(
            DOCTYPE, f'<!DOCTYPE html [<!ENTITY long "{"x" * 10_000}">]>'
        )

        assert paths(read(document)) == ["/before", "/after"]

    def test_nothing_raises(self) -> None:
        whole = page('<a href="/x">x &amp; y</a><![CDATA[z]]><!-- c --><script/>').encode()
        chance = random.Random(1)
        for _ in range(300):
            damaged = bytearray(whole)
            for _ in range(chance.randrange(1, 6)):
                damaged[chance.randrange(len(damaged))] = chance.choice(b"<>&\"'/[]!-?\x00\xff ;a")
            read(bytes(damaged))


class TestOtherXml:
    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            (page("x"), True),
            (f'<h:html xmlns:h="{NAMESPACE}"/>', True),
            ("<html/>", False),
            ("<rss/>", False),
            ("", False),
            (f'<x><html xmlns="{NAMESPACE}"/></x>', False),
        ],
    )
    def test_the_namespace_of_the_root_tells_what_it_is(self, document: str, expected: bool) -> None:
        assert is_xhtml(document.encode(), None) is expected


@pytest.mark.parametrize("unit", ["<![CDATA[", "<![CDATA[<a>", "<!--", "<", "&", "<a '", "&a;"])
def test_the_time_is_linear_in_the_length_whatever_a_damaged_page_holds(unit: str) -> None:
    began = time.process_time()
    xhtml_to_html(unit.encode() * (200_000 // len(unit)), None)
    assert time.process_time() - began < 5.0  # minutes if it were quadratic
