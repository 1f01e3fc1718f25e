"""Schema texts: the SQL files of the schema, what they say of each table, and the schema as one text.

May touch: the folder storage/schema, an SQLite database in memory.

    tables/NNN_*.sql   numbered steps: tables and indexes. Append only; a step that landed never changes
    views/NAME.sql     one view per file, with all its text
    current.sql        the schema of a new file, generated:

        python -m penstock.storage.database.schema_texts > storage/schema/current.sql
"""

from __future__ import annotations

import re
import sqlite3
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from penstock.storage.database.digests import teach

SCHEMA_DIR = Path(__file__).parents[1] / "schema"

# Up to the first semicolon that ends a line and stands in no comment.
_CREATED = re.compile(r"^CREATE (?:TABLE|VIEW) (\w+)\b((?:.*\n)*?(?:(?!--).)*);[^\S\n]*$", re.MULTILINE)
_ADDED = re.compile(r"^ALTER TABLE (\w+) ADD COLUMN (\w+)[^\n;]*;[^\S\n]*-- (.+)$", re.MULTILINE)
# Code, and the comment behind it. A comment goes on in lines that hold nothing else, far to the right.
_COMMENTED = re.compile(r"^ +([^\s-].*?),? +-- (.+(?:\n {9,}-- .+)*)$", re.MULTILINE)
_HEADING = re.compile(r".*? +-- (.+(?:\n {9,}-- .+)*)")
_INDEX = re.compile(r"^((?:--.*\n)+)CREATE (?:UNIQUE )?INDEX (\w+)", re.MULTILINE)
_WIDTH, _COMMENT_AT = 110, 33  # characters of a line; where its comment begins


class TableDescription(NamedTuple):
    """What the schema says of a table or view."""

    text: str  # one line; empty: nothing
    columns: Mapping[str, str]  # all columns in order, each with its meaning; empty: nothing is said of it


def table_steps() -> list[tuple[int, Path]]:
    """The steps that make the tables, in order: (number, file)."""
    files = (SCHEMA_DIR / "tables").glob("[0-9][0-9][0-9]_*.sql")
    return sorted((int(path.name[:3]), path) for path in files)


def newest_version() -> int:
    """The number of the last step: the schema version of a new file."""
    return table_steps()[-1][0]


def view_texts() -> dict[str, str]:
    """Each view's CREATE VIEW statement by its name, without the semicolon: what SQLite keeps of it."""
    texts = {}
    for path in sorted((SCHEMA_DIR / "views").glob("*.sql")):
        text = path.read_text("utf-8")
        texts[path.stem] = text[text.index("CREATE VIEW ") :].rstrip().removesuffix(";")
    return texts


def create_schema(connection: sqlite3.Connection) -> None:
    """Make all tables and views in an empty database."""
    teach(connection)
    for _, step in table_steps():
        connection.executescript(step.read_text("utf-8"))
    for text in view_texts().values():
        connection.execute(text)
    connection.execute(f"PRAGMA user_version = {newest_version()}")


def describe_schema() -> dict[str, TableDescription]:
    """Every table and view with the comments that stand beside it and its columns; tables first."""
    texts: dict[str, str] = {}
    comments: dict[str, dict[str, str]] = {}
    steps = [step.read_text("utf-8") for _, step in table_steps()]
    for statement in (*steps, *(f"{text};" for text in view_texts().values())):
        table = not statement.startswith("CREATE VIEW")
        for name, body in _CREATED.findall(statement):
            texts[name] = _join(heading[1]) if (heading := _HEADING.match(body)) else ""
            comments[name] = dict(column_comments(body, table=table))
        for name, column, comment in _ADDED.findall(statement):
            comments[name][column] = comment
    with closing(sqlite3.connect(":memory:")) as connection:
        create_schema(connection)
        return {
            name: TableDescription(
                text,
                {column: comments[name].get(column, "") for column in _columns(connection, name)},
            )
            for name, text in texts.items()
        }


def column_comments(sql: str, *, table: bool = False) -> Iterator[tuple[str, str]]:
    """Columns with the comments beside them. A name ends its line in a SELECT, and begins it in a table."""
    for code, comment in _COMMENTED.findall(sql):
        name = re.search(r"^\w+" if table else r"\w+$", code)
        if name is not None:
            yield name[0], _join(comment)


def _join(comment: str) -> str:
    return re.sub(r"\n +-- ", " ", comment)


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def render_schema() -> str:
    """The schema of a new file as SQL that makes it: current.sql."""
    comments = {
        name: comment
        for _, step in table_steps()
        for comment, name in _INDEX.findall(step.read_text("utf-8"))
    }
    descriptions = describe_schema()
    parts = [
        "-- The schema of a new crawl file. Generated from tables/ and views/; do not edit. To renew it:\n"
        "--   python -m penstock.storage.database.schema_texts > storage/schema/current.sql\n"
    ]
    with closing(sqlite3.connect(":memory:")) as connection:
        create_schema(connection)
        for name in ("application_id", "user_version"):
            [(value,)] = connection.execute(f"PRAGMA {name}")
            parts.append(f"PRAGMA {name} = {value};\n")
        objects = "SELECT sql, name FROM sqlite_schema WHERE type = ? AND tbl_name = ? AND sql IS NOT NULL"
        views = view_texts()
        for name, description in descriptions.items():
            if name in views:
                continue
            [(sql, _)] = connection.execute(objects, ("table", name))
            parts.append("\n" + _render_table(name, sql, description))
            for sql, index in connection.execute(objects, ("index", name)):
                parts.append(f"{comments.get(index, '')}{sql};\n")
        parts += [f"\n{text};\n" for text in views.values()]
    return "".join(parts)


def _render_table(name: str, sql: str, description: TableDescription) -> str:
    items = list(_items(sql[sql.index("(") + 1 : sql.rindex(")")]))
    lines = _with_comment(f"CREATE TABLE {name} (", description.text)
    for i, item in enumerate(items):
        column, _, rest = item.partition(" ")
        comma = "," if i < len(items) - 1 else ""
        code = f"    {column:<11} {rest}{comma}" if column in description.columns else f"    {item}{comma}"
        lines += _with_comment(code, description.columns.get(column, ""))
    return "\n".join([*lines, f"){sql[sql.rindex(')') + 1 :]};\n"])


def _items(body: str) -> Iterator[str]:
    """The columns and constraints of a table, without comments, each on one line."""
    depth, item = 0, ""
    for char in re.sub(r"--.*", "", body):
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            yield " ".join(item.split())
            item = ""
        else:
            item += char
    yield " ".join(item.split())


def _with_comment(code: str, comment: str) -> list[str]:
    if not comment:
        return [code]
    first = f"{code:<{_COMMENT_AT - 1}} -- "
    indent = f"{'':<{_COMMENT_AT}}-- "
    return textwrap.wrap(comment, _WIDTH, initial_indent=first, subsequent_indent=indent)


if __name__ == "__main__":
    sys.stdout.write(render_schema())
