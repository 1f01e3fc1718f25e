"""Values: the text of a page, read as a number, a date or a truth.

May touch: `numbers`. Pure; what cannot be read raises `UnreadableValue`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal

from penstock.crawler.config.numbers import UnreadableNumber, read_number
from penstock.crawler.extraction import Scalar

TYPES = ("str", "int", "float", "bool", "date")

MOST_SHOWN = 60  # characters of a text in a message
_LARGEST = 2**63 - 1  # SQLite's
_MOST_DIGITS = 40

_BOOLEANS = dict.fromkeys(("true", "yes", "1", "on"), True) | dict.fromkeys(
    ("false", "no", "0", "off"), False
)
_LETTERS_LAST = re.compile(r"[A-Za-z.)]$")
_YEAR = re.compile(r"(?<![0-9])[0-9]{4}(?![0-9])")
# Only formats in which day and month cannot be confused.
_DATE_FORMATS = ("%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y", "%Y/%m/%d")


class UnreadableValue(Exception):
    """The text is not of this type. The message is one line."""


def parse_value(text: str, type: str, *, decimal: str | None = None, format: str | None = None) -> Scalar:
    """Read `text`, stripped and on one line, as a `type` of TYPES. Raises UnreadableValue.

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
    try:
        number = read_number(text, decimal=decimal, whole=type == "int")
    except UnreadableNumber as error:
        raise UnreadableValue(str(error)) from None
    if type == "float":
        real = float(number)
        if not math.isfinite(real):  # 1e999
            raise UnreadableValue(f"a number too large: {_shown(text)}")
        return real
    exact = Decimal(number)
    if exact.adjusted() > _MOST_DIGITS or exact != exact.to_integral_value() or abs(exact) > _LARGEST:
        raise UnreadableValue(f"no whole number: {_shown(text)}")
    return int(exact)


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

    moment = parsedate_to_datetime(text)  # RFC 5322
    # It drops a zone that it does not know (CET), takes PM for one, and makes a century for two digits.
    if (moment.tzinfo is None and _LETTERS_LAST.search(text)) or not _YEAR.search(text):
        raise ValueError("a word behind the time, or a year of two digits")
    return moment


def _iso(moment: datetime) -> str:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    written = moment.isoformat()
    return written.removesuffix("T00:00:00")


def _shown(text: str) -> str:
    return repr(text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "...")
