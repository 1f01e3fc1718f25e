"""Suggest: command lines that cannot be read, and what may have been meant.

May touch: argparse.
Never: repeat the words after an unknown flag; one of them may be a password.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.config.option_files import close_match
from penstock.crawler.config.seeds import hide_user
from penstock.crawler.errors import BadConfig


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line and an exception; its caller has the exit code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # No abbreviations: `--max` of today would mean something else with tomorrow's flags.
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise BadConfig(f"{message} ({self.prog} --help lists all)")


def unknown_words(
    words: Sequence[str], parser: argparse.ArgumentParser, commands: Iterable[str], *, secretive: bool = False
) -> BadConfig:
    """The error for what argparse left over.

    `secretive`: an option with a secret was given, and a word may be a piece of it that was not quoted.
    """
    known = [flag for flag in parser._option_string_actions if flag.startswith("--")]
    lead = "--" if secretive else "-"
    flags = [word.partition("=")[0] for word in words if word.startswith(lead) and word != lead]
    if flags:
        return BadConfig(
            "; ".join(f"unknown option {quote_value(flag)}{close_match(flag, known)}" for flag in flags)
        )
    word = words[0]
    if secretive and word not in commands:
        return BadConfig("a word is left over (not shown: it may be of a secret; quote values with blanks)")
    if word in commands:
        return BadConfig(f"{quote_value(word)} must come first: a command stands before its options")
    if "://" in word and "--seed" in known:
        return BadConfig(f"{quote_value(hide_user(word))} needs a flag: did you mean --seed URL?")
    hint = close_match(word, commands)
    if "--seed" in known:
        hint = hint or " (a URL to start from is given with --seed)"
    return BadConfig(f"nothing is known about {quote_value(hide_user(word))}{hint}")
