"""Select: apply rules to a document.

May touch: selectolax; the rules and values of `crawler/`.
Never: raise for what a page contains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from penstock.crawler.config.number_marks import decimal_of_language
from penstock.crawler.config.numbers import LINE_BREAK
from penstock.crawler.config.option_checks import join_problems, quote_value
from penstock.crawler.config.select_rules import Pick, SelectRule
from penstock.crawler.config.values import UnreadableValue, parse_value
from penstock.crawler.errors import BadConfig
from penstock.crawler.extraction import Scalar
from penstock.stages.extractors.fields.collector import Collector
from penstock.stages.extractors.fields.element_text import element_text
from penstock.stages.extractors.text.markup import collapse

_NOWHERE = LexborHTMLParser("")
_NUMBERS = ("int", "float")
MAX_SEARCHED = 10_000  # characters that a rule's regular expression sees


def check_selector(css: str) -> None:
    """Raise ValueError, one line, if this parser does not know the selector."""
    try:
        _NOWHERE.css(css)
    except (SelectolaxError, UnicodeError):
        raise ValueError(f"{quote_value(css)} is no CSS selector") from None
    if "\0" in css:
        raise ValueError(f"{quote_value(css)} is no CSS selector")


def matches(root: LexborHTMLParser | LexborNode, css: str) -> Sequence[LexborNode]:
    """The elements that match, in document order, each once. (The parser returns an element twice if
    it matches two members of a selector list such as `a, .x`.)"""
    nodes = root.css(css)
    return list({node.mem_id: node for node in nodes}.values()) if "," in css else nodes


def check_rules(rules: Sequence[SelectRule]) -> None:
    """Raise BadConfig, one line for all invalid selectors."""
    problems: list[str] = []
    for rule in rules:
        for pick in rule.picks:
            try:
                check_selector(pick.css)
            except ValueError as problem:
                problems.append(f"--select: css of {quote_value(rule.name)}: {problem}")
    if problems:
        raise BadConfig(join_problems(problems))


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: SelectRule
    picks: tuple[Pick, ...]
    pages: Callable[[str], bool] | None
    pattern: Callable[[str], str | None] | None


class Selection:
    """All rules, compiled. Raises BadConfig for an invalid selector."""

    def __init__(self, rules: Sequence[SelectRule]) -> None:
        check_rules(rules)
        self._rules = list(map(_compiled, rules))

    def take(
        self, tree: LexborHTMLParser, url: str, collector: Collector, *, language: str | None = None
    ) -> None:
        """Put the values that the rules find into `collector`. `language` is that of the page."""
        for compiled in self._rules:
            if compiled.pages is None or compiled.pages(url):
                with collector.applying(compiled.rule.name):
                    _apply(compiled, tree, collector, language)


def _compiled(rule: SelectRule) -> _Compiled:
    if rule.url is None and rule.regex is None:
        return _Compiled(rule, rule.picks, None, None)
    from penstock.crawler.config.patterns import (  # their engine is loaded only where it is needed
        Finder,
        Patterns,
    )

    pages = Patterns([rule.url]) if rule.url is not None else None
    return _Compiled(rule, rule.picks, pages, Finder(rule.regex) if rule.regex is not None else None)


def _apply(compiled: _Compiled, tree: LexborHTMLParser, collector: Collector, language: str | None) -> None:
    """Take the values of the first selector that has any."""
    rule = compiled.rule
    unread: str | None = None
    decimal = decimal_of_language(language) if rule.decimal == "lang" else rule.decimal
    for pick in compiled.picks:
        taken = False
        nodes = matches(tree, pick.css)
        for text in _texts(rule.name, nodes, pick.attr, collector, as_number=rule.type in _NUMBERS):
            try:
                value = _value(compiled, text, decimal)
            except UnreadableValue as error:
                unread = unread or str(error)
                continue
            if value is None:
                continue
            if not collector.put(rule.name, rule.name, value):
                return
            taken = True
            if not rule.many:
                return
        if taken:
            return
    if unread is not None:
        collector.note(rule.name, unread)


def _texts(
    name: str, nodes: Sequence[LexborNode], attr: str | None, collector: Collector, *, as_number: bool
) -> Iterator[str]:
    for node in nodes:
        if attr is None:
            text = element_text(node, collector, as_number=as_number)
            if text is None:
                collector.note(name, "too much: the elements of this page enclose one another too often")
                return
        else:
            text = node.attributes.get(attr.lower())
        if text and (text := collapse(text)):
            yield text


def _value(compiled: _Compiled, text: str, decimal: str | None) -> Scalar | None:
    """The value in an element's text; None where the rule's pattern does not occur.

    Raises UnreadableValue.
    """
    rule, pattern = compiled.rule, compiled.pattern
    if pattern is not None:
        found = pattern(text[:MAX_SEARCHED].replace(LINE_BREAK, " "))
        if rule.type == "bool":
            return found is not None
        if found is None:
            return None
        text = found.strip()
        if not text:
            return None
    return parse_value(text, rule.type, decimal=decimal, format=rule.format)
