"""The command: crawl every case beside ordinary pages, and print its outcome.

Every case has a crawl of its own: the bad page on several hosts at once, as often as they may
be asked (so that it holds most of the 64 fetchers), and an ordinary host beside them. Then
one crawl of all of them together.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.bench.process import CommandFailed, Measured, run
from tests.hostile.case import Case
from tests.hostile.cases import BY_NAME, CASES
from tests.hostile.server import running

MAX_LAG = 0.1  # seconds
MAX_DELAY = 1.0
MAX_BYTES = 300 << 20
HEAD = ("case", "outcome", "lag ms", "busy ms", "peak MiB (own)", "delay ms", "s", "")


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if unknown := set(args.only) - BY_NAME.keys():
        print(f"no such case: {', '.join(sorted(unknown))}; see --list", file=sys.stderr)
        return 2
    if args.list:
        print(*BY_NAME, sep="\n")
        return 0
    cases = [case for case in CASES if not args.only or case.name in args.only]
    _print(HEAD)
    _print(["---"] * len(HEAD))
    broken = 0
    with tempfile.TemporaryDirectory(prefix="penstock-hostile-") as folder, running() as port:
        groups = [] if args.together else [[case] for case in cases]
        if args.together or not args.only:
            groups.append(cases)
        for group in [[], *groups]:
            broken += _measure(args, Path(folder), port, group)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help="may be repeated")
    parser.add_argument("--list", action="store_true", help="the names of all cases")
    parser.add_argument("--hosts", type=int, default=1, metavar="N", help="hosts with the bad page (1)")
    parser.add_argument("--copies", type=int, default=8, metavar="N", help="of the bad page per host (8)")
    parser.add_argument("--ordinary", type=int, default=200, metavar="N", help="ordinary pages (200)")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds for a fetch (3)")
    parser.add_argument("--retries", type=int, default=0, help="of what fails (0)")
    parser.add_argument("--together", action="store_true", help="all of the cases in one crawl only")
    return parser


def _measure(args: argparse.Namespace, folder: Path, port: int, group: Sequence[Case]) -> int:
    name = group[0].name if len(group) == 1 else ("all together" if group else "nothing bad")
    db, log = folder / "crawl.db", folder / "log"
    for file in folder.glob("crawl.db*"):
        file.unlink()
    # One copy of each case when all are together: they are many enough.
    copies = args.copies if len(group) == 1 else 1
    hosts = [f"http://127.0.0.{number}:{port}" for number in range(2, 2 + args.hosts)]
    if len(group) > 1:
        hosts = hosts[:1]
    bad = [f"{host}/case/{case.name}/{n}" for n in range(copies) for host in hosts for case in group]
    good = [f"http://127.0.0.1:{port}/ordinary/{number}" for number in range(args.ordinary)]
    options: dict[str, Any] = {"seeds": bad + good, "depth": 1, "exclude": ["/far/"], "db": str(db)}
    options |= {"timeout": args.timeout, "retries": args.retries}
    command = [sys.executable, "-m", "tests.hostile.crawl", json.dumps(options)]
    try:
        measured = run(command, cwd=Path.cwd(), log=log, timeout=600)
    except CommandFailed as failure:
        print(f"{name}: {failure}", flush=True)
        return 1
    said = json.loads(log.read_text().splitlines()[-1])
    return _show(name, len(bad), _outcome(db, group), measured, said)


def _outcome(db: Path, group: Sequence[Case]) -> str:
    states: Counter[str] = Counter()
    with closing(sqlite3.connect(db)) as connection:
        for state, reason in connection.execute(
            "SELECT state, coalesce(reason, '') FROM urls WHERE seed AND url LIKE '%/case/%'"
        ):
            states[f"{state} {reason}".strip()] += 1
    return ", ".join(f"{count} {state}" for state, count in states.most_common())


def _show(name: str, bad: int, outcome: str, measured: Measured, said: dict[str, Any]) -> int:
    peak = max(measured.peak_bytes, said["own_peak"])
    # Copies of a bad page may each cost others a second.
    broken = {
        "LAG": said["busy_s"] > MAX_LAG,
        "MEMORY": peak > MAX_BYTES,
        "DELAY": said["delay_s"] > MAX_DELAY * max(bad, 1),
        "LOST": said["lost"],
    }
    cells = (
        f"{1000 * said['lag_s']:.0f}",
        f"{1000 * said['busy_s']:.0f}",
        f"{peak / (1 << 20):.0f} ({said['own_peak'] >> 20})",
        f"{1000 * said['delay_s']:.0f}",
        f"{said['seconds']:.1f}",
    )
    _print((name, outcome, *cells, " ".join(word for word, is_so in broken.items() if is_so)))
    return any(broken.values())


def _print(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
