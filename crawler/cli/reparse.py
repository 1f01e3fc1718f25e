"""`reparse`: extract again from saved bodies, with other rules. Nothing is requested.

May touch: the database, for writing; parser processes; standard error.

The result equals that of a crawl with these options: --select and --plugin replace the values and
failures of these rules and plugins, and leave those of others; --structured replaces all structured data,
--search the text. Links that a plugin returns are ignored.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.crawler.cli.open_database import add_database
from penstock.crawler.config.crawl_config import CRAWL_OPTIONS, OUTPUT_OPTIONS
from penstock.crawler.config.option_checks import join_problems
from penstock.crawler.config.option_files import read_options
from penstock.crawler.errors import BadConfig
from penstock.crawler.output.terminal import escape_control_chars, write_stderr

if TYPE_CHECKING:
    from penstock.crawler.extraction import SourceTally
    from penstock.crawler.messages import CanonicalUrl, Content
    from penstock.stages.extractors.fields.plan import Plan
    from penstock.stages.parse import ParseStage
    from penstock.storage.jobs.reparse_store import SavedBody

_OPTIONS = ("select", "structured", "plugins", "search")  # of a crawl that a reparse has too


DESCRIPTION = """\
Extract again from the bodies that --save-bodies stored, with other rules. Nothing is requested.
"""
MORE = """\
  %(prog)s --select price=.price --db example.db
  %(prog)s --search
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.argument_default = argparse.SUPPRESS
    add = parser.add_argument
    add(
        "--select",
        action="append",
        metavar="NAME=CSS[@ATTR]",
        help="as in crawl; replaces this rule's values",
    )
    add(
        "--plugin",
        dest="plugins",
        action="append",
        metavar="MODULE:FUNCTION",
        help="as in crawl; replaces this plugin's values",
    )
    add("--structured", action="store_true", help="as in crawl; replaces all structured data")
    add("--search", action="store_true", help="as in crawl; builds the index for the command search")
    add("--config", metavar="FILE", help="read these four options from a TOML file; flags override it")
    add(
        "--anew",
        action="store_true",
        help="start over instead of continuing an interrupted reparse",
    )
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    """Reparse and print the counts. Raises BadConfig and BadDatabase."""
    import asyncio

    from penstock.crawler.cli.summary import resume_lines, source_lines
    from penstock.crawler.output import logs
    from penstock.crawler.run_result import INTERNAL_FAILURES
    from penstock.stages.extractors.fields.plan import Plan

    values = _collect_options(vars(args))
    plan = Plan(
        rules=values.get("select", ()),
        structured=values.get("structured", False),
        text=values.get("search", False),
        plugins=values.get("plugins", ()),
    )
    if plan == Plan():
        raise BadConfig("nothing to extract: give --select, --plugin, --structured or --search")
    logs.configure()
    try:
        counts, sources = asyncio.run(_reparse(args, plan))
    except KeyboardInterrupt:
        write_stderr("\n".join(resume_lines("sigint", [*args.program, *args.words])))
        raise
    write_stderr(
        f"reparsed {counts['pages']:,} pages: {counts['values']:,} values, {counts['items']:,} items of "
        f"structured data, {counts['texts']:,} texts indexed, {counts['mishaps']:,} failures"
    )
    if counts["unread"]:
        write_stderr(f"{counts['unread']:,} pages could not be parsed")
    for line in source_lines(sources):
        write_stderr(line)
    return INTERNAL_FAILURES if any(tally.is_broken for tally in sources) else 0


def _collect_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the file that a reparse has too, overridden by the flags, and checked."""
    known = CRAWL_OPTIONS.keys() | OUTPUT_OPTIONS.keys()
    values = {**(read_options(given["config"], known) if "config" in given else {}), **given}
    checked: dict[str, Any] = {}
    problems: list[str] = []
    for name in _OPTIONS:
        if name in values:
            field = CRAWL_OPTIONS[name]
            try:
                checked[name] = field.option.check(field.flag, values[name])
            except BadConfig as problem:
                problems.append(str(problem))
    if problems:
        raise BadConfig(join_problems(problems))
    return checked


async def _reparse(args: argparse.Namespace, plan: Plan) -> tuple[Counter[str], list[SourceTally]]:
    import asyncio
    from pathlib import Path

    from penstock.crawler.config.plugins import names_of
    from penstock.crawler.extraction import SourceTally
    from penstock.crawler.monitor.watchdog import FailureWarnings, warn_of_slow_plugin
    from penstock.stages.extractors import DocumentTable
    from penstock.stages.extractors.fields.field_extractor import FieldExtractor
    from penstock.stages.extractors.html import HtmlExtractor
    from penstock.stages.parse import LocalReader, ParseStage, Placement
    from penstock.stages.workers.worker_pool import WorkerPool
    from penstock.storage.jobs.reparse_store import ReparseRequest, ReparseStore

    fields = FieldExtractor(plan, on_slow=warn_of_slow_plugin)  # refuses what is no selector or plugin
    wanted = ReparseRequest(
        plan=_written(plan),
        values=bool(plan.rules or plan.plugins),
        structured=plan.structured,
        search=plan.text,
        rules=[rule.name for rule in plan.rules],
        plugins=names_of(plan.plugins),
    )
    store = await ReparseStore.open(Path(args.db), wanted, anew=getattr(args, "anew", False))
    if store.resumed:
        write_stderr(
            f"{escape_control_chars(str(args.db))}: resuming the interrupted reparse with these rules"
        )
    workers = WorkerPool(1, plan=plan)
    stage = ParseStage(
        documents=DocumentTable(html=HtmlExtractor(fields=fields)),
        on_errors=FailureWarnings().note,
        reader=LocalReader(marker=_NoMarks()),
        workers=workers,
        placement=Placement(shares_light=fields.portable),
    )
    counts: Counter[str] = Counter()
    try:
        while batch := await store.next():
            contents = await asyncio.gather(*(_content(stage, page) for page in batch))
            pages = list(zip(batch, contents, strict=True))
            await store.save(pages)
            for _, content in pages:
                _count(counts, content)
        await store.finish()
        sources = [*wanted.rules, *wanted.plugins]
        tallies = {tally.source: tally for tally in await store.sources()}
        found = [tallies.get(source) or SourceTally(source) for source in dict.fromkeys(sources)]
    finally:
        await workers.close()
        await store.close()
    return counts, found


def _written(plan: Plan) -> str:
    """The plan as JSON, by which an interrupted reparse is recognized."""
    from penstock.crawler.config.plugins import name_of

    rules_ = [rule.as_dict() for rule in plan.rules]
    return json.dumps([rules_, plan.structured, plan.text, [name_of(plugin) for plugin in plan.plugins]])


class _NoMarks:
    """No crash counts: if a page crashes a reparse, the person who restarts it sees which page it was."""

    def begin(self, url: CanonicalUrl) -> int:
        return 0

    def end(self, mark: int) -> None:
        return


async def _content(stage: ParseStage, page: SavedBody) -> Content | None:
    """The content of the page, as if it had just been fetched; None if it cannot be parsed."""
    from penstock.crawler.messages import Answer, Fetched, FetchTask, ParsedPage
    from penstock.stages.http.mime import extract_mime
    from penstock.stages.http.sniffing import sniff_mime

    mime = extract_mime([page.content_type or ""])
    answer = Answer(
        status=200,
        fetched_at=page.fetched_at,
        elapsed_ms=0,
        content_type=mime.essence or sniff_mime(page.body or b""),
        charset=mime.charset,
    )
    task = FetchTask(url=page.url, host="", depth=0)
    [message] = await stage.handle(Fetched(task=task, answer=answer, body=page.body))
    return message.content if isinstance(message, ParsedPage) else None


def _count(counts: Counter[str], content: Content | None) -> None:
    counts["pages"] += 1
    if content is None or content.extraction is None:
        counts["unread"] += 1
        return
    extraction = content.extraction
    counts["values"] += len(extraction.values)
    counts["items"] += len(extraction.items)
    counts["texts"] += extraction.text is not None
    counts["mishaps"] += len(extraction.errors)
