"""`reparse`: new rules for pages that were fetched long ago. Nothing is asked of any server.

May touch: the database, for writing; parser processes; standard error.

What it leaves is what a crawl with these options would have left: with --select or
--plugin all values and their failures are replaced, with --structured all structured
data, with --search the text. Links that a plugin returns are not taken.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.crawler.cli.open_database import add_database
from penstock.crawler.config import option_checks as checks
from penstock.crawler.config import option_files as options
from penstock.crawler.config.option_checks import join_problems
from penstock.crawler.config.plugins import name_of, plugins
from penstock.crawler.config.select_rules import check_rules
from penstock.crawler.errors import BadConfig
from penstock.crawler.output.terminal import escape_control_chars, write_stderr

if TYPE_CHECKING:
    from penstock.crawler.messages import CanonicalUrl, Content
    from penstock.stages.extractors.fields.plan import Plan
    from penstock.stages.parse import ParseStage
    from penstock.storage.jobs.reparse_store import SavedBody

_CHECKS = {"select": check_rules, "structured": checks.truth, "plugins": plugins, "search": checks.truth}
_FLAGS = {"select": "--select", "structured": "--structured", "plugins": "--plugin", "search": "--search"}


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "reparse",
        help="apply new rules to saved bodies, without fetching",
        description="Read the bodies that --save-bodies kept once more, with other rules.",
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("--select", action="append", metavar="NAME=CSS[@ATTR]", help="as of crawl; replaces all values")
    add("--plugin", dest="plugins", action="append", metavar="MODULE:FUNCTION", help="as of crawl")
    add("--structured", action="store_true", help="as of crawl; replaces all structured data")
    add("--search", action="store_true", help="as of crawl: build the index for the command search")
    add("--config", metavar="FILE", help="take these four from a crawl's file of options; a flag wins")
    add("--anew", action="store_true", help="begin anew where a reparse with the same rules was cut off")
    add_database(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Reparse and say how it went. Raises BadConfig and BadDatabase."""
    import asyncio

    from penstock.crawler.output import logs
    from penstock.stages.extractors.fields.plan import Plan

    values = _settled(_gathered(vars(args)))
    plan = Plan(
        rules=values.get("select", ()),
        structured=values.get("structured", False),
        text=values.get("search", False),
        plugins=values.get("plugins", ()),
    )
    if plan == Plan():
        raise BadConfig("say what is wanted: --select, --plugin, --structured or --search")
    logs.configure()
    try:
        counts = asyncio.run(_reparse(args, plan))
    except KeyboardInterrupt:
        write_stderr("stopped: the same command goes on from here")
        raise
    write_stderr(
        f"reparsed {counts['pages']:,} pages: {counts['values']:,} values, {counts['items']:,} items of "
        f"structured data, {counts['texts']:,} texts indexed, {counts['mishaps']:,} failures"
    )
    if counts["unread"]:
        write_stderr(f"{counts['unread']:,} pages could not be read, and yield nothing")
    return 0


def _gathered(given: Mapping[str, Any]) -> dict[str, object]:
    """The file's options, as far as they concern us, and over them the flags."""
    values = options.read_file(given["config"], also=_view_names()) if "config" in given else {}
    return {name: given.get(name, values.get(name)) for name in _CHECKS if name in given or name in values}


def _view_names() -> Sequence[str]:
    from penstock.crawler.cli.live.view_options import VIEW_NAMES

    return VIEW_NAMES


def _settled(values: Mapping[str, object]) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in values.items():
        try:
            settled[name] = _CHECKS[name](_FLAGS[name], value)
        except BadConfig as problem:
            problems.append(str(problem))
    if problems:
        raise BadConfig(join_problems(problems))
    return settled


async def _reparse(args: argparse.Namespace, plan: Plan) -> Counter[str]:
    from pathlib import Path

    from penstock.crawler.monitor.watchdog import warn_of_slow_plugin
    from penstock.stages.extractors.fields.field_extractor import FieldExtractor
    from penstock.stages.extractors.html import HtmlExtractor
    from penstock.stages.parse import ParseStage
    from penstock.stages.workers.worker_pool import WorkerPool
    from penstock.storage.jobs.reparse_store import ReparseRequest, ReparseStore

    fields = FieldExtractor(plan, on_slow=warn_of_slow_plugin)  # refuses what is no selector or plugin
    wanted = ReparseRequest(
        plan=_written(plan),
        values=bool(plan.rules or plan.plugins),
        structured=plan.structured,
        search=plan.text,
    )
    store = await ReparseStore.open(Path(args.db), wanted, anew=getattr(args, "anew", False))
    if store.resumed:
        write_stderr(
            f"{escape_control_chars(str(args.db))}: resuming the interrupted reparse with these rules"
        )
    workers = WorkerPool(1, plan=plan)
    stage = ParseStage(
        extractor=HtmlExtractor(fields=fields),
        marker=_NoMarks(),
        workers=workers,
        share=fields.portable,
    )
    counts: Counter[str] = Counter()
    try:
        while batch := await store.next():
            pages = await _read(stage, batch)
            await store.save(pages)
            for _, content in pages:
                _count(counts, content)
        await store.finish()
    finally:
        await workers.close()
        await store.close()
    return counts


def _written(plan: Plan) -> str:
    """The plan as JSON, by which a reparse that was cut off is known again."""
    rules_ = [rule.as_dict() for rule in plan.rules]
    return json.dumps([rules_, plan.structured, plan.text, [name_of(plugin) for plugin in plan.plugins]])


class _NoMarks:
    """A reparse that dies is begun again by a person, who sees which page it was."""

    def begin(self, url: CanonicalUrl) -> int:
        return 0

    def end(self, mark: int) -> None:
        return


async def _read(stage: ParseStage, batch: Sequence[SavedBody]) -> list[tuple[SavedBody, Content | None]]:
    import asyncio

    contents = await asyncio.gather(*(_content(stage, page) for page in batch))
    return list(zip(batch, contents, strict=True))


async def _content(stage: ParseStage, page: SavedBody) -> Content | None:
    """What the page holds, as if it had just been fetched; None if it cannot be read."""
    from penstock.crawler.messages import Answer, Fetched, FetchTask, ParsedPage
    from penstock.stages.http.mime import parse_mime

    mime = parse_mime(page.content_type)
    answer = Answer(
        status=200,
        fetched_at=page.fetched_at,
        elapsed_ms=0,
        content_type=mime.essence,
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
