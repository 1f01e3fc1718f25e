"""Migration: bring a file to the newest schema, and refuse files of other programs.

May touch: sqlite3 connections that others opened.

A file's tables come from numbered steps, and its user_version is the last step that it has taken.
Its views are compared with those of this Penstock by their text, and made anew where they differ:
a view needs no step. All of it is one transaction, so that a kill leaves the file as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence, Set
from contextlib import closing
from functools import cache
from pathlib import Path

from penstock.crawler.errors import BadDatabase
from penstock.storage.database.digests import teach
from penstock.storage.database.schema_texts import newest_version, table_steps, view_texts

APPLICATION_ID = 0x50454E53  # 'PENS', set by step 1


def refuse_other_databases(path: Path, connection: sqlite3.Connection) -> None:
    """Raises BadDatabase for a file that is not ours, has lost a table, or has a newer schema."""
    [(application_id,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if application_id != APPLICATION_ID and (names or application_id):
        raise BadDatabase(f"{path} is another application's database; choose another --db")
    newest = newest_version()
    if version > newest:
        raise BadDatabase(
            f"{path} was written by a newer Penstock (schema {version}, this one knows {newest}); upgrade"
        )
    steps = tuple(file for number, file in table_steps() if number <= version)
    missing = sorted(_made_by(steps) - names)
    if missing or (names and not version):
        what = f"{missing[0]} is missing" if missing else "it has tables, but no schema version"
        raise BadDatabase(
            f"{path} is damaged: {what} (schema {version}); restore a copy, or choose another --db"
        )


@cache
def _made_by(steps: Sequence[Path]) -> Set[str]:
    """The names of all tables and indexes that are there after these steps."""
    with closing(sqlite3.connect(":memory:")) as empty:
        teach(empty)
        for step in steps:
            empty.executescript(step.read_text("utf-8"))
        return {name for (name,) in empty.execute("SELECT name FROM sqlite_schema")}


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that are missing and renew the views, all of it or nothing."""
    teach(connection)
    script = list(_changes(connection))
    if script:
        # On a line of its own: a statement may end with a comment.
        connection.executescript("\n;\n".join(["BEGIN IMMEDIATE", *script, "COMMIT", ""]))


def _changes(connection: sqlite3.Connection) -> Iterator[str]:
    """The SQL that is missing in a file. Only views with a name of ours are touched."""
    [(version,)] = connection.execute("PRAGMA user_version")
    steps = [(number, file) for number, file in table_steps() if number > version]
    views = view_texts()
    found = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'"))
    # A step may change a table under any view, so it finds none of ours.
    stale = [name for name, text in views.items() if steps or found.get(name) != text]
    yield from (f"DROP VIEW IF EXISTS {name}" for name in stale)
    for number, file in steps:
        yield f"{file.read_text('utf-8')}\nPRAGMA user_version = {number}"
    yield from (views[name] for name in stale)
