"""Charts: numbers as inline SVG, coloured by the style sheet of page.py.

May touch: nothing. Pure values in, markup out. Labels are escaped here.

480 units wide, so that text shrinks by at most a quarter on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from penstock.crawler.cli.html.page import text

_WIDTH = 480
_ROW = 26  # units of a horizontal bar with its label
_HEIGHT = 190  # of a chart with upright columns, its axis included
_FLOOR = _HEIGHT - 24

Point = tuple[str, float, str]  # label, size, the size as text


def bars(rows: Sequence[tuple[str, int, str]], *, about: str) -> str:
    """Horizontal bars: label, number, and the class of its colour."""
    most = max((number for _, number, _ in rows), default=0) or 1
    label = min(max((len(name) for name, _, _ in rows), default=0) * 8 + 8, 190)
    room = _WIDTH - label - 76
    parts = []
    for i, (name, number, kind) in enumerate(rows):
        y = i * _ROW
        wide = max(room * number / most, 1)
        parts.append(
            f'<text x="0" y="{y + 17}">{text(name)}</text>'
            f'<rect class="{kind}" x="{label}" y="{y + 4}" width="{wide:.1f}" height="18" rx="2"/>'
            f'<text class="value" x="{label + wide + 6:.1f}" y="{y + 17}">{number:,}</text>'
        )
    return _svg(parts, max(len(rows), 1) * _ROW, about)


def columns(points: Sequence[Point], *, about: str, every: int = 1, values: bool = True) -> str:
    """Vertical columns. Every `every`-th has a label; `values` are written above if there is room."""
    most = max((size for _, size, _ in points), default=0) or 1
    step = _WIDTH / max(len(points), 1)
    gap = min(step * 0.25, 6)
    parts = [f'<line class="rule" x1="0" x2="{_WIDTH}" y1="{_FLOOR}" y2="{_FLOOR}"/>']
    for i, (label, size, written) in enumerate(points):
        tall = (_FLOOR - 22) * size / most
        x = i * step
        middle = x + step / 2
        parts.append(
            f'<rect class="mark" x="{x + gap / 2:.1f}" y="{_FLOOR - tall:.1f}" width="{step - gap:.1f}" '
            f'height="{tall:.1f}"><title>{text(label)}: {text(written)}</title></rect>'
        )
        if i % every == 0:
            parts.append(
                f'<text x="{middle:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{text(label)}</text>'
            )
        if values and size and len(written) * 8 <= step + 4:
            parts.append(
                f'<text class="value" x="{middle:.1f}" y="{_FLOOR - tall - 5:.1f}" '
                f'text-anchor="middle">{text(written)}</text>'
            )
    return _svg(parts, _HEIGHT, about)


def rising(amounts: Sequence[int], labels: tuple[str, str], *, about: str) -> str:
    """An area under a cumulative sum over time; `labels` of its start and its end."""
    sums = [0, *accumulate(amounts)]
    most = sums[-1] or 1
    step = _WIDTH / max(len(amounts), 1)
    curve = " ".join(
        f"{i * step:.1f},{_FLOOR - (_FLOOR - 22) * total / most:.1f}" for i, total in enumerate(sums)
    )
    first, last = labels
    parts = [
        f'<line class="rule" x1="0" x2="{_WIDTH}" y1="{_FLOOR}" y2="{_FLOOR}"/>',
        f'<polygon class="area" points="0,{_FLOOR} {curve} {_WIDTH},{_FLOOR}"/>',
        f'<polyline class="curve" points="{curve}"/>',
        f'<text x="0" y="{_HEIGHT - 6}">{text(first)}</text>',
        f'<text x="{_WIDTH}" y="{_HEIGHT - 6}" text-anchor="end">{text(last)}</text>',
        f'<text class="value" x="{_WIDTH}" y="14" text-anchor="end">{sums[-1]:,}</text>',
    ]
    return _svg(parts, _HEIGHT, about)


def _svg(parts: Sequence[str], height: float, about: str) -> str:
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-label="{text(about)}">{inner}</svg>\n'
