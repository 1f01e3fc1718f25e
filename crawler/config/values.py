"""Values: the text of a page, read as a number, a date or a truth.

May touch: nothing. Pure; what cannot be read is `NoValue`.

Shops write 1,299.00 and 1.299,00 for the same price. The last of two different signs is the
decimal sign. A single comma before exactly three digits separates thousands; a single point never
does. A rule's `decimal` overrides this guess.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from penstock.crawler.extraction import Scalar

TYPES = ("str", "int", "float", "bool", "date")

MOST_SHOWN = 60  # characters of a text in a message
_LARGEST = 2**63 - 1  # SQLite's
_MOST_DIGITS = 40

_GROUPING_BLANKS = " \u00a0\u202f\u2009'\u2019"
# A minus sign counts if at most a currency sign follows it; that of "5-10" does not.
_NUMBER = re.compile(
    r"(?P<minus>(?<!\w)[-\u2212][^\w\s]?[^\S\n]?)?"
    rf"(?P<digits>\.?[0-9](?:[0-9.,]|[{_GROUPING_BLANKS}](?=[0-9]{{3}}(?![0-9])))*)"
)
_NO_BLANKS = str.maketrans("", "", _GROUPING_BLANKS)
_BOOLEANS = dict.fromkeys(("true", "yes", "1", "on"), True) | dict.fromkeys(
    ("false", "no", "0", "off"), False
)
# Only formats in which day and month cannot be confused.
_DATE_FORMATS = ("%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y", "%Y/%m/%d")


class UnreadableValue(Exception):
    """The text is not of this type. The message is one line."""


def parse_value(text: str, type: str, *, decimal: str | None = None, format: str | None = None) -> Scalar:
    """Read `text`, stripped and on one line, as a `type` of TYPES. Raises NoValue.

    The text around a number (currency, unit) is dropped. A date becomes ISO 8601: YYYY-MM-DD, or
    with a time, which is in UTC (...Z) if the text names a time zone.
    """
    if type == "str":
        return text
    if type == "bool":
        value = _BOOLEANS.get(text.lower())
        if value is None:
            raise UnreadableValue(f"neither true nor false: {_shown(text)}")
        return value
    if type == "date":
        return _date(text, format)
    number = _number(text, decimal)
    if type == "float":
        return float(number)
    whole, _, rest = number.partition(".")
    if rest.strip("0") or abs(int(whole)) > _LARGEST:
        raise UnreadableValue(f"no whole number: {_shown(text)}")
    return int(whole)


def _number(text: str, decimal: str | None) -> str:
    """The first number of a text, in Python's notation."""
    found = _NUMBER.search(text)
    if found is None:
        raise UnreadableValue(f"no number: {_shown(text)}")
    digits = found["digits"].translate(_NO_BLANKS).rstrip(".,")
    point = decimal or _point(digits)
    whole, _, rest = digits.partition(point) if point else (digits, "", "")
    grouped = re.fullmatch(r"[0-9]*|[0-9]{1,3}([.,])[0-9]{2,3}(\1[0-9]{2,3})*", whole)
    if not grouped or not (rest.isdigit() or not rest) or len(digits) > _MOST_DIGITS:
        raise UnreadableValue(f"no number in a known notation: {_shown(text)}")
    whole = re.sub("[.,]", "", whole) or "0"
    return f"{'-' if found['minus'] else ''}{whole}.{rest or 0}"


def _point(digits: str) -> str | None:
    """The decimal sign of a number, or None if it has none."""
    last = max(".,", key=digits.rfind)
    before, sign, after = digits.rpartition(last)
    if not sign:
        return None
    if "." in before or "," in before:
        return None if last in before else last  # 1.234.567, or 1.234,56
    return None if last == "," and len(after) == 3 and before else last


def _date(text: str, format: str | None) -> str:
    try:
        if format is not None:
            return _iso(datetime.strptime(text, format))  # noqa: DTZ007 (naive where the text is)
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            return _iso(_moment(text))
    except (ValueError, OverflowError, TypeError, IndexError):
        raise UnreadableValue(f"no date: {_shown(text)}") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for known in _DATE_FORMATS:
        try:
            return datetime.strptime(text, known)  # noqa: DTZ007
        except ValueError:
            continue
    from email.utils import parsedate_to_datetime  # slow to load, and seldom needed

    return parsedate_to_datetime(text)  # RFC 5322


def _iso(moment: datetime) -> str:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    written = moment.isoformat()
    return written.removesuffix("T00:00:00")


def _shown(text: str) -> str:
    return repr(text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "...")
