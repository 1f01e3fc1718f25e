"""Migration: how a file comes to have the newest schema, and which files have another program's.

May touch: sqlite3 connections that others opened, the folder of the schema.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence, Set
from contextlib import closing
from functools import cache
from pathlib import Path

from penstock.crawler.errors import BadDatabase
from penstock.storage.database.digests import teach

APPLICATION_ID = 0x50454E53  # 'PENS', set by schema 1
SCHEMA_DIR = Path(__file__).parents[1] / "schema"


def schema_files() -> list[tuple[int, Path]]:
    """The schema's steps in order: (number, file)."""
    return sorted((int(path.name[:3]), path) for path in SCHEMA_DIR.glob("[0-9][0-9][0-9]_*.sql"))


def refuse_other_databases(path: Path, connection: sqlite3.Connection) -> None:
    """Raises BadDatabase for a file that is not ours, not whole, or newer than we are."""
    [(application_id,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if application_id != APPLICATION_ID and (names or application_id):
        raise BadDatabase(f"{path} is another application's database; choose another --db")
    newest = schema_files()[-1][0]
    if version > newest:
        raise BadDatabase(
            f"{path} was written by a newer Penstock (schema {version}, this one knows {newest}); upgrade"
        )
    steps = tuple(file for number, file in schema_files() if number <= version)
    missing = sorted(_made_by(steps) - names)
    if missing or (names and not steps):
        what = f"there is no {missing[0]}" if missing else "there is no mark of its schema"
        raise BadDatabase(
            f"{path} is damaged: of what Penstock's schema {version} has {what}; "
            "restore a copy, or choose another --db"
        )


@cache
def _made_by(steps: Sequence[Path]) -> Set[str]:
    """The names of all tables, views and indexes that these steps of the schema make."""
    with closing(sqlite3.connect(":memory:")) as empty:
        teach(empty)
        for step in steps:
            empty.executescript(step.read_text("utf-8"))
        return {name for (name,) in empty.execute("SELECT name FROM sqlite_schema")}


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that are missing, each a transaction."""
    [(version,)] = connection.execute("PRAGMA user_version")
    teach(connection)
    for number, file in schema_files():
        if number > version:
            step = file.read_text("utf-8")
            connection.executescript(f"BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {number};\nCOMMIT;")
