"""CSS: which files a stylesheet names, and which texts only look like it."""

from __future__ import annotations

import time

import pytest

from penstock.stages.extractors.text.css import css_references


def of(css: str, **options: bool) -> list[tuple[str, str]]:
    return list(css_references(css, **options))


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("url(a.png)", ["a.png"]),
        ("url('a.png')", ["a.png"]),
        ('url("a.png")', ["a.png"]),
        ("URL(a.png)", ["a.png"]),
        ("url(  a.png\n)", ["a.png"]),
        ("url(\t'a b.png' )", ["a b.png"]),
        ("url('a).png')", ["a).png"]),
        ('url("it\'s.png")', ["it's.png"]),
        ("url(a,b;c.png)", ["a,b;c.png"]),
        ("url(http://h/a.png?x=1&y=2#z)", ["http://h/a.png?x=1&y=2#z"]),
        ("url(//h/a.png)", ["//h/a.png"]),
        ("url(/*a*/b.png)", ["/*a*/b.png"]),  # no comment begins inside of a URL
        ("url(é.png)", ["é.png"]),
        ("url(a.png) no-repeat, url(b.png)", ["a.png", "b.png"]),
        ("cross-fade(url(a.png), url('b.png'), 50%)", ["a.png", "b.png"]),
        ("url('a.png' crossorigin(anonymous))", ["a.png"]),
        # Escapes: of characters, of code points, of the end of a line.
        (r"url(a\)b.png)", ["a)b.png"]),
        (r"url(a\ b.png)", ["a b.png"]),
        (r"url('a\'b.png')", ["a'b.png"]),
        (r"url(\61.png)", ["a.png"]),
        (r"url(\000061b.png)", ["ab.png"]),
        (r"url(\61 b.png)", ["ab.png"]),
        (r"url('\1F600.png')", ["\N{GRINNING FACE}.png"]),
        (r"url('\0\D800\110000.png')", ["\ufffd\ufffd\ufffd.png"]),
        ("url('a\\\nb.png')", ["ab.png"]),
        ("url('a\\\r\nb.png')", ["ab.png"]),
        # The end of the text closes what is open.
        ("url(a.png", ["a.png"]),
        ("url('a.png", ["a.png"]),
        ("url('a.png'", ["a.png"]),
        # What is no URL after all.
        ("url()", []),
        ("url('')", [""]),
        ("url(a b.png)", []),
        ("url(a'b.png)", []),
        ("url(a(b).png)", []),
        ("url('a\nb.png')", []),
        ("url (a.png)", []),
        ("my-url(a.png)", []),
        ("curl(a.png)", []),
        ("'url(a.png)'", []),
        ("/* url(a.png) */ red", []),
        ("/* ' */ url(a.png) /* ' */", ["a.png"]),
        ("/* url(a.png)", []),
        # A URL that is none does not hide the next.
        ("url(a b.png), url(c.png)", ["c.png"]),
        ("'a\n; x: url(c.png)", ["c.png"]),
        # image-set: strings too, but not those of type().
        ("image-set('a.png' 1x, \"b.png\" 2x)", ["a.png", "b.png"]),
        ("image-set(url(a.png) 1x, url('b.png') 2x)", ["a.png", "b.png"]),
        ("-webkit-image-set(url(a.png) 1x)", ["a.png"]),
        ("IMAGE-SET('a.avif' type('image/avif'), 'b.png' type('image/png'))", ["a.avif", "b.png"]),
        ("image-set(url('a.avif') type('image/avif'), 'b.png')", ["a.avif", "b.png"]),
        ("image-set(linear-gradient(red, rgb(0 0 0)) 1x, 'b.png' 2x), url(c.png)", ["b.png", "c.png"]),
        ("image-set(/* 'a.png' ) */ 'b.png' 1x) 'c'", ["b.png"]),
        ("my-image-set('a.png')", []),
        ("image-set('a.png' 1x; --x: 'b'", ["a.png"]),
        ("image-set('a.png' 1x", ["a.png"]),
    ],
)
def test_a_value_names_these_images(value: str, urls: list[str]) -> None:
    named = [(url, "image") for url in urls]

    assert of(f"background: {value}", is_attribute=True) == named
    assert of(f"p {{ background: {value}") == named


@pytest.mark.parametrize(
    ("css", "urls"),
    [
        ("@import 'a.css';", ["a.css"]),
        ('@import "a.css" screen;', ["a.css"]),
        ("@IMPORT url(a.css);", ["a.css"]),
        ("@import url('a.css') layer(x) supports(display: grid) (width > 1px);", ["a.css"]),
        ("@import\n\turl( a.css );", ["a.css"]),
        ("@import'a.css';", ["a.css"]),
        ("@import/**/'a.css';", ["a.css"]),
        ("@import 'a.css", ["a.css"]),
        ('@charset "utf-8"; @import "a.css"; @import "b.css";', ["a.css", "b.css"]),
        ("@layer x, y; @import 'a.css';", ["a.css"]),
        ("/* @import 'b.css'; */ @import 'a.css';", ["a.css"]),
        (r"@import '\61.css';", ["a.css"]),
        # After a rule it is no import any more, nor within one.
        ("p { color: red } @import 'a.css';", []),
        ("@media print { @import 'a.css'; }", []),
        ("@namespace url(http://www.w3.org/1999/xhtml); @import 'a.css';", []),
        ("@import a.css;", []),
        ("@import;", []),
        ("@imports 'a.css';", []),
    ],
)
def test_imports_are_styles_before_the_first_rule(css: str, urls: list[str]) -> None:
    assert of(css) == [(url, "style") for url in urls]


def test_what_a_font_face_names_is_a_font() -> None:
    css = """@font-face /**/ { font-family: '}'; src: local("x"),
        url(a.woff2) format("woff2"), url('a.woff') }
    p { background: url(b.png) }"""

    assert of(css) == [("a.woff2", "font"), ("a.woff", "font"), ("b.png", "image")]


def test_names_of_xml_are_no_files() -> None:
    assert of("@namespace svg url(http://www.w3.org/2000/svg); p { mask: url(a.svg#m) }") == [
        ("a.svg#m", "image")
    ]


def test_an_attribute_imports_nothing() -> None:
    assert of("@import 'a.css'; color: red", is_attribute=True) == []


@pytest.mark.parametrize(
    "part",
    ["url(", "url('", '"', "'\\", "/*", "@import", "@import/*", "image-set(", "url(a ", "\\", "@font-face/*"],
)
def test_time_is_linear_in_the_text(part: str) -> None:
    def seconds(count: int) -> float:
        css = part * count
        started = time.process_time()
        of(css)
        return time.process_time() - started

    assert seconds(80_000) < 40 * max(seconds(8_000), 0.002)
