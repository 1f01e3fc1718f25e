"""Errors: mistakes of the program and of the operator. Mistakes of the web are values, not errors.

May touch: nothing.

    PenstockError            exit 1: the run was stopped by an error
    ├── Refusal              exit 2: refused before the first request
    │   ├── BadConfig        a flag, an option file or a seed; all bad fields together
    │   ├── BadDatabase      not a crawl, damaged, newer, or of another crawl
    │   │   └── DatabaseInUse    exit 75: another process holds the file
    │   ├── LogInFailed      the log-in of --session did not succeed
    │   └── BadQuery         SQL, a report or a URL given to a reading command
    ├── StorageFailed        the disk or the database failed while running
    └── TooManyInternalFailures  20 pages in a row failed by an unexpected error

Every message is one line: what is wrong, the offending value, what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


class PenstockError(Exception):
    """The base class of all errors. `exit_code` is the exit code of the command."""

    exit_code = 1


class Refusal(PenstockError):
    """Refused before the first request."""

    exit_code = 2


class BadConfig(Refusal):
    """An option, an option file or a seed is wrong. One line names all bad fields."""


class BadDatabase(Refusal):
    """The file is not a crawl, is damaged, of a newer version, or of another crawl."""


class DatabaseInUse(BadDatabase):
    """Another process crawls into the file, or analyses it."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: the same command may succeed later


class LogInFailed(Refusal):
    """The log-in of a session did not succeed, so no page was requested."""


class BadQuery(Refusal):
    """A query, a report or a URL that was asked about is wrong, or cannot be answered yet."""


class StorageFailed(PenstockError):
    """The disk or the database failed during a run. What was committed before is safe."""


class TooManyInternalFailures(PenstockError):
    """20 pages in a row failed by an unexpected error in Penstock or in a plug, so the run was ended."""


def close_match(word: str, known: Iterable[str]) -> str:
    """A hint for a message about a word that resembles a known one, or ''."""
    import difflib  # most runs need none

    folded = {name.casefold(): name for name in known}  # of names that differ in case only, the last
    found = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return f" (did you mean {folded[found[0]]}?)" if found else ""
