"""Numbers: the text of a page read as one number, or the reason why it is not one.

May touch: `number_marks`. Pure.

A value is never guessed: where a text could mean two numbers (`1.234`), the reader raises
`UnreadableNumber`, whose text says why and what to do.

What decides, in this order: the rule's `decimal`; the number itself (`1.234,50`, `1 234,567`, `0.500`); the
type `int`; the currency beside it. A price has at most the decimals of its currency, so that three digits
after the grouping sign of the currency's own countries are thousands (`$1,234`, `R$ 1.234`,
`Rp 169.000`). The euro and the Swiss franc have both notations; dinars of three decimals, and three digits
after a decimal sign (`$3.459` a gallon), stay ambiguous.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from penstock.crawler.config.number_marks import (
    CURRENCY_CODES,
    CURRENCY_WORDS,
    FACTOR_STARTS,
    FACTORS,
    GROUPED_BY_BOTH,
    GROUPED_BY_COMMA,
    GROUPED_BY_POINT,
    HUNDREDTHS,
    MINUS_WORDS,
    OF,
    RANGE_WORDS,
    SUFFIXES,
)

MAX_SHOWN = 60  # characters of a text in a message
MAX_DIGITS = 40
MAX_READ = 10_000  # characters of a text that are looked at
MAX_NUMBERS = 50  # of a text that are looked at
RUN_TOGETHER = "\u2063"  # put by the caller between two digits that belong to different elements

_SPACES = " \u00a0\u2007\u2008\u2009\u200a\u202f\u3000"
LINE_BREAK = "\u2028"  # put by the caller where a line ends: a blank that groups no digits
_GAPS = _SPACES + LINE_BREAK
_QUOTES = "'\u2019\u02bc\u00b4`"
_ARABIC_DECIMAL, _ARABIC_GROUP = "\u066b", "\u066c"
_CURRENCY_POINT = "\u20ac"  # stands for any currency between euros and cents
_SIGNS = ("\u20ac", "$", "\u00a3")
_MINUS = "-\u2212\ufe63\u2010\u2011"  # and a dash, where nothing stands before it
_DASHES = _MINUS + "\u2012\u2013\u2014\u2015~\u301c"
_TOKEN = re.compile(
    rf"[.,{_ARABIC_DECIMAL}]?(?:[0-9]{{1,3}}(?P<blank>[{_SPACES}])[0-9]{{3}}(?![0-9])"
    rf"(?:(?P=blank)[0-9]{{3}}(?![0-9]))*(?:[.,{_ARABIC_DECIMAL}][0-9]+)?"
    rf"|[0-9](?:[0-9]|[.,{_QUOTES}{_ARABIC_DECIMAL}{_ARABIC_GROUP}](?=[0-9]))*)"
)
_EXPONENT = re.compile(r"[eE][+\-\u2212]?[0-9]{1,3}(?![\w.,])")
_INVISIBLE = dict.fromkeys((0x00AD, 0x061C, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x2066, 0x206A)))
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x2796: 0x2D,  # the emoji
    0xFFE0: 0xA2,
    0xFFE1: 0xA3,
    0xFFE5: 0xA5,
}
_TRANSLATED = _INVISIBLE | _FULL_WIDTH
# In these scripts a number that touches a letter is part of a word (A4, iPhone13); others write no blanks.
_LETTER = r"[A-Za-z_\u00aa-\u02af\u0370-\u052f\u1e00-\u1fff]"
_LONE_LETTER = re.compile(r"(?<!\w)[BDEGKLMNPQ]$")  # a currency, before a number with cents
_CENTS = re.compile(r"[.,][0-9]{2}$")
_IN_WORD_BEFORE = re.compile(rf"{_LETTER}-?$")
_IN_WORD_AFTER = re.compile(rf"{_LETTER}{{1,20}}[0-9]")


_THOUSANDS_BEFORE = re.compile(r"(?i:\b([TKM](?:\u20ac|EUR|CHF|USD)))[^\w]{0,3}$")
_MINUS_BEHIND_CURRENCY = re.compile(
    rf"[{_GAPS}]?(?:[$€£¥]|EUR|USD|GBP|CHF)[{_GAPS}]?[{_MINUS}](?:[{_GAPS}]*\Z)"
)
_AFTER = re.compile(rf"[{_GAPS}]?([^\W\d_]+[$€£]?|[¢%‰％٪$€£])\.?")


class UnreadableNumber(Exception):
    """The text is not one number. The message is one line."""


class _Found(NamedTuple):
    """One number of a text."""

    digits: str
    start: int
    end: int  # behind an exponent
    exponent: str
    currency: str | None  # beside it, in lower case; None: none is known
    before: bool  # the currency stands before it


def read_number(text: str, *, decimal: str | None = None, whole: bool = False) -> str:
    """The number of a text in Python's notation: `-1234.50`, `15e2`.

    `decimal` is the decimal sign; None: as the text shows it. `whole`: the number has no decimals, so a
    sign before three digits groups them. Raises UnreadableNumber.
    """
    plain = _without_inner_blank(_normalized(text[:MAX_READ]))
    if RUN_TOGETHER in plain:
        raise _unreadable("digits of several elements run together", text, "select one element")
    numbers = _numbers(plain, text)
    first = _chosen(numbers, plain, text)
    _check_surroundings(first, plain, text)
    number = _notation(first, decimal, whole, plain, text)
    factor = _factor(first, plain, text)
    sign = "-" if _is_negative(first, plain, text) else ""
    return f"{sign}{_multiplied(number, factor)}{first.exponent}"


# -- finding


def _normalized(text: str) -> str:
    """ASCII digits and signs for those of other scripts and widths; invisible characters dropped."""
    if text.isascii():
        return text
    text = text.translate(_TRANSLATED)
    return "".join(
        str(unicodedata.decimal(char)) if char > "\x7f" and char.isdecimal() else char for char in text
    )


# `119. 95` and `1.837, 32`, with nothing but a currency around them.
_INNER_BLANK = re.compile(
    r"(?P<head>[^0-9]*)(?P<whole>[0-9]+\.|[0-9.]+,|[0-9,]+\.) (?P<rest>[0-9]{2})(?P<tail>[^0-9]*)"
)


def _without_inner_blank(plain: str) -> str:
    """Drop a blank between a decimal sign and two digits, where the text has no other number."""
    match = _INNER_BLANK.fullmatch(plain) if len(plain) <= MAX_SHOWN else None
    if match is None or (match["whole"].endswith(",") and "." not in match["whole"]):
        return plain
    alone = all(not part.strip() or _known_currency(part.strip()) for part in (match["head"], match["tail"]))
    return match["head"] + match["whole"] + match["rest"] + match["tail"] if alone else plain


def _numbers(plain: str, text: str) -> list[_Found]:
    """The numbers that stand by themselves, without percentages."""
    found: list[_Found] = []
    part_of_word = percentage = False
    end = 0
    for match in _TOKEN.finditer(plain):
        if match.start() < end:
            continue  # the digits of an exponent
        start, end = match.span()
        digits = match[0]
        if digits[0] in ".," and start and not _is_decimal_start(plain, start):
            digits, start = digits[1:], start + 1
        if plain[max(0, start - 2) : start] in ("..", ",,", ".,", ",."):
            raise _unreadable("no number in a known notation", text)
        currency = _currency_before(plain, start)
        exponent = _EXPONENT.match(plain, end)
        if (
            currency is None
            and _LONE_LETTER.search(plain, max(0, start - 2), start)
            and _CENTS.search(digits)
        ):
            currency = plain[start - 1].lower()  # P500.00
        if (currency is None and _IN_WORD_BEFORE.search(plain, max(0, start - 2), start)) or (
            exponent is None and _IN_WORD_AFTER.match(plain, end)
        ):
            part_of_word = True
            continue
        if exponent is not None:
            end = exponent.end()
        before = currency is not None
        if _percent_follows(plain, end):
            percentage = True
            continue
        if currency is None:
            currency = _currency_after(plain, end)
        found.append(
            _Found(
                digits, start, end, exponent[0].replace("\u2212", "-") if exponent else "", currency, before
            )
        )
        if len(found) >= MAX_NUMBERS:
            break
    if not found:
        if percentage:
            raise _unreadable("a percentage", text, "take its digits with regex")
        raise _unreadable("part of a word, no number" if part_of_word else "no number", text)
    return found


def _is_decimal_start(plain: str, at: int) -> bool:
    """True if the sign at `at` begins a number such as `.5`; false for that of `Rs.500` or `S/.25`."""
    before = plain[at - 1]
    return not (before.isalnum() or before in "/.,")


def _percent_follows(plain: str, at: int) -> bool:
    after = plain[at : at + 3].lstrip(_GAPS)
    return after[:1] in ("%", "\u2030", "\u066a")


def _currency_before(plain: str, start: int) -> str | None:
    """The currency mark that ends where the number begins, in lower case."""
    head = plain[max(0, start - 20) : start].rstrip(_GAPS + ":" + _DASHES + "+")
    if not head:
        return None
    at = len(head)
    while at and (
        head[at - 1].isalpha()
        or head[at - 1] in "$/."
        or unicodedata.category(head[at - 1]) in ("Sc", "Mn", "Mc")
    ):
        at -= 1
    return _known_currency(head[at:])


def _currency_after(plain: str, end: int) -> str | None:
    tail = plain[end : end + 24].lstrip(_GAPS + ".,-\u2013\u2014")
    at = 0
    while at < len(tail) and (
        tail[at].isalpha() or tail[at] in "$/." or unicodedata.category(tail[at]) in ("Sc", "Mn", "Mc")
    ):
        at += 1
    return _known_currency(tail[:at], after=True)


def _known_currency(mark: str, *, after: bool = False) -> str | None:
    """The mark in lower case, without its final point; None if it is no currency."""
    mark = mark.lower().strip(".")
    if not mark:
        return None
    if mark in CURRENCY_CODES or mark in CURRENCY_WORDS or mark.rstrip("/") in CURRENCY_CODES:
        return mark
    if mark in GROUPED_BY_BOTH or mark in GROUPED_BY_COMMA or mark in GROUPED_BY_POINT:
        return mark
    symbols = [char for char in mark if unicodedata.category(char) == "Sc"]
    if not symbols:
        # CJK writes no blanks: 5円から
        first = mark[0] if after else mark[-1]
        return first if first in "円元圆圓원块" else None
    if len(mark) <= 4:
        return mark
    return symbols[0] if after else symbols[-1]


# -- deciding


def _chosen(numbers: list[_Found], plain: str, text: str) -> _Found:
    """The one number that is meant. Raises UnreadableNumber if several could be."""
    first = numbers[0]
    if len(numbers) == 1:
        return first
    second = numbers[1]
    between = plain[first.end : second.start].strip(_GAPS)
    bare = _without_currency(between)
    if bare and (bare in tuple(_DASHES) or bare.lower() in RANGE_WORDS or bare in ("...", "\u2026")):
        raise _unreadable("a range", text, "take one end of it with regex")
    if between in _SIGNS and _is_cents(first, second, plain):
        return first._replace(digits=f"{first.digits}{_CURRENCY_POINT}{second.digits}", end=second.end)
    if between in (".", ",") and len(second.digits) == 2 and second.digits.isdigit():
        raise _unreadable("a blank within the number, or two numbers", text, "choose one with regex")
    if between and between in ("/", "\u2044", ":", "x", "\u00d7", "*", "^", "@"):
        raise _unreadable("a fraction, a date, a time or a size", text, "take one number of it with regex")
    if between.lower() in OF and first.currency is None:
        return first
    others = [number for number in numbers[1:] if not _in_brackets(number, first, plain)]
    if first.currency is not None:  # `5 €, 3 pieces`; but of two prices either could be meant
        others = [number for number in others if number.currency is not None]
    if any(_only_digits(number) != _only_digits(first) for number in others):
        what = "prices" if first.currency is not None else "numbers"
        raise _unreadable(f"several {what}", text, "choose one with regex")
    return first


def _only_digits(number: _Found) -> str:
    """To compare: one page writes the same number in two notations."""
    return "".join(filter(str.isdigit, number.digits))


def _without_currency(between: str) -> str:
    """What stands between two numbers besides their currencies: `€ - €` is a dash."""
    words = re.split(rf"[{_GAPS}]+|(?<=[^\w.])(?=[\w])|(?<=[\w.])(?=[^\w.])", between)
    return "".join(word for word in words if word and _known_currency(word) is None)


def _is_cents(first: _Found, second: _Found, plain: str) -> bool:
    """True for `35€99` and `35€ 99`, which are 35.99: two digits, and no other currency around."""
    return (
        not first.before
        and plain[first.end] not in _SPACES
        and len(second.digits) == 2
        and second.digits.isdigit()
        and _currency_after(plain, second.end) is None
    )


def _in_brackets(number: _Found, first: _Found, plain: str) -> bool:
    """True if the number stands in brackets that open behind the first: `34.12 (40.94 incl. VAT)`."""
    between = plain[first.end : number.start]
    return between.count("(") + between.count("[") > between.count(")") + between.count("]")


def _check_surroundings(found: _Found, plain: str, text: str) -> None:
    """Raise UnreadableNumber for what stands around a number and changes its value."""
    after = plain[found.end : found.end + 1]
    if after and (unicodedata.category(after) == "No" or after == "\u2044"):
        raise _unreadable("a fraction or a power", text, "take one number of it with regex")
    if found.start and unicodedata.category(plain[found.start - 1]) == "No":
        raise _unreadable("a fraction or a power", text, "take one number of it with regex")
    rest = plain[: found.start].strip() + plain[found.end :].strip()
    if plain.strip()[:1] == "(" and plain.strip()[-1:] == ")" and rest.count("(") == 1:
        raise _unreadable("a number in brackets, which may be negative", text, "take its digits with regex")
    if len(found.digits) > 1 and found.digits[0] == "0" and any(char in found.digits for char in _SPACES):
        raise _unreadable("a leading 0, as in a phone number", text, "take its digits with regex")


def _notation(found: _Found, decimal: str | None, whole: bool, plain: str, text: str) -> str:
    """The digits in Python's notation."""
    no_cents = re.match(r"[.,][-\u2012-\u2015]", plain[found.end : found.end + 2]) is not None  # 1.899,-
    digits = found.digits
    if sum(map(str.isdigit, digits)) > MAX_DIGITS:
        raise _unreadable(f"more than {MAX_DIGITS} digits", text)
    signs = [char for char in digits if not char.isdigit()]
    # A blank or an apostrophe groups, whatever else there is.
    blanks = [char for char in signs if char in _SPACES or char in _QUOTES or char == _ARABIC_GROUP]
    point = _decimal_sign(found, signs, bool(blanks), decimal, whole, no_cents, text)
    integer, _, fraction = digits.rpartition(point) if point else (digits, "", "")
    if not _is_grouped(integer) or (fraction and not fraction.isdigit()):
        raise _unreadable("no number in a known notation", text)
    integer = "".join(filter(str.isdigit, integer)) or "0"
    return f"{integer}.{fraction}" if fraction else integer


def _decimal_sign(
    found: _Found,
    signs: list[str],
    grouped: bool,
    decimal: str | None,
    whole: bool,
    no_cents: bool,
    text: str,
) -> str | None:
    """The decimal sign of a number; None if it has none. Raises UnreadableNumber if it is open."""
    for sure in (_ARABIC_DECIMAL, _CURRENCY_POINT):
        if sure in signs:
            return sure
    marks = [char for char in signs if char in ".,"]
    if not marks:
        return None
    if decimal is not None:
        return decimal if decimal in marks else None
    last = marks[-1]
    if len(set(marks)) == 2:
        return last if marks.count(last) == 1 else None
    if len(marks) > 1:
        return None  # 1.234.567
    before, _, after = found.digits.rpartition(last)
    if grouped or len(after) != 3 or not 1 <= len(before) <= 3 or before.startswith("0") or found.exponent:
        return last
    if whole or no_cents or _groups_thousands(found, last):
        return None
    hint = 'say decimal = "." or decimal = "," in the rule'
    raise UnreadableNumber(f"ambiguous number {_shown(found.digits)} in {_shown(text)}: {hint}")


def _groups_thousands(found: _Found, sign: str) -> bool:
    """True if the currency beside a number tells that three digits after `sign` are thousands."""
    mark = found.currency
    if mark is None:
        return False
    if mark in GROUPED_BY_BOTH:
        return True
    if mark == "$":
        return sign == "," and found.before  # behind the number in Quebec, where a comma is decimal
    return mark in (GROUPED_BY_COMMA if sign == "," else GROUPED_BY_POINT)


_GROUPED = re.compile(
    rf"[0-9]*|[1-9][0-9]{{0,2}}([.,{_ARABIC_GROUP}]|[{_SPACES}]|[{_QUOTES}])[0-9]{{3}}(?:\1[0-9]{{3}})*"
    rf"|[1-9][0-9]?(?:,[0-9]{{2}})+,[0-9]{{3}}|[1-9][0-9]?(?:{_ARABIC_GROUP}[0-9]{{2}})+{_ARABIC_GROUP}[0-9]{{3}}"
)


def _is_grouped(integer: str) -> bool:
    """True for plain digits, groups of three, and the Indian 12,34,567."""
    return _GROUPED.fullmatch(integer) is not None


def _factor(found: _Found, plain: str, text: str) -> int:
    """What a word or letter behind the number multiplies it by: 1000 for `5 thousand`."""
    if thousands := _THOUSANDS_BEFORE.search(plain, max(0, found.start - 8), found.start):
        raise _unreadable(f"{thousands[1]!r} may multiply the number", text, "take its digits with regex")
    match = _AFTER.match(plain, found.end)
    if plain[found.end : found.end + 12].lstrip(_GAPS).startswith(FACTOR_STARTS):
        raise _unreadable("a word behind the number multiplies it", text, "take its digits with regex")
    if match is None:
        return 1
    word = match[1]
    glued = match.start(1) == found.end
    money = found.currency is not None or _currency_after(plain, match.end()) is not None
    if glued and word in SUFFIXES and (money or word not in "mbT"):
        factor = SUFFIXES[word] if money else None  # 4K may be a size
    elif money and (word in SUFFIXES or word == "L") and _currency_after(plain, found.end) is None:
        factor = None  # $5 M: millions, or a size; L: lakhs, or liters
    elif word.lower() in HUNDREDTHS and (word.lower() != "p" or (word == "p" and glued)):
        raise _unreadable("a price in hundredths", text, "take its digits with regex")
    elif word.lower() in FACTORS:
        factor = FACTORS[word.lower()]
    elif word[0] in "千万萬億亿천만억百백十십兆조":
        factor = FACTORS[word[0]] if len(word) == 1 or _known_currency(word[1:], after=True) else None
    else:
        return 1
    if factor is None:
        raise _unreadable(f"{word!r} behind the number may multiply it", text, "take its digits with regex")
    return factor


def _multiplied(number: str, factor: int) -> str:
    """A product without rounding."""
    if factor == 1:
        return number
    integer, _, fraction = number.partition(".")
    power = len(str(factor)) - 1
    shifted = integer + fraction[:power].ljust(power, "0")
    rest = fraction[power:]
    return f"{shifted}.{rest}" if rest else shifted


def _is_negative(found: _Found, plain: str, text: str) -> bool:
    """True for a minus sign before or behind the number. Raises UnreadableNumber if it is open."""
    head = plain[: found.start]
    _check_minus_word(found, head, text)
    if found.before and found.currency is not None and head[-1:] in _MINUS:
        # $-5 and EUR -5, but not EUR- 5
        outer = False
        inner = True
    elif found.before and found.currency is not None:
        inner = False
        outer = _sign_at(head[: head.lower().rfind(found.currency)], text)
    else:
        inner, outer = _sign_at(head, text), False
    # `-,50` is fifty cents: the dash stands for the missing francs or euros.
    if found.digits.startswith(",") and head.endswith(tuple(_DASHES)):
        return False
    if _MINUS_BEHIND_CURRENCY.match(plain, found.end):
        raise _unreadable("a minus sign behind the price, or a dash", text, "take its digits with regex")
    after = plain[found.end : found.end + 2]
    behind = after[:1] in tuple(_MINUS) and after[1:2].strip(_GAPS) == "" if after else False
    if behind:
        if inner or outer or not re.search(r"[.,][0-9]{1,2}$", found.digits):
            raise _unreadable("a minus sign behind the number, or a dash", text, "take its digits with regex")
        return True
    return inner or outer


def _check_minus_word(found: _Found, head: str, text: str) -> None:
    """Raise UnreadableNumber for `minus 5` and `minus $5`: the sign must not be lost."""
    if found.before and found.currency is not None:
        head = head[: head.lower().rfind(found.currency)]
    words = head[-40:].rstrip(_GAPS + ":").split()
    if words and words[-1].lower() in MINUS_WORDS:
        raise _unreadable(f"{words[-1]!r} before the number", text, "take its digits with regex")


def _sign_at(head: str, text: str) -> bool:
    """True if a minus sign ends `head`; a dash between a text and a number is none."""
    near = head.rstrip(_GAPS)
    if not near or near[-1] not in _MINUS + "\u2013":
        return False
    before = near[:-1]
    if before.strip() and (before[-1:].isalnum() or before[-1:] in _GAPS + ".:)"):
        # `balance -5` is negative; `Price - 5` and `pos.-5` are not.
        return before[-1:] in _GAPS and near == head and near[-1] != "\u2013"
    if before.strip() and near == head:
        return near[-1] != "\u2013"
    if near != head:
        raise _unreadable("a minus sign, or a dash before the number", text, "take its digits with regex")
    return True


def _unreadable(problem: str, text: str, hint: str = "") -> UnreadableNumber:
    return UnreadableNumber(f"{problem}: {_shown(text)}" + (f" ({hint})" if hint else ""))


def _shown(text: str) -> str:
    text = " ".join(text.replace(RUN_TOGETHER, "|").split())
    return repr(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "...")
