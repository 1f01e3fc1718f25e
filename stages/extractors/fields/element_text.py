"""Element text: the text of one element as a rule takes it.

May touch: selectolax; the bounds of `collector`.

A browser shows a line break between `10<br>20`, so a rule takes `10 20`. Scripts, styles and
templates within the element are left out. Style sheets are not read: text that only they hide, such as
text for screen readers, is taken.
"""

from __future__ import annotations

from collections.abc import Iterable

from selectolax.lexbor import LexborHTMLParser, LexborNode

from penstock.crawler.config.numbers import LINE_BREAK, RUN_TOGETHER
from penstock.stages.extractors.fields.collector import Collector
from penstock.stages.extractors.text.page_text import BLOCKS


def _numbers(names: Iterable[str]) -> frozenset[int]:
    """The parser's own numbers of these tags, which are cheaper to compare than names."""
    return frozenset(LexborHTMLParser("").create_node(tag).tag_id for tag in names)


# Everything else runs on within the line.
_BLOCKS = _numbers((*BLOCKS, "br", "td", "th"))
_UNSEEN = _numbers(("script", "style", "noscript", "template", "iframe", "noembed", "noframes"))
_STRUCK = _numbers(("del", "s", "strike"))  # a former price, in WooCommerce and others
_TEXT = 2  # lexbor's number for a text node (LXB_TAG__TEXT)


def element_text(node: LexborNode, collector: Collector, *, as_number: bool) -> str | None:
    """The text, a blank where a line begins or ends; None if the page's work is used up.

    For a number, struck-out text is left out (unless all of it is), and RUN_TOGETHER is put between two
    digits that belong to different elements: `12<sup>99</sup>` is not 1299. LINE_BREAK stands where a line
    ends, and for a blank between two elements: `<i>1</i> <i>299</i>` is not 1299 either.
    """
    if not _has_elements(node):
        found: str | None = str(node.text_lexbor() or "")
    else:
        found = _joined(
            node, collector, as_number=as_number, left_out=_UNSEEN | _STRUCK if as_number else _UNSEEN
        )
        if as_number and found is not None and not found.strip():
            found = _joined(node, collector, as_number=True, left_out=_UNSEEN)
    return found.replace("\n", LINE_BREAK) if as_number and found else found


def _has_elements(node: LexborNode) -> bool:
    child = node.child
    while child is not None:
        if child.tag_id != _TEXT:
            return True
        child = child.next
    return False


def _joined(
    node: LexborNode, collector: Collector, *, as_number: bool, left_out: frozenset[int]
) -> str | None:
    gap = LINE_BREAK if as_number else " "
    parts: list[str] = []
    holder = 0
    # What is still to visit, last first: nodes, and what is put where a block ends.
    todo: list[LexborNode | str] = _children(node)
    while todo:
        child = todo.pop()
        if isinstance(child, str):
            parts.append(child)
            continue
        collector.walk_left -= 1
        if collector.walk_left < 0:
            return None
        tag = child.tag_id
        if tag == _TEXT:
            if text := child.text_lexbor():
                owner = _parent_id(child)
                if as_number and owner != holder and parts and parts[-1]:
                    parts.append(_between(parts[-1][-1], text[0]))
                holder = owner
                parts.append(text)
            continue
        if tag in _BLOCKS:
            parts.append(gap)
            todo.append(gap)
        if tag not in left_out:
            todo.extend(_children(child))
    return "".join(parts)


def _children(node: LexborNode) -> list[LexborNode | str]:
    """Last first."""
    return [*reversed(list(node.iter(include_text=True)))]


def _parent_id(node: LexborNode) -> int:
    parent = node.parent
    return 0 if parent is None else int(parent.mem_id)


def _between(last: str, first: str) -> str:
    """What is put between two elements of a number."""
    if last.isdigit() and first.isdigit():
        return RUN_TOGETHER
    return LINE_BREAK if last.isspace() or first.isspace() else ""
