"""Markup: HTML on which a parser takes more time or memory than its length suggests.

Sources: measured on lexbor; html5lib's and Scrapy's known quadratic inputs.
"""

from __future__ import annotations

import os

from tests.hostile.case import KILLED, Case, html, markup

SCALE = int(os.environ.get("HOSTILE_SCALE", "1"))

ORDINARY = b"<p>Ordinary text, and much of it. <b>Bold</b> too.</p>\n"


def repeated(pattern: bytes, count: int) -> bytes:
    return b"".join(pattern % number for number in range(count))


CASES = (
    markup("nested-divs-200000", lambda: b"<div>" * 200_000, *KILLED),
    markup("nested-lists-60000", lambda: b"<ul><li>" * 60_000, *KILLED),
    markup("misnested-4000", lambda: repeated(b"<b id=%d><p>", 4_000), *KILLED),
    markup("misnested-fonts-4000", lambda: repeated(b"<font size=%d><p>", 4_000), *KILLED),
    markup("misnested-fonts-1000", lambda: repeated(b"<font size=%d><p>", 490)),
    markup("nested-in-32-kib", lambda: b"<div>" * 990),
    markup("attributes-100000", lambda: b"<a " + repeated(b"a%d ", 100_000) + b">x</a>", *KILLED),
    markup("attributes-8000-in-32-kib", lambda: b"<a " + repeated(b"%x ", 6_500) + b">x</a>"),
    markup("less-than-1-mib", lambda: b"<" * (1 << 20)),
    markup("less-than-a-1-mib", lambda: b"<a" * (1 << 19)),
    markup("unclosed-comment", lambda: b"<title>t</title><!--" + b"-<!" * 300_000),
    markup("unclosed-comments", lambda: b"<!--" * 200_000),
    markup("unclosed-script", lambda: b"<script>" + b"</scrip" * 100_000),
    markup("unclosed-attribute", lambda: b'<a href="' + b"x" * (1 << 20)),
    markup("unclosed-cdata", lambda: b"<svg><![CDATA[" + b"]]" * 300_000),
    markup("nested-tables", lambda: b"<table><tr><td>" * 20_000),
    markup("nested-svg", lambda: b"<svg><foreignObject>" * 10_000),
    markup("nested-forms-and-templates", lambda: b"<template><form>" * 20_000),
    markup("titles-100000", lambda: b"<svg>" + b"<title>x</title>" * 60_000 + b"</svg>"),
    markup("title-of-1-mib", lambda: b"<title>" + b"t" * (1 << 20) + b"</title>"),
    markup("href-of-1-mib", lambda: b"<a href='/" + b"h" * (1 << 20) + b"'>x</a>", links=0),
    markup("link-text-of-1-mib", lambda: b"<a href=/far/1>" + b"t" * (1 << 20) + b"</a>", links=1),
    markup("links-enclosing-links", lambda: b"<div><a href=/far/1><table>" * 3_000 + b"t" * 9_000),
    markup(
        "links-100000-to-10",
        lambda: b"".join(b"<a href=/far/%d>x</a>" % (n % 10) for n in range(100_000 // SCALE)),
        links=10,
    ),
    markup("links-100000", lambda: repeated(b"<a href=/far/%d>x</a>", 100_000 // min(SCALE, 3))),
    markup("links-300000", lambda: repeated(b"<a href=/far/%d>x</a>", 300_000 // SCALE)),
    markup(
        "links-with-texts-100000",
        lambda: b"".join(b"<a href=/far/%d>text %d</a>" % (n, n) for n in range(100_000 // SCALE)),
    ),
    # No other copy of the page has any of them: every one is a new row.
    markup("links-of-its-own-30000", lambda: repeated(b"<a href=?/far/%d>x</a>", 30_000 // SCALE)),
    markup("links-to-100000-hosts", lambda: repeated(b"<a href=//h%d.test/>x</a>", 100_000 // SCALE)),
    markup(
        "links-of-2000-chars",
        lambda: b"".join(b"<a href=/far/%d%s>x</a>" % (n, b"y" * 1_900) for n in range(4_000 // SCALE)),
    ),
    markup(
        "base-of-2000-chars",
        lambda: b"<base href='/far/" + b"b" * 1_900 + b"/'>" + repeated(b"<a href=%d>", 30_000 // SCALE),
    ),
    markup(
        "rel-of-1-mib", lambda: b"<a href=/far/1 rel='" + repeated(b"r%d ", 100_000) + b"'>x</a>", links=1
    ),
    markup(
        "meta-robots-of-1-mib", lambda: b"<meta name=robots content='" + repeated(b"r%d,", 100_000) + b"'>"
    ),
    markup(
        "meta-refreshes-50000",
        lambda: repeated(b"<meta http-equiv=refresh content='0;url=/far/%d'>", 50_000 // SCALE),
    ),
    markup("lang-of-1-mib", lambda: b"<html lang=" + b"l" * (1 << 20) + b">"),
    markup("canonical-of-1-mib", lambda: b"<link rel=canonical href=/" + b"l" * (1 << 20) + b">"),
    markup("entities-1-mib", lambda: b"<title>&amp;</title>" + b"&CounterClockwiseContourIntegral;" * 30_000),
    markup(
        "nul-bytes",
        lambda: b"\0<ti\0tle>a\0b</title>\0<title>t</title><a href='/fa\0r/1'>x\0y</a>" + b"\0" * 100_000,
    ),
    markup("only-nul", lambda: bytes(1 << 20)),
    markup("empty", lambda: b""),
    Case(
        name="xml-bomb-as-xhtml",
        answer=html(
            b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><html><title>&b;</title></html>',
            kind="application/xhtml+xml",
        ),
        stays=True,
    ),
    markup(
        "ordinary-10-mib",
        lambda: b"<title>t</title>" + ORDINARY * (180_000 // SCALE),
        page={"title": "t"},
    ),
)
