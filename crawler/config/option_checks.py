"""Checks: what a value of the configuration may be, one small question each.

May touch: errors, terminal (to make values harmless).

A check takes the flag's name and the value as given and returns it settled, or raises
`BadConfig` with one line. It looks at nothing else; `config` collects the lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from penstock.crawler.errors import BadConfig
from penstock.crawler.output.terminal import escape_control_chars

Check = Callable[[str, object], object]

_MOST_SHOWN = 60  # characters of a value in a message
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2
# RFC 9110 §5.5: visible characters, blanks and tabs; obs-text as far as Latin-1 can say it.
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_PRODUCT_COMMENT = re.compile(r"[\x21-\x27\x2a-\x5b\x5d-\x7e]+\Z")  # no blank, bracket or backslash

# Headers that belong to the message's framing or to this connection (RFC 9110 §7.6.1, RFC 9112 §6),
# and those that a flag or the fetcher itself must set.
_OURS = {
    "host": "it comes from each URL",
    "accept-encoding": "bodies are decoded here, in bounds",
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


def quote_value(value: object) -> str:
    """Quote a value for a message: one line, no control characters, not too long."""
    if isinstance(value, str):
        return repr(value if len(value) <= _MOST_SHOWN else value[:_MOST_SHOWN] + "...")
    try:
        text = escape_control_chars(str(value))
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def glob(flag: str, value: str) -> str:
    """A pattern of parameter names with * and ?."""
    if not value.strip("*?"):
        raise BadConfig(f"{flag}: {quote_value(value)} is no pattern of parameter names, such as utm_*")
    return value


def one_of(*words: str) -> Check:
    def check(flag: str, value: object) -> object:
        if value not in words:
            raise BadConfig(f"{flag}: must be one of {', '.join(words)}, not {quote_value(value)}")
        return value

    return check


def whole(least: int, most: int) -> Check:
    def check(flag: str, value: object) -> object:
        # bool is an int to Python; to a person `depth = true` is a mistake.
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadConfig(
                f"{flag}: must be a whole number from {least} to {most}, not {quote_value(value)}"
            )
        return value

    return check


def seconds(least: float, most: float, *, of: str = "seconds") -> Check:
    """A number, whole or not; `of` says what it counts."""

    def check(flag: str, value: object) -> object:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:  # type: ignore[operator]  # NaN fails here
            raise BadConfig(f"{flag}: must be {of} from {least:g} to {most:g}, not {quote_value(value)}")
        return float(value)  # type: ignore[arg-type]

    return check


def optional(check: Check) -> Check:
    return lambda flag, value: None if value is None else check(flag, value)


def truth(flag: str, value: object) -> object:
    if not isinstance(value, bool):
        raise BadConfig(f"{flag}: must be true or false, not {quote_value(value)}")
    return value


def hops(flag: str, value: object) -> object:
    """A limit of link hops; `inf`, as text or number, becomes None."""
    if value is None or value == "inf" or (isinstance(value, float) and value == math.inf):
        return None
    try:
        return whole(0, 1_000_000_000)(flag, value)
    except BadConfig:
        raise BadConfig(
            f"{flag}: must be a whole number from 0 on, or inf, not {quote_value(value)}"
        ) from None


def database(flag: str, value: object) -> object:
    if not isinstance(value, str | Path) or str(value) in ("", ".") or "\0" in str(value):
        raise BadConfig(f"{flag}: must be the path of a file, not {quote_value(value)}")
    if str(value) == ":memory:":
        raise BadConfig(f"{flag}: a crawl needs a file, so that it can be resumed; ':memory:' is none")
    return Path(value)


def readable(flag: str, value: object) -> object:
    """The path of a file that is read later."""
    if not isinstance(value, str | Path) or not str(value):
        raise BadConfig(f"{flag}: must be the path of a file, not {quote_value(value)}")
    return str(value)


def texts(flag: str, value: object) -> tuple[str, ...]:
    """Several texts; a single one counts as a list of one."""
    items: Iterable[object] = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else value
    settled = tuple(items)
    for item in settled:
        if not isinstance(item, str):
            # The type, not the value: it could be a header's.
            raise BadConfig(f"{flag}: must be text, not {type(item).__name__}")
    return settled  # type: ignore[return-value]


def each(check: Callable[[str, str], str]) -> Check:
    """Ask `check` of every text, and report all that fail. Repeats are dropped, order is kept."""

    def check_all(flag: str, value: object) -> object:
        settled: dict[str, None] = {}
        problems: list[str] = []
        for item in texts(flag, value):
            try:
                settled[check(flag, item)] = None
            except BadConfig as problem:
                problems.append(str(problem))
        if problems:
            raise BadConfig(join_problems(problems))
        return tuple(settled)

    return check_all


def tiers(flag: str, value: object) -> object:
    """Names of fetch tiers, as a list or separated by commas. Whether a tier exists is checked where
    the tiers are; more than one would be a list in order of escalation, which there is not yet."""
    given = value.split(",") if isinstance(value, str) else texts(flag, value)
    names = tuple(name.strip() for name in given)
    if len(names) != 1 or not names[0]:
        raise BadConfig(f"{flag}: must be the name of one fetch tier, not {quote_value(', '.join(names))}")
    return names


def join_problems(problems: list[str], most: int = 20) -> str:
    """One line for all problems; a seeds file of the wrong kind could have a million."""
    rest = len(problems) - most
    return "; ".join(problems[:most] + ([f"and {rest} more"] if rest > 0 else []))


def pattern(flag: str, text: str) -> str:
    if not text:
        raise BadConfig(f"{flag}: an empty pattern matches every URL; leave the option out")
    from penstock.crawler.config.patterns import Patterns  # its engine is loaded only where it is needed

    try:
        Patterns([text])
    except BadConfig as problem:
        raise BadConfig(
            f"{flag}: {quote_value(text)} is no regular expression: {escape_control_chars(str(problem))}"
        ) from None
    return text


def header(flag: str, text: str) -> str:
    """One request header, 'Name: value'. Its value may be a secret, so no message shows it."""
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon or not _TOKEN.match(name):
        raise BadConfig(f"{flag}: must read 'Name: value' (what was given is not shown here)")
    if why := _OURS.get(name.lower()):
        raise BadConfig(f"{flag}: {name} cannot be set: {why}")
    if not _FIELD_VALUE.match(value):
        raise BadConfig(f"{flag}: the value of {name} has characters that no header may carry")
    return f"{name}: {value}"


def agent(flag: str, value: object) -> object:
    good = isinstance(value, str) and value.strip() and value.isascii() and _FIELD_VALUE.match(value)
    if not isinstance(value, str) or not good:
        raise BadConfig(f"{flag}: must be printable ASCII text, not {quote_value(value)}")
    return value.strip()


def contact(flag: str, value: object) -> object:
    """What stands in the User-Agent's comment (RFC 9110 §5.6.5), so that a site can reach you."""
    if not isinstance(value, str) or not _PRODUCT_COMMENT.match(value):
        raise BadConfig(
            f"{flag}: must be a URL or an address without blanks or brackets, not {quote_value(value)}"
        )
    return value
