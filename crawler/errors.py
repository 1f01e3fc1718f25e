"""Errors: what is wrong by us or by the operator. The web's mistakes are values, not these.

May touch: nothing.

    PenstockError            exit 1: the run was stopped by an error
    ├── Refusal              exit 2: refused before the first request
    │   ├── BadConfig        a flag, a file of options or a seed; all bad fields together
    │   ├── BadDatabase      not ours, damaged, newer, locked, or of another crawl
    │   └── BadQuery         SQL, a report or a URL that a reading command was given
    ├── StorageFailed        the disk or the database failed while running
    └── TooManyInternalFailures  20 in a row: a bug of ours, not of one page

Every message is one line: what is wrong, the offending value, the way out.
"""

from __future__ import annotations


class PenstockError(Exception):
    """Base of all; `exit_code` is the command's."""

    exit_code = 1


class Refusal(PenstockError):
    exit_code = 2


class BadConfig(Refusal):
    pass


class BadDatabase(Refusal):
    pass


class BadQuery(Refusal):
    pass


class StorageFailed(PenstockError):
    pass


class TooManyInternalFailures(PenstockError):
    pass
