"""Mistakes: what was probably meant by a command line that cannot be right, in one line.

May touch: argparse; the file system, to see whether a word is the name of a file.
Never: repeat the words after an unknown flag; one of them may be a password.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Sequence

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.config.seeds import hide_user
from penstock.crawler.errors import BadConfig, close_match

# The flags of other crawlers (Scrapy, wget, HTTrack, muffet, Heritrix, katana, linkchecker, ...).
_ELSEWHERE = {
    "--accept-regex": "--include",
    "--allowed-domains": "--scope domain",
    "--concurrency": "--fetchers",
    "--concurrent-requests": "--fetchers",
    "--continue": "the same command again, which resumes",
    "--cookie": "--cookies FILE",
    "--database": "--db",
    "--download-delay": "--delay",
    "--follow-robots": "nothing, robots.txt is obeyed by default",
    "--input-file": "--seeds",
    "--level": "--depth",
    "--limit": "--max-pages",
    "--load-cookies": "--cookies",
    "--no-check-certificate": "--insecure",
    "--out": "the command export, or --db for the file of the crawl",
    "--output": "the command export, or --db for the file of the crawl",
    "--page-limit": "--max-pages",
    "--password": "--auth USER:PASSWORD",
    "--reject-regex": "--exclude",
    "--resume": "the same command again, which resumes",
    "--site": "--seed",
    "--start-url": "--seed",
    "--threads": "--fetchers",
    "--url": "--seed",
    "--urls": "--seeds",
    "--useragent": "--user-agent",
    "--verbose": "--log-level debug",
    "--wait": "--delay",
    "--workers": "--fetchers",
}
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"  # what word processors and chats make of "--"
_NEEDS_VALUE = re.compile(r"argument (\S+): expected (?:one|at least one) argument\Z")
_TAKES_NONE = re.compile(r"argument (\S+): ignored explicit argument ")
_INVALID_CHOICE = re.compile(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)\Z", re.DOTALL)
_INVALID_VALUE = re.compile(r"argument (\S+): (must be .*)\Z", re.DOTALL)
_REQUIRED = re.compile(r"the following arguments are required: (.+)\Z")


def describe_parse_error(message: str) -> str:
    """An error of argparse in the words of the other errors."""
    if found := _NEEDS_VALUE.match(message):
        return f"{found[1]}: needs a value"
    if found := _TAKES_NONE.match(message):
        return f"{found[1]}: takes no value"
    if found := _INVALID_CHOICE.match(message):
        known = [word.strip("' ") for word in found[3].split(",")]
        hint = " (the command export writes it)" if found[2] == "xlsx" else close_match(found[2], known)
        return f"{found[1]}: must be one of {', '.join(known)}, not {quote_value(found[2])}{hint}"
    if found := _INVALID_VALUE.match(message):
        return f"{found[1]}: {found[2]}"
    if found := _REQUIRED.match(message):
        return f"missing: {found[1]}"
    return message


def unexpected_arguments(
    rest: Sequence[str],
    parser: argparse.ArgumentParser,
    commands: Iterable[str],
    *,
    line: Sequence[str] = (),
    secretive: bool = False,
) -> BadConfig:
    """The error for the words that argparse did not recognize, with the word that was probably meant.

    `line` is the whole command line. `secretive`: an option with a secret was given, and a word may be a
    part of it that was not quoted.
    """
    known = [flag for flag in parser._option_string_actions if flag.startswith("--")]
    lead = "--" if secretive else "-"
    flags = [word.partition("=")[0] for word in rest if word.startswith(lead) and word != lead]
    if flags:
        return BadConfig(
            "; ".join(f"unknown option {quote_value(flag)}{_of_flag(flag, known)}" for flag in flags)
        )
    word = rest[0]
    if secretive and word not in commands:
        hint = "not shown, it may be part of a secret; quote values that contain spaces"
        return BadConfig(f"unexpected argument ({hint})")
    if word in commands:
        return BadConfig(f"the command {quote_value(word)} must come first, before all options")
    hint = _of_word(word, parser, commands, line)
    return BadConfig(f"unexpected argument {quote_value(hide_user(word))}{hint}")


def _of_flag(flag: str, known: Sequence[str]) -> str:
    meant = _ELSEWHERE.get(flag.replace("_", "-"), "")
    is_known = not meant.startswith("--") or meant.split()[0] in known
    if meant and is_known and "--seed" in known:
        return f" (did you mean {meant}?)" if meant.startswith("--") else f" (use {meant})"
    return close_match(flag, known)


def _of_word(word: str, parser: argparse.ArgumentParser, commands: Iterable[str], line: Sequence[str]) -> str:
    flags = parser._option_string_actions
    if word[0:1] in tuple(_DASHES):
        meant = "--" + word.lstrip(_DASHES + "-")
        return f" (its dash is not the one of the keyboard: type {meant if meant in flags else '--'})"
    if word == "help":
        return " (did you mean --help?)"
    at = line.index(word) if word in line else 0
    before = line[at - 2] if at >= 2 else ""
    if (action := flags.get(before)) is not None and action.nargs is None:
        several = isinstance(action, argparse._AppendAction)
        return f" ({before} takes one value{f'; repeat {before} for each' if several else ''})"
    if "://" in word and "--seed" in flags:
        return " (did you mean --seed URL?)"
    if "--seed" not in flags and "--db" in flags and os.path.isfile(word):
        return f" (did you mean --db {word}?)"
    if any(action.dest in ("sql", "query") for action in parser._actions):
        return " (put the whole query in quotes)"
    if hint := close_match(word, commands):
        return hint
    return " (give the URL to start from with --seed)" if "--seed" in flags else ""
