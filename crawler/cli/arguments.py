"""Arguments: the flags of `crawl`, made from the options, and the parser of a command line.

May touch: argparse.
Never: check a value. A text that is not a number is passed on as it is, and `CrawlConfig`
reports all problems together.

A flag that was not given is absent from the namespace, so that a file of options is used instead:
a flag wins over the environment, that over the file, and the file over the default.
"""

from __future__ import annotations

import argparse
from dataclasses import MISSING
from typing import Any, NamedTuple, NoReturn

from penstock.crawler.config.crawl_config import CRAWL_OPTIONS, GROUPS, MIB, OUTPUT, OUTPUT_OPTIONS, START
from penstock.crawler.config.option_checks import OptionField, parse_number
from penstock.crawler.errors import BadConfig


class Flag(NamedTuple):
    """One flag, as --help and the reference show it."""

    group: str
    flag: str  # --per-host
    placeholder: str  # of its value; "" for a switch
    help: str
    default: str  # "" if there is none: a switch, a list, a required option
    name: str  # in the namespace, and in CrawlConfig if it is an option of the crawl
    kind: str  # switch, list, number or text


# Flags of the command line alone: they name files to read, or ask for another output.
_SEEDS_FILE = Flag(
    START, "--seeds", "FILE", "also read seeds from this file: one URL per line, # starts a comment; - is "
    "standard input; repeatable", "", "seed_files", "list"
)  # fmt: skip
_CONFIG_FILE = Flag(
    START, "--config", "FILE", "read options from this TOML file (max-pages = 100); flags override it; "
    "a relative path in it, also of a plugin's module, is taken from the file's folder",
    "", "config", "text"
)  # fmt: skip
_PRINT_CONFIG = Flag(
    OUTPUT, "--print-config", "", "print the options as TOML on standard output, and exit", "",
    "print_config", "switch"
)  # fmt: skip


def crawl_flags() -> list[Flag]:
    """Every flag of `crawl`, in the order of --help."""
    seeds, *options = [*CRAWL_OPTIONS.values(), *OUTPUT_OPTIONS.values()]
    flags = [_flag_of(seeds), _SEEDS_FILE, *map(_flag_of, options), _CONFIG_FILE, _PRINT_CONFIG]
    return [flag for group in GROUPS for flag in flags if flag.group == group]


def _flag_of(field: OptionField) -> Flag:
    declared = field.option
    default = _shown_default(field)
    return Flag(
        declared.group, field.flag, declared.placeholder, declared.help, default, field.name, field.kind
    )


def _shown_default(field: OptionField) -> str:
    value = field.default
    if value is MISSING or value is False or value == ():
        return ""
    if value is None:
        return field.option.unset
    if isinstance(value, tuple):
        return ", ".join(value)
    if field.option.placeholder == "BYTES" and isinstance(value, int):
        return f"{value // MIB} MiB"
    return f"{value:g}" if isinstance(value, float) else str(value)


def add_crawl_flags(parser: argparse.ArgumentParser) -> None:
    """Declare every flag of `crawl`."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for flag in crawl_flags():
        if flag.group not in groups:
            groups[flag.group] = parser.add_argument_group(flag.group)
        _add_flag(groups[flag.group], flag)


def _add_flag(group: argparse._ArgumentGroup, flag: Flag) -> None:
    text = flag.help + (f" (default: {flag.default})" if flag.default else "")
    text = text.replace("%", "%%")  # argparse formats it
    if flag.kind == "switch":
        group.add_argument(flag.flag, dest=flag.name, action="store_true", help=text)
        if flag.name != "print_config":
            # The opposite exists for one reason: a flag must be able to win over a file.
            word = flag.flag.removeprefix("--")
            opposite = word.removeprefix("no-") if word.startswith("no-") else f"no-{word}"
            group.add_argument(f"--{opposite}", dest=flag.name, action="store_false", help=argparse.SUPPRESS)
    elif flag.kind == "list":
        group.add_argument(flag.flag, dest=flag.name, action="append", metavar=flag.placeholder, help=text)
    else:
        convert = parse_number if flag.kind == "number" else str
        group.add_argument(flag.flag, dest=flag.name, type=convert, metavar=flag.placeholder, help=text)


# -- the parser


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line and an exception: the caller chooses the exit code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # No abbreviations: `--max` of today would mean something else with tomorrow's flags.
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # Since Python 3.12 argparse reads `-hunter2` as `-h` and prints the help with exit code 0.
        if any(word.startswith("-h") and word != "-h" for word in args or ()):
            self.error("an argument begins with -h but is no option (not shown: it may be part of a secret)")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        from penstock.crawler.cli.mistakes import describe_parse_error  # slow to load

        raise BadConfig(f"{describe_parse_error(message)} (see {self.prog} --help)")
