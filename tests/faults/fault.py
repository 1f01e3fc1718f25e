"""A fault: its cases, and how each is run. Cases are spread over worker processes."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from tests.faults.suite_worker import SuiteWorker, current_worker, start_suite_worker

CORES = 2  # workers for cases that work
WAITING = 4  # workers for cases that wait
FAULT_SECONDS = 1_800.0  # every process has its own, shorter limit; this one is for the suite itself


class CannotTry(Exception):
    """This machine does not permit the fault; the message says what is missing."""


class CaseResult(NamedTuple):
    """What became of one case."""

    resumes: int = 0
    violations: Sequence[str] = ()
    reached: bool = True  # False: the crawl was over before the fault could strike
    note: str = ""  # something measured, for the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the command was asked for."""

    short: bool
    seed: int

    def positions(self, count: int, *, in_short: int, in_full: int | None = None) -> list[int]:
        """1 to `count`: all of them, or a sample spread evenly over them."""
        sample = in_short if self.short else in_full
        if sample is None or count <= sample:
            return list(range(1, count + 1))
        step = count / sample
        return [1 + int(step * (number + self.seed % 7 / 7)) for number in range(sample)]

    def some(self, cases: Iterable[str], *, in_short: int) -> list[str]:
        """All cases, or some of them."""
        everything = list(cases)
        return [everything[at - 1] for at in self.positions(len(everything), in_short=in_short)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the table. Both functions live in a module, so that a worker can find them."""

    name: str
    cases: Callable[[Plan, SuiteWorker], Sequence[str]]
    attempt: Callable[[SuiteWorker, str], CaseResult]
    waits: bool = False  # its cases wait rather than work: many at once, beside those that work


class Timed(NamedTuple):
    tried: CaseResult
    began: float  # monotonic, the same clock in every process
    ended: float


class Row(NamedTuple):
    """How a fault ended."""

    name: str
    positions: int
    resumes: int
    violations: Sequence[str]
    seconds: float  # from its first case's beginning to its last one's end
    notes: Sequence[str]


class Suite:
    """The workers, kept from fault to fault: each has to load the product and crawl in baseline once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._open = ExitStack()
        self._pools: dict[int, ProcessPoolExecutor] = {}

    def __enter__(self) -> Self:
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="penstock-faults-")))
        self._scout = self._open.enter_context(SuiteWorker(self._folder / "probe"))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self, faults: Sequence[Fault], chosen: str | None = None) -> Iterator[Row]:
        """Try every case of these faults, or only those that are called `chosen`."""
        begun = {fault.name: self._begin(fault, chosen) for fault in faults if fault.waits}
        for fault in faults:
            futures = begun[fault.name] if fault.waits else self._begin(fault, chosen)
            try:
                tried = _gathered(futures)
            except Exception:  # a worker hangs, or has died
                tried = [("all", Timed(CaseResult(violations=[_the_suite_itself()]), 0.0, 0.0))]
                self._end_workers()
            yield _row(fault.name, tried)

    def _end_workers(self) -> None:
        """New ones will be started for the faults that follow."""
        for pool in self._pools.values():
            for process in list(pool._processes.values()):
                process.kill()
        self._pools.clear()

    def _begin(self, fault: Fault, chosen: str | None) -> dict[Future[Timed], str]:
        pool = self._pool(WAITING if fault.waits else CORES)
        try:
            cases = [case for case in fault.cases(self._plan, self._scout) if chosen in (None, case)]
            return {pool.submit(attempt, fault, case): case for case in cases}
        except CannotTry as reason:
            return {_settled(CaseResult(reached=False, note=f"skipped: {reason}")): "all"}
        except Exception:
            return {_settled(CaseResult(violations=[_the_suite_itself()])): "all"}

    def _pool(self, workers: int) -> ProcessPoolExecutor:
        if workers not in self._pools:
            context = multiprocessing.get_context("forkserver")
            pool = ProcessPoolExecutor(workers, context, start_suite_worker, (str(self._folder),))
            self._pools[workers] = pool
            self._open.callback(pool.shutdown, cancel_futures=True)
        return self._pools[workers]


def _settled(tried: CaseResult) -> Future[Timed]:
    future: Future[Timed] = Future()
    future.set_result(Timed(tried, 0.0, 0.0))
    return future


def _gathered(futures: Mapping[Future[Timed], str]) -> list[tuple[str, Timed]]:
    done = as_completed(futures, timeout=FAULT_SECONDS)
    return [(futures[future], future.result()) for future in done]


def _row(name: str, tried: Sequence[tuple[str, Timed]]) -> Row:
    reached = [one.tried for _, one in tried if one.tried.reached]
    return Row(
        name=name,
        positions=len(reached),
        resumes=sum(one.resumes for one in reached),
        violations=[f"{case}: {text}" for case, one in tried for text in one.tried.violations],
        seconds=max((one.ended for _, one in tried), default=0.0)
        - min((one.began for _, one in tried), default=0.0),
        notes=sorted({one.tried.note for _, one in tried if one.tried.note}),
    )


def attempt(fault: Fault, case: str) -> Timed:
    """In a worker's process: try one case. What the suite itself gets wrong is a violation too."""
    began = time.monotonic()
    try:
        tried = fault.attempt(current_worker(), case)
    except CannotTry as reason:
        tried = CaseResult(reached=False, note=f"skipped: {reason}")
    except Exception:
        tried = CaseResult(violations=[_the_suite_itself()])
    return Timed(tried, began, time.monotonic())


def _the_suite_itself() -> str:
    return f"the suite itself failed: {traceback.format_exc(limit=-4)}"
