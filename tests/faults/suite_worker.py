"""Suite worker: one process of the suite, with its webs, its folder, and the crawls that it starts.

A crawl is a process of its own. Most are forked from a server that has already loaded the product
(`crawl`), which saves a third of a second each; `command` starts the real command.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import util
from pathlib import Path
from typing import NamedTuple, Self

from tests.faults import trapped_crawl
from tests.faults.webs import WEBS, Served
from tests.support.crawls import COMMAND, ROOT, differences

Word = str | Path


class ProcessResult(NamedTuple):
    """How a process ended. A negative code is the number of the signal that ended it."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    def __str__(self) -> str:
        return f"exit {self.code} after {self.seconds:.1f} s: {self.stderr.strip()[-600:] or '(silence)'}"


TIMED_OUT = 1_000  # a process that had to be ended after its time


class SuiteWorker:
    """A folder, webs that are served while it is open, and ways to start a crawl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._served: dict[str, Served] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        # Every worker has a server of its own to fork from.
        multiprocessing.get_context("forkserver").set_forkserver_preload(
            [__name__, *trapped_crawl.SLOW_TO_LOAD]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def web(self, name: str) -> Served:
        """One of the webs, served; its count begins anew. An undisturbed crawl of it is `baseline`."""
        if name not in self._served:
            recipe, baseline = WEBS[name], self.folder / f"baseline-{name}.db"
            web = recipe.make()
            url = self._open.enter_context(web.serve_in_thread())
            flags = ("--seed", url, *recipe.flags)
            ended = self.crawl(*flags, "--db", baseline)
            wrong = [] if ended.code == 0 else [str(ended)]
            if recipe.known:
                expected = web.expected(recipe.depth, robots=True)
                wrong += differences(baseline, expected)
                if web.requests != expected.requests:
                    wrong.append(
                        f"the web was asked for {web.requests - Counter(expected.requests)} too much"
                    )
            if wrong:
                raise RuntimeError(f"the undisturbed crawl of {name} goes wrong already: {wrong[:3]}")
            baseline_requests = dict(web.requests)
            self._served[name] = Served(
                web=web,
                url=url,
                flags=flags,
                pool_sizes=recipe.pool_sizes,
                baseline=baseline,
                baseline_requests=baseline_requests,
            )
        served = self._served[name]
        served.web.forget()
        return served

    @contextmanager
    def scratch_folder(self) -> Iterator[Path]:
        """A fresh folder for one case, gone afterwards."""
        scratch = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def crawl(self, *words: Word, trap: str = "", timeout: float = 60.0) -> ProcessResult:
        """Run the product's command in a forked process, with a trap set (see `trapped_crawl`)."""
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            context = multiprocessing.get_context("forkserver")
            process = context.Process(target=trapped_crawl.forked, args=(list(map(str, words)), trap, out))
            began = time.monotonic()
            process.start()
            process.join(timeout)
            code = process.exitcode
            if code is None:
                process.kill()
                process.join()
                code = TIMED_OUT
            seconds = time.monotonic() - began
            process.close()
            texts = [
                path.read_text("utf-8", "replace") if path.exists() else ""
                for path in (Path(out, "stdout"), Path(out, "stderr"))
            ]
        return ProcessResult(code, texts[0], texts[1], seconds)

    def command(
        self,
        *words: Word,
        before: Sequence[Word] = (),
        program: Sequence[str] = COMMAND,
        env: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> ProcessResult:
        """Run the real command, or another `program`; `before` stands before it (strace and its flags)."""
        began = time.monotonic()
        with self.started(*words, before=before, program=program, env=env) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                end_group(process)
                stdout, stderr = process.communicate()
                return ProcessResult(TIMED_OUT, stdout, stderr, time.monotonic() - began)
        return ProcessResult(process.returncode, stdout, stderr, time.monotonic() - began)

    @contextmanager
    def started(
        self,
        *words: Word,
        before: Sequence[Word] = (),
        program: Sequence[str] = COMMAND,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[subprocess.Popen[str]]:
        """Start the real command in a session of its own; what still runs at the end is killed."""
        process = subprocess.Popen(
            [*map(str, before), *program, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    end_group(process)


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill a process that we started, and what it started (the crawl beneath strace)."""
    os.killpg(process.pid, signal.SIGKILL)


_this: list[SuiteWorker] = []


def start_suite_worker(folder: str) -> None:
    """In a new worker's process: open its worker, and close it when the process ends."""
    # A worker outlives the Ctrl-C that ends the suite just long enough to clean up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = SuiteWorker(Path(folder) / f"worker-{os.getpid()}")
    _this.append(worker.__enter__())
    util.Finalize(worker, worker.__exit__, exitpriority=10)


def current_worker() -> SuiteWorker:
    return _this[0]
