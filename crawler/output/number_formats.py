"""Number formats: numbers for people.

May touch: nothing.
"""

from __future__ import annotations


def format_count(number: int) -> str:
    return f"{number:,}"


def plural(number: int, noun: str, plural_form: str | None = None) -> str:
    """`1 page`, `2 pages`."""
    return f"{number:,} {noun if number == 1 else plural_form or noun + 's'}"


def format_size(byte_count: float) -> str:
    """Bytes in the largest binary unit that leaves a number of at least one."""
    if byte_count < 1024:
        return f"{byte_count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        byte_count /= 1024
        if byte_count < 1023.95:  # would be rounded to 1024.0
            return f"{byte_count:.1f} {unit}"
    return f"{byte_count / 1024:,.1f} TiB"


def format_rate(per_second: float) -> str:
    return f"{per_second:,.1f}/s" if per_second < 99.95 else f"{per_second:,.0f}/s"


def format_duration(seconds: float) -> str:
    """`4.2 s` below a minute, then `h:mm:ss`, with days where there are any."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    days, whole = divmod(whole, 86_400)
    clock = f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{plural(days, 'day')} {clock}" if days else clock
