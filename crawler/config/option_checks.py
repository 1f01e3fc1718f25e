"""Option checks: how an option is declared, and which values it may have.

May touch: errors, terminal (to escape values in messages).

A check takes the flag's name and the value as given. It returns the value in its final form, or
raises `BadConfig` with one line: the flag, the problem, the value. It looks at no other option.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from penstock.crawler.errors import BadConfig
from penstock.crawler.output.terminal import escape_control_chars

Check = Callable[[str, object], object]

_MOST_SHOWN = 60  # characters of a value in a message
_ADDRESS = re.compile(r"[0-9A-Za-z.:%_-]+\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2
# RFC 9110 §5.5: visible characters, blanks and tabs; obs-text as far as Latin-1 has it.
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_PRODUCT_COMMENT = re.compile(r"[\x21-\x27\x2a-\x5b\x5d-\x7e]+\Z")  # no blank, bracket or backslash

# Headers that belong to the message's framing or to this connection (RFC 9110 §7.6.1, RFC 9112 §6),
# and those that a flag or the fetcher itself must set.
_RESERVED_HEADERS = {
    "host": "each URL has its own",
    "accept-encoding": "bodies are decoded here, within bounds",
    "user-agent": "use --user-agent",
    "proxy-authorization": "use --proxy",
} | dict.fromkeys(
    (
        "connection",
        "content-length",
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ),
    "it belongs to the connection",
)


# -- declarations


class Option(NamedTuple):
    """What a dataclass field tells about its option, beside type and default."""

    group: str  # a heading of --help
    placeholder: str  # of the value, in --help; "" for a switch
    check: Check
    help: str  # what it does, with unit, and what 0 or another special value means
    flag: str = ""  # where it is not the field's name with hyphens
    unset: str = ""  # what a default of None means
    kind: str = ""  # where it is not that of the field's type


def option(
    group: str,
    placeholder: str,
    check: Check,
    help: str,
    *,
    flag: str = "",
    unset: str = "",
    kind: str = "",
) -> Mapping[str, Option]:
    """The metadata of a dataclass field that is an option."""
    return {"option": Option(group, placeholder, check, help, flag, unset, kind)}


class OptionField(NamedTuple):
    """One option with all that its field says about it."""

    name: str
    flag: str  # with --
    kind: str  # switch, list, number or text
    default: object  # MISSING if it is required
    option: Option


def options_of(config: type) -> dict[str, OptionField]:
    """The options of a dataclass by their names, in the order of its fields."""
    found = {}
    for field in fields(config):
        declared: Option = field.metadata["option"]
        flag = declared.flag or "--" + field.name.replace("_", "-")
        kind = declared.kind or _kind(str(field.type))
        found[field.name] = OptionField(field.name, flag, kind, field.default, declared)
    return found


def _kind(annotation: str) -> str:
    if annotation == "bool":
        return "switch"
    if annotation.startswith("Sequence"):
        return "list"
    return "number" if re.match(r"(int|float)\b", annotation) else "text"


def check_options(config: Any) -> list[str]:
    """Replace each option of a dataclass object by its checked form. Returns the problems, a line each."""
    problems: list[str] = []
    for field in fields(config):
        declared: Option = field.metadata["option"]
        flag = declared.flag or "--" + field.name.replace("_", "-")
        try:
            object.__setattr__(config, field.name, declared.check(flag, getattr(config, field.name)))
        except BadConfig as problem:
            problems.append(str(problem))
    return problems


# -- messages


def quote_value(value: object) -> str:
    """Quote a value for a message: one line, no control characters, not too long."""
    if isinstance(value, str):
        return repr(value if len(value) <= _MOST_SHOWN else value[:_MOST_SHOWN] + "...")
    try:
        text = escape_control_chars(str(value))
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def join_problems(problems: list[str], most: int = 20) -> str:
    """One line for all problems; a seeds file of the wrong kind could have a million."""
    rest = len(problems) - most
    return "; ".join(problems[:most] + ([f"and {rest} more"] if rest > 0 else []))


_DURATIONS = {
    "ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "days": 86_400,
    "seconds": 1, "minutes": 60, "hours": 3600,
}  # fmt: skip
_SIZES = {
    "": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "kib": 1024, "mib": 1024**2, "gib": 1024**3,
    "kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4, "b": 1,
}  # fmt: skip
_WITH_UNIT = re.compile(r"(\d{1,12}(?:[.,_' ]\d{1,9}){0,4})\s*([a-z]{0,7})\Z", re.ASCII | re.IGNORECASE)


def _close_number(value: object, units: Mapping[str, float], *, whole: bool = False) -> str:
    """A hint for a number with a unit, a decimal comma or separators of thousands, or ''."""
    found = _WITH_UNIT.match(value.strip()) if isinstance(value, str) else None
    factor = units.get(found[2].lower(), 1 if not found[2] else None) if found is not None else None
    if found is None or factor is None:
        return ""
    digits = re.sub(r"[,._' ](?=\d{3}(?:\D|\Z))", "", found[1]) if whole else found[1].replace(",", ".")
    digits = re.sub("[_' ]", "", digits)
    try:
        meant = float(digits.replace(",", ".")) * factor
    except ValueError:
        return ""
    return f" (did you mean {meant:.15g}?)" if meant == int(meant) or not whole else ""


# -- checks of any option


def one_of(*words: str) -> Check:
    def check(flag: str, value: object) -> object:
        if value not in words:
            raise BadConfig(f"{flag}: must be one of {', '.join(words)}, not {quote_value(value)}")
        return value

    return check


def whole(least: int, most: int) -> Check:
    """A whole number within bounds."""

    def check(flag: str, value: object) -> object:
        # bool is an int to Python; to a person `depth = true` is a mistake.
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            bounds = f" from {least} to {most}" if most < 2**63 - 1 else f", {least} or more"
            hint = _close_number(value, _SIZES, whole=True)
            raise BadConfig(f"{flag}: must be a whole number{bounds}, not {quote_value(value)}{hint}")
        return value

    return check


def number(least: float, most: float, *, of: str = "seconds") -> Check:
    """A number within bounds, whole or not; `of` is its unit."""

    def check(flag: str, value: object) -> object:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:  # type: ignore[operator]  # NaN fails here
            hint = _close_number(value, _DURATIONS if of == "seconds" else _SIZES)
            bounds = f"from {least:g} to {most:.15g}"
            raise BadConfig(f"{flag}: must be {of} {bounds}, not {quote_value(value)}{hint}")
        return float(value)  # type: ignore[arg-type]

    return check


def optional(check: Check) -> Check:
    return lambda flag, value: None if value is None else check(flag, value)


def boolean(flag: str, value: object) -> object:
    if not isinstance(value, bool):
        raise BadConfig(f"{flag}: must be true or false, not {quote_value(value)}")
    return value


def as_texts(flag: str, value: object) -> tuple[str, ...]:
    """Several texts; a single one counts as a list of one."""
    items: Iterable[object] = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else value
    settled = tuple(items)
    for item in settled:
        if not isinstance(item, str):
            # The type, not the value: it could be a header's.
            raise BadConfig(f"{flag}: must be text, not {type(item).__name__}")
    return settled  # type: ignore[return-value]


def each(check: Callable[[str, str], str]) -> Check:
    """Apply `check` to every text, and report all that fail. Repeats are dropped, order is kept."""

    def check_all(flag: str, value: object) -> object:
        settled: dict[str, None] = {}
        problems: list[str] = []
        for item in as_texts(flag, value):
            try:
                settled[check(flag, item)] = None
            except BadConfig as problem:
                problems.append(str(problem))
        if problems:
            raise BadConfig(join_problems(problems))
        return tuple(settled)

    return check_all


# -- checks of single options


def check_tiers(flag: str, value: object) -> object:
    """Names of fetch tiers, as a list or separated by commas. Whether a tier exists is checked where
    the tiers are. Several names would be an order of escalation, which does not exist yet."""
    given = value.split(",") if isinstance(value, str) else as_texts(flag, value)
    names = tuple(name.strip() for name in given)
    if len(names) != 1 or not names[0]:
        raise BadConfig(f"{flag}: must be the name of one fetch tier, not {quote_value(', '.join(names))}")
    return names


def check_depth(flag: str, value: object) -> object:
    """A number of link hops; `inf`, as text or number, becomes None."""
    if value is None or value == "inf" or (isinstance(value, float) and value == math.inf):
        return None
    try:
        return whole(0, 1_000_000_000)(flag, value)
    except BadConfig:
        problem = f"{flag}: must be a whole number, 0 or more, or inf, not {quote_value(value)}"
        raise BadConfig(problem) from None


def check_address(flag: str, value: object) -> object:
    """An IP address, with or without brackets, or a host name; no port."""
    text = value.strip() if isinstance(value, str) else ""
    text = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not _ADDRESS.match(text) or (text.count(":") == 1):
        raise BadConfig(
            f"{flag}: must be an IP address or a host name, without a port, not {quote_value(value)}"
        )
    return text


def share(flag: str, value: object) -> object:
    """A part of a whole, as a number from 0 to 1 or as text such as `5%`."""
    given = value
    if isinstance(value, str) and value.endswith("%"):
        percent = parse_number(value[:-1].strip())
        value = percent / 100 if not isinstance(percent, str) else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadConfig(f"{flag}: must be a share such as 5% or 0.05, not {quote_value(given)}")
    return float(value)


def check_database_path(flag: str, value: object) -> object:
    if not isinstance(value, str | Path) or str(value) in ("", ".") or "\0" in str(value):
        raise BadConfig(f"{flag}: must be the path of a file, not {quote_value(value)}")
    if str(value) == ":memory:":
        raise BadConfig(f"{flag}: must be the path of a file: a crawl in ':memory:' could not be resumed")
    return Path(value)


def check_file_path(flag: str, value: object) -> object:
    """The path of a file that is read later."""
    if not isinstance(value, str | Path) or not str(value):
        raise BadConfig(f"{flag}: must be the path of a file, not {quote_value(value)}")
    return str(value)


def check_glob(flag: str, value: str) -> str:
    """A pattern of parameter names with * and ?."""
    if not value.strip("*?"):
        raise BadConfig(
            f"{flag}: must be a pattern of parameter names, such as utm_*, not {quote_value(value)}"
        )
    return value


def check_pattern(flag: str, text: str) -> str:
    """A regular expression in RE2's syntax."""
    if not text:
        raise BadConfig(f"{flag}: an empty pattern matches every URL; leave the option out")
    from penstock.crawler.config.patterns import Patterns  # its engine is loaded only where it is needed

    try:
        Patterns([text])
    except BadConfig as problem:
        reason = escape_control_chars(str(problem))
        hint = " (a glob such as *.html is not one; write \\.html$)" if text.startswith("*") else ""
        raise BadConfig(
            f"{flag}: {quote_value(text)} is not a valid regular expression: {reason}{hint}"
        ) from None
    return text


def check_header(flag: str, text: str) -> str:
    """One request header, 'Name: value'. Its value may be a secret, so no message shows it."""
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon or not _TOKEN.match(name):
        raise BadConfig(f"{flag}: must have the form 'Name: value' (the given value is not shown here)")
    if reason := _RESERVED_HEADERS.get(name.lower()):
        raise BadConfig(f"{flag}: {name} cannot be set: {reason}")
    if not _FIELD_VALUE.match(value):
        raise BadConfig(f"{flag}: the value of {name} has characters that a header must not have")
    return f"{name}: {value}"


def check_user_agent(flag: str, value: object) -> object:
    good = isinstance(value, str) and value.strip() and value.isascii() and _FIELD_VALUE.match(value)
    if not isinstance(value, str) or not good:
        raise BadConfig(f"{flag}: must be printable ASCII text, not {quote_value(value)}")
    return value.strip()


def check_contact(flag: str, value: object) -> object:
    """The text of the User-Agent's comment (RFC 9110 §5.6.5), by which a site can reach the operator."""
    if not isinstance(value, str) or not _PRODUCT_COMMENT.match(value):
        problem = "must be a URL or an e-mail address without spaces, brackets and backslashes"
        raise BadConfig(f"{flag}: {problem}, not {quote_value(value)}")
    return value


# -- values as typed

_WHOLE = re.compile(r"[+-]?\d{1,30}\Z", re.ASCII)
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\Z", re.ASCII | re.IGNORECASE)


def parse_number(text: str) -> int | float | str:
    """Read a number as typed. Any other text stays text, and the option's check refuses it."""
    if _WHOLE.match(text):
        return int(text)
    if _REAL.match(text):
        value = float(text)
        return value if abs(value) != float("inf") else text  # 1e999 was not meant as "inf"
    return text
