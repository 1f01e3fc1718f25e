"""The text of a page: which lines a reader sees. The rules of `innerText` (HTML standard)."""

from __future__ import annotations

import time

import pytest
from selectolax.lexbor import LexborHTMLParser

from penstock.stages.extractors.text import visible_text as scanner
from penstock.stages.extractors.text.page_text import main_text, visible_text

PERMALINK = 'title="Permalink to this headline"'


def lines(html: str) -> list[str]:
    return visible_text(LexborHTMLParser(html)).split("\n")


def both(html: str) -> tuple[list[str], list[str]]:
    """Headings and lines of the text without menus."""
    headings, text = main_text(LexborHTMLParser(html))
    return headings.split("\n"), text.split("\n")


class TestLines:
    @pytest.mark.parametrize(
        ("html", "seen"),
        [
            ("a<div>o<b>n</b>e <p>two\n three</p>4<br>5</div>", ["a", "one", "two three", "4", "5"]),
            ("<ul><li>a<ul><li>b</ul><li>c</ul><ol><li>d</ol>", ["a", "b", "c", "d"]),
            ("<dl><dt>term<dd>meaning</dl>", ["term", "meaning"]),
            ("<p>a<p><p> <p>b", ["a", "b"]),
            ("a<wbr>b &amp;&nbsp;c&lt;d", ["ab &\u00a0c<d"]),
            ("a\t\r\n  b<hr>c", ["a b", "c"]),
            ("a<!-- x > y -->b<script>c</script>d", ["abd"]),
            ("<details><summary>more</summary>text</details>", ["more", "text"]),
            ("<select><option>a<option>b</select>", ["a", "b"]),
            ('<p title="a > b">c', ["c"]),
            ("<ruby>東<rp>(</rp><rt>とう</rt><rp>)</rp>京<rt>きょう</rt></ruby>へ", ["東京(とうきょう)へ"]),
            ("<svg><title>no</title><text>yes</text></svg>", ["yes"]),
            ("", [""]),
        ],
    )  # fmt: skip
    def test_a_block_is_a_line(self, html: str, seen: list[str]) -> None:
        assert lines(html) == seen

    @pytest.mark.parametrize(
        ("html", "seen"),
        [
            ("x<pre>\ndef f():\n    return 1\n</pre>y", ["x", "def f():", "    return 1", "y"]),
            ("<pre>a\n\n\tb</pre>", ["a", "", "\tb"]),
            ("<pre>\n\n  first\n\n\n</pre>z", ["  first", "z"]),
            ("<pre><code><span>if</span> x:\n  <b>y</b></code></pre>", ["if x:", "  y"]),
            ("<pre>a<br><br>  b</pre>", ["a", "", "  b"]),
            ("<pre><div>a</div><div>  b</div></pre>", ["a", "  b"]),
            ("<listing>a  b</listing>", ["a  b"]),
            ('<code style="white-space: pre-wrap">a  b</code> c   d', ["a  b c d"]),
            ('<div style="white-space:pre"> a\n <span>b</span></div>', [" a", " b"]),
            ("<p>inline <code>a  b</code></p>", ["inline a b"]),
        ],
    )
    def test_preformatted_text_keeps_its_blanks_and_line_ends(self, html: str, seen: list[str]) -> None:
        assert lines(html) == seen

    @pytest.mark.parametrize(
        ("html", "seen"),
        [
            ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", ["a\tb", "1\t2"]),
            ("<table><tr><td><p>a</p><td><p>b</p></table>", ["a\tb"]),
            ("<table><tr><td>a<td><td>c</table>", ["a\t\tc"]),
            ("<table><tr><td><p>a<p>b<td>c</table>", ["a", "b", "c"]),
            ("<table><caption>t</caption><tr><td>x<td><table><tr><td>y<td>z</table>", ["t", "x\ty\tz"]),
            ("<table><tr><td><pre>a\n b</pre><td>c</table>", ["a", " b", "c"]),
        ],
    )  # fmt: skip
    def test_a_table_row_is_a_line_with_its_cells_parted(self, html: str, seen: list[str]) -> None:
        assert lines(html) == seen

    @pytest.mark.parametrize(
        "hidden",
        [
            "<p hidden>no</p>",
            '<div hidden=""><div>no</div>no</div>',
            '<div style="color: red; display : none">no</div>',
            '<p style="visibility:hidden">no</p>',
            "<template><p>no</p></template>",
            "<noscript><p>no</p></noscript>",
            "<script>no('</p>')</script>",
            "<style>no{}</style>",
            "<dialog>no</dialog>",
            "<datalist><option>no</datalist>",
            "<textarea>no</textarea>",
            "<iframe>no</iframe>",
            "<video>no</video>",
            "<math><annotation>no</annotation></math>",
        ],
    )
    def test_what_is_not_displayed_is_no_text(self, hidden: str) -> None:
        assert lines(f"a {hidden} <p>b") == ["a", "b"]

    @pytest.mark.parametrize("shown", ["<p hidden=until-found>c</p>", "<dialog open>c</dialog>", "<p>c"])
    def test_what_can_be_found_in_the_page_is_text(self, shown: str) -> None:
        assert lines(f"a {shown} <p>b") == ["a", "c", "b"]


class TestMarks:
    @pytest.mark.parametrize(
        "mark",
        [
            f'<a class="headerlink" href="#t" {PERMALINK}>¶</a>',
            f'<a class="headerlink" href="#t" {PERMALINK}></a>',
            '<a href="#t">#</a>',
            '<a href="#t">§</a>',
            '<a class="anchor" href="#t" aria-hidden="true"><svg></svg></a>',
            '<a class="headerlink" href="#t"><span>Permalink to this headline</span></a>',
            '<a href="#t" aria-label="Direct link to T" class="hash-link">\u200b</a>',
            '<a class="anchor" href="/page#t">🔗</a>',
            "<button>Copy link</button>",
            '<span class="mw-editsection">[edit]</span><nav>Menu</nav>',
        ],
    )
    def test_a_heading_loses_the_marks_that_link_it_to_itself(self, mark: str) -> None:
        html = f"<h1>Title {mark}</h1><p>text"
        assert both(html)[0] == ["Title"]
        if "edit" not in mark:
            assert both(html)[1] == lines(html) == ["Title", "text"]

    @pytest.mark.parametrize(
        "link",
        [
            '<a href="#t">Title</a>',
            '<a class="anchor" id="t">Title</a>',
            '<a class="headerlink" href="#t">Title</a>',
            '<a href="/csharp">Title</a>',
        ],
    )
    def test_a_heading_that_is_a_link_keeps_its_words(self, link: str) -> None:
        assert both(f"<h2>{link}</h2>")[0] == ["Title"]

    def test_a_language_with_a_sharp_sign_keeps_it(self) -> None:
        assert lines('<a href="/c">C#</a> and <a href="/f">#</a>') == ["C# and #"]


class TestMenus:
    TEXT = "Some words of the page itself. " * 5

    @pytest.mark.parametrize(
        "menu",
        [
            "<nav><h2>Menu</h2></nav>",
            "<div role=navigation><h3>Menu</h3></div>",
            "<div class='sphinxsidebar x'><div><h4>Menu</h4></div></div>",
            "<div id=sidebar><h3>Menu</h3></div>",
            "<ul class=menu><li>Menu</ul>",
            "<footer><h2>Menu</h2></footer>",
            "<aside><h2>Menu</h2></aside>",
        ],
    )
    def test_a_menu_is_neither_text_nor_heading(self, menu: str) -> None:
        html = f"{menu}<h1>Title</h1><p>{self.TEXT}</p>{menu}"
        assert both(html) == (["Title"], ["Title", self.TEXT.strip()])
        assert "Menu" in lines(html)

    def test_what_belongs_to_an_article_is_no_menu(self) -> None:
        html = "<article><h1>T</h1><aside>Note</aside><footer>Author</footer></article>"
        assert both(html) == (["T"], ["T", "Note", "Author"])

    @pytest.mark.parametrize("main", ["<main>{}</main>", "<div role='main'><div>{}</div></div>"])
    def test_where_there_is_a_main_element_the_text_is_in_it(self, main: str) -> None:
        html = f"<header><h1>Title</h1>Login</header>{main.format(self.TEXT)}<div>Rest</div>"
        assert both(html) == (["Title"], [self.TEXT.strip()])

    def test_a_page_that_is_all_menu_is_taken_whole(self) -> None:
        assert both(f"<nav><h2>Index</h2><p>{self.TEXT}</nav><p>x")[0] == ["Index"]
        assert both(f"<main></main><p>{self.TEXT}")[1] == [self.TEXT.strip()]


class TestSharing:
    @pytest.mark.parametrize(
        "html",
        [
            "<p>a<b>b</b>c</p>d",
            "<pre>a\n  b</pre>",
            "<p hidden>x</p>y",
            "<div>a</div>1 < 2",
            "<script>x</script>y",
        ],
    )
    def test_the_text_without_a_tree_is_the_same(self, html: str) -> None:
        assert scanner.visible_text(html.encode(), "utf-8").split("\n") == lines(html)

    @pytest.mark.parametrize(
        "piece",
        [
            "<table><tr><td>x",
            "<a href=#>x",
            "<h1><button>",
            "<ruby>a<rt>b",
            "<br> ",
            "<pre>\n",
            '<p a="',
            "<!--",
        ],
    )
    def test_a_hostile_page_takes_linear_time(self, piece: str) -> None:
        tree = LexborHTMLParser(piece * (200_000 // len(piece)))
        started = time.process_time()
        main_text(tree)
        assert time.process_time() - started < 5
