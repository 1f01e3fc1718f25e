"""The command: run the faults, print the table, exit 1 if anything was violated."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.faults import (
    bugs,
    clocks,
    concurrency,
    disk,
    files,
    kills,
    long_waits,
    migrations,
    network,
    offline,
    poison,
    power_cuts,
    random_kills,
    signals,
    streams,
    syscalls,
)
from tests.faults.fault import Fault, Plan, Row, Suite

MODULES = (
    *(kills, syscalls, migrations, random_kills, bugs, poison, disk, power_cuts, files),
    *(concurrency, network, offline, signals, streams, clocks, long_waits),
)
FAULTS: Sequence[Fault] = tuple(fault for module in MODULES for fault in module.FAULTS)
NAMES = {fault.name for fault in FAULTS}
HEAD = ("fault", "positions", "resumes", "violations", "seconds")


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if unknown := set(args.only) - NAMES:
        print(f"no such fault: {', '.join(sorted(unknown))}; see --list", file=sys.stderr)
        return 2
    if args.list:
        print(*(fault.name for fault in FAULTS), sep="\n")
        return 0
    plan = Plan(short=args.short, seed=args.seed)
    began = time.monotonic()
    _print(HEAD, "")
    rows = []
    with Suite(plan) as suite:
        for row in suite.run([fault for fault in FAULTS if fault.name in (args.only or NAMES)], args.case):
            rows.append(row)
            _show(row)
    total = Row(
        "all",
        sum(row.positions for row in rows),
        sum(row.resumes for row in rows),
        [text for row in rows for text in row.violations],
        time.monotonic() - began,
        [],
    )
    _show(total)
    for row in rows:
        for text in row.violations:
            print(f"\n{row.name}: {text}")
    return 1 if total.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="sample the positions: long_waits, for CI")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this fault; may be repeated"
    )
    parser.add_argument("--case", metavar="WORDS", help="only the case of that name, as a violation shows it")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="shift what is drawn by lot or sampled"
    )
    parser.add_argument("--list", action="store_true", help="the names of all faults")
    return parser


def _show(row: Row) -> None:
    numbers = (str(row.positions), str(row.resumes), str(len(row.violations)), f"{row.seconds:.1f}")
    _print((row.name, *numbers), "; ".join(row.notes))


def _print(cells: Sequence[str], note: str) -> None:
    name, *numbers = cells
    print(
        f"{name:<20}" + "".join(f"{cell:>11}" for cell in numbers) + (f"  {note}" if note else ""), flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
