"""The command line: find the command, run it, and turn every ending into an exit code.

    crawl (the default)   status   report   why   query   search   export   site   diff
    analyse   reparse   metadata

arguments      the flags of `crawl`, made from the options, and the parser of a command line.
mistakes       what was probably meant by a command line that cannot be right.
open_database  the flags, the reader and the results of the commands that read a crawl's file.
table_formats  rows on standard output: table, csv, json, jsonl, html, parquet.
causes         why URLs failed and why a crawl found little, in words, with what to try.
summary        the last lines of a crawl, and the command that resumes it.
signals        Ctrl-C and SIGTERM end a crawl; a second one aborts it.
html/          the HTML report that `site` writes.
live/          the view of a running crawl.

May touch: standard output and error, the process's arguments.

Every other module is a command: DESCRIPTION and MORE are its help, `add_arguments` declares its
arguments, `run` does the work. An error of the operator ends as one line on standard error; a
traceback is for our own bugs, and only at --log-level debug. Start-up time counts (a person
waits for --help): a command's module is loaded when the command was named, and slow libraries
when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from penstock.crawler.cli.arguments import Parser
from penstock.crawler.errors import PenstockError
from penstock.crawler.output.terminal import escape_control_chars, write_stderr
from penstock.crawler.version import VERSION

COMMANDS = {
    "crawl": "crawl from one or more seeds (the default command)",
    "status": "show how far a crawl is; it may be running",
    "report": "print a named report, such as broken_links",
    "why": "explain the state of one URL",
    "query": "run one SELECT on the database",
    "search": "find pages by the words in them",
    "export": "write pages, links or the whole crawl as csv, jsonl, parquet, warc, ...",
    "site": "write an HTML report of the whole crawl",
    "diff": "compare two crawls",
    "analyse": "compute PageRank, word counts and near duplicates for the reports",
    "reparse": "extract again from saved bodies, without fetching",
    "metadata": "print table descriptions and queries for Datasette",
}

EXIT_CODES = {
    0: "complete",
    1: "stopped by an error, or complete with internal failures, or with a rule or plugin that failed "
    "wherever it was applied",
    2: "usage error, or refused before the first request",
    3: "stopped by a budget; resumable",
    4: "no page could be stored; the same command tries again",
    5: "a --fail-if of diff is true",
    6: "more URLs failed than --max-failed allows",
    7: "the session of --session ended, and a new log-in did not bring it back; resumable",
    75: "another process holds the file; try again later",
    129: "stopped by SIGHUP; resumable",
    130: "stopped by SIGINT (Ctrl-C); resumable",
    141: "the reader of standard output has left",
    143: "stopped by SIGTERM; resumable",
}

_INTERRUPTED = 130
_READER_LEFT = 141  # what a shell shows for a command that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Raises nothing."""
    _replace_closed_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    args = argparse.Namespace(program=_program(called=argv is None), words=words)
    try:
        code = _run(words, args)
        write_stdout()  # flushed here, where a closed pipe can still be handled
    except SystemExit as ending:  # argparse, after --help and --version
        code = ending.code if isinstance(ending.code, int) else 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:  # `... | head` has read enough
        code = _READER_LEFT
    except BaseException as error:
        code = _print_error(error, args)
        with contextlib.suppress(OSError, ValueError):  # else Python's own last flush changes the code to 120
            sys.stdout.flush()
    return code


def write_stdout(text: str = "") -> None:
    """Write to standard output, and flush. Raises PenstockError; BrokenPipeError if the reader has left."""
    try:
        if text:  # a full device refuses even an empty write
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PenstockError(f"cannot write the result: {error.strerror or error}") from error


def _run(words: list[str], args: argparse.Namespace) -> int:
    first = words[0] if words else ""
    if first in ("-h", "--help"):
        write_stdout(_help(args.program))
        return 0
    if first not in COMMANDS and first != "--version":
        words = ["crawl", *words]
    parser, command = build_parsers(words[0], args.program)
    _, rest = parser.parse_known_args(words, args)
    if rest:
        secretive = any(hasattr(args, name) for name in ("header", "auth", "proxy"))
        from penstock.crawler.cli.mistakes import unexpected_arguments  # slow to load

        raise unexpected_arguments(rest, command, COMMANDS, line=words, secretive=secretive)
    return int(args.run(args))


def build_parsers(name: str, program: Sequence[str]) -> tuple[Parser, Parser]:
    """The parser of the program with one command, and that command's own."""
    parser = Parser(prog=" ".join(program))
    parser.add_argument("--version", action="version", version=f"Penstock {VERSION}")
    subparsers: Any = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    if name not in COMMANDS:
        return parser, parser
    module = importlib.import_module(f"penstock.crawler.cli.{name}")
    command: Parser = subparsers.add_parser(
        name,
        description=module.DESCRIPTION,
        epilog=module.MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(command)
    command.set_defaults(run=module.run)
    return parser, command


def _help(program: Sequence[str]) -> str:
    """The commands, then the flags of `crawl`, which needs no name."""
    called = " ".join(program)
    commands = "".join(f"  {name:<9} {text}\n" for name, text in COMMANDS.items())
    _, crawl = build_parsers("crawl", program)
    return (
        f"usage: {called} [crawl] --seed URL [options]\n       {called} COMMAND [options]\n\n"
        "Penstock crawls a web site, or many, into one SQLite file that you can stop, resume and query.\n\n"
        f"commands:\n{commands}\n"
        "COMMAND --help shows the arguments of a command; those of crawl follow.\n\n"
        f"{crawl.format_help()}"
    )


def _program(*, called: bool) -> list[str]:
    """How this program is called, without its arguments: `python run_crawl.py`, or `penstock`."""
    if not called:
        return ["python", "run_crawl.py"]
    if not sys.argv[0].endswith(".py"):
        return [os.path.basename(sys.argv[0])]
    # As it was typed: another python may lack the libraries of this one.
    return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv[1:])]


def _print_error(error: BaseException, args: argparse.Namespace) -> int:
    """Print the error in one line, and its notes (the command that resumes). Returns the exit code."""
    leaf = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    if isinstance(leaf, KeyboardInterrupt):
        return _INTERRUPTED
    if isinstance(leaf, PenstockError):
        write_stderr(f"penstock: error: {escape_control_chars(str(leaf))}")
    else:
        hint = "" if _debugging(args) else " (--log-level debug shows where)"
        write_stderr(
            f"penstock: error: unexpected {type(leaf).__name__}: {escape_control_chars(str(leaf))}{hint}"
        )
    for note in getattr(error, "__notes__", ()):
        write_stderr("\n".join(map(escape_control_chars, note.splitlines())))
    if _debugging(args):
        write_stderr(
            "\n".join(map(escape_control_chars, "".join(traceback.format_exception(error)).splitlines()))
        )
    return leaf.exit_code if isinstance(leaf, PenstockError) else 1


def _debugging(args: argparse.Namespace) -> bool:
    return getattr(args, "log_level", None) == "debug"


def _replace_closed_streams() -> None:
    """Open /dev/null for each standard stream that was closed when the process started (`2>&-`).

    Else Python has None there, and the next file that is opened, perhaps the database, would get
    descriptor 2, to which C libraries print their errors.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # it stays open to the end
