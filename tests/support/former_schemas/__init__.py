"""The schema as every former version of Penstock made it.

The numbered files are the steps of schema 1 to 10 as they were used, with the views of their time.
They never change. Since then views have no steps, and the steps in storage/schema/tables only grow.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from penstock.storage.database.digests import teach
from penstock.storage.database.schema_texts import newest_version, table_steps, view_texts

_WITH_VIEWS = sorted(Path(__file__).parent.glob("*.sql"))
FORMER_VERSIONS = range(1, max(newest_version(), len(_WITH_VIEWS) + 1))


def create_former_schema(connection: sqlite3.Connection, version: int) -> None:
    """Make the tables and views of this version in an empty database."""
    teach(connection)
    for step in _WITH_VIEWS[:version]:
        connection.executescript(step.read_text("utf-8"))
    for _, step in table_steps()[len(_WITH_VIEWS) : version]:
        connection.executescript(step.read_text("utf-8"))
    if version > len(_WITH_VIEWS):
        for name, text in view_texts().items():
            connection.execute(f"DROP VIEW IF EXISTS {name}")
            connection.execute(text)
    connection.execute(f"PRAGMA user_version = {version}")
