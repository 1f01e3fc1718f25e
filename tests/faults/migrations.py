"""A file of the schema before the newest, and kills of the run that brings it up to date.

The older file has the tables and views of its time, filled with what they have in common with today's.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from penstock.storage.database.schema_texts import newest_version
from tests.faults import strace
from tests.faults.fault import CannotTry, CaseResult, Fault, Plan
from tests.faults.invariants import finished, intact
from tests.faults.kills import killed
from tests.faults.suite_worker import SuiteWorker
from tests.faults.syscalls import WRITES
from tests.faults.webs import Served
from tests.support.crawls import rows
from tests.support.former_schemas import create_former_schema

PAGES = "4"  # stored before the file is made older
# Migrated, and dead before the run is noted: all of these writes are the migration's.
MIGRATED = (sys.executable, "-m", "tests.faults.trapped_crawl", "kill commit before 1")


def make_older(whole: Path, db: Path, *, before: int | None = None) -> None:
    """The same crawl as a file of the schema before that number, or before the newest."""
    before = before or newest_version()
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        create_former_schema(connection, before - 1)
        connection.execute("ATTACH ? AS whole", (str(whole),))
        connection.execute("BEGIN")
        for (table,) in _tables(connection, "main"):
            columns = ", ".join(
                sorted(_columns(connection, "main", table) & _columns(connection, "whole", table))
            )
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM whole.{table}")
        connection.execute("COMMIT")


def _tables(connection: sqlite3.Connection, schema: str) -> list[tuple[str]]:
    query = f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    return connection.execute(query).fetchall()


def _columns(connection: sqlite3.Connection, schema: str, table: str) -> set[str]:
    found = connection.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))
    return {name for (name,) in found}


def older_file(worker: SuiteWorker, served: Served, db: Path) -> None:
    """A crawl that stopped in the middle, written by the schema before the newest."""
    whole = db.with_name("whole.db")
    ended = worker.crawl(*served.onto(whole), "--max-pages", PAGES)
    if ended.code != 3:
        raise RuntimeError(f"the crawl whose file is to be made older: {ended}")
    make_older(whole, db)


def migration_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Every write until the newest schema is there, and none at all."""
    served = probe.web("tiny")
    try:
        with probe.scratch_folder() as scratch:
            older_file(probe, served, scratch / "crawl.db")
            before = strace.counting(WRITES, scratch / "log")
            probe.command(*served.onto(scratch / "crawl.db"), before=before, program=MIGRATED)
            made = strace.count(scratch / "log").get(WRITES, 0)
    except CannotTry:
        made = 1  # the attempt says why
    return ["never", *(f"{WRITES} {k}" for k in plan.positions(made, in_short=6))]


def kill_migration(worker: SuiteWorker, case: str) -> CaseResult:
    """Older or newest, never between; the next run brings it up to date and goes on."""
    call, _, k = case.partition(" ")
    served, versions = worker.web("tiny"), (newest_version() - 1, newest_version())
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        older_file(worker, served, db)
        if case == "never":
            return CaseResult(0, finished(served, db, worker.crawl(*served.onto(db)), kills=0))
        ended = worker.command(*served.onto(db), before=strace.injecting(call, f"signal=KILL:when={k}"))
        if not killed(ended):
            return CaseResult(reached=False, violations=finished(served, db, ended, kills=0))
        [(version,)] = rows(db, "PRAGMA user_version")
        wrong = [] if version in versions else [f"schema {version} is none of {versions}"]
        wrong += intact(served, db)
        return CaseResult(1, [*wrong, *finished(served, db, worker.crawl(*served.onto(db)), kills=1)])


FAULTS: Sequence[Fault] = (Fault(name="kill-migration", cases=migration_cases, attempt=kill_migration),)
