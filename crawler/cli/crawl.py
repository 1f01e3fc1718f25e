"""`crawl`: build the configuration, run the crawl, show it, and print the result.

May touch: standard error, signal handlers, the event loop; the library for all else.
Never: standard output, except for --print-config.

Nothing is fetched and no database is opened before every option was checked.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.crawler.cli import EXIT_CODES, write_stdout
from penstock.crawler.cli.arguments import add_crawl_flags
from penstock.crawler.config import environment
from penstock.crawler.config.crawl_config import (
    CRAWL_OPTIONS,
    OUTPUT_OPTIONS,
    PATH_OPTIONS,
    CrawlConfig,
    OutputConfig,
)
from penstock.crawler.config.option_files import as_toml, read_options, read_seeds
from penstock.crawler.errors import BadConfig, PenstockError, Refusal
from penstock.crawler.output.terminal import escape_control_chars, wants_colour

if TYPE_CHECKING:
    from penstock.crawler.library.crawl import Crawl
    from penstock.crawler.run_result import Report
    from penstock.storage.reading.outcome import Outcome

NEW_OBJECTS = 10_000  # between two garbage collections; Python's own choice is 700

DESCRIPTION = """\
Crawl from one or more seeds into one SQLite file. The same command resumes an unfinished crawl.

  %(prog)s --seed https://example.com/ --depth 2
  %(prog)s --seed https://example.com/ --scope domain --max-pages 10000 --db example.db
"""
MORE = "exit codes:\n" + "".join(f"  {code:>3}  {meaning}\n" for code, meaning in EXIT_CODES.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.argument_default = argparse.SUPPRESS
    parser.usage = "%(prog)s --seed URL [--seed URL ...] [options]"
    add_crawl_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Crawl as asked and return the exit code. Raises PenstockError.

    `args` holds the flags that were given, `program` (how the command is called) and
    `words` (the arguments after it).
    """
    config, output = _check(_collect_options(args))
    if getattr(args, "print_config", False):
        _print_config(config, output)
        return 0
    args.log_level = output.level  # for `main`, which shows tracebacks at debug

    # Slow to load, here and below, so not for --help.
    from penstock.crawler.cli import summary
    from penstock.crawler.cli.live.progress import show
    from penstock.crawler.output import logs

    logs.configure(level=output.level, form=output.log_format)
    called = [*args.program, *args.words]
    report = _crawl(config, output, called)
    resume = summary.resume_lines(report.stop_reason, called)
    outcome = None if output.quiet else _load_outcome(config)
    lines = summary.summary_lines(
        report,
        database=str(config.db),
        program=args.program,
        outcome=outcome,
        depth=config.depth,
        insecure=config.insecure,
    )
    fields = summary.summary_fields(report, database=str(config.db), outcome=outcome) | {"resume": resume}
    show(
        output,
        (summary.coloured(lines, report) if wants_colour() else lines) + resume,
        "crawl_summed_up",
        fields,
    )
    return report.exit_code


# -- options


def _collect_options(args: argparse.Namespace) -> dict[str, object]:
    """All options by name: those of the file, then of the environment, then the flags; the last one wins."""
    given = dict(vars(args))
    known = CRAWL_OPTIONS.keys() | OUTPUT_OPTIONS.keys()
    values = read_options(given["config"], known, paths=PATH_OPTIONS) if "config" in given else {}
    if "seed_files" in given:
        from_files = [seed for path in given["seed_files"] for seed in read_seeds(path)]
        given["seeds"] = [*given.get("seeds", []), *from_files]
    values |= environment.options()
    return values | {name: value for name, value in given.items() if name in known}


def _check(values: Mapping[str, object]) -> tuple[CrawlConfig, OutputConfig]:
    """Build both configurations. Raises BadConfig with the problems of both in one line."""
    problems: list[str] = []
    for_output = {name: value for name, value in values.items() if name in OUTPUT_OPTIONS}
    for_crawl = {"seeds": ()} | {name: value for name, value in values.items() if name in CRAWL_OPTIONS}
    config = output = None
    try:
        config = CrawlConfig(**for_crawl)  # type: ignore[arg-type]
    except BadConfig as problem:
        problems.append(str(problem))
    try:
        output = OutputConfig(**for_output)  # type: ignore[arg-type]
    except BadConfig as problem:
        problems.append(str(problem))
    if config is None or output is None:
        raise BadConfig("; ".join(problems))
    return config, output


def _print_config(config: CrawlConfig, output: OutputConfig) -> None:
    values: dict[str, object] = {name: getattr(config, name) for name in CRAWL_OPTIONS}
    values |= {name: getattr(output, name) for name in OUTPUT_OPTIONS}
    values["depth"] = "inf" if config.depth is None else config.depth
    values["select"] = [rule.as_dict() for rule in config.select_rules]
    values["plugins"] = config.plugin_names
    hidden = [f"header {text.partition(':')[0]}" for text in values.pop("header")]  # type: ignore[attr-defined]
    if values.pop("auth") is not None:
        hidden.append("auth")
    if config.exit is not None and config.exit.authorization is not None:
        hidden.append(f"proxy {config.exit.shown}")
        del values["proxy"]
    text = as_toml(values) + "".join(f"# {name}: its value is not shown\n" for name in hidden)
    write_stdout(text.encode("utf-8", "backslashreplace").decode())


# -- the run


def _crawl(config: CrawlConfig, output: OutputConfig, called: Sequence[str]) -> Report:
    """Run the crawl to its end. An error on the way gets a note with the command that resumes."""
    from penstock.stages.http.tls import load_authorities_lazily

    with _loading_modules(), load_authorities_lazily():
        import asyncio

        from penstock.crawler.cli import signals
        from penstock.crawler.cli.summary import resume_lines
        from penstock.crawler.engine.malloc import tune_allocator
        from penstock.crawler.engine.open_files import raise_limit
        from penstock.crawler.library.crawl import Crawl

        crawl = Crawl(config)  # loads the fetch tier

    tune_allocator()
    raise_limit()
    note = "\n".join(resume_lines("error", called))
    try:
        with signals.restore_handlers():
            return asyncio.run(_run_and_show(crawl, config, output))
    except Refusal:
        raise
    except BrokenPipeError as error:  # `main` would take it for a reader of standard output that left
        told = PenstockError(f"unexpected {type(error).__name__}: {error}")
        told.add_note(note)
        raise told from error
    except Exception as error:
        error.add_note(note)
        raise


def _load_outcome(config: CrawlConfig) -> Outcome | None:
    """What the file says of failures; None if it cannot be read: the crawl has ended, with its own result."""
    from penstock.storage.reading.crawl_reader import open_reader
    from penstock.storage.reading.outcome import load_outcome

    try:
        with open_reader(config.path, cleans_up=True) as reader, reader.snapshot() as connection:
            return load_outcome(connection, seeds=len(config.seeds))
    except PenstockError:
        return None


@contextlib.contextmanager
def _loading_modules() -> Iterator[None]:
    """Collect no garbage while modules are loaded, and seldom afterwards.

    The objects of modules live to the end, and hardly any object of a crawl is part of a cycle:
    at Python's usual pace the collections took an eighth of the processor time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS, 10, 10)
        gc.enable()


async def _run_and_show(crawl: Crawl, config: CrawlConfig, output: OutputConfig) -> Report:
    from penstock.crawler.cli import signals
    from penstock.crawler.cli.live.progress import live_view, show

    reasons: list[str] = []

    def stop(reason: str) -> None:
        crawl.stop(reason)
        reasons.append(reason)
        fields = {"reason": reason, "abort": len(reasons) > 1}
        show(output, [_describe_stop(reasons, config.grace)], "stop_requested", fields)

    def describe() -> None:
        lines = [escape_control_chars(line) for line in crawl.describe()]
        show(output, lines, "described", {"lines": lines})

    with signals.handle_signals(stop, describe):
        async with live_view(crawl.snapshot, output):
            return await crawl.run()


def _describe_stop(reasons: Sequence[str], grace: float) -> str:
    if len(reasons) > 1:
        return "aborting: the next run fetches the pages in flight again"
    again = "press Ctrl-C again" if reasons[0] == "sigint" else "send the signal again"
    return f"stopping: waiting up to {grace:g} s for work in flight; {again} to abort"
