"""The HTML extractor: what a page says, in the words of the standards."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from penstock.crawler.messages import CanonicalUrl, Content, Document, Link
from penstock.crawler.urls import MAX_URL_CHARS, canonical
from penstock.stages.extractors import MAX_LINK_CHARS
from penstock.stages.extractors.html import HtmlExtractor
from tests.support.conformance import Compared, as_bytes, disagreements, read_cases

PAGE = CanonicalUrl("http://example.com/dir/page?q=1")


def read(
    html: str | bytes, *, url: str = PAGE, charset: str | None = "utf-8", nofollow: bool = False
) -> Content:
    body = html.encode() if isinstance(html, str) else html
    return HtmlExtractor().read(
        Document(url=CanonicalUrl(url), body=body, charset=charset, nofollow=nofollow)
    )


def targets(content: Content) -> Sequence[str]:
    return [link.url for link in content.links]


def link(html: str) -> Link:
    (only,) = read(html).links
    return only


class TestTitle:
    @pytest.mark.parametrize(
        ("html", "title"),
        [
            ("<title>Page</title>", "Page"),
            ("<title> \t\n A \r\n  title\f </title>", "A title"),
            ("<title>two  blanks</title>", "two blanks"),
            ("<title>A &amp; B &#x1F600; <b></title>", "A & B \N{GRINNING FACE} <b>"),
            ("<title>first</title><title>second</title>", "first"),
            ("<body><p>x</p><title>late</title>", "late"),
            ("<title></title>", ""),
            ("<title> \n </title>", ""),
            ("<p>none</p>", None),
            ("", None),
            ("<template><title>inert</title></template>", None),
            ("<!-- <title>comment</title> -->", None),
        ],
    )
    def test_it_is_the_first_title_element_with_its_white_space_collapsed(
        self, html: str, title: str | None
    ) -> None:
        assert read(html).title == title

    def test_only_html_white_space_collapses(self) -> None:
        """A no-break space is a character somebody chose; what is shown is cleaned elsewhere."""
        title = "\N{NO-BREAK SPACE}a\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}b\x0b\N{EM SPACE}c\x85"

        assert read(f"<title> {title}\n</title>").title == title

    def test_the_title_of_an_image_is_not_the_pages(self) -> None:
        """An SVG title is a tooltip. Browsers show the first title element of HTML."""
        icon = "<svg><g><a><title>icon</title></a></g></svg>"

        assert read(f"<body>{icon}<title>page</title>").title == "page"
        assert read(f"<body>{icon}").title is None
        assert (
            read("<svg><foreignObject><title>html within</title></foreignObject></svg>").title
            == "html within"
        )
        assert read(icon * 1_000 + "<title>never found</title>").title is None  # and not looked for


class TestLinks:
    def test_they_come_once_each_in_document_order(self) -> None:
        content = read(
            "<a href=b>B</a><a href=a>A</a><a href='./b'>again</a>"
            "<map><area href=c alt=C></map><a href=/d>D</a>"
        )

        assert targets(content) == [f"http://example.com/{path}" for path in ("dir/b", "dir/a", "dir/c", "d")]
        assert [link.text for link in content.links] == ["B", "A", "C", "D"]

    @pytest.mark.parametrize(
        "href", ["", "#top", "?q=1", "?q=1#x", "page?q=1", " \n", "//example.com/dir/page?q=1"]
    )
    def test_a_page_may_link_to_itself(self, href: str) -> None:
        assert targets(read(f"<a href='{href}'>x</a>")) == [PAGE]

    def test_an_attribute_without_a_value_is_an_empty_one(self) -> None:
        assert targets(read("<a href>x</a>")) == [PAGE]

    def test_white_space_around_and_line_breaks_within_are_no_part_of_it(self) -> None:
        assert targets(read("<a href=' a\n b\t'>x</a>")) == ["http://example.com/dir/a%20b"]

    @pytest.mark.parametrize(
        "html",
        [
            "<a>no href</a>",
            "<a name=x>anchor</a>",
            "<link rel=author href=/x>",
            "<form action=/x></form>",
            "<!-- <a href=/x>comment</a> -->",
            "<script>'<a href=/x>script</a>'</script>",
            "<template><a href=/x>inert</a></template>",
            "<textarea><a href=/x>text</a></textarea>",
            "<svg><use href='/sprite.svg'/></svg>",
        ],
    )
    def test_nothing_else_is_a_link(self, html: str) -> None:
        content = read(html)

        assert targets(content) == []
        assert (content.other_links, content.long_links) == (0, 0)

    def test_what_is_shown_without_scripts_counts(self) -> None:
        assert targets(read("<noscript><a href=/x>x</a></noscript>")) == ["http://example.com/x"]

    def test_a_link_in_an_image_counts(self) -> None:
        content = read("<svg><a href=/new>n</a><a xlink:href=/old>o</a></svg>")

        assert targets(content) == ["http://example.com/new", "http://example.com/old"]

    def test_other_schemes_and_invalid_urls_are_counted_by_mention(self) -> None:
        content = read(
            "<a href=mailto:a@b>1</a><a href=mailto:a@b>2</a><a href='javascript:x()'>3</a>"
            "<a href=tel:1>4</a><a href='http://[::1'>5</a><a href='http://exa mple/'>6</a>"
            "<area href=data:,x><a href=/y>y</a>"
        )

        assert targets(content) == ["http://example.com/y"]
        assert (content.other_links, content.long_links) == (7, 0)

    def test_a_url_over_the_bound_is_counted_and_dropped(self) -> None:
        """What counts is the length of the result: trees of ../ and tabs shrink."""
        fits = "x" * (MAX_URL_CHARS - len("http://example.com/"))

        content = read(
            f"<a href=/{fits}>fits</a><a href=/{fits}y>over</a><a href=/{fits}y#f>over</a>"
            f"<a href=/{'../' * 1_000}z>shrinks</a>"
        )

        assert targets(content) == [f"http://example.com/{fits}", "http://example.com/z"]
        assert content.long_links == 2

    def test_a_query_is_in_the_encoding_of_the_page(self) -> None:
        """URL standard: what the link ?q=é asks of a server depends on the page it is on."""
        body = "<a href='/é?q=é'>x</a>".encode("windows-1252")

        assert targets(read(body, charset="windows-1252")) == ["http://example.com/%C3%A9?q=%E9"]

    def test_the_same_query_in_another_encoding_is_another_url(self) -> None:
        """What is remembered of the pages before, of the same folder, does not answer for this one."""
        extractor, html = HtmlExtractor(), "<a href='x?q=é'>x</a>"

        contents = [
            extractor.read(Document(url=CanonicalUrl(PAGE), body=html.encode(label), charset=label))
            for label in ("utf-8", "windows-1252", "utf-8")
        ]

        assert [target.rpartition("=")[2] for [target] in map(targets, contents)] == [
            "%C3%A9",
            "%E9",
            "%C3%A9",
        ]
        assert targets(read("<a href='/é?q=é'>x</a>")) == ["http://example.com/%C3%A9?q=%C3%A9"]


class TestLinkText:
    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("<a href=x>plain</a>", "plain"),
            ("<a href=x>\n  two\n <b>words</b>\f</a>", "two words"),
            ("<a href=x>a<b>b</b>c</a>", "abc"),
            ("<a href=x><img src=i alt=image></a>", ""),
            ("<a href=x><img></a><a href=x> </a><a href=x>third</a><a href=x>fourth</a>", "third"),
            ("<area href=x alt=' the\n map '>", "the map"),
            ("<area href=x>", ""),
        ],
    )
    def test_it_is_the_first_that_is_not_empty(self, html: str, text: str) -> None:
        assert link(html).text == text

    def test_links_that_enclose_one_another_do_not_multiply_their_text(self) -> None:
        """100 links around 100 kB of text would be 10 MB of rows."""
        html = "".join(f"<a href=/{number}><object>" for number in range(100)) + "x" * 100_000

        content = read(html)

        assert len(content.links) == 100
        assert sum(len(link.text) for link in content.links) <= 2 * len(html)


class TestRel:
    def test_tokens_of_all_mentions_are_united_in_order(self) -> None:
        found = link("<a href=x rel='Author  NoOpener'>1</a><a href=x>2</a><a href=x rel='ugc author'>3</a>")

        assert found.rel == "author noopener ugc"

    def test_one_of_blanks_only_is_none(self) -> None:
        links = read("<a href=x rel='  '>1</a><a href=y rel='\t'>2</a><a href=x rel=nofollow>3</a>").links

        assert links.rels == {0: "nofollow"}
        assert [link.followed for link in links] == [True, True]

    @pytest.mark.parametrize(
        ("html", "followed"),
        [
            ("<a href=x>1</a>", True),
            ("<a href=x rel>1</a>", True),
            ("<a href=x rel='noopener'>1</a>", True),
            ("<a href=x rel='noopener NOFOLLOW'>1</a>", False),
            ("<a href=x rel=nofollow>1</a><a href=x>2</a>", True),
            ("<a href=x>1</a><a href=x rel=nofollow>2</a>", True),
            ("<a href=x rel=nofollow>1</a><a href=x rel=me>2</a>", True),
            ("<a href=x rel=nofollow>1</a><a href=x rel='ugc nofollow'>2</a>", False),
        ],
    )
    def test_a_target_is_followed_if_any_mention_may_be(self, html: str, followed: bool) -> None:
        assert link(html).followed is followed


class TestRobots:
    @pytest.mark.parametrize(
        ("meta", "followed"),
        [
            ("<meta name=robots content=nofollow>", False),
            ("<meta name=ROBOTS content='NoIndex, NoFollow'>", False),
            ("<meta name=robots content=none>", False),
            ("<meta name=penstock content=nofollow>", False),
            ("<meta name=robots content='noindex nofollow'>", False),
            ("<meta name=robots content=noindex>", True),
            ("<meta name=robots content='max-image-preview: none'>", True),
            ("<meta name=googlebot content=nofollow>", True),
            ("<meta name=description content=nofollow>", True),
            ("<body><p>x<meta name=robots content=nofollow>", False),
            ("<template><meta name=robots content=nofollow></template>", True),
        ],
    )
    def test_a_page_may_forbid_to_follow_any_link(self, meta: str, followed: bool) -> None:
        assert link(f"{meta}<a href=x>x</a>").followed is followed

    def test_so_may_the_http_header(self) -> None:
        (only,) = read("<a href=x>x</a>", nofollow=True).links

        assert not only.followed

    def test_directives_are_kept_lower_case(self) -> None:
        ours = "<meta name=penstock content=noindex,noarchive>"

        assert (
            read(f"<meta name=robots content='NoIndex,  max-snippet:20,'>{ours}").robots
            == "noindex, max-snippet:20, noarchive"
        )
        assert read("<meta name=robots content=' , '>").robots is None
        assert read("<p>").robots is None


class TestRefresh:
    @pytest.mark.parametrize(
        ("content", "target"),
        [
            ("0;url=/x", "/x"),
            ("5 ; URL = '/x' ignored", "/x"),
            ('1.5,"/x"', "/x"),
            ("0 /x", "/x"),
            ("0;/x", "/x"),
            (".5;url=/x", "/x"),
            ("0;url=\"/x'y", "/x'y"),
            ("0;urlx", "urlx"),
            ("0;url", "url"),
            ("5", None),
            ("5;", None),
            ("0;url=", None),
            ("", None),
            ("url=/x", None),
            ("-1;url=/x", None),
            ("5x;url=/x", None),
            ("\N{ARABIC-INDIC DIGIT FIVE};url=/x", None),
        ],
    )
    def test_it_is_read_as_the_standard_reads_it(self, content: str, target: str | None) -> None:
        escaped = content.replace("'", "&#39;")

        content_read = read(f"<meta http-equiv=Refresh content='{escaped}'>", url="http://example.com/")

        assert targets(content_read) == (
            [canonical(f"http://example.com/{target.lstrip('/')}")] if target else []
        )

    def test_it_is_a_link_in_its_place(self) -> None:
        content = read("<a href=a>A</a><meta http-equiv=refresh content='0;b'><a href=c>C</a><a href=b>B</a>")

        assert list(content.links)[1] == Link(CanonicalUrl("http://example.com/dir/b"), "B", "refresh", True)

    def test_nofollow_of_the_page_holds_for_it_too(self) -> None:
        found = link("<meta name=robots content=nofollow><meta http-equiv=refresh content='0;b'>")

        assert (found.rel, found.followed) == ("refresh", False)


class TestBase:
    @pytest.mark.parametrize(
        ("base", "target"),
        [
            ("<base href=/other/>", "http://example.com/other/x"),
            ("<base href=//b.example/y#f>", "http://b.example/x"),
            ("<base target=_top><base href=/one/><base href=/two/>", "http://example.com/one/x"),
            ("<base href><base href=/two/>", "http://example.com/dir/x"),
            ("<base href='http://['><base href=/two/>", "http://example.com/dir/x"),
            ("<base href='data:,x'><base href=/two/>", "http://example.com/dir/x"),
            ("<base href='javascript:x'>", "http://example.com/dir/x"),
            ("<template><base href=/other/></template>", "http://example.com/dir/x"),
        ],
    )
    def test_the_first_with_an_href_decides(self, base: str, target: str) -> None:
        assert targets(read(f"{base}<a href=x>x</a>")) == [target]

    def test_it_holds_for_links_before_it_too(self) -> None:
        assert targets(read("<a href=x>x</a><base href=/other/>")) == ["http://example.com/other/x"]

    def test_with_a_base_a_fragment_is_not_on_this_page(self) -> None:
        assert targets(read("<base href=/other/><a href=#x>x</a>")) == ["http://example.com/other/"]

    def test_nothing_can_be_relative_to_a_base_without_a_path(self) -> None:
        content = read("<base href=mailto:x@y><a href=x>x</a><a href=http://b/>y</a>")

        assert (targets(content), content.other_links) == (["http://b/"], 1)


class TestRecorded:
    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<link rel=canonical href=/c#f>", "http://example.com/c"),
            ("<base href=/b/><link rel='x CANONICAL' href=c>", "http://example.com/b/c"),
            ("<link rel=canonical href=/1><link rel=canonical href=/2>", "http://example.com/1"),
            ("<body><p><link rel=canonical href=/late>", "http://example.com/late"),
            ("<link rel=canonical href><link rel=canonical href=/2>", "http://example.com/2"),
            ("<link rel=canonical href=mailto:x@y>", None),
            ("<link rel=stylesheet href=/c>", None),
        ],
    )
    def test_the_canonical_link_is_recorded_and_not_followed(self, html: str, expected: str | None) -> None:
        content = read(html)

        assert content.canonical == expected
        assert (targets(content), content.other_links) == ([], 0)

    @pytest.mark.parametrize(
        ("html", "language"),
        [("<html lang=' de-AT '>", "de-AT"), ("<html lang=''>", None), ("<p lang=de>", None)],
    )
    def test_the_language_is_that_of_the_document(self, html: str, language: str | None) -> None:
        assert read(html).language == language


class TestEncodings:
    @pytest.mark.parametrize(
        "encoding", ["utf-8-sig", "utf-16", "windows-1251", "koi8-r", "iso-2022-jp", "gb18030"]
    )
    def test_a_page_is_read_in_its_encoding(self, encoding: str) -> None:
        body = "<title>я</title><a href='/я'>я</a>".encode(encoding)
        header = None if encoding in ("utf-8-sig", "utf-16") else encoding

        content = read(body, charset=header)

        assert content.title == "я"
        assert list(content.links) == [Link(CanonicalUrl("http://example.com/%D1%8F"), "я", "", True)]

    def test_broken_bytes_become_replacement_characters(self) -> None:
        content = read(b"<title>a\xffb\0</title><a href='/\xff'>\xed\xa0\x80</a>")

        assert content.title == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
        assert targets(content) == ["http://example.com/%EF%BF%BD"]


class TestHostilePages:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\0" * 1_000,
            b"\xff\xfe",
            b"\xff\xfe\0\xd8",
            b"\xef\xbb\xbf",
            b"<",
            b"<a href",
            b"<a href='",
            b"<html><frameset><frame src=x>",
            b"<title>" * 1_000,
            b"<a href=http://" + b"a." * 10_000 + b"/>",
            b"<a href='" + b"\t" * 100_000 + b"'>",
            b"<meta http-equiv=refresh content='" + b" " * 100_000 + b"'>",
            b"<meta name=robots content='" + b"," * 100_000 + b"'>",
            b"<a rel='" + b"x " * 50_000 + b"' href=/>" * 2,
            b"<base href='" + b"../" * 10_000 + b"'><a href=x>",
            bytes(range(256)) * 10,
        ],
        ids=range(17),
    )
    @pytest.mark.parametrize(
        "charset", [None, "utf-8", "utf-16le", "replacement", "x-user-defined", "\udcff"]
    )
    def test_nothing_raises(self, body: bytes, charset: str | None) -> None:
        read(body, charset=charset)

    def test_a_random_page_does_not_either(self) -> None:
        """Whatever comes out can be stored: text that UTF-8 can write."""
        pieces = [
            b"<a href=",
            b"<base href=",
            b"<meta ",
            b"http-equiv=refresh ",
            b"content='0;",
            b"<title>",
            b"</a>",
        ]
        pieces += [
            b"'",
            b'"',
            b">",
            b"<svg>",
            b"<template>",
            b"http://",
            b"//",
            b"#",
            b"?",
            b"[",
            b"\xff",
            b"\0",
            b"&#",
        ]
        pieces += [
            b"xd800;",
            b"<link rel=canonical href=",
            b"javascript:",
            b" ",
            b"\xc3",
            b"</title>",
            b"%",
            b":",
            b"@",
        ]
        chance = random.Random(1)

        for _ in range(2_000):
            content = read(
                b"".join(chance.choices(pieces, k=30)), charset=chance.choice([None, "gbk", "utf-8"])
            )
            texts = [text for link in content.links for text in (link.url, link.text, link.rel)]
            for text in [content.title or "", *texts]:
                text.encode()


class TestTooManyLinks:
    def test_a_page_leads_to_so_many_targets_and_the_rest_is_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each takes memory and time all the way to the disk."""
        monkeypatch.setattr("penstock.stages.extractors.html.MAX_LINKS", 3)
        body = b"<a href=1><a href=2><a href=1><a href=javascript:0><a href=3><a href=4><a href=1><a href=5>"

        content = read(body)

        assert [link.url[-1] for link in content.links] == ["1", "2", "3"]
        assert (content.dropped_links, content.other_links) == (3, 1)

    def test_a_page_with_just_so_many_is_read_to_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("penstock.stages.extractors.html.MAX_LINKS", 2)

        content = read(b"<a href=1><a href=2><a href=1 rel=me>")

        assert ([link.rel for link in content.links], content.dropped_links) == (["me", ""], 0)

    def test_a_long_base_cannot_make_much_of_little(self) -> None:
        """30,000 links of six bytes, and 57 MiB of URLs."""
        body = b"<base href=/%b/>" % (b"b" * 1_900) + b"".join(b"<a href=%d>" % n for n in range(30_000))

        content = read(body)

        assert sum(len(link.url) for link in content.links) <= MAX_LINK_CHARS
        assert len(content.links) + content.dropped_links == 30_000


class TestConformance:
    def test_web_platform_tests_agree_on_the_base(self) -> None:
        compared = []
        for case in read_cases("html/wpt_base_href.json"):
            html = f'{case["html"]}<a href="{case["ref"]}">probe</a>'
            compared.append(
                Compared(case["wpt"], targets(read(html, url=case["document_url"]))[-1], case["expected"])
            )

        assert disagreements(compared, {}) == []

    def test_w3lib_agrees_on_the_base(self) -> None:
        nowhere = "http://nowhere.example/"
        compared = []
        for number, case in enumerate(read_cases("html/w3lib_base_url.json")):
            url = canonical(as_bytes(case["response_url"]).decode()) or nowhere
            # The probe stands first: a comment that never ends would swallow it.
            body = b'<a href=""></a>' + as_bytes(case["body"])
            ours = targets(read(body, url=url))[0]
            compared.append(Compared(str(number), ours, canonical(case["expected"]) or nowhere))

        noscript = "w3lib skips noscript; a reader without scripts, which we are, is whom it is meant for"
        assert disagreements(compared, {"8": noscript, "11": noscript}) == []

    def test_w3lib_agrees_on_meta_refresh(self) -> None:
        compared = []
        for number, case in enumerate(read_cases("html/w3lib_meta_refresh.json")):
            url = canonical(case["base_url"]) or ""
            charset = case["args"][0] if case["args"] else "utf-8"
            ours = targets(read(as_bytes(case["body"]), url=url, charset=charset))
            compared.append(Compared(str(number), ours, [case["expected"][1]] if case["expected"][1] else []))

        deviations = {
            "2": "the tag never ends, so by the HTML standard there is none",
            "19": "w3lib skips noscript; a reader without scripts is whom it is meant for",
            "22": "an option of w3lib reads what is text inside a script",
        }
        assert disagreements(compared, deviations) == []
