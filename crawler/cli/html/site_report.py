"""Site report: the page that `site` writes, from top to bottom.

May touch: the database, through the reader it is given; the files it is given.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, TextIO

from penstock.crawler.cli.html import charts
from penstock.crawler.cli.html.page import END, head, text, write_table
from penstock.crawler.errors import BadQuery
from penstock.crawler.output.number_formats import format_count, format_duration, format_rate, format_size
from penstock.crawler.version import VERSION

if TYPE_CHECKING:
    from penstock.crawler.output.atomic_output import AtomicOutput
    from penstock.storage.reading.chart_data import ChartData
    from penstock.storage.reading.crawl_reader import CrawlReader
    from penstock.storage.reading.crawl_status import CrawlStatus
    from penstock.storage.reading.reports import ReportQuery

Ask = Callable[[str], "ReportQuery"]  # a report by its name; raises BadQuery while it has no answer

HEAD_ROWS = 10  # of each report on the page
_STATUSES_SHOWN = 12
_KINDS = {"2": "good", "3": "moved", "4": "bad", "5": "worse"}  # colours, by the status's first digit


class Section(NamedTuple):
    """One report: its first rows, and the number of all rows."""

    name: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    total: int
    note: str | None


def write_site(
    database: str,
    found: CrawlStatus,
    drawn: ChartData,
    ask: Ask,
    reader: CrawlReader,
    files: AtomicOutput,
    lists: PurePath,
) -> int:
    """Write the page and the lists. Returns the number of reports with rows."""
    sections, empty, unanswered = _sections(ask, reader, files, lists)
    out = io.TextIOWrapper(files.main(), "utf-8", newline="\n")
    _write_top(database, found, drawn, out)
    _write_charts(drawn, out)
    _write_contents(sections, empty, unanswered, out)
    for section in sections:
        _write_section(section, lists, out)
    now = datetime.now(UTC)
    out.write(f"<footer>Penstock {VERSION}, {now:%Y-%m-%d %H:%M} UTC, from {text(database)}</footer>\n{END}")
    out.flush()
    out.detach()  # keep the file open: it is renamed later
    return len(sections)


# -- the reports


def _sections(
    ask: Ask, reader: CrawlReader, files: AtomicOutput, lists: PurePath
) -> tuple[list[Section], list[str], list[str]]:
    """The reports with rows, the names of those without, and why others are not available yet."""
    from penstock.storage.reading.reports import REPORTS, describe_reports

    sections: list[Section] = []
    empty: list[str] = []
    unanswered: list[str] = []
    descriptions = describe_reports()
    for name in REPORTS:
        try:
            asked = ask(name)
        except BadQuery as reason:
            unanswered.append(str(reason))
            continue
        rows = reader.select(asked.sql, asked.parameters)
        top, number = _write_list(rows.columns, iter(rows), files, str(lists / f"{name}.csv"))
        if number:
            sections.append(Section(name, descriptions[name].text, rows.columns, top, number, asked.note))
        else:
            empty.append(name)
    return sections, empty, unanswered


def _write_list(
    columns: Sequence[str], rows: Iterator[Sequence[object]], files: AtomicOutput, path: str
) -> tuple[list[Sequence[object]], int]:
    """Write all rows as CSV, if there are any. Returns the first rows, and the number of all."""
    from penstock.storage.exports.csv import write_rows

    top = list(islice(rows, HEAD_ROWS))
    if not top:
        return [], 0
    return top, write_rows(columns, chain(top, rows), files.part(path))


def _write_contents(
    sections: Iterable[Section], empty: Sequence[str], unanswered: Iterable[str], out: TextIO
) -> None:
    out.write('<nav aria-label="Reports">\n')
    for section in sections:
        out.write(f'<a href="#{section.name}">{_words(section.name)} {format_count(section.total)}</a>\n')
    out.write("</nav>\n")
    if empty:
        out.write(f'<p class="soft">No rows: {", ".join(map(_words, empty))}.</p>\n')
    for reason in unanswered:
        out.write(f'<p class="soft">{text(reason)}.</p>\n')


def _write_section(section: Section, lists: PurePath, out: TextIO) -> None:
    href = text((lists / f"{section.name}.csv").as_posix())
    out.write(
        f'<section id="{section.name}">\n<h2>{_words(section.name)} '
        f'<span class="count">{format_count(section.total)}</span></h2>\n'
        f'<p class="soft">{text(section.about)}</p>\n'
    )
    if section.note:
        out.write(f"<p>{text(section.note)}</p>\n")
    write_table(section.columns, section.rows, out)
    shown = len(section.rows)
    rest = (
        "All rows" if section.total == shown else f"The first {shown} of {format_count(section.total)} rows"
    )
    out.write(f'<p>{rest}: <a href="{href}">{section.name}.csv</a></p>\n</section>\n')


def _words(name: str) -> str:
    return name.replace("_", " ")


# -- numbers and charts


def _write_top(database: str, found: CrawlStatus, drawn: ChartData, out: TextIO) -> None:
    seeds = found.identity.get("seeds", [])
    title = str(seeds[0]) if seeds else database
    out.write(head(f"Crawl of {title}"))
    more = f" and {format_count(len(seeds) - 1)} more" if len(seeds) > 1 else ""
    out.write(f"<h1>{text(title)}{more}</h1>\n<p class='soft'>{text(_when(found))}</p>\n")
    totals = found.totals
    facts = [
        ("pages", format_count(totals.pages)),
        ("URLs known", format_count(sum(totals.states.values()))),
        ("failed", format_count(totals.states["failed"])),
        ("skipped", format_count(totals.states["skipped"])),
        ("pending", format_count(totals.states["pending"])),
        ("bodies", format_size(totals.bytes)),
        ("crawl time", format_duration(drawn.busy)),
        (
            "requests per second",
            format_rate(totals.requests / drawn.busy).removesuffix("/s") if drawn.busy else "-",
        ),
        ("median response", "-" if drawn.median_ms is None else f"{format_count(drawn.median_ms)} ms"),
        ("95th percentile", "-" if drawn.p95_ms is None else f"{format_count(drawn.p95_ms)} ms"),
    ]
    out.write('<dl class="facts">\n')
    out.writelines(f"<div><dt>{label}</dt><dd>{text(value)}</dd></div>\n" for label, value in facts)
    out.write("</dl>\n")


def _when(found: CrawlStatus) -> str:
    depth = "no depth limit" if found.depth is None else f"depth {found.depth}"
    rules = f"scope {found.identity.get('scope', 'not known')}, {depth}"
    if not found.runs:
        return f"{rules}. Not started."
    last = found.runs[-1]
    if last.finished_at is None:
        activity = f"running, or killed at {_shown(found.last_activity)}"
        return f"{rules}. Started {_shown(found.runs[0].started_at)}; {activity}."
    ended = f"ended {_shown(last.finished_at)} ({last.stop_reason})"
    return f"{rules}. Started {_shown(found.runs[0].started_at)}, {ended}."


def _shown(moment: str | None) -> str:
    return f"{moment[:10]} {moment[11:19]} UTC" if moment else "never"


def _write_charts(drawn: ChartData, out: TextIO) -> None:
    from penstock.storage.reading.chart_data import BOUNDS_MS, DEEPEST

    if drawn.began is None:
        return
    statuses = [(name, urls, _KINDS.get(name[0], "none")) for name, urls in drawn.statuses]
    edges = [f"<{_short(bound)}" for bound in BOUNDS_MS] + [f"{_short(BOUNDS_MS[-1])}+"]
    depths = [
        (f"{depth}+" if depth == DEEPEST else str(depth), pages, format_count(pages))
        for depth, pages in drawn.depths
    ]
    piece = max(drawn.seconds, 0.001) / len(drawn.bytes)
    flow = [
        (format_duration(i * piece), amount / piece, f"{format_size(amount / piece)}/s")
        for i, amount in enumerate(drawn.bytes)
    ]
    began = datetime.fromtimestamp(drawn.began, UTC)
    ended = datetime.fromtimestamp(drawn.began + drawn.seconds, UTC)
    form = "%H:%M:%S" if began.date() == ended.date() else "%Y-%m-%d %H:%M"
    times = [(edge, number, format_count(number)) for edge, number in zip(edges, drawn.times, strict=True)]
    most = max(amount for _, amount, _ in flow)
    stages = [
        (f"{stage} ({share:.0%} busy)", round(handled / max(drawn.busy, 0.001)), "none")
        for stage, handled, share in drawn.stages
    ]
    by_stage = [("Throughput by stage, messages per second", charts.bars(stages, about="messages by stage"))]
    out.write('<div class="charts">\n')
    for caption, drawing in (
        ("Responses by status", charts.bars(_most(statuses), about="URLs by status or error")),
        (
            "Pages by depth",
            charts.columns(depths, about="pages by link hops from a seed", every=1 + len(depths) // 13),
        ),
        ("Response times (in ms, or s)", charts.columns(times, about="responses by time")),
        (
            "Pages over time",
            charts.rising(drawn.pages, (f"{began:{form}}", f"{ended:{form}} UTC"), about="pages so far"),
        ),
        (
            f"Throughput, peak {format_size(most)}/s",
            charts.columns(flow, about="bytes of bodies per second", every=12, values=False),
        ),
        *(by_stage if stages else []),
    ):
        out.write(f"<figure><figcaption>{text(caption)}</figcaption>\n{drawing}</figure>\n")
    out.write("</div>\n")


def _most(rows: Sequence[tuple[str, int, str]]) -> Sequence[tuple[str, int, str]]:
    """The most frequent rows, in their order, and the sum of the others."""
    if len(rows) <= _STATUSES_SHOWN:
        return rows
    kept = set(sorted(rows, key=lambda row: -row[1])[: _STATUSES_SHOWN - 1])
    rest = sum(number for name, number, kind in rows if (name, number, kind) not in kept)
    return [*(row for row in rows if row in kept), ("others", rest, "none")]


def _short(milliseconds: int) -> str:
    return f"{milliseconds // 1000}s" if milliseconds >= 1000 else str(milliseconds)
