"""Select rules: the operator's rules for the values to extract from each page.

May touch: checks, errors, values.
Never: a page, a CSS parser (`stages/extractors/fields/select.py` tries the selectors, before the
first request too).

A rule is `NAME=CSS[@attr]` on a command line, and a table in a file of options.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from penstock.crawler.config.option_checks import (
    boolean,
    check_pattern,
    join_problems,
    one_of,
    optional,
    quote_value,
)
from penstock.crawler.config.values import TYPES
from penstock.crawler.errors import BadConfig

MAX_RULES = 1_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,99}\Z")
# No selector ends like this: @ has no meaning in selectors, and in a string a quote or ] follows.
_ATTRIBUTE = re.compile(r"@([A-Za-z_:][A-Za-z0-9_.:-]*)\Z")


class Pick(NamedTuple):
    """One selector of a rule, and what is taken from its elements."""

    css: str
    attr: str | None  # None: the element's text


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectRule:
    """One value, or several, to extract from each page. Raises BadConfig, one line for all problems.

    The selectors in `css` are tried in order, and the first that finds a value is used; each
    may name its own attribute (`meta[name=price]@content`).
    """

    name: str
    css: Sequence[str]
    attr: str | None = None  # of the elements, if the selector names none; None: their text
    regex: str | None = None  # searched in the text; its first group is the value, or the whole match
    type: str = "str"  # one of values.TYPES
    url: str | None = None  # regular expression; only pages whose canonical URL matches
    many: bool = False  # all elements, not only the first
    decimal: str | None = None  # "." or ",", "lang": by the page's language; None: by each number
    format: str | None = None  # of a date, for strptime; None: ISO 8601 and similar formats

    def __post_init__(self) -> None:
        problems: list[str] = []
        for name, check in _CHECKS.items():
            try:
                object.__setattr__(
                    self, name, check(f"{name} of {quote_value(self.name)}", getattr(self, name))
                )
            except BadConfig as problem:
                problems.append(str(problem))
        if problems:
            raise BadConfig(join_problems(problems))

    @property
    def picks(self) -> tuple[Pick, ...]:
        return tuple(_pick(css, self.attr) for css in self.css)

    def as_dict(self) -> dict[str, object]:
        """The fields that differ from their defaults, for TOML, JSON or another process.

        `rule_from_table` reads them back.
        """
        found: dict[str, object] = {"name": self.name, "css": list(self.css)}
        for field in fields(self)[2:]:
            if (value := getattr(self, field.name)) != field.default:
                found[field.name] = value
        return found


def check_rules(flag: str, value: object) -> tuple[SelectRule, ...]:
    """Check a list of rules, each a text, a table or a SelectRule. Raises BadConfig, one line for all."""
    single = isinstance(value, str | Mapping | SelectRule) or not isinstance(value, Iterable)
    items: Iterable[object] = (value,) if single else value  # type: ignore[assignment]
    settled: list[SelectRule] = []
    problems: list[str] = []
    for item in items:
        try:
            settled.append(_rule(item))
        except BadConfig as problem:
            problems.append(f"{flag}: {problem}")
    if len(settled) > MAX_RULES:
        problems.append(f"{flag}: {len(settled)} rules; the limit is {MAX_RULES}")
    if problems:
        raise BadConfig(join_problems(problems))
    return tuple(dict.fromkeys(settled))


def rule_from_table(table: Mapping[str, object]) -> SelectRule:
    """A rule from a table of an option file."""
    known = [field.name for field in fields(SelectRule)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else f"; the keys are {', '.join(known)}"
            raise BadConfig(f"unknown key of a rule: {quote_value(key)}{hint}")
    if missing := [key for key in ("name", "css") if key not in table]:
        raise BadConfig(f"the rule {quote_value(dict(table))} has no {' and no '.join(missing)}")
    return SelectRule(**table)  # type: ignore[arg-type]


def _rule(item: object) -> SelectRule:
    if isinstance(item, SelectRule):
        return item
    if isinstance(item, Mapping):
        return rule_from_table(item)
    if not isinstance(item, str):
        raise BadConfig(f"a rule must be text or a table, not {type(item).__name__}")
    name, equals, css = item.partition("=")
    if not equals:
        raise BadConfig(
            f"{quote_value(item)} must have the form NAME=CSS, such as price=.price or image=img@src"
        )
    # A command line has no lists, so [] after the name asks for all matches: tag[]=.tag
    many = name.strip().endswith("[]")
    return SelectRule(name=name.strip().removesuffix("[]"), css=(css,), many=many)


def _pick(css: str, attr: str | None) -> Pick:
    own = _ATTRIBUTE.search(css)
    return Pick(css[: own.start()].strip(), own[1]) if own else Pick(css, attr)


def _name(key: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise BadConfig(f"{quote_value(value)} is not a valid name: use letters, digits and _ . : -")
    return value


def _ways(key: str, value: object) -> tuple[str, ...]:
    ways = (value,) if isinstance(value, str) else value
    if not isinstance(ways, Sequence) or not ways or not all(isinstance(way, str) for way in ways):
        raise BadConfig(f"{key}: must be a selector or a list of them, not {quote_value(value)}")
    stripped = tuple(str(way).strip() for way in ways)
    if not all(_pick(way, None).css for way in stripped):
        raise BadConfig(f"{key}: a selector is missing in {quote_value(value)}")
    return stripped


def _text(key: str, value: object) -> object:
    if not isinstance(value, str) or not value:
        raise BadConfig(f"{key}: must be text, not {quote_value(value)}")
    return value


def _pattern(key: str, value: object) -> object:
    return check_pattern(key, str(_text(key, value)))


_CHECKS = {
    "name": _name,
    "css": _ways,
    "attr": optional(_text),
    "regex": optional(_pattern),
    "type": one_of(*TYPES),
    "url": optional(_pattern),
    "many": boolean,
    "decimal": optional(one_of(".", ",", "lang")),
    "format": optional(_text),
}
