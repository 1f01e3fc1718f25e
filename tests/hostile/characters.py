"""Characters: pages that declare one encoding and use another, or declare an unknown one.

Sources: Encoding and HTML standards; Python's codec registry has `zlib`, `idna`, `rot13` and
`unicode_escape` under names that a page may choose.
"""

from __future__ import annotations

import codecs

from tests.hostile.case import Case, html


def said(name: str, body: bytes, title: str | None, *, charset: str | None = None) -> Case:
    kind = "text/html" if charset is None else f"text/html; charset={charset}"
    return Case(name=name, answer=html(body, kind=kind), stays=True, page={"title": title})


def page(title: str, encoding: str, meta: str = "") -> bytes:
    return f"{meta}<title>{title}</title><a href='/far/{title}?q={title}'>x</a>".encode(encoding)


META = "<meta charset={}>"
ODD_LABELS = (
    "zlib",
    "bz2",
    "hex",
    "base64",
    "rot13",
    "idna",
    "punycode",
    "unicode_escape",
    "undefined",
    "mbcs",
    "utf-7",
    "utf-32",
    "cp65001",
    "../../x",
    "x" * 900,
)

CASES = (
    said("header-beats-meta", page("grün", "utf-8", META.format("koi8-r")), "grün", charset="utf-8"),
    said("bom-beats-header", codecs.BOM_UTF8 + page("grün", "utf-8"), "grün", charset="koi8-r"),
    said("bom-utf-16", codecs.BOM_UTF16_LE + page("grün", "utf-16-le"), "grün", charset="utf-8"),
    said("utf-16-be-by-header", page("grün", "utf-16-be"), "grün", charset="utf-16be"),
    said("meta-utf-16-is-utf-8", page("grün", "utf-8", META.format("utf-16")), "grün"),
    said("meta-only", page("grün", "iso-8859-2", META.format("iso-8859-2")), "grün"),
    *(said(f"label-{n}", page("grun", "ascii"), "grun", charset=label) for n, label in enumerate(ODD_LABELS)),
    *(
        said(f"meta-label-{n}", page("grun", "ascii", META.format(label)), "grun")
        for n, label in enumerate(ODD_LABELS)
    ),
    said("utf-7-is-not-read", b"<title>+ADw-script+AD4-</title>", "+ADw-script+AD4-", charset="utf-7"),
    said(
        "lone-surrogates",
        b"<title>a\xed\xa0\x80b</title><a href=/far/\xed\xa0\x80>\xed\xb0\x80</a>",
        "a���b",
        charset="utf-8",
    ),
    said("surrogate-references", b"<title>a&#xD800;b&#x110000;</title>", "a�b�", charset="utf-8"),
    said("utf-16-odd-length", page("grun", "utf-16-le") + b"\0", "grun", charset="utf-16le"),
    said(
        "utf-16-surrogates",
        "<title>a\ud800b</title>".encode("utf-16-le", "surrogatepass"),
        "a�b",
        charset="utf-16le",
    ),
    said("overlong-utf-8", b"<title>\xc0\xbc\xe0\x80\xbc</title>", "�����", charset="utf-8"),
    Case(
        name="iso-2022-jp-escape",
        answer=html(b"<title>\x1b$B</title><a href=/far/1>x</a>", kind="text/html; charset=iso-2022-jp"),
        stays=True,
    ),
    said("replacement", b"<title>a</title>", None, charset="iso-2022-kr"),
    said(
        "noncharacters",
        "<title>\uffff\ufdd0\u202e\x07</title>".encode(),
        "\uffff\ufdd0\u202e\x07",
        charset="utf-8",
    ),
)
