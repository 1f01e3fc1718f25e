"""Page text: the text of a page as a reader sees it, line by line.

May touch: selectolax, for the type of a tree.
Never: change the tree, raise for what a page contains.

Every text of a page is made here: `Page.text` of plugins, the search index, word counts. The rules are
those of `innerText` (HTML standard, "the innerText getter steps" and "rendering"), for a browser without
stylesheets of the page's own:

- An element that is displayed as a block, and `br`, ends the line. Empty lines are left out.
- `pre` and its kin keep blanks, tabs and line ends. Elsewhere a run of white space is one blank.
- The cells of a table row are parted by a tab.
- What is not displayed is left out: `hidden`, a `display: none` of its own, templates, scripts, `rp`,
  a closed dialog, annotations of formulas; and `noscript`, which repeats what scripts show.

Beyond the standard, the marks that link a heading to itself are left out, because they are no words.

The tree is read as its own serialization: in that each tag is closed and quoted, so one regular
expression splits it in linear time, in half of the time of a walk over the nodes. Tags of a page
repeat, so each distinct one is classified once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser

MAX_PAGE_TEXT = 1_000_000  # characters
MAX_HEADINGS = 100_000
LEAST_SHARE = 0.05  # of the whole text; with less outside the menus, a page is all menu

# HTML standard, "rendering": display is block, list-item or one of a table's; `option` in a list box.
BLOCKS = frozenset(
    """
    address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption
    figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu nav ol
    optgroup option p plaintext pre search section select summary table tbody tfoot thead tr ul xmp
    """.split()  # noqa: SIM905 (sixty lines otherwise)
)
# display: none there, or in MathML Core and SVG 2; or shown as something else than their content.
_UNSEEN = frozenset(
    """
    annotation annotation-xml audio datalist desc head iframe metadata noembed noframes noscript rp script
    style template textarea title video
    """.split()  # noqa: SIM905
)
_VOID = frozenset(
    """
    area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr
    """.split()  # noqa: SIM905
)
_KEPT_SPACE = frozenset({"pre", "listing", "xmp", "plaintext"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_PARTS = frozenset({"article", "main"})  # a footer or an aside within is of the text, not of the site

# What leads elsewhere: landmarks (WAI-ARIA 1.2), and the class names that documentation tools and common
# frameworks give to theirs.
_MENU_ROLES = frozenset({"navigation", "menu", "menubar", "toolbar", "search", "contentinfo"})
_MENU_CLASSES = frozenset(
    """
    breadcrumb breadcrumbs catlinks footer mainmenu mobilemenu mw-editsection mw-jump-link nav navbar
    navfooter navheader navigation page-footer printfooter related searchmenu sidebar site-footer
    site-nav skip-link skiplink sphinxsidebar sphinxsidebarwrapper sub-menu submenu t-navbar topnav
    """.split()  # noqa: SIM905
)
_MENU_TAGS = frozenset("a aside div footer form header ol p section span table td ul".split())  # noqa: SIM905
_MARK_CLASSES = frozenset(
    """
    anchor anchor-link anchorjs-link hash-link header-anchor headeranchor-link headerlink heading-anchor
    heading-link headinglink id_link octicon-link permalink self-link
    """.split()  # noqa: SIM905
)
_MARK_SIGNS = frozenset("#¶§🔗⚓∞\u200b\ufe0f\u00a0 \n\t")
_MARK_WORDS = re.compile(
    r"(?:#|¶|§|\[?(?:perma(?:nent )?link|link|anchor|direct link)\]?$|"
    r"(?:permalink|permanent link|link|direct link|anchor|anchor link) (?:to|for)\b)",
    re.IGNORECASE,
)
MAX_MEANINGS = 2048  # of distinct tags; most repeat on the pages of a site
MAX_MARK = 20  # pieces of text in a link that may be such a mark

# Of a serialized tree, in which quotes stand around every value. Raw text has no tags.
_REST = r'[^>"]*+(?:"[^"]*+"[^>"]*+)*+'
_RAW_NAMES = ("script", "style", "iframe", "noembed", "noframes")
_RAW = "|".join(rf"{name}\b{_REST}>.*?</{name}" for name in _RAW_NAMES)
_TAG = re.compile(
    rf"<(?:(/[a-zA-Z]{_REST}|(?!(?:{'|'.join(_RAW_NAMES)})\b)[a-zA-Z]{_REST})|!--.*?--|![^>]*|{_RAW})>",
    re.DOTALL,
)
_TAG_NAME = re.compile(r"[\s/]")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_NOT_SHOWN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE)
_SPACE_STYLE = re.compile(r"white-space(?:-collapse)?\s*:\s*(pre|break-spaces)", re.IGNORECASE)

# White space that stays as it is, in disguise until the lines are made; and the boundary of two cells.
_CELL = "\3"
_DISGUISED = "\0\1\2\3"
_HAS_DISGUISE = re.compile("[\0-\3]")
_BLANKS = re.compile("[ \t\r\f]{2,}|[\t\r\f]")
_LINE_ENDS = re.compile(" ?\n[ \n]*")
_ALL = "*"  # no element has this name
MAX_NESTED_ROWS = 8  # of deeper ones each cell is a line


class _Tag(NamedTuple):
    """What one tag means for the text."""

    name: str
    opens: bool
    is_plain: bool  # an inline element that changes nothing
    is_block: bool
    is_unseen: bool = False  # with all that is in it
    is_menu: bool = False  # likewise, where menus are not wanted
    is_main: bool = False
    keeps_space: bool = False
    may_be_mark: bool = False  # a link that may lead from a heading to itself
    is_named_mark: bool = False  # its class or title says so


_SPECIAL = frozenset({"br", "td", "th", "tr", "a", "button", "rt", "ruby", "table", *_PARTS, *_HEADINGS})


@lru_cache(maxsize=MAX_MEANINGS)
def _classify(tag: str) -> _Tag:
    """`tag` is what stands between the angle brackets."""
    is_end = tag.startswith("/")
    pieces = _TAG_NAME.split(tag[is_end:], maxsplit=1)
    name = pieces[0].lower()
    is_block = name in BLOCKS
    if is_end:
        return _Tag(name, False, not is_block and name not in _SPECIAL, is_block)
    given: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(pieces[1] if len(pieces) > 1 else ""):
        given.setdefault(found[1].lower(), unescape(found[2] or found[3] or found[4] or ""))
    style, role = given.get("style", ""), given.get("role", "").lower()
    classes = given.get("class", "").lower().split()
    is_unseen = name not in _VOID and (
        name in _UNSEEN
        or ("hidden" in given and given["hidden"].lower() != "until-found")
        or (name == "dialog" and "open" not in given)
        or (style != "" and _NOT_SHOWN.search(style) is not None)
    )
    is_menu = name not in _VOID and (
        name == "nav"
        or role in _MENU_ROLES
        or (name in ("ul", "ol") and "menu" in classes)  # on other elements it may be one of a restaurant
        or (name in _MENU_TAGS and not _MENU_CLASSES.isdisjoint([*classes, given.get("id", "").lower()]))
    )
    is_main = name == "main" or role == "main"
    keeps_space = name in _KEPT_SPACE or (style != "" and _SPACE_STYLE.search(style) is not None)
    title = given.get("title") or given.get("aria-label") or ""
    is_named_mark = name == "a" and (
        not _MARK_CLASSES.isdisjoint(classes) or _MARK_WORDS.match(title) is not None
    )
    may_be_mark = is_named_mark or (name == "a" and given.get("href", "").startswith("#"))
    is_plain = not (is_block or is_unseen or is_menu or is_main or keeps_space or name in _SPECIAL)
    return _Tag(
        *(name, True, is_plain, is_block, is_unseen, is_menu, is_main),
        *(keeps_space, may_be_mark, is_named_mark),
    )


_meanings: dict[str, _Tag | None] = {}  # of the latest tags; None: it changes nothing


def _remember(tag: str) -> None:
    if len(_meanings) >= MAX_MEANINGS:
        _meanings.clear()
    found = _classify(tag)
    _meanings[tag] = None if found.is_plain else found


def visible_text(tree: LexborHTMLParser) -> str:
    """All that a reader sees of the document, a line per block."""
    return _Reader().read(_tokens(_serialized(tree))).text()


def main_text(tree: LexborHTMLParser) -> tuple[str, str]:
    """The headings, and the text, of the document without its menus; each a line per block.

    Menus, and what else leads elsewhere, are known by landmarks (`nav`, roles, a footer or an aside of
    the site) and by common class names. Where there is a `main` element, the text is in it, and the
    headings are those of the page. A page that is nearly all menu is taken whole.
    """
    html = _serialized(tree)
    has_main = "<main" in html or 'role="main"' in html
    found = _Reader(menus=False, main_only=has_main).read(_tokens(html))
    if found.chars <= LEAST_SHARE * found.left_out:
        found = _Reader().read(_tokens(html))
    return found.headings(), found.text()


def text_of_tokens(tokens: Iterator[str]) -> str:
    """The visible text of markup without a tree: text and tag in turn, beginning with a text.

    A tag is what stands between its angle brackets. End tags that are missing cost no more than a line
    end in the wrong place.
    """
    return _Reader().read(tokens).text()


def _serialized(tree: LexborHTMLParser) -> str:
    body = tree.body
    html = "" if body is None else body.html or ""
    return _HAS_DISGUISE.sub(" ", html) if any(char in html for char in _DISGUISED) else html


def _tokens(html: str) -> Iterator[str]:
    """Text and tag in turn. The tag of a comment is empty, and so is that of raw text."""
    pieces = _TAG.split(html)
    pieces[1::2] = [tag or "" for tag in pieces[1::2]]
    return iter(pieces)


class _Reader:
    """Makes lines of texts and tags."""

    def __init__(self, *, menus: bool = True, main_only: bool = False) -> None:
        self.chars = 0  # of the text that was taken
        self.left_out = 0  # characters of menus, and of what is not in `main`
        self._menus = menus
        self._main = None if main_only else _ALL  # name of the main element around; None: outside
        self._main_depth = 0
        self._taken: list[str] = []
        self._other: list[str] = []  # outside `main`, for its headings
        self._parts = self._other if main_only else self._taken  # what is added to
        self._heads: list[str] = []
        self._heading = -1  # where the heading around begins in the parts
        self._kept: str | None = None  # name of the element around that keeps white space
        self._kept_depth = 0
        self._is_odd = False  # it is an inline element
        self._marks: list[tuple[int, bool] | None] = []  # links around: where they begin; named
        self._rows: list[int] = []  # rows around: where they begin in the parts
        self._first_cell: list[bool] = []
        self._articles = 0  # around
        self._readings: list[str] = []  # of the ruby around
        self._base: list[str] | None = None  # what was added to before the reading around
        self._skipped_menu = False

    def text(self) -> str:
        return _lines(self._taken)[:MAX_PAGE_TEXT]

    def headings(self) -> str:
        """The texts of h1 to h6, a line each."""
        return "\n".join(filter(None, self._heads))[:MAX_HEADINGS]

    def read(self, tokens: Iterator[str]) -> _Reader:
        skipped, depth = "", 0  # name of the element around that is left out; elements of that name
        parts = self._parts
        for text in tokens:
            if text:
                if not depth:
                    if "&" in text:
                        text = unescape(text)
                    if self._kept:
                        text = _disguise(text)
                    elif "\n" in text:
                        text = text.replace("\n", " ")
                    parts.append(text)
                    if parts is self._taken:
                        self.chars += len(text)
                        if self.chars > MAX_PAGE_TEXT:
                            break
                    else:
                        self.left_out += len(text)
                elif self._skipped_menu:
                    self.left_out += len(text)
            markup = next(tokens, "")
            if not depth and not self._is_odd:
                if markup not in _meanings:
                    _remember(markup)
                tag = _meanings[markup]
                if tag is None:
                    continue
            else:
                tag = _classify(markup)
            if depth:
                if tag.name == skipped:
                    depth += 1 if tag.opens else -1
                    if not depth and tag.is_block:
                        parts.append("\n")
            elif not tag.opens:
                self._close(tag)
            elif self._is_left_out(tag):
                skipped, depth = tag.name, 1
                if tag.is_block:
                    parts.append("\n")
            else:
                self._open(tag)
            parts = self._parts
        return self

    def _is_left_out(self, tag: _Tag) -> bool:
        in_heading = self._heading >= 0
        self._skipped_menu = False
        if tag.is_unseen or (in_heading and tag.name == "button"):
            return True
        self._skipped_menu = (not self._menus or in_heading) and (
            tag.is_menu
            or (tag.name in ("aside", "footer") and not self._articles and self._main in (None, _ALL))
        )
        return self._skipped_menu

    def _open(self, tag: _Tag) -> None:
        name, parts = tag.name, self._parts
        if tag.is_main and self._main is None:
            self._main, self._main_depth = name, 1
            parts = self._parts = self._taken
        elif name == self._main:
            self._main_depth += 1
        if tag.is_block:
            parts.append("\n")
        if name == self._kept:
            self._kept_depth += 1
        elif tag.keeps_space and not self._kept:
            self._kept, self._kept_depth = name, 1
            self._is_odd = not tag.is_block
        if name == "br":
            parts.append("\2" if self._kept else "\n")
        elif name == "a":
            self._marks.append((len(parts), tag.is_named_mark) if tag.may_be_mark else None)
        elif name == "tr":
            self._rows.append(len(parts))
            self._first_cell.append(True)
        elif name in ("td", "th") and self._rows:
            if not self._first_cell[-1]:
                parts.append(_CELL if len(self._rows) <= MAX_NESTED_ROWS else "\n")
            self._first_cell[-1] = False
        elif name in _HEADINGS:
            self._heading = len(parts)
        elif name in _PARTS:
            self._articles += 1
        elif name == "rt" and self._base is None:
            self._base, self._parts = parts, self._readings

    def _close(self, tag: _Tag) -> None:
        name, parts = tag.name, self._parts
        if tag.is_block:
            parts.append("\n")
        if name == self._kept:
            self._kept_depth -= 1
            if not self._kept_depth:
                self._kept, self._is_odd = None, False
        if name == "a" and self._marks:
            mark = self._marks.pop()
            if mark is not None and _is_mark(parts, *mark):
                del parts[mark[0] :]
        elif name == "tr" and self._rows:
            self._first_cell.pop()
            begin = self._rows.pop()
            if len(self._rows) < MAX_NESTED_ROWS:
                parts[begin:] = _row("".join(parts[begin:])), "\n"
        elif name in _HEADINGS and self._heading >= 0:
            self._heads.append(_lines(parts[self._heading :]).replace("\n", " "))
            self._heading = -1
        elif name in _PARTS:
            self._articles = max(0, self._articles - 1)
        elif name == "rt" and self._base is not None:
            self._parts, self._base = self._base, None
        elif name == "ruby" and self._readings:
            parts.append(f"({''.join(self._readings)})")
            self._readings.clear()
        if name == self._main:
            self._main_depth -= 1
            if not self._main_depth:
                self._main, self._parts = None, self._other


def _row(text: str) -> str:
    """The cells of a table row on one line; if one of them has several lines, a line or more for each."""
    cells = [_disguised_lines(cell) for cell in text.split(_CELL)]
    if any("\n" in cell or "\2" in cell for cell in cells):
        return "\n".join(cells)
    return "\1".join(cells).strip("\1")


def _is_mark(parts: list[str], begin: int, named: bool) -> bool:
    """True if the text of a link is a mark that a tool adds to headings, and no words of the author."""
    if len(parts) - begin > MAX_MARK:
        return False
    text = "".join(parts[begin:]).strip()
    return _MARK_SIGNS.issuperset(text) or (named and _MARK_WORDS.match(text) is not None)


def _lines(parts: list[str]) -> str:
    text = _disguised_lines("".join(parts))
    # On text that is not ASCII, str.translate takes ten times as long as four of these.
    return text.replace("\0", " ").replace("\1", "\t").replace("\2", "\n").replace("\3", "\t")


def _disguise(text: str) -> str:
    text = text.replace(" ", "\0").replace("\t", "\1").replace("\n", "\2")
    return text.replace("\r", "\2").replace("\f", "\0")


def _disguised_lines(text: str) -> str:
    """Each line collapsed. Empty ones are left out, except between others of the same `pre`."""
    text = _LINE_ENDS.sub("\n", _BLANKS.sub(" ", text)).strip(" \n")
    if not _HAS_DISGUISE.search(text):
        return text
    lines = []
    for line in text.split("\n"):
        line = line.rstrip(_DISGUISED)
        if "\2" in line:
            text_at = len(line) - len(line.lstrip(_DISGUISED))
            line = line[line.rfind("\2", 0, text_at) + 1 :]
        if line:
            lines.append(line)
    return "\n".join(lines)
