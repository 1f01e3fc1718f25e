"""Page: self-contained HTML pages and tables.

May touch: only the stream that it is given.
Never: a script, or a resource from elsewhere. The content security policy in the head forbids
both, so that text which got through the escaping still could not run.

Every text that came from the web goes through `text` or `cell`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain
from typing import TextIO

from penstock.crawler.output.terminal import escape_control_chars

STYLE = """
:root { color-scheme: light dark; --paper: #f7f8f8; --card: #fff; --ink: #16222b; --soft: #5b6b76;
  --line: #dbe1e4; --accent: #0b6b82; --good: #1b7f6b; --moved: #b07a14; --bad: #b8402f; --worse: #7c3f9c }
@media (prefers-color-scheme: dark) { :root { --paper: #10171c; --card: #18222a; --ink: #e4ebee;
  --soft: #93a4ae; --line: #2a3842; --accent: #58b8cd; --good: #54c2a8; --moved: #dcae55; --bad: #ec8272;
  --worse: #c493dd } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; margin: 0 }
h2 .count { color: var(--soft); font-weight: 400; font-variant-numeric: tabular-nums }
p { margin: .25rem 0 .75rem; max-width: 46rem }
a { color: var(--accent); text-underline-offset: .15em; text-decoration-thickness: 1px }
.soft { color: var(--soft) }
.facts { display: grid; grid-template-columns: repeat(5, 1fr); gap: 1px; margin: 1.25rem 0; padding: 0;
  background: var(--line); border: 1px solid var(--line); border-radius: .5rem;
  overflow: hidden }
.facts div { background: var(--card); padding: .7rem .9rem }
.facts dt { color: var(--soft); font-size: .8rem }
.facts dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums }
.charts { display: grid; grid-template-columns: repeat(6, 1fr); gap: 1rem }
figure:nth-child(-n+3) { grid-column: span 2 } figure { grid-column: span 3 }
figure { margin: 0; padding: .9rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem }
figcaption { font-weight: 600; margin-bottom: .5rem }
svg { display: block; width: 100%; height: auto }
svg text { fill: var(--soft); font: 13px system-ui, "DejaVu Sans", sans-serif }
svg .value { fill: var(--ink) }
svg .rule { stroke: var(--line) }
svg .mark { fill: var(--accent) } svg .good { fill: var(--good) } svg .moved { fill: var(--moved) }
svg .bad { fill: var(--bad) } svg .worse { fill: var(--worse) } svg .none { fill: var(--soft) }
svg .area { fill: var(--accent); fill-opacity: .18 }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2 }
nav { margin: 1.5rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem .9rem }
section { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .875rem }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td { overflow-wrap: anywhere; min-width: 5rem } td:has(a) { min-width: 11rem } td.n { min-width: 3rem }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem }
@media (max-width: 640px) {
  body { padding: 1rem .9rem 3rem } h1 { font-size: 1.35rem } .facts { grid-template-columns: 1fr 1fr }
  .charts { display: block } figure { margin-bottom: 1rem }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  table, tbody, tr, td { display: block }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line) }
  td, td.n { border: 0; padding: .1rem 0; display: grid; grid-template-columns: 7.5rem 1fr; gap: .6rem;
    text-align: left; white-space: normal } td:empty { display: none }
  td::before { content: attr(data-label); color: var(--soft) }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --accent: #0b6b82 }
  body { max-width: none; padding: 0; font-size: 10pt } nav { display: none }
  figure:nth-child(n) { grid-column: span 3 } .facts div { border: 1px solid var(--line) }
  figure, tr, .facts { break-inside: avoid } h2 { break-after: avoid } a { color: inherit }
}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"


def text(value: str) -> str:
    """Escape text from the web for a page; control and bidi characters become visible."""
    return escape(escape_control_chars(value))


def head(title: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )


END = "</body>\n</html>\n"


def cell(value: object) -> str:
    """The HTML of a table cell; an http(s) URL becomes a link."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    shown = text(str(value))
    if shown.startswith(("http://", "https://")) and " " not in shown:
        return f'<a href="{shown}" rel="noreferrer noopener nofollow">{shown}</a>'
    return shown


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]], out: TextIO) -> int:
    """Write the rows as they come. Returns their number."""
    rows = iter(rows)
    first = next(rows, None)
    labels = [text(column.replace("_", " ")) for column in columns]
    kinds = [_kind(value) for value in first or columns]
    out.write('<div class="scroll"><table>\n<thead><tr>')
    out.writelines(f"<th{kind}>{label}</th>" for kind, label in zip(kinds, labels, strict=True))
    out.write("</tr></thead>\n<tbody>\n")
    count = 0
    for row in chain([first] if first is not None else [], rows):
        out.write("<tr>")
        for label, value in zip(labels, row, strict=True):
            out.write(f'<td{_kind(value)} data-label="{label}">{cell(value)}</td>')
        out.write("</tr>\n")
        count += 1
    out.write("</tbody></table></div>\n")
    return count


def _kind(value: object) -> str:
    return ' class="n"' if isinstance(value, int | float) else ""


def write_page(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], out: TextIO) -> None:
    """Write a page with one table."""
    out.write(head(title))
    out.write(f"<h1>{text(title.replace('_', ' '))}</h1>\n")
    count = write_table(columns, rows, out)
    out.write(f'<p class="soft">{count:,} {"row" if count == 1 else "rows"}</p>\n{END}')
