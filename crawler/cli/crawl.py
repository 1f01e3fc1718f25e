"""`crawl`: build the configuration, run the crawl, show it, and say how it ended.

May touch: standard error, signal handlers, the event loop; the library for all else.
Never: standard output, but for --print-config.

Nothing is fetched and no database is opened before every option was checked.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from penstock.crawler.cli import write_out
from penstock.crawler.cli.flags import add_flags
from penstock.crawler.cli.live.view_options import VIEW_NAMES, View
from penstock.crawler.config import environment
from penstock.crawler.config import option_files as options
from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.errors import BadConfig, PenstockError, Refusal
from penstock.crawler.output.terminal import escape_control_chars

if TYPE_CHECKING:
    from penstock.crawler.library.crawl import Crawl
    from penstock.crawler.run_result import Report

NEW_OBJECTS = 10_000  # between two searches for cycles; Python's own choice is 700


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "crawl",
        help="crawl from one or more seeds (the default command)",
        description="Crawl from one or more seeds into one SQLite file. The same command again resumes it.",
        usage="%(prog)s --seed URL [--seed URL ...] [options]",
        argument_default=argparse.SUPPRESS,
    )
    add_flags(parser)
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Crawl as asked and return the exit code. Raises PenstockError.

    `args` holds the flags that were given, `program` (how the command is called) and
    `words` (what stood behind it).
    """
    config, view = _checked(_gathered(args))
    if getattr(args, "print_config", False):
        _print_config(config, view)
        return 0
    args.log_level = view.level  # for `main`, which shows tracebacks at debug

    # Slow to load, here and below, so not for --help.
    from penstock.crawler.cli import summary
    from penstock.crawler.output import logs

    logs.configure(level=view.level, form=view.log_format)
    called = [*args.program, *args.words]
    report = _crawled(config, view, called)
    resume = summary.resume_lines(report.stop_reason, called)
    view.tell(
        summary.lines(report, database=str(config.db), program=args.program) + resume,
        "crawl_summed_up",
        summary.facts(report, database=str(config.db)) | {"resume": resume},
    )
    return report.exit_code


def _crawled(config: CrawlConfig, view: View, called: Sequence[str]) -> Report:
    """Run the crawl to its end; what stops it on the way is told how to go on."""
    from penstock.stages.http.tls import load_authorities_lazily

    with _loading(), load_authorities_lazily():
        import asyncio

        from penstock.crawler.cli import signals
        from penstock.crawler.cli.summary import resume_lines
        from penstock.crawler.engine.malloc import tune_allocator
        from penstock.crawler.library.crawl import Crawl

        crawl = Crawl(config)  # loads the fetch tier

    tune_allocator()
    note = "\n".join(resume_lines("error", called))
    try:
        with signals.restored():
            return asyncio.run(_watched(crawl, config, view))
    except Refusal:
        raise
    except BrokenPipeError as error:  # `main` would take it for a reader of standard output that left
        told = PenstockError(f"unexpected {type(error).__name__}: {error}")
        told.add_note(note)
        raise told from error
    except Exception as error:
        error.add_note(note)
        raise


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """What is loaded meanwhile is there to stay: never look for cycles in it, and elsewhere seldom.

    Of what a crawl makes hardly anything is part of a cycle: at its usual pace the search took
    an eighth of the processor time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS, 10, 10)
        gc.enable()


def _gathered(args: argparse.Namespace) -> dict[str, object]:
    """All options by name: the file's, over them the environment's, and over these the flags."""
    given = dict(vars(args))
    values = options.read_file(given["config"], also=VIEW_NAMES) if "config" in given else {}
    if "seed_files" in given:
        from_files = [seed for path in given["seed_files"] for seed in options.read_seeds(path)]
        given["seeds"] = [*given.get("seeds", []), *from_files]
    values |= environment.options()
    return values | {name: given[name] for name in (*options.CONFIG_NAMES, *VIEW_NAMES) if name in given}


def _checked(values: Mapping[str, object]) -> tuple[CrawlConfig, View]:
    """Build both, or report what is wrong with either in one line. They check every type themselves."""
    problems: list[str] = []
    of_view = {name: value for name, value in values.items() if name in VIEW_NAMES}
    of_crawl = {"seeds": ()} | {name: value for name, value in values.items() if name not in VIEW_NAMES}
    config = view = None
    try:
        config = CrawlConfig(**of_crawl)  # type: ignore[arg-type]
    except BadConfig as problem:
        problems.append(str(problem))
    try:
        view = View(**of_view)  # type: ignore[arg-type]
    except BadConfig as problem:
        problems.append(str(problem))
    if config is None or view is None:
        raise BadConfig("; ".join(problems))
    return config, view


def _print_config(config: CrawlConfig, view: View) -> None:
    values: dict[str, object] = {field.name: getattr(config, field.name) for field in fields(config)}
    values |= {name: getattr(view, name) for name in VIEW_NAMES}
    values["depth"] = "inf" if config.depth is None else config.depth
    values["select"] = [rule.as_dict() for rule in config.select_rules]
    values["plugins"] = config.plugin_names
    hidden = [f"header {text.partition(':')[0]}" for text in values.pop("header")]  # type: ignore[attr-defined]
    if values.pop("auth") is not None:
        hidden.append("auth")
    if config.exit is not None and config.exit.authorization is not None:
        hidden.append(f"proxy {config.exit.shown}")
        del values["proxy"]
    text = options.as_toml(values) + "".join(f"# {name}: its value is not shown\n" for name in hidden)
    write_out(text.encode("utf-8", "backslashreplace").decode())


async def _watched(crawl: Crawl, config: CrawlConfig, view: View) -> Report:
    from penstock.crawler.cli import signals
    from penstock.crawler.cli.live import progress

    asked: list[str] = []

    def stop(reason: str) -> None:
        crawl.stop(reason)
        asked.append(reason)
        view.tell(
            [_stopping(asked, config.grace)], "stop_requested", {"reason": reason, "abort": len(asked) > 1}
        )

    def describe() -> None:
        lines = [escape_control_chars(line) for line in crawl.describe()]
        view.tell(lines, "described", {"lines": lines})

    with signals.caught(stop, describe):
        async with progress.shown(crawl.snapshot, view):
            return await crawl.run()


def _stopping(asked: Sequence[str], grace: float) -> str:
    if len(asked) > 1:
        return "aborting: what was in flight will be fetched again by the next run"
    again = "press Ctrl-C again" if asked[0] == "sigint" else "send the signal again"
    return f"stopping: work in flight has {grace:g} s to end; {again} to abort"
