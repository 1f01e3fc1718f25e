"""The command line: find the command, run it, and turn every ending into an exit code.

    crawl (the default)   status   query   why   report   export   diff   site   analyse   metadata
    search   reparse

May touch: standard output and error, the process's arguments.

One file per command here: `add_parser` declares it, `run` does it. What the operator can
do wrong ends as one line on standard error; a traceback is for our own bugs, and only at
--log-level debug. Start-up counts (a person waits for --help), so a command's module is
loaded when it was named, and everything slow when it runs.
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

from penstock.crawler.cli.suggestions import Parser, unknown_words
from penstock.crawler.errors import PenstockError
from penstock.crawler.output.terminal import escape_control_chars, write_stderr
from penstock.crawler.version import VERSION

COMMANDS = {
    "crawl": "crawl from one or more seeds (the default command)",
    "status": "how far a crawl is",
    "query": "ask the database in SQL",
    "why": "what became of a URL, and why",
    "report": "a named report, such as broken_links",
    "export": "write the crawl, or a part of it, in another program's format",
    "diff": "what changed from one crawl to another",
    "site": "the whole crawl as a report for the browser",
    "analyse": "work out PageRank, words and like texts, for the reports that need them",
    "metadata": "names, descriptions and canned queries for Datasette",
    "search": "pages by the words in them",
    "reparse": "apply new rules to saved bodies, without fetching",
}

_READER_LEFT = 141  # what a shell shows for a command that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Raises nothing."""
    _open_closed_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    args = argparse.Namespace(program=_program(called=argv is None), words=words)
    try:
        code = _run(words, args)
        write_out()  # flushed here, where a reader that left can still be met
    except SystemExit as ending:  # argparse, after --help and --version
        code = ending.code if isinstance(ending.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # `... | head` has seen enough
        code = _READER_LEFT
    except BaseException as error:
        code = _report(error, args)
        with contextlib.suppress(OSError, ValueError):  # or Python's own last flush makes it 120
            sys.stdout.flush()
    return code


def write_out(text: str = "") -> None:
    """Write to standard output, at once. Raises PenstockError, or BrokenPipeError when nobody reads on."""
    try:
        if text:  # even nothing is refused by a full device
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PenstockError(f"cannot write the result: {error.strerror or error}") from error


def _run(words: list[str], args: argparse.Namespace) -> int:
    named = words[0] if words else ""
    if named not in COMMANDS and named not in ("-h", "--help", "--version"):
        words = ["crawl", *words]
    parser, chosen = _parsers(words[0], args.program)
    if named in ("-h", "--help"):
        _print_help(parser)
        return 0
    _, rest = parser.parse_known_args(words, args)
    if rest:
        secretive = any(hasattr(args, name) for name in ("header", "auth", "proxy"))
        raise unknown_words(rest, chosen, COMMANDS, secretive=secretive)
    return int(args.run(args))


def _parsers(command: str, program: Sequence[str]) -> tuple[Parser, Parser]:
    """The whole parser with one command and its flags, and that command's own; with all commands,
    and no flags, if none is named."""
    parser = Parser(
        prog=" ".join(program), description="Penstock, a web crawler that remembers where it was."
    )
    parser.add_argument("--version", action="version", version=f"Penstock {VERSION}")
    subparsers: Any = parser.add_subparsers(dest="command", title="commands", metavar="", required=True)
    for name, text in COMMANDS.items():
        if name == command:
            importlib.import_module(f"penstock.crawler.cli.{name}").add_parser(subparsers)
        elif command not in COMMANDS:  # help and the version; to make them all takes a millisecond
            subparsers.add_parser(name, help=text)
    return parser, subparsers.choices.get(command, parser)


def _print_help(parser: Parser) -> None:
    """The commands, then the flags of the one that needs no name."""
    _, crawl = _parsers("crawl", [parser.prog])
    write_out(f"{parser.format_help()}\n{crawl.format_help()}")


def _program(*, called: bool) -> list[str]:
    """How this command is called, without its arguments: `python run_crawl.py`, or `penstock`."""
    if not called:
        return ["python", "run_crawl.py"]
    if not sys.argv[0].endswith(".py"):
        return [os.path.basename(sys.argv[0])]
    # As it was typed: another python may not have what this one has.
    return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv[1:])]


def _report(error: BaseException, args: argparse.Namespace) -> int:
    """Say what went wrong in one line, and how to go on if the command knows; return the exit code."""
    leaf = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    if isinstance(leaf, KeyboardInterrupt):
        return 130
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


def _open_closed_streams() -> None:
    """Give a process that was started with closed streams (`2>&-`) ones that lead nowhere.

    Without them Python has None there, and the next file that is opened, perhaps the
    database, would become number 2, where C libraries print their complaints.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # it stays open to the end
